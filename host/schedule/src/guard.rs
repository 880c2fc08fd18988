//! The guard: the only door through which a node is started.
use crate::{Impact, Policy, Reason};
use alloc::collections::{BTreeMap, BTreeSet};
use quorate_ring::{NodeId, NodeStatus, ReplicaMap, Topology};

/// What is out now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterState {
    /// Nodes that this job has started and whose health has not been confirmed since, whatever gossip
    /// still says of them.
    pub out: BTreeSet<NodeId>,
    /// Nodes that an observer of the newest round doesn't show as `UN`, with what it shows; `None`
    /// where it doesn't show the node at all.
    pub not_up: BTreeMap<NodeId, Option<NodeStatus>>,
    /// Those of them that every observer shows as down.
    pub down: BTreeSet<NodeId>,
}

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The node may start.
    Admit,
    /// It may not, for now.
    Hold(Reason),
}

/// Whether `node` may be started, whoever proposes it.
///
/// A node that every observer shows as down changes nothing and is admitted. One that some observer
/// doesn't show as `UN` is held: it joins, leaves or moves, or the observers disagree. Any other is held while another node
/// of its data center isn't `UN` for a cause other than this job (with `--ignore-down-nodes`: while a
/// node that shares a range with it isn't), and while a node that shares a range with it has been
/// started by this job and isn't confirmed.
pub fn may_start(
    topology: &Topology,
    replicas: &ReplicaMap,
    policy: &Policy,
    state: &ClusterState,
    node: NodeId,
) -> Verdict {
    if policy.impact == Impact::None || policy.unguarded {
        return Verdict::Admit;
    }
    if state.down.contains(&node) {
        return Verdict::Admit;
    }
    if let Some(status) = state.not_up.get(&node) {
        return Verdict::Hold(Reason::Unsettled(*status));
    }
    let near = |other: NodeId| {
        replicas.shared(node, other).is_some()
            || !policy.ignore_down_nodes
                && topology.node(other).data_center == topology.node(node).data_center
    };
    let down = state
        .not_up
        .iter()
        .find(|(other, _)| **other != node && !state.out.contains(other) && near(**other));
    if let Some((other, status)) = down {
        return Verdict::Hold(Reason::NodeDown { down: *other, status: *status });
    }
    let busy = state
        .out
        .iter()
        .find_map(|out| replicas.shared(node, *out).map(|keyspace| (*out, keyspace.clone())));
    match busy {
        Some((out, keyspace)) => Verdict::Hold(Reason::NeighbourOut { out, keyspace }),
        None => Verdict::Admit,
    }
}
