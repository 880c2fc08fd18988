//! Observation rounds: how the cluster looks to several of its nodes at one time.
use crate::GateFailure;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use quorate_ring::{Liveness, NodeId, NodeStatus, RingShape, Topology};

/// How the cluster looks to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Who was asked.
    pub observer: NodeId,
    /// What it shows of every node that the job knows; one that it doesn't show is absent.
    pub statuses: BTreeMap<NodeId, NodeStatus>,
    /// The members of the ring, as it shows them.
    pub shape: RingShape,
}

/// The schema versions that a node learnt from all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaView {
    /// Versions and who has them. Nodes that can't be reached are in none.
    pub versions: BTreeMap<String, BTreeSet<NodeId>>,
    /// Release versions, as far as they are known.
    pub releases: BTreeMap<NodeId, String>,
}

impl SchemaView {
    /// Per release the number of its schema versions. Nodes of different releases differ for as long as
    /// both are in the cluster; nodes of one release shouldn't.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for nodes in self.versions.values() {
            let release = |id: &NodeId| self.releases.get(id).cloned().unwrap_or_default();
            for release in nodes.iter().map(release).collect::<BTreeSet<_>>() {
                *counts.entry(release).or_default() += 1;
            }
        }
        counts
    }

    /// As it was when the map was made.
    pub fn of(topology: &Topology) -> Self {
        let ids: BTreeMap<_, NodeId> =
            topology.ids().map(|id| (topology.node(id).address, id)).collect();
        let versions = topology.schema_versions.iter();
        let release = |id: NodeId| Some((id, topology.node(id).version.clone()?));
        Self {
            versions: versions
                .map(|(version, list)| {
                    let nodes = list.iter().filter_map(|address| ids.get(address).copied());
                    (version.clone(), nodes.collect())
                })
                .collect(),
            releases: topology.ids().filter_map(release).collect(),
        }
    }
}

/// What a node that waits says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfView {
    /// The node.
    pub node: NodeId,
    /// Its answers, or why there is none.
    pub answer: Result<SelfAnswer, String>,
    /// There is none because it was no longer waited for.
    pub late: bool,
}

/// A waiting node's own answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfAnswer {
    /// How the cluster looks to it.
    pub statuses: BTreeMap<NodeId, NodeStatus>,
    /// Whether it accepts CQL clients.
    pub serving: bool,
    /// Its gossip generation: changes with every start of the process.
    pub generation: u64,
    /// How the cluster's members look to it.
    pub shape: RingShape,
    /// Streams that move ranges to or from it, in words: `Bootstrap`, `Rebuild`. Repair isn't one of them.
    pub streams: Vec<String>,
}

/// One round: every observer asked once. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// When the first was asked.
    pub began: u64,
    /// When the last had answered, or was no longer waited for.
    pub ended: u64,
    /// When most observers had answered: how old the views are, whoever is late.
    pub seen: u64,
    /// The observers' views; most of those asked answered, or there is no round.
    pub views: Vec<View>,
    /// The schema versions, as one of the observers learnt them; absent where none was asked.
    pub schema: Option<SchemaView>,
    /// The waiting nodes' own answers.
    pub selves: Vec<SelfView>,
    /// Of nodes that are about to start: their gossip generation, absent where their Cassandra is
    /// down, or why it can't be known.
    pub generations: BTreeMap<NodeId, Result<Option<u64>, String>>,
}

impl Round {
    /// The worst that any observer shows of a node: `None` when all show `UN`, else the first other
    /// status, or the failure that nobody shows the node.
    pub fn trouble(&self, node: NodeId) -> Option<(NodeId, Option<NodeStatus>)> {
        self.views.iter().filter(|v| v.observer != node).find_map(|view| {
            match view.statuses.get(&node) {
                Some(status) if status.is_up_normal() => None,
                other => Some((view.observer, other.copied())),
            }
        })
    }

    /// Whether every other observer shows it as down: then it is out already, whatever is done to it.
    pub(crate) fn all_show_down(&self, node: NodeId) -> bool {
        let mut others = self.views.iter().filter(|view| view.observer != node).peekable();
        let down = |view: &View| {
            view.statuses.get(&node).is_some_and(|status| status.liveness == Liveness::Down)
        };
        others.peek().is_some() && others.all(down)
    }

    /// Takes the waiting nodes' own answers for views where there is no other: everybody is out.
    pub(crate) fn with_views(mut self) -> Self {
        if self.views.is_empty() {
            let view = |own: &SelfView| {
                let answer = own.answer.as_ref().ok()?;
                let (statuses, shape) = (answer.statuses.clone(), answer.shape.clone());
                Some(View { observer: own.node, statuses, shape })
            };
            self.views = self.selves.iter().filter_map(view).collect();
        }
        self
    }

    pub(crate) fn own(&self, node: NodeId) -> Result<&SelfAnswer, GateFailure> {
        match self.selves.iter().find(|s| s.node == node).map(|s| &s.answer) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(why)) => Err(GateFailure::NoAnswer(why.clone())),
            None => Err(GateFailure::NotAsked),
        }
    }
}

/// Picks at most `limit` observers among the nodes that are up and not out, spread over data centers
/// and racks, other ones each round.
pub fn observers(
    topology: &Topology,
    unfit: &BTreeSet<NodeId>,
    round: u64,
    limit: usize,
) -> Vec<NodeId> {
    // One queue per rack, each turned by the round's number; then one of each in turn.
    let mut racks: BTreeMap<(&str, &str), Vec<NodeId>> = BTreeMap::new();
    for id in topology.ids().filter(|id| !unfit.contains(id)) {
        let node = topology.node(id);
        racks.entry((node.data_center.as_str(), node.rack.as_str())).or_default().push(id);
    }
    // Racks ordered so that neighbours in the list are in different data centers.
    let mut rank: BTreeMap<&str, usize> = BTreeMap::new();
    let mut queues: Vec<(usize, Vec<NodeId>)> = Vec::new();
    for ((dc, _), mut ids) in racks {
        let turn = (round as usize) % ids.len();
        ids.rotate_left(turn);
        let place = rank.entry(dc).or_insert(0);
        queues.push((*place, ids));
        *place += 1;
    }
    queues.sort_by_key(|(place, _)| *place);
    if !queues.is_empty() {
        let turn = (round as usize) % queues.len();
        queues.rotate_left(turn);
    }
    let mut chosen = Vec::new();
    let mut depth = 0;
    while chosen.len() < limit {
        let before = chosen.len();
        for (_, ids) in &queues {
            if let Some(id) = ids.get(depth)
                && chosen.len() < limit
            {
                chosen.push(*id);
            }
        }
        if chosen.len() == before {
            break;
        }
        depth += 1;
    }
    chosen
}
