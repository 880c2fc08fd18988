//! What a job would do: its waves, what limits them, and what a person should know before.
use crate::reasons::reason_json;
use quorate_journal::Created;
use quorate_ring::NodeId;
use quorate_schedule::{Impact, Strategy, Waves};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Nodes of one rack that are named in a wave; the rest are counted.
const NAMED: usize = 8;

/// A plan, to be shown.
#[derive(Clone, Copy, Debug)]
pub struct PlanView<'a> {
    /// The job that would be made.
    pub created: &'a Created,
    /// Its schedule.
    pub waves: &'a Waves,
    /// What a person should know before.
    pub warnings: &'a [String],
    /// Name every node.
    pub whole: bool,
}

impl PlanView<'_> {
    /// As text.
    pub fn text(&self) -> String {
        let Self { created, waves, warnings, .. } = self;
        let mut text = String::new();
        let _ = writeln!(text, "command  {}", created.command.summary);
        let _ = writeln!(
            text,
            "cluster  {}, {} targets",
            created.topology.cluster,
            created.targets.len()
        );
        let _ = writeln!(text, "keeps    {}", keeps(created));
        let _ = writeln!(text, "order    strategy {}, {}", strategy(created), self.centers());
        let _ = writeln!(
            text,
            "stage    {} ({})",
            created.command.stage,
            impact(created.policy.impact)
        );
        let _ = match waves.waves.iter().map(Vec::len).max() {
            Some(most) => writeln!(
                text,
                "waves    {}, {most} at most at a time; no order needs fewer than {}",
                waves.waves.len(),
                waves.bound.waves
            ),
            None => writeln!(text, "waves    none, as things are"),
        };
        let _ = writeln!(text, "limit    {}", waves.bound.limit.text());
        for warning in *warnings {
            let _ = writeln!(text, "warning  {warning}");
        }
        let digits = waves.waves.len().to_string().len();
        for (number, wave) in (1..).zip(&waves.waves) {
            let nodes = if wave.len() == 1 { "node" } else { "nodes" };
            let _ = writeln!(text, "\nwave {number:>digits$}  {} {nodes}", wave.len());
            for (place, names) in self.by_rack(wave) {
                let shown = if self.whole { names.len() } else { NAMED.min(names.len()) };
                let more = match names.len() - shown {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let _ = writeln!(text, "  {place}  {}{more}", names[..shown].join(" "));
            }
        }
        if !waves.held.is_empty() {
            let _ = writeln!(text, "\nnot started as things are: {}", waves.held.len());
            let shown = if self.whole { waves.held.len() } else { NAMED.min(waves.held.len()) };
            for (node, reason) in &waves.held[..shown] {
                let _ = writeln!(text, "  {}  {}", self.key(*node), reason.text(&created.topology));
            }
            if waves.held.len() > shown {
                let _ = writeln!(text, "  … and {} more", waves.held.len() - shown);
            }
        }
        text.push_str("\nA node starts as soon as those that hold it are back; no wave is waited for. Nothing was touched.\n");
        text
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let Self { created, waves, warnings, .. } = self;
        let names = |wave: &Vec<NodeId>| wave.iter().map(|id| self.key(*id)).collect::<Vec<_>>();
        let held = waves.held.iter().map(|(node, reason)| {
            json!({ "node": self.key(*node), "reason": reason_json(&created.topology, reason) })
        });
        json!({
            "format": 1,
            "command": created.command.name,
            "cluster": created.topology.cluster.as_str(),
            "targets": created.targets.len(),
            "keeps": keeps(created),
            "strategy": strategy(created),
            "stages": [{
                "name": created.command.stage,
                "impact": impact(created.policy.impact),
                "waves": waves.waves.iter().map(names).collect::<Vec<_>>(),
                "lower_bound": waves.bound.waves,
                "limit": waves.bound.limit.text(),
                "held": held.collect::<Vec<_>>(),
            }],
            "warnings": warnings,
        })
    }

    fn key(&self, node: NodeId) -> &str {
        &self.created.hosts[node.index()].key.0
    }

    fn centers(&self) -> &'static str {
        match (self.created.topology.data_centers().len(), self.created.policy.dc_parallel) {
            (1, _) => "one data center",
            (_, true) => "data centers at the same time",
            (_, false) => "one data center after the other",
        }
    }

    /// The nodes of a wave by data center and rack, in order.
    fn by_rack(&self, wave: &[NodeId]) -> Vec<(String, Vec<&str>)> {
        let topology = &self.created.topology;
        let mut racks: Vec<(String, Vec<&str>)> = Vec::new();
        for id in topology.in_order().into_iter().filter(|id| wave.contains(id)) {
            let node = topology.node(id);
            let place = format!("{} {}", node.data_center, node.rack);
            match racks.last_mut().filter(|(known, _)| *known == place) {
                Some((_, names)) => names.push(self.key(id)),
                None => racks.push((place, vec![self.key(id)])),
            }
        }
        racks
    }
}

/// What is kept while nodes are out.
pub(crate) fn keeps(created: &Created) -> String {
    let policy = &created.policy;
    match (policy.observes(), policy.unguarded) {
        (false, _) => "nothing: the command has no impact".into(),
        (true, true) => "nothing: strategy all was given by hand".into(),
        (true, false) => policy.guarantee.text(),
    }
}

/// The strategy's name.
pub(crate) fn strategy(created: &Created) -> &str {
    match (&created.strategy, created.policy.strategy) {
        (Some(component), _) => &component.name,
        (None, Strategy::One) => "one",
        (None, Strategy::Quorum) => "quorum",
        (None, Strategy::All) => "all",
        (None, _) => "topology",
    }
}

fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::None => "no impact",
        Impact::Load => "load",
        Impact::Down => "takes its node down",
    }
}
