//! What `doctor` found: one table, then a line for each trouble with its cure.
use quorate_ring::{NodeId, Topology};
use quorate_schedule::{Checked, Look, NodeKey, Probe, Trouble};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// A look at a cluster.
#[derive(Clone, Copy, Debug)]
pub struct DoctorView<'a> {
    /// The cluster.
    pub topology: &'a Topology,
    /// What each node is called, by [`NodeId`].
    pub keys: &'a [NodeKey],
    /// What was found out.
    pub look: &'a Look,
    /// What of it is a trouble.
    pub troubles: &'a [Trouble],
    /// What isn't as it should be in the ring, and may pass by itself.
    pub unsettled: &'a [String],
    /// What a person should know of the ring.
    pub notes: &'a [String],
}

/// Nodes that a line names before it counts the rest.
const NAMED: usize = 3;

/// `10.0.0.1, 10.0.0.2 and 5 more: what it is`.
pub fn trouble_line(trouble: &Trouble, keys: &[NodeKey]) -> String {
    format!("{}: {}", names(&trouble.nodes, keys), trouble.text)
}

fn names(nodes: &[NodeId], keys: &[NodeKey]) -> String {
    let name = |node: &NodeId| keys.get(node.index()).map_or_else(String::new, |key| key.0.clone());
    let shown: Vec<String> = nodes.iter().take(NAMED).map(name).collect();
    match nodes.len() {
        0..=NAMED => shown.join(", "),
        n => format!("{} and {} more", shown.join(", "), n - NAMED),
    }
}

/// What nodes have in common in a row of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    /// Troubles first: how many, the worst of them negative, so that they come first.
    worst: i32,
    verdict: String,
    user: String,
    directory: String,
    system: String,
    version: String,
}

/// What differs among them.
#[derive(Default)]
struct Members {
    nodes: Vec<NodeId>,
    least_kib: Option<u64>,
    furthest_ms: Option<i64>,
}

impl DoctorView<'_> {
    /// Whether there is nothing to see to.
    pub fn is_fine(&self) -> bool {
        self.troubles.is_empty() && self.unsettled.is_empty()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let versions: BTreeSet<&str> = self
            .look
            .nodes
            .iter()
            .filter_map(|node| node.version.as_ref()?.as_deref().ok())
            .collect();
        let versions: Vec<&str> = versions.into_iter().collect();
        let cassandra = match versions.as_slice() {
            [] => String::new(),
            versions => format!(", Cassandra {}", versions.join(" and ")),
        };
        let nodes = self.look.nodes.len();
        let _ = writeln!(text, "{}: {nodes} nodes{cassandra}", self.topology.cluster);
        let _ = writeln!(text);
        text.push_str(&self.table());
        let _ = writeln!(text);
        for trouble in self.troubles {
            let grade = if trouble.breaks { "trouble" } else { "warning" };
            let _ = writeln!(text, "{grade}: {}", trouble_line(trouble, self.keys));
            if !trouble.cure.is_empty() {
                let _ = writeln!(text, "   cure: {}", trouble.cure);
            }
        }
        for line in self.unsettled {
            let _ = writeln!(text, "warning: {line}");
        }
        for line in self.notes {
            let _ = writeln!(text, "note: {line}");
        }
        if self.is_fine() {
            let _ = writeln!(text, "nothing is amiss on the nodes");
        }
        text
    }

    fn rows(&self) -> BTreeMap<Row, Members> {
        let mut rows: BTreeMap<Row, Members> = BTreeMap::new();
        for checked in &self.look.nodes {
            let members = rows.entry(self.row(checked)).or_default();
            members.nodes.push(checked.node);
            let Ok(probe) = &checked.probe else { continue };
            if let Some(free) = probe.free_kib {
                members.least_kib = Some(members.least_kib.map_or(free, |least| least.min(free)));
            }
            if let Some(skew) = probe.skew {
                let ms = certain(skew.least_ms, skew.most_ms);
                let further = members.furthest_ms.is_none_or(|known| ms.abs() > known.abs());
                members.furthest_ms = if further { Some(ms) } else { members.furthest_ms };
            }
        }
        rows
    }

    fn row(&self, checked: &Checked) -> Row {
        let own: Vec<&Trouble> =
            self.troubles.iter().filter(|trouble| trouble.nodes.contains(&checked.node)).collect();
        let words: BTreeSet<&str> = own.iter().map(|trouble| trouble.kind.word()).collect();
        let words: Vec<&str> = words.into_iter().collect();
        let breaking = own.iter().filter(|trouble| trouble.breaks).count() as i32;
        let probe = checked.probe.as_ref().ok();
        let of = |get: fn(&Probe) -> String| probe.map_or_else(|| "-".to_owned(), get);
        let version = match &checked.version {
            Some(Ok(version)) => version.clone(),
            _ => "-".to_owned(),
        };
        Row {
            worst: -(breaking * 1000 + own.len() as i32),
            verdict: if words.is_empty() { "fine".into() } else { words.join(", ") },
            user: of(|probe| probe.user.clone()),
            directory: of(|probe| probe.directory.clone()),
            system: of(|probe| probe.file_system.clone().unwrap_or_else(|| "?".into())),
            version,
        }
    }

    fn table(&self) -> String {
        let head = ["NODES", "USER", "STATE OF ACTIONS", "ON", "FREE", "CLOCK", "CASSANDRA", ""];
        let mut lines: Vec<[String; 8]> = vec![head.map(str::to_owned)];
        for (row, members) in self.rows() {
            let nodes = match members.nodes.len() {
                1..=NAMED => names(&members.nodes, self.keys),
                n => format!("{n} nodes"),
            };
            let many = members.nodes.len() > 1;
            let free = members.least_kib.map_or_else(|| "-".to_owned(), |kib| size(kib, many));
            let clock = members.furthest_ms.map_or_else(|| "-".to_owned(), clock);
            lines.push([
                nodes,
                row.user,
                row.directory,
                row.system,
                free,
                clock,
                row.version,
                row.verdict,
            ]);
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..8).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for line in &lines {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        }
        text
    }

    /// One object.
    pub fn json(&self) -> Value {
        let name = |node: &NodeId| self.keys.get(node.index()).map(|key| key.0.clone());
        let troubles = self.troubles.iter().map(|trouble| {
            json!({
                "kind": trouble.kind.word(),
                "breaks": trouble.breaks,
                "nodes": trouble.nodes.iter().map(name).collect::<Vec<_>>(),
                "text": trouble.text,
                "cure": trouble.cure,
            })
        });
        let nodes = self.look.nodes.iter().map(|checked| {
            let mut node = match &checked.probe {
                Ok(probe) => facts(probe),
                Err(unreached) => json!({ "reached": false, "error": unreached.message }),
            };
            node["node"] = json!(name(&checked.node));
            if let Some(Ok(version)) = &checked.version {
                node["version"] = json!(version);
            }
            node
        });
        json!({
            "format": 1,
            "cluster": self.topology.cluster.to_string(),
            "fine": self.is_fine(),
            "nodes": nodes.collect::<Vec<_>>(),
            "troubles": troubles.collect::<Vec<_>>(),
            "unsettled": self.unsettled,
            "notes": self.notes,
        })
    }
}

fn facts(probe: &Probe) -> Value {
    json!({
        "reached": true,
        "user": probe.user,
        "directory": probe.directory,
        "writable": probe.unwritable.is_none(),
        "file_system": probe.file_system,
        "free_kib": probe.free_kib,
        "free_files": probe.free_files,
        "clock_ahead_ms": probe.skew.map(|skew| [skew.least_ms, skew.most_ms]),
        "boot_id": probe.boot,
        "outlives_connection": probe.outlives,
        "sessions": probe.sessions,
        "actions": probe.live.iter().map(|a| format!("{}/{}", a.job, a.action)).collect::<Vec<_>>(),
    })
}

/// How far off for certain; 0 where it may be right.
fn certain(least_ms: i64, most_ms: i64) -> i64 {
    if least_ms > 0 { least_ms } else { most_ms.min(0) }
}

fn clock(ms: i64) -> String {
    match ms {
        -99..=99 => "right".into(),
        ms => format!("{:+.1} s", ms as f64 / 1000.0),
    }
}

/// At least so much, where several have it.
fn size(kib: u64, many: bool) -> String {
    let more = if many { "+" } else { "" };
    match kib {
        0..1024 => format!("{kib} KiB{more}"),
        1024..1_048_576 => format!("{} MiB{more}", kib >> 10),
        _ => format!("{} GiB{more}", kib >> 20),
    }
}
