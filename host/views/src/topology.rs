//! The cluster as it was read: nodes, keyspaces, and what could be lost.
use crate::findings;
use quorate_ring::{Keyspace, NodeId, Replication, Topology};
use quorate_schedule::{Guard, Outs, Policy};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _};

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

impl TopologyView<'_> {
    /// Who is out as the map shows it.
    pub(crate) fn outs(&self) -> Outs {
        let mut outs = self.guard.nobody_out();
        let shown = self.topology.ids().map(|id| (id, self.topology.node(id).status));
        let not_up =
            shown.filter(|(_, s)| !s.is_up_normal()).map(|(id, s)| (id, Some(s))).collect();
        outs.update(self.guard, &not_up, &Default::default(), BTreeMap::new());
        outs
    }

    fn token_counts(&self) -> BTreeMap<NodeId, usize> {
        let mut counts = BTreeMap::new();
        for (_, id) in self.topology.ring.owned() {
            *counts.entry(*id).or_default() += 1;
        }
        counts
    }

    /// As a table.
    pub fn text(&self) -> String {
        let (topology, outs, tokens) = (self.topology, self.outs(), self.token_counts());
        let mut text = String::new();
        let ids = topology.in_order();
        let _ = writeln!(
            text,
            "cluster      {}, {} nodes in {} data centers",
            topology.cluster,
            ids.len(),
            topology.data_centers().len()
        );
        let total = topology.ring.owned().len();
        let _ = writeln!(text, "partitioner  {}, {total} tokens", topology.partitioner.class());
        let _ = writeln!(text, "keeps        {}", self.policy.guarantee.text());
        let width =
            |cell: &dyn Fn(NodeId) -> usize| ids.iter().map(|id| cell(*id)).max().unwrap_or(0);
        let address = |id: NodeId| topology.node(id).address.to_string();
        let version = |id: NodeId| topology.node(id).version.clone().unwrap_or_else(|| "?".into());
        let (addresses, versions) =
            (width(&|id| address(id).len()), width(&|id| version(id).len()));
        let mut place = None;
        for id in &ids {
            let node = topology.node(*id);
            let here = (&node.data_center, &node.rack);
            if place != Some(here) {
                let _ = writeln!(text, "\n{} {}", node.data_center, node.rack);
                place = Some(here);
            }
            let slack = match self.guard.slack(&outs, *id) {
                Some(slack) => format!("slack {slack}"),
                None => "no guarded range".into(),
            };
            let _ = writeln!(
                text,
                "  {:<addresses$}  {}  {:<versions$}  {:>4} tokens  {slack}",
                address(*id),
                node.status,
                version(*id),
                tokens.get(id).copied().unwrap_or(0),
            );
        }
        let _ = writeln!(text, "\nkeyspaces");
        for ((replication, guarded), names) in self.keyspaces() {
            let _ = writeln!(text, "  {replication}, {guarded}: {}", names.join(" "));
        }
        let found = findings(topology, self.guard, self.policy);
        if !found.is_empty() {
            let _ = writeln!(text, "\nto know");
            found.iter().for_each(|finding| {
                let _ = writeln!(text, "  {finding}");
            });
        }
        text
    }

    /// Keyspaces by replication and by whether they are guarded.
    fn keyspaces(&self) -> BTreeMap<(String, String), Vec<&str>> {
        let mut folded: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
        for keyspace in &self.topology.keyspaces {
            let guarded = match self.policy.guarantee.level_of(keyspace) {
                Some(level) => format!("kept at {level}"),
                None => "not guarded".into(),
            };
            let key = (replication(&keyspace.replication), guarded);
            folded.entry(key).or_default().push(keyspace.name.as_str());
        }
        folded
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let (topology, outs, tokens) = (self.topology, self.outs(), self.token_counts());
        let node = |id: NodeId| {
            let node = topology.node(id);
            json!({
                "address": node.address.to_string(),
                "host_id": node.host_id.as_ref().map(ToString::to_string),
                "data_center": node.data_center.as_str(),
                "rack": node.rack.as_str(),
                "state": node.status.to_string(),
                "version": node.version,
                "tokens": tokens.get(&id).copied().unwrap_or(0),
                "slack": self.guard.slack(&outs, id),
            })
        };
        let keyspace = |keyspace: &Keyspace| {
            let level = self.policy.guarantee.level_of(keyspace);
            json!({
                "name": keyspace.name.as_str(),
                "replication": replication(&keyspace.replication),
                "guarded": level.is_some(),
                "level": level.map(|level| level.to_string()),
            })
        };
        json!({
            "format": 1,
            "cluster": topology.cluster.as_str(),
            "partitioner": topology.partitioner.class(),
            "nodes": topology.in_order().into_iter().map(node).collect::<Vec<_>>(),
            "keyspaces": topology.keyspaces.iter().map(keyspace).collect::<Vec<_>>(),
            "findings": findings(topology, self.guard, self.policy),
        })
    }
}

/// Every range of a keyspace as lines: `(start, end]  replicas  + pending`.
pub fn ranges_text(topology: &Topology, keyspace: &Keyspace) -> String {
    let mut text = String::new();
    for (range, replicas, pending) in ranges(topology, keyspace) {
        let pending = match pending.is_empty() {
            true => String::new(),
            false => format!("  + {}", pending.join(" ")),
        };
        let _ = match range {
            Some((start, end)) => {
                writeln!(text, "({start}, {end}]  {}{pending}", replicas.join(" "))
            }
            None => writeln!(text, "every range  {}{pending}", replicas.join(" ")),
        };
    }
    text
}

/// Every range of a keyspace as JSON.
pub fn ranges_json(topology: &Topology, keyspace: &Keyspace) -> Value {
    let range = |(range, replicas, pending): Held| {
        let (start, end) = range.unzip();
        json!({ "start": start, "end": end, "replicas": replicas, "pending": pending })
    };
    json!({
        "format": 1,
        "keyspace": keyspace.name.as_str(),
        "replication": replication(&keyspace.replication),
        "ranges": ranges(topology, keyspace).into_iter().map(range).collect::<Vec<_>>(),
    })
}

/// A range's tokens, its replicas, and those to come; without tokens: every range.
type Held = (Option<(String, String)>, Vec<String>, Vec<String>);

fn ranges(topology: &Topology, keyspace: &Keyspace) -> Vec<Held> {
    let names = |ids: &[NodeId]| -> Vec<String> {
        ids.iter().map(|id| topology.node(*id).address.to_string()).collect()
    };
    if keyspace.replication == Replication::Everywhere {
        let sets = topology.everywhere(None);
        return sets.iter().map(|set| (None, names(set.full), names(set.pending))).collect();
    }
    let ranges = topology.ranges(&keyspace.replication).into_iter();
    ranges
        .map(|range| {
            let tokens = (range.start.to_string(), range.end.to_string());
            (Some(tokens), names(&range.natural), names(&range.pending))
        })
        .collect()
}

/// A replication as Cassandra prints it.
fn replication(replication: &Replication) -> String {
    let factor = |factor: &quorate_ring::ReplicationFactor| match factor.transient {
        0 => factor.all.to_string(),
        transient => format!("{}/{transient}", factor.all),
    };
    match replication {
        Replication::NetworkTopology(factors) => {
            let factors: Vec<String> =
                factors.iter().map(|(dc, rf)| format!("{dc}={}", factor(rf))).collect();
            format!("NetworkTopologyStrategy {{{}}}", factors.join(", "))
        }
        Replication::Simple(rf) => format!("SimpleStrategy {{replication_factor={}}}", factor(rf)),
        Replication::Everywhere => "EverywhereStrategy".into(),
        Replication::Local => "LocalStrategy".into(),
        Replication::Meta(options) => format!("MetaStrategy {{{options}}}"),
    }
}
