//! The cluster as it was read: nodes, keyspaces, and what could be lost.
mod ranges;
mod share;

use crate::findings::{findings, outs_as_shown};
use quorate_ring::{DataCenter, Keyspace, Node, NodeId, Replication, Topology};
use quorate_schedule::{Guard, Level, Policy};
pub use ranges::{ranges_json, ranges_text};
use serde_json::{Value, json};
pub(crate) use share::{owned_in, places};
use std::{collections::BTreeMap, fmt::Write as _};

/// Keyspaces that are named in a line; the rest are counted.
const NAMED: usize = 8;

/// A cluster to be shown.
#[derive(Clone, Copy, Debug)]
pub struct TopologyView<'a> {
    /// The cluster.
    pub topology: &'a Topology,
    /// Its replica sets under the policy.
    pub guard: &'a Guard,
    /// What is guarded, at which level.
    pub policy: &'a Policy,
}

/// What is shown of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
    /// How many tokens it has, or will have once it has joined.
    pub(crate) tokens: usize,
    /// Its part of its data center's ring; none where distances between tokens mean nothing.
    pub(crate) share: Option<f64>,
    /// How many more members the tightest of its replica sets bears out; none: it is in no guarded set.
    pub(crate) slack: Option<u32>,
}

impl Row<'_> {
    /// The share in percent.
    pub(crate) fn percent(&self) -> String {
        self.share.map_or_else(|| "-".into(), |share| format!("{:.1}%", share * 100.0))
    }

    /// The slack as a word.
    pub(crate) fn slack_word(&self) -> String {
        self.slack.map_or_else(|| "-".into(), |slack| slack.to_string())
    }
}

/// Whether a keyspace is guarded: the level that is kept, or why none is.
type Kept = Result<Level, &'static str>;

impl TopologyView<'_> {
    /// The nodes by data center, rack and address, with who is out as the map shows it.
    pub(crate) fn rows(&self) -> BTreeMap<&DataCenter, Vec<Row<'_>>> {
        let topology = self.topology;
        let outs = outs_as_shown(topology, self.guard);
        let mut tokens: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (_, id) in topology.ring.owned() {
            *tokens.entry(*id).or_default() += 1;
        }
        for replacement in topology.ring.replaced() {
            let taken = tokens.get(&replacement.by).copied().unwrap_or(0);
            tokens.insert(replacement.dead, taken);
        }
        let mut rows: BTreeMap<&DataCenter, Vec<Row<'_>>> = BTreeMap::new();
        let centers = topology.data_centers();
        let shares: BTreeMap<&DataCenter, _> =
            centers.into_iter().map(|dc| (dc, share::shares(topology, dc))).collect();
        for id in topology.in_order() {
            let node = topology.node(id);
            let share = |all: &BTreeMap<NodeId, f64>| all.get(&id).copied().unwrap_or(0.0);
            rows.entry(&node.data_center).or_default().push(Row {
                id,
                node,
                tokens: tokens.get(&id).copied().unwrap_or(0),
                share: shares[&node.data_center].as_ref().map(share),
                slack: self.guard.slack(&outs, id),
            });
        }
        rows
    }

    /// As a table.
    pub fn text(&self) -> String {
        let rows = self.rows();
        let all = || rows.values().flatten();
        let up = all().filter(|row| row.node.status.is_up_normal()).count();
        let mut text = String::new();
        let _ = writeln!(text, "cluster      {}", self.topology.cluster);
        let _ = writeln!(
            text,
            "partitioner  {}, {}",
            self.topology.partitioner.class(),
            counted(self.topology.ring.owned().len(), "token")
        );
        let _ = writeln!(
            text,
            "nodes        {} in {}, {up} of them UN",
            all().count(),
            counted(rows.len(), "data center"),
        );
        let _ = writeln!(text, "keeps        {}", self.policy.guarantee.text());
        let mut cells: Vec<[String; 7]> = all().map(row_cells).collect();
        cells.insert(0, HEADS.map(str::to_owned));
        let widths: [usize; 7] = std::array::from_fn(|at| {
            cells.iter().map(|c| c[at].chars().count()).max().unwrap_or(0)
        });
        let mut lines = cells.iter().map(|cells| row_line(cells, &widths));
        let head = lines.next().unwrap_or_default();
        for (dc, rows) in &rows {
            let _ = writeln!(text, "\n{dc}: {}\n{head}", counted(rows.len(), "node"));
            lines.by_ref().take(rows.len()).for_each(|line| {
                let _ = writeln!(text, "{line}");
            });
        }
        text.push_str("\nkeyspaces\n");
        text.push_str(&self.keyspaces());
        text.push_str("\nfindings\n");
        let mut found = findings(self.topology, self.guard, self.policy);
        if found.is_empty() {
            found.push("none".into());
        }
        found.iter().for_each(|finding| {
            let _ = writeln!(text, "  {finding}");
        });
        text
    }

    /// Keyspaces that are replicated and kept alike, a line each; those that are kept first.
    fn keyspaces(&self) -> String {
        let mut folded: BTreeMap<(bool, String, Kept), Vec<&str>> = BTreeMap::new();
        for keyspace in &self.topology.keyspaces {
            let kept = self.kept(keyspace);
            let key = (kept.is_err(), keyspace.replication.to_string(), kept);
            folded.entry(key).or_default().push(keyspace.name.as_str());
        }
        let mut text = String::new();
        for ((_, replication, kept), names) in folded {
            let kept = match kept {
                Ok(level) => format!("kept at {level}"),
                Err(why) => format!("not guarded: {why}"),
            };
            let more = match names.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let names = names[..names.len().min(NAMED)].join(" ");
            let _ = writeln!(text, "  {names}{more}\n    {replication}, {kept}");
        }
        text
    }

    /// What the guard counts for a keyspace. It is asked itself, so that what is shown can't differ from what
    /// is kept.
    fn kept(&self, keyspace: &Keyspace) -> Kept {
        let guarantee = &self.policy.guarantee;
        let family = self.guard.families().iter().find(|f| f.keyspaces.contains(&keyspace.name));
        if let Some(family) = family {
            return Ok(family.level);
        }
        Err(match &keyspace.replication {
            Replication::Local => "every node has its own",
            Replication::Meta(_) => "the members of the metadata service aren't known",
            _ if guarantee.level_of(keyspace).is_some() => "no node holds it",
            Replication::Everywhere => "every node holds all of it",
            _ if keyspace.is_guarded() => "--keyspace names others",
            _ if keyspace.name.as_str() == "system_auth" => "too few replicas",
            _ => "no client waits for it",
        })
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let rows = self.rows();
        let node = |row: &Row<'_>| {
            json!({
                "address": row.node.address.to_string(),
                "host_id": row.node.host_id.as_ref().map(ToString::to_string),
                "data_center": row.node.data_center.as_str(),
                "rack": row.node.rack.as_str(),
                "state": row.node.status.to_string(),
                "version": row.node.version,
                "tokens": row.tokens,
                "share": row.share.map(|share| (share * 10_000.0).round() / 10_000.0),
                "slack": row.slack,
            })
        };
        let keyspace = |keyspace: &Keyspace| {
            let kept = self.kept(keyspace);
            json!({
                "name": keyspace.name.as_str(),
                "replication": keyspace.replication.to_string(),
                "guarded": kept.is_ok(),
                "level": kept.ok().map(|level| level.to_string()),
                "why_not": kept.err(),
            })
        };
        json!({
            "format": 1,
            "cluster": self.topology.cluster.as_str(),
            "partitioner": self.topology.partitioner.class(),
            "nodes": rows.values().flatten().map(node).collect::<Vec<_>>(),
            "keyspaces": self.topology.keyspaces.iter().map(keyspace).collect::<Vec<_>>(),
            "findings": findings(self.topology, self.guard, self.policy),
        })
    }
}

const HEADS: [&str; 7] = ["RACK", "ADDRESS", "STATE", "VERSION", "TOKENS", "SHARE", "SLACK"];

fn row_cells(row: &Row<'_>) -> [String; 7] {
    [
        row.node.rack.to_string(),
        row.node.address.to_string(),
        row.node.status.to_string(),
        row.node.version.clone().unwrap_or_else(|| "-".into()),
        row.tokens.to_string(),
        row.percent(),
        row.slack_word(),
    ]
}

/// Words to the left, numbers to the right.
fn row_line(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let mut line = String::from(" ");
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = match at < 4 {
            true => write!(line, " {cell:<width$} "),
            false => write!(line, " {cell:>width$} "),
        };
    }
    line.trim_end().to_owned()
}

/// `1 node`, `3 nodes`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
