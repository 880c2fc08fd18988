//! What a strategy's component proposes.
use crate::Phase;
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
use quorate_ring::{NodeId, Topology};
use serde::{Deserialize, Serialize};

/// Groups of targets, run one after the other: a group begins when nothing of the one before it waits,
/// runs or is unconfirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proposed {
    /// The groups in order.
    pub groups: Vec<Group>,
    /// What of the answer couldn't be used, in words.
    pub dropped: Vec<String>,
}

/// One group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Group {
    /// Its nodes in the order in which they are tried.
    pub nodes: Vec<NodeId>,
    /// Most of them out at a time.
    pub max_out: Option<u32>,
    /// The job stops after this group.
    pub pause_after: bool,
}

impl Proposed {
    /// Keeps what can be used of an answer: targets that wait, each once.
    pub(crate) fn checked(
        groups: Vec<Group>,
        topology: &Topology,
        phase: impl Fn(NodeId) -> Option<Phase>,
    ) -> Self {
        let mut named = BTreeSet::new();
        let mut dropped = Vec::new();
        let mut usable = |id: &NodeId| {
            let why = match phase(*id) {
                Some(Phase::Waiting) if named.insert(*id) => return true,
                Some(Phase::Waiting) => "is named twice",
                Some(_) => "doesn't wait any more",
                None => "is no target",
            };
            let name = topology.nodes.get(id.index()).map(|node| node.address);
            let name =
                name.map_or_else(|| format!("node {}", id.0), |address| format!("{address}"));
            dropped.push(format!("{name} {why}"));
            false
        };
        let mut kept = Vec::new();
        for mut group in groups {
            group.nodes.retain(&mut usable);
            if !group.nodes.is_empty() {
                kept.push(group);
            }
        }
        Self { groups: kept, dropped }
    }
}
