//! Which nodes hold which range: Cassandra's placement, computed from tokens and racks.
//!
//! Sources: `NetworkTopologyStrategy.calculateNaturalReplicas`, `SimpleStrategy`, and for pending
//! replicas `TokenMetadata.calculatePendingRanges` (4.1 and 5.0).
//!
//! The ring is walked backwards, once to warm up and once to give each range. A walk keeps the nodes
//! and the racks that it has met, nearest first. No more than RF of either matter: nothing moves forward
//! in such a list without being met again. So a range costs a few steps, whatever the racks look like.
use crate::{DataCenter, Mode, NodeId, Replication, ReplicationFactor, Topology};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// One range of the ring with its replicas.
pub(crate) struct Placed<'a> {
    /// Places in [`TokenRing::owned`](crate::TokenRing::owned): start, exclusive, and end, inclusive.
    pub(crate) range: (u32, u32),
    /// Nearest first; within a data center the transient ones are the last.
    pub(crate) natural: &'a [NodeId],
    /// Those of them that are transient.
    pub(crate) transient: &'a [NodeId],
    /// Nodes that will hold the range once those that join have joined and those that leave have left.
    pub(crate) pending: &'a [NodeId],
}

/// The part of the replicas that is chosen by itself.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The data center that they are in; none under SimpleStrategy, which knows neither data centers nor racks.
    pub(crate) data_center: Option<DataCenter>,
    pub(crate) factor: ReplicationFactor,
}

/// The parts of a replication; none where placement doesn't follow the tokens.
pub(crate) fn parts(replication: &Replication) -> Vec<Part> {
    match replication {
        Replication::NetworkTopology(factors) => {
            let part = |(name, factor): (&DataCenter, &ReplicationFactor)| Part {
                data_center: Some(name.clone()),
                factor: *factor,
            };
            factors.iter().map(part).collect()
        }
        Replication::Simple(factor) => [Part { data_center: None, factor: *factor }].into(),
        Replication::Everywhere | Replication::Local | Replication::Meta(_) => Vec::new(),
    }
}

/// Which tokens cut the ring into ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// Those of nodes that can be replicas: the fewest ranges.
    Replicas,
    /// All, as Cassandra's own tools do it.
    Everywhere,
}

/// Visits every range that has a replica in these parts, from the last to the first.
pub(crate) fn each_range(
    topology: &Topology,
    parts: &[Part],
    cuts: Cuts,
    mut visit: impl FnMut(Placed<'_>),
) {
    let ring = topology.ring.owned();
    let here = |id: NodeId| {
        cuts == Cuts::Everywhere
            || parts.iter().any(|part| part.covers(&topology.node(id).data_center))
    };
    let cuts: Vec<(u32, NodeId)> =
        (0..).zip(ring).map(|(place, (_, id))| (place, *id)).filter(|(_, id)| here(*id)).collect();
    let mut now = Walk::new(topology, parts, &cuts, Future::Now);
    let mut futures = futures(topology, parts, &cuts);
    for (_, id) in cuts.iter().rev() {
        now.meet(*id);
        futures.iter_mut().for_each(|walk| walk.meet(*id));
    }
    let (mut natural, mut transient, mut then) = (Vec::new(), Vec::new(), Vec::new());
    let mut pending = Vec::new();
    for place in (0..cuts.len()).rev() {
        let (end, id) = cuts[place];
        now.meet(id);
        now.pick(&mut natural, &mut transient);
        pending.clear();
        for walk in &mut futures {
            walk.meet(id);
            walk.pick(&mut then, &mut Vec::new());
            let gains = |id: &&NodeId| match walk.future {
                Future::Joined(joining) => **id == joining,
                _ => !natural.contains(id),
            };
            pending.extend(then.iter().filter(gains).copied());
        }
        pending.sort_unstable();
        pending.dedup();
        if natural.is_empty() && pending.is_empty() {
            continue;
        }
        let before = if place == 0 { cuts.len() - 1 } else { place - 1 };
        let range = (cuts[before].0, end);
        visit(Placed { range, natural: &natural, transient: &transient, pending: &pending });
    }
}

/// The rings to come: without all that leave, and that ring with each joining node.
fn futures(topology: &Topology, parts: &[Part], cuts: &[(u32, NodeId)]) -> Vec<Walk> {
    let mode = |id: NodeId| topology.node(id).status.mode;
    let of_mode = |wanted: Mode| -> BTreeSet<NodeId> {
        cuts.iter().map(|(_, id)| *id).filter(|id| mode(*id) == wanted).collect()
    };
    let left = (!of_mode(Mode::Leaving).is_empty()).then_some(Future::Left);
    let joined = of_mode(Mode::Joining).into_iter().map(Future::Joined);
    left.into_iter().chain(joined).map(|f| Walk::new(topology, parts, cuts, f)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Future {
    /// The ring as it is.
    Now,
    /// Without those that leave.
    Left,
    /// Without those that leave, and with this joining node.
    Joined(NodeId),
}

/// A walk along one ring, of now or to come.
struct Walk {
    future: Future,
    /// By node as `ring` shows it: who owns its tokens in this ring, if anybody does.
    owner: Vec<Option<NodeId>>,
    pickers: Vec<Picker>,
}

impl Walk {
    fn new(topology: &Topology, parts: &[Part], cuts: &[(u32, NodeId)], future: Future) -> Self {
        let owner = |shown: NodeId| {
            let counted = topology.ring.owner(shown);
            match (topology.node(shown).status.mode, future) {
                (Mode::Joining, Future::Joined(joining)) if joining == shown => Some(shown),
                (Mode::Joining, _) if counted == shown => None,
                _ if future != Future::Now
                    && topology.node(counted).status.mode == Mode::Leaving =>
                {
                    None
                }
                _ => Some(counted),
            }
        };
        let owner: Vec<_> = (0..topology.nodes.len() as u32).map(NodeId).map(owner).collect();
        let shown: BTreeSet<NodeId> = cuts.iter().map(|(_, id)| *id).collect();
        let owners: BTreeSet<NodeId> = shown.iter().filter_map(|id| owner[id.index()]).collect();
        let pickers = parts.iter().map(|part| Picker::new(topology, part, &owners)).collect();
        Self { future, owner, pickers }
    }

    fn meet(&mut self, shown: NodeId) {
        if let Some(owner) = self.owner[shown.index()] {
            self.pickers.iter_mut().for_each(|picker| picker.meet(owner));
        }
    }

    fn pick(&self, replicas: &mut Vec<NodeId>, transient: &mut Vec<NodeId>) {
        replicas.clear();
        transient.clear();
        for picker in &self.pickers {
            picker.pick(replicas, transient);
        }
    }
}

/// Chooses the replicas of one part.
struct Picker {
    /// By node; none for nodes of elsewhere.
    rack: Vec<Option<u32>>,
    racks: usize,
    /// How many replicas: RF, or every node where there are fewer.
    wanted: usize,
    transient: usize,
    /// The nearest nodes, and the nearest racks with the nearest node of each.
    nodes: Vec<NodeId>,
    firsts: Vec<(u32, NodeId)>,
}

impl Picker {
    fn new(topology: &Topology, part: &Part, owners: &BTreeSet<NodeId>) -> Self {
        let mut names: BTreeMap<&str, u32> = BTreeMap::new();
        let mut rack = Vec::new();
        rack.resize(topology.nodes.len(), None);
        let here = |id: &&NodeId| part.covers(&topology.node(**id).data_center);
        let mut found = 0;
        for id in owners.iter().filter(here) {
            let next = names.len() as u32;
            rack[id.index()] = Some(match part.data_center {
                Some(_) => *names.entry(topology.node(*id).rack.as_str()).or_insert(next),
                // Without racks every node is one of its own.
                None => found as u32,
            });
            found += 1;
        }
        let all = part.factor.all as usize;
        let wanted = all.min(found);
        Self {
            rack,
            racks: if part.data_center.is_some() { names.len() } else { found },
            wanted,
            // Fewer nodes than RF: the transient ones are given up first.
            transient: (part.factor.transient as usize).saturating_sub(all - wanted),
            nodes: Vec::new(),
            firsts: Vec::new(),
        }
    }

    fn meet(&mut self, node: NodeId) {
        let Some(rack) = self.rack[node.index()] else { return };
        if self.wanted == 0 {
            return;
        }
        let place = self.firsts.iter().position(|(known, _)| *known == rack);
        to_front(&mut self.firsts, place, (rack, node), self.wanted);
        if self.racks < self.wanted {
            let place = self.nodes.iter().position(|known| *known == node);
            to_front(&mut self.nodes, place, node, self.wanted);
        }
    }

    fn pick(&self, replicas: &mut Vec<NodeId>, transient: &mut Vec<NodeId>) {
        let begin = replicas.len();
        if self.racks >= self.wanted {
            replicas.extend(self.firsts.iter().map(|(_, node)| *node));
        } else {
            // One of each rack, the rest the nearest others; in the order in which they are met.
            let is_first = |node: &NodeId| self.firsts.iter().any(|(_, first)| first == node);
            let mut others = self.wanted - self.racks;
            for node in &self.nodes {
                if is_first(node) {
                    replicas.push(*node);
                } else if others > 0 {
                    others -= 1;
                    replicas.push(*node);
                }
            }
            let far = self.firsts.iter().map(|(_, node)| *node);
            replicas.extend(far.filter(|node| !self.nodes.contains(node)));
        }
        transient.extend_from_slice(
            &replicas[replicas.len() - self.transient.min(replicas.len() - begin)..],
        );
    }
}

/// Moves an element to the front, or puts it there; what doesn't matter any more falls off the end.
fn to_front<T: Copy>(list: &mut Vec<T>, place: Option<usize>, element: T, most: usize) {
    match place {
        Some(place) => {
            list[..=place].rotate_right(1);
            list[0] = element;
        }
        None => {
            list.truncate(most - 1);
            list.insert(0, element);
        }
    }
}

impl Part {
    fn covers(&self, data_center: &DataCenter) -> bool {
        self.data_center.as_ref().is_none_or(|own| own == data_center)
    }
}
