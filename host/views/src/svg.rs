//! The cluster as a picture: a ring per data center, tokens in the colours of their racks, and below it every
//! node with its state and its slack.
//!
//! Nothing is told by colour alone, and the picture stays readable where there are a quarter of a million
//! tokens: what is narrower than a line can be is drawn together.
mod rings;

use crate::{
    TopologyView,
    findings::findings,
    topology::{Row, counted},
};
use quorate_ring::{DataCenter, Liveness, Mode, NodeStatus};
use std::{collections::BTreeMap, fmt::Write as _};

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 24.0;
/// The rings' centre and the radius of the outermost.
const CENTRE: (f64, f64) = (314.0, 390.0);
const RADIUS: f64 = 290.0;
/// Where the words beside the rings begin, where those below begin, and what fits beside.
const BESIDE: f64 = 650.0;
const BELOW: f64 = 720.0;
const LINE: f64 = 18.0;
const LINE_CHARACTERS: usize = 88;
const FINDING_LINES: usize = 24;
/// The most nodes that are drawn with their names.
const WITH_NAMES: usize = 96;
/// How many colours there are for racks; a data center with more begins anew.
const COLOURS: usize = 7;
const CHARACTER: f64 = 7.0;

/// Pale colours that people with most kinds of colour blindness tell apart and that dark letters stand out
/// from (after Paul Tol's `light` scheme), on both backgrounds. Red is kept for nodes that are out.
const STYLE: &str = "\
.back{fill:#fff}.ink{fill:#1b1b1b}.soft{fill:#5c6166}\
.cell{fill:#111}.cut,.label{stroke:#fff}.zero{stroke:#1b1b1b}\
.c0{fill:#77aadd}.c1{fill:#eedd88}.c2{fill:#44bb99}.c3{fill:#ffaabb}.c4{fill:#99ddff}.c5{fill:#aaaa00}.c6{fill:#bbbbbb}\
.s0{stroke:#77aadd}.s1{stroke:#eedd88}.s2{stroke:#44bb99}.s3{stroke:#ffaabb}.s4{stroke:#99ddff}.s5{stroke:#aaaa00}.s6{stroke:#bbbbbb}\
.out{fill:#cc2211}.outs{stroke:#cc2211}.white{fill:#fff}\
@media (prefers-color-scheme:dark){\
.back{fill:#15181b}.ink{fill:#e8e8e8}.soft{fill:#a3a9af}.cut,.label{stroke:#15181b}.zero{stroke:#fff}\
.out{fill:#e8402e}.outs{stroke:#e8402e}}";

/// Class, border, meaning.
const LEGEND: [(&str, &str, &str); 5] = [
    ("c0", "", "a node that is up, in the colour of its rack, and its slack: how many more"),
    ("back", "", "members its tightest replica set bears out"),
    ("c0 zero", ZERO, "slack 0: no further member may go out; marked inside of the ring"),
    ("out", "", "a node that is out; marked outside of the ring"),
    ("c0", JOINS, "a node that joins: its tokens aren't on the ring yet"),
];
const ZERO: &str = " stroke-width=\"2.5\"";
const JOINS: &str = " fill-opacity=\"0.4\" stroke=\"#888\" stroke-dasharray=\"4 3\"";
const JOINS_ZERO: &str = " fill-opacity=\"0.4\" stroke-width=\"2.5\" stroke-dasharray=\"4 3\"";

/// How a node is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Up,
    /// It joins, and is no replica yet.
    Joins,
    Out,
}

fn look(status: NodeStatus) -> Look {
    match (status.liveness, status.mode) {
        _ if status.is_up_normal() => Look::Up,
        (Liveness::Up, Mode::Joining) => Look::Joins,
        _ => Look::Out,
    }
}

impl TopologyView<'_> {
    /// The picture: one SVG document that needs nothing else, for light and dark backgrounds.
    pub fn svg(&self) -> String {
        let rows = self.rows();
        let mut body = String::new();
        self.head(&mut body, &rows);
        let thickness = rings::thickness(rows.len());
        for (place, (dc, rows)) in rows.iter().enumerate() {
            let outer = RADIUS - place as f64 * thickness;
            rings::ring(&mut body, self.topology, dc, rows, outer, thickness);
        }
        self.beside(&mut body);
        let height = nodes(&mut body, &rows);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
             height=\"{height:.0}\" font-family=\"ui-sans-serif,system-ui,sans-serif\" font-size=\"12\">\n\
             <style>{STYLE}</style>\n<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
        )
    }

    fn head(&self, body: &mut String, rows: &BTreeMap<&DataCenter, Vec<Row<'_>>>) {
        let all = || rows.values().flatten();
        let other = all().filter(|row| !row.node.status.is_up_normal()).count();
        let up = all().filter(|row| row.node.status.is_up_normal());
        let zero = up.filter(|row| row.slack == Some(0)).count();
        let _ = writeln!(
            body,
            "<text class=\"ink\" x=\"{MARGIN}\" y=\"40\" font-size=\"22\">{}</text>",
            escaped(self.topology.cluster.as_str())
        );
        let text = format!(
            "{} in {}, {}, {}; {} kept; {other} not UN, {zero} of the others with slack 0",
            counted(all().count(), "node"),
            counted(rows.len(), "data center"),
            counted(self.topology.ring.owned().len(), "token"),
            self.topology.partitioner.class(),
            self.policy.guarantee.text(),
        );
        words(body, "soft", MARGIN, 64.0, &text);
    }

    /// What the marks mean, and the findings.
    fn beside(&self, body: &mut String) {
        let mut y = 110.0;
        for (class, border, text) in LEGEND {
            let _ = write!(
                body,
                "<rect class=\"{class}\" x=\"{BESIDE}\" y=\"{:.0}\" width=\"14\" height=\"14\" rx=\"2\"{border}/>",
                y - 11.0
            );
            words(body, "ink", BESIDE + 24.0, y, text);
            y += LINE + 4.0;
        }
        y += LINE;
        let found = findings(self.topology, self.guard, self.policy);
        let lines: Vec<String> = found.iter().flat_map(|finding| wrapped(finding)).collect();
        let fits = if lines.len() > FINDING_LINES { FINDING_LINES - 1 } else { lines.len() };
        for line in &lines[..fits] {
            words(body, "ink", BESIDE, y, line);
            y += LINE;
        }
        if fits < lines.len() {
            words(body, "soft", BESIDE, y, "… the table and the JSON have all of it");
        }
    }
}

/// Every node, by data center and rack. Gives the height of the whole picture.
fn nodes(body: &mut String, centers: &BTreeMap<&DataCenter, Vec<Row<'_>>>) -> f64 {
    let all = || centers.values().flatten();
    let longest = all().map(|row| row.node.address.to_string().len()).max().unwrap_or(0);
    let (wide, high) = match all().count() <= WITH_NAMES {
        true => ((longest as f64 * CHARACTER + 14.0).max(96.0), 38.0),
        false => (20.0, 18.0),
    };
    let mut top = BELOW;
    for (dc, rows) in centers {
        let colours = colours(rows);
        let title = format!("{dc}: {}", counted(rows.len(), "node"));
        let _ = writeln!(
            body,
            "<text class=\"ink\" x=\"{MARGIN}\" y=\"{top:.0}\" font-size=\"15\">{}</text>",
            escaped(&title)
        );
        top += 12.0;
        let (mut x, mut lowest) = (MARGIN, top);
        for rack in rows.chunk_by(|a, b| a.node.rack == b.node.rack) {
            let name = rack[0].node.rack.as_str();
            let fits = (((WIDTH - 2.0 * MARGIN) / wide) as usize).max(1);
            let columns = rack.len().min(fits);
            let block = (columns as f64 * wide).max(name.chars().count() as f64 * CHARACTER);
            if x > MARGIN && x + block > WIDTH - MARGIN {
                (x, top) = (MARGIN, lowest);
            }
            words(body, "soft", x, top + 14.0, name);
            for (place, row) in rack.iter().enumerate() {
                let left = x + (place % columns) as f64 * wide;
                let y = top + 20.0 + (place / columns) as f64 * high;
                cell(body, row, colours[name], (left, y), (wide - 4.0, high - 4.0));
            }
            let end = top + 20.0 + rack.len().div_ceil(columns) as f64 * high + 8.0;
            lowest = lowest.max(end);
            x += block + 14.0;
        }
        top = lowest + 28.0;
    }
    top
}

/// The colour of each rack of a data center.
fn colours<'a>(rows: &[Row<'a>]) -> BTreeMap<&'a str, usize> {
    let racks = rows.chunk_by(|a, b| a.node.rack == b.node.rack);
    (0..).zip(racks).map(|(n, rack)| (rack[0].node.rack.as_str(), n % COLOURS)).collect()
}

/// One node: large with its name, or small with what matters of it.
fn cell(body: &mut String, row: &Row<'_>, colour: usize, (x, y): (f64, f64), (w, h): (f64, f64)) {
    let look = look(row.node.status);
    let fill = match look {
        Look::Out => "out".to_owned(),
        Look::Up | Look::Joins => format!("c{colour}"),
    };
    let zero = row.slack == Some(0) && look != Look::Out;
    let border = match (look, zero) {
        (Look::Joins, true) => JOINS_ZERO,
        (Look::Joins, false) => JOINS,
        (_, true) => ZERO,
        (_, false) => "",
    };
    let class = if zero { format!("{fill} zero") } else { fill };
    let ink = match look {
        Look::Out => "white",
        Look::Joins => "ink",
        Look::Up => "cell",
    };
    let _ = write!(
        body,
        "<g><title>{}</title><rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" \
         height=\"{h:.1}\" rx=\"2\"{border}/>",
        escaped(&tooltip(row))
    );
    if h > 20.0 {
        let slack = match row.slack {
            Some(slack) => format!("{}  slack {slack}", row.node.status),
            None => row.node.status.to_string(),
        };
        words(body, ink, x + 6.0, y + 14.0, &row.node.address.to_string());
        words(body, ink, x + 6.0, y + 28.0, &slack);
    } else {
        let what = match look {
            Look::Up => row.slack.map(|slack| slack.to_string()).unwrap_or_default(),
            Look::Joins | Look::Out => row.node.status.to_string(),
        };
        let _ = write!(
            body,
            "<text class=\"{ink}\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"9\" text-anchor=\"middle\">{what}</text>",
            x + w / 2.0,
            y + h / 2.0 + 3.0
        );
    }
    body.push_str("</g>\n");
}

fn tooltip(row: &Row<'_>) -> String {
    let Row { node, tokens, .. } = row;
    let mut text = format!("{}, {} {}, {}", node.address, node.data_center, node.rack, node.status);
    if let Some(version) = &node.version {
        let _ = write!(text, ", {version}");
    }
    let _ = write!(text, ", {}", counted(*tokens, "token"));
    if row.share.is_some() {
        let _ = write!(text, ", {} of {}", row.percent(), node.data_center);
    }
    match row.slack {
        Some(slack) => {
            let _ = write!(text, ", slack {slack}");
        }
        None => text.push_str(", in no guarded replica set"),
    }
    text
}

fn words(body: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let text = escaped(text);
    let _ = writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
}

/// Lines that fit beside the rings; further ones of a sentence begin indented.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::from("•")];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last + 1 + word.chars().count() > LINE_CHARACTERS && last > 1 {
            lines.push("\u{a0}\u{a0}".into());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

/// Text as XML has it. Characters that XML can't hold become blanks.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
