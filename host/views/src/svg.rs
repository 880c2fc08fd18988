//! The ring as a picture: one circle per data center, a mark per token in the colour of its rack, and the
//! nodes with their states and what they could still lose.
use crate::TopologyView;
use quorate_ring::{DataCenter, NodeId};
use std::{collections::BTreeMap, f64::consts::TAU, fmt::Write as _};

/// Colours that people with most kinds of colour blindness tell apart (Okabe and Ito), readable on light and dark.
const RACKS: [&str; 7] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933"];
/// Marks of one circle; tokens that are closer together are one mark.
const MARKS: usize = 720;
const SIZE: f64 = 420.0;
/// Nodes in one column of the list.
const LINES: usize = 40;
const LINE: f64 = 16.0;
const COLUMN: f64 = 250.0;

impl TopologyView<'_> {
    /// The picture: one SVG document that needs nothing else.
    pub fn svg(&self) -> String {
        let centers = self.topology.data_centers();
        let nodes = self.topology.in_order();
        let columns = |dc: &DataCenter| {
            let of = nodes.iter().filter(|id| self.topology.node(**id).data_center == *dc).count();
            of.div_ceil(LINES).max(1)
        };
        let most = centers.iter().map(|dc| columns(dc)).max().unwrap_or(1);
        let height_of = |dc: &DataCenter| {
            let of = nodes.iter().filter(|id| self.topology.node(**id).data_center == *dc).count();
            SIZE.max(of.min(LINES) as f64 * LINE + 40.0)
        };
        let (width, height) = (
            SIZE + most as f64 * COLUMN + 20.0,
            centers.iter().map(|dc| height_of(dc)).sum::<f64>() + 60.0,
        );
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <style>text{{fill:#222}} .bad{{fill:#c22;font-weight:bold}} .soft{{fill:#666}} \
             .back{{fill:#fff}} .ring{{stroke:#bbb}} @media (prefers-color-scheme:dark){{text{{fill:#ddd}} \
             .bad{{fill:#f77}} .soft{{fill:#999}} .back{{fill:#181818}} .ring{{stroke:#555}}}}</style>\n\
             <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n\
             <text x=\"16\" y=\"26\" font-size=\"16\">{}: {} nodes, {} tokens, {} kept</text>\n\
             <text class=\"soft\" x=\"16\" y=\"44\">marks: tokens, by rack; slack: further members that \
             the tightest replica set bears out</text>\n",
            escaped(self.topology.cluster.as_str()),
            nodes.len(),
            self.topology.ring.owned().len(),
            escaped(&self.policy.guarantee.text()),
        );
        let mut top = 60.0;
        for dc in centers {
            self.center(&mut svg, dc, top);
            top += height_of(dc);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn center(&self, svg: &mut String, dc: &DataCenter, top: f64) {
        let topology = self.topology;
        let here = |id: &NodeId| topology.node(*id).data_center == *dc;
        let nodes: Vec<NodeId> = topology.in_order().into_iter().filter(here).collect();
        let mut racks: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &nodes {
            let next = racks.len();
            racks.entry(topology.node(*id).rack.as_str()).or_insert(next);
        }
        let colour = |id: NodeId| RACKS[racks[topology.node(id).rack.as_str()] % RACKS.len()];
        let (cx, cy, radius) = (SIZE / 2.0, top + SIZE / 2.0, SIZE / 2.0 - 30.0);
        let _ = writeln!(
            svg,
            "<circle class=\"ring\" cx=\"{cx}\" cy=\"{cy}\" r=\"{radius}\" fill=\"none\"/>\n\
             <text x=\"{cx}\" y=\"{cy}\" text-anchor=\"middle\" font-size=\"18\">{}</text>",
            escaped(dc.as_str())
        );
        // Tokens stand at even distances in their order: with random tokens that is nearly where they are.
        let owned: Vec<NodeId> =
            topology.ring.owned().iter().map(|(_, id)| *id).filter(here).collect();
        let step = owned.len().div_ceil(MARKS).max(1);
        let wide = (TAU * radius / (owned.len().div_ceil(step)) as f64 * 0.8).clamp(1.0, 6.0);
        for (place, id) in owned.iter().enumerate().step_by(step) {
            let angle = place as f64 / owned.len() as f64 * TAU - TAU / 4.0;
            let out = !topology.node(*id).status.is_up_normal();
            let (from, to) = (radius - if out { 24.0 } else { 14.0 }, radius);
            let (x, y) = (angle.cos(), angle.sin());
            let _ = writeln!(
                svg,
                "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{}\" \
                 stroke-width=\"{wide:.1}\"/>",
                cx + x * from,
                cy + y * from,
                cx + x * to,
                cy + y * to,
                if out { "#dd2222" } else { colour(*id) },
            );
        }
        let outs = self.outs();
        for (place, id) in nodes.iter().enumerate() {
            let node = topology.node(*id);
            let x = SIZE + (place / LINES) as f64 * COLUMN;
            let y = top + 24.0 + (place % LINES) as f64 * LINE;
            let up = node.status.is_up_normal();
            let slack = self.guard.slack(&outs, *id);
            let class = if up && slack != Some(0) { "" } else { " class=\"bad\"" };
            let slack = slack.map(|slack| format!(" slack {slack}")).unwrap_or_default();
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"10\" height=\"10\" fill=\"{}\"/>\
                 <text x=\"{:.0}\" y=\"{y:.0}\"{class}>{} {} {}{slack}</text>",
                y - 9.0,
                colour(*id),
                x + 16.0,
                node.address,
                escaped(node.rack.as_str()),
                node.status,
            );
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
