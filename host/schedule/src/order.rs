//! The order in which targets are tried. Any order is safe; a good one needs fewer waves.
use crate::{
    Guard, Policy, Strategy, Waves,
    waves::{bound, play},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use quorate_ring::{KeyspaceName, NodeId, Topology};

/// How many random orders are tried where the others need more waves than the lower bound.
const SHUFFLES: u64 = 8;
/// More decisions than this aren't worth another order: waves times targets.
const MOST_DECISIONS: usize = 100_000;

/// The best order that is found: rack after rack, along the ring, by colours, and a few at random.
/// The same input gives the same order.
pub(crate) fn best(
    topology: &Topology,
    guard: &Guard,
    policy: &Policy,
    targets: &BTreeSet<NodeId>,
) -> Waves {
    let conflicts = Conflicts::new(topology, guard, policy, targets);
    let bound = bound(topology, guard, policy, targets, &conflicts);
    let racks = by_rack(topology, targets);
    let mut best: Option<Waves> = None;
    let mut attempt = |order: Vec<NodeId>| {
        let (waves, held) = play(topology, guard, policy, &order, None);
        let found = Waves { order, waves, held, bound: bound.clone() };
        let rank = |waves: &Waves| (waves.held.len(), waves.waves.len());
        let enough =
            found.waves.len() <= bound.waves || found.waves.len() * targets.len() > MOST_DECISIONS;
        if best.as_ref().is_none_or(|known| rank(&found) < rank(known)) {
            best = Some(found);
        }
        enough
    };
    let done = attempt(racks.clone())
        || !matches!(policy.strategy, Strategy::Topology | Strategy::Quorum)
        || attempt(along_the_ring(topology, targets))
        || attempt(conflicts.by_colour(&racks));
    if !done {
        for seed in 1..=SHUFFLES {
            if attempt(shuffled(&racks, seed)) {
                break;
            }
        }
    }
    best.unwrap_or(Waves { order: racks, waves: Vec::new(), held: Vec::new(), bound })
}

/// Rack after rack within a data center, the data centers taking turns, so that a limit on the whole is
/// shared between them.
fn by_rack(topology: &Topology, targets: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let mut centers: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
    for id in topology.in_order().into_iter().filter(|id| targets.contains(id)) {
        centers.entry(topology.node(id).data_center.as_str()).or_default().push(id);
    }
    let longest = centers.values().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|i| centers.values().filter_map(move |c| c.get(i).copied())).collect()
}

/// By each node's first token: with one token a node, every RF-th node runs.
fn along_the_ring(topology: &Topology, targets: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let mut seen = BTreeSet::new();
    let met = topology.ring.owned().iter().map(|(_, id)| *id);
    let met: Vec<NodeId> = met.filter(|id| targets.contains(id) && seen.insert(*id)).collect();
    met.into_iter().chain(targets.difference(&seen).copied()).collect()
}

/// Fisher and Yates, with SplitMix64.
fn shuffled(order: &[NodeId], seed: u64) -> Vec<NodeId> {
    let mut order = order.to_vec();
    let mut state = seed;
    for place in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        order.swap(place, ((z ^ (z >> 31)) % (place as u64 + 1)) as usize);
    }
    order
}

/// Which targets can't run together, one bit a pair: members of a set that bears one of them out.
pub(crate) struct Conflicts {
    nodes: Vec<NodeId>,
    place: BTreeMap<NodeId, usize>,
    /// Words of a row.
    words: usize,
    bits: Vec<u64>,
}

impl Conflicts {
    fn new(
        topology: &Topology,
        guard: &Guard,
        policy: &Policy,
        targets: &BTreeSet<NodeId>,
    ) -> Self {
        let nodes: Vec<NodeId> = targets.iter().copied().collect();
        let words = nodes.len().div_ceil(64);
        let place = nodes.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let mut conflicts = Self { bits: vec![0; words * nodes.len()], nodes, place, words };
        let apart = policy.strategy == Strategy::Topology;
        if !apart && !policy.guards() {
            return conflicts;
        }
        let mut places = vec![usize::MAX; topology.nodes.len()];
        for (id, place) in &conflicts.place {
            places[id.index()] = *place;
        }
        for set in guard.sets.numbers() {
            let head = guard.sets.head(set);
            let bears_one = head.members() <= head.need + 1;
            if !apart && !bears_one {
                continue;
            }
            let members = guard.sets.members(set);
            for (i, a) in members.iter().enumerate() {
                for b in &members[i + 1..] {
                    let near = bears_one && policy.guards()
                        || topology.node(*a).data_center == topology.node(*b).data_center;
                    let (a, b) = (places[a.index()], places[b.index()]);
                    if near && a != usize::MAX && b != usize::MAX && a != b {
                        conflicts.bits[a * words + b / 64] |= 1 << (b % 64);
                        conflicts.bits[b * words + a / 64] |= 1 << (a % 64);
                    }
                }
            }
        }
        conflicts
    }

    fn row(&self, place: usize) -> &[u64] {
        &self.bits[place * self.words..(place + 1) * self.words]
    }

    fn has(&self, a: usize, b: usize) -> bool {
        self.row(a)[b / 64] & (1 << (b % 64)) != 0
    }

    /// Nodes any two of which can't run together: as many as a greedy search finds.
    pub(crate) fn clique(&self, nodes: &BTreeSet<NodeId>) -> Vec<NodeId> {
        const STARTS: usize = 32;
        let mut by_degree: Vec<(u32, usize)> = nodes
            .iter()
            .filter_map(|id| self.place.get(id))
            .map(|place| (self.row(*place).iter().map(|word| word.count_ones()).sum(), *place))
            .collect();
        by_degree.sort_unstable_by(|a, b| b.cmp(a));
        let mut best: Vec<usize> = Vec::new();
        for start in 0..by_degree.len().min(STARTS) {
            let mut clique = vec![by_degree[start].1];
            for (_, place) in &by_degree {
                if clique.iter().all(|member| member != place && self.has(*member, *place)) {
                    clique.push(*place);
                }
            }
            if clique.len() > best.len() {
                best = clique;
            }
        }
        best.into_iter().map(|place| self.nodes[place]).collect()
    }

    /// A keyspace that keeps two of these nodes apart.
    pub(crate) fn keyspace(&self, guard: &Guard, nodes: &[NodeId]) -> KeyspaceName {
        let shared = nodes.first().zip(nodes.get(1)).and_then(|(a, b)| {
            guard.sets.of(*a).iter().find(|set| guard.sets.members(**set).contains(b))
        });
        shared.map_or_else(
            || KeyspaceName::new(""),
            |set| guard.sets.family(*set).keyspaces[0].clone(),
        )
    }

    /// Colour after colour, the largest first: DSATUR (Brélaz 1979) gives each colour to nodes that can run
    /// together.
    fn by_colour(&self, order: &[NodeId]) -> Vec<NodeId> {
        let count = self.nodes.len();
        let degree: Vec<u32> =
            (0..count).map(|p| self.row(p).iter().map(|word| word.count_ones()).sum()).collect();
        let mut seen: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); count];
        let mut classes: Vec<Vec<NodeId>> = Vec::new();
        // Equals are taken in the given order.
        let mut open: Vec<usize> = order.iter().map(|id| self.place[id]).collect();
        while !open.is_empty() {
            let rank = |place: &usize| (seen[*place].len(), degree[*place]);
            let mut next = 0;
            for (i, place) in open.iter().enumerate() {
                if rank(place) > rank(&open[next]) {
                    next = i;
                }
            }
            let place = open.remove(next);
            let free = (0..).find(|c| !seen[place].contains(c)).unwrap_or(classes.len());
            if free == classes.len() {
                classes.push(Vec::new());
            }
            classes[free].push(self.nodes[place]);
            for other in open.iter().copied().filter(|other| self.has(place, *other)) {
                seen[other].insert(free);
            }
        }
        classes.sort_by_key(|class| core::cmp::Reverse(class.len()));
        classes.concat()
    }
}
