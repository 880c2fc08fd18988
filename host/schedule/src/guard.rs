//! The guard: the only door through which a node is started.
//!
//! What matters is a count per replica set. A set bears so many of its members out; who is out already
//! is known per set at any moment, so that a decision looks at the sets of one node and at nothing else.
use crate::{Family, OutCause, Policy, Reason, SetReason, sets::GuardedSets};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use quorate_ring::{
    DataCenter, KeyspaceName, Liveness, Mode, NodeId, NodeStatus, Topology, Unclear,
};

/// What is guarded in one cluster under one policy. Made anew for every map of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Whether it decides anything: not for commands without an impact, nor where it was switched off.
    on: bool,
    pub(crate) sets: GuardedSets,
    /// Per node the number of its data center; none for nodes that left with it.
    center: Vec<Option<usize>>,
    centers: Vec<Center>,
    /// A node anywhere because of which pending replicas can't be told.
    unclear: Option<Unclear>,
}

#[derive(Clone, Debug)]
struct Center {
    name: DataCenter,
    cap: usize,
    unclear: Option<Unclear>,
}

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The node may start.
    Admit,
    /// It may not, for now.
    Hold(Reason),
}

/// Which nodes are out now, counted per replica set.
#[derive(Clone, Debug, Default)]
pub struct Outs {
    out: BTreeMap<NodeId, OutCause>,
    /// Nodes that no observer of the newest round but shows as down.
    down: BTreeSet<NodeId>,
    /// Nodes that some observer doesn't show as `UN`, with what it shows.
    not_up: BTreeMap<NodeId, Option<NodeStatus>>,
    /// Per set, how many of its members are out.
    lost: Vec<u16>,
    /// Per set, how many more of its members may go out: all that a decision looks at.
    room: Vec<u16>,
    /// Per data center, how many nodes are out.
    in_center: Vec<usize>,
}

impl Guard {
    /// Counts the replica sets of a topology.
    pub fn new(topology: &Topology, policy: &Policy) -> Self {
        let names = topology.data_centers();
        let number = |dc: &DataCenter| names.binary_search(&dc).ok();
        let change_allowed = policy.guarantee.allow_topology_change;
        let unclear = |dc: Option<&DataCenter>| {
            if change_allowed { None } else { topology.unclear(dc) }
        };
        let center = |name: &&DataCenter| {
            let mut racks: BTreeMap<&str, usize> = BTreeMap::new();
            for id in topology.ids().filter(|id| topology.node(*id).data_center == **name) {
                *racks.entry(topology.node(id).rack.as_str()).or_default() += 1;
            }
            let largest = racks.values().copied().max().unwrap_or(0);
            let cap = policy.guarantee.max_out.cap(racks.values().sum(), largest);
            Center { name: (*name).clone(), cap, unclear: unclear(Some(*name)) }
        };
        Self {
            on: policy.guards(),
            sets: GuardedSets::new(topology, &policy.guarantee),
            center: topology.nodes.iter().map(|node| number(&node.data_center)).collect(),
            centers: names.iter().map(center).collect(),
            unclear: unclear(None),
        }
    }

    /// The keyspaces under guard, by what they have in common.
    pub fn families(&self) -> &[Family] {
        &self.sets.families
    }

    /// How many replica sets are counted.
    pub fn set_count(&self) -> usize {
        self.sets.len()
    }

    /// The most nodes of a data center that may be out (`--max-out`).
    pub fn cap(&self, center: &DataCenter) -> Option<usize> {
        self.centers.iter().find(|known| known.name == *center).map(|known| known.cap)
    }

    /// Nobody out.
    pub fn nobody_out(&self) -> Outs {
        let mut outs = Outs::default();
        outs.lost.resize(self.sets.len(), 0);
        outs.room = self.sets.numbers().map(|set| self.sets.head(set).room(0)).collect();
        outs.in_center.resize(self.centers.len(), 0);
        outs
    }

    /// Two of these nodes that share a range within a data center, and a keyspace of it.
    pub fn shared(&self, nodes: &BTreeSet<NodeId>) -> Option<(KeyspaceName, NodeId, NodeId)> {
        let center = |id: NodeId| self.center[id.index()];
        self.sets.numbers().find_map(|set| {
            let mut members =
                self.sets.members(set).iter().copied().filter(|id| nodes.contains(id));
            let one = members.next()?;
            let other = members.find(|other| center(*other) == center(one))?;
            Some((self.sets.family(set).keyspaces[0].clone(), one, other))
        })
    }

    /// The least number of further members that may go out in any set of the node; absent where it is in no
    /// guarded set.
    pub fn slack(&self, outs: &Outs, node: NodeId) -> Option<u32> {
        let slack = |set: &u32| {
            let head = self.sets.head(*set);
            let live = head.members().saturating_sub(outs.lost[*set as usize]);
            u32::from(live.saturating_sub(head.need))
        };
        self.sets.of(node).iter().map(slack).min()
    }

    /// Sets that bear none of their members out, even where nobody is: per family, how many nodes are in
    /// such sets. Families of which that isn't known are [`Guard::open`].
    pub fn bears_none(&self) -> Vec<(&Family, usize)> {
        self.in_sets_that_bear_none(false)
    }

    /// The same of families whose replication factor isn't known: their nodes go one at a time.
    pub fn open(&self) -> Vec<(&Family, usize)> {
        self.in_sets_that_bear_none(true)
    }

    fn in_sets_that_bear_none(&self, open: bool) -> Vec<(&Family, usize)> {
        let mut nodes: BTreeMap<u16, BTreeSet<NodeId>> = BTreeMap::new();
        for set in self.sets.numbers() {
            let head = self.sets.head(set);
            if head.bears_none() && self.sets.family(set).open == open {
                nodes.entry(head.family).or_default().extend(self.sets.members(set));
            }
        }
        let family = |(number, nodes): (u16, BTreeSet<NodeId>)| {
            (&self.sets.families[usize::from(number)], nodes.len())
        };
        nodes.into_iter().map(family).collect()
    }

    /// Sets that have fewer live members than they need although more exist: per family, the first.
    pub fn below(&self, topology: &Topology, outs: &Outs) -> Vec<SetReason> {
        let mut told = BTreeSet::new();
        let is_below = |set: &u32| {
            let head = self.sets.head(*set);
            let live = head.members() - outs.lost[*set as usize];
            outs.lost[*set as usize] > 0 && live < head.need
        };
        let below = self.sets.numbers().filter(is_below);
        below
            .filter(|set| told.insert(self.sets.head(*set).family))
            .map(|set| self.reason(topology, outs, set))
            .collect()
    }

    fn reason(&self, topology: &Topology, outs: &Outs, set: u32) -> SetReason {
        let (head, family) = (self.sets.head(set), self.sets.family(set));
        let members = self.sets.members(set);
        let (natural, pending) = members.split_at(members.len() - usize::from(head.pending));
        let token = |place: u32| topology.ring.owned().get(place as usize).map(|(t, _)| t.clone());
        let missing = members.iter().filter_map(|id| Some((*id, outs.out.get(id)?.clone())));
        SetReason {
            keyspace: family.keyspaces[0].clone(),
            more_keyspaces: family.keyspaces.len() as u32 - 1,
            data_center: family.data_center.clone(),
            level: family.level,
            full_only: family.full_only,
            range: head.range.and_then(|(start, end)| Some((token(start)?, token(end)?))),
            need: u32::from(head.need),
            members: natural.len() as u32,
            pending: pending.to_vec(),
            bears_none: head.bears_none(),
            out: missing.collect(),
        }
    }
}

/// Whether `node` may be started, whoever proposes it.
///
/// A node that is out already changes nothing and is admitted: one that every observer shows as down, or
/// that this job has out. One that some observer doesn't show as `UN` is held: it joins, leaves or moves,
/// or the observers disagree. Any other is held where one of its replica sets would have fewer live
/// members than its level needs, where pending replicas can't be told, and where too much of its data
/// center would be out. A set that bears no member out in any order may lose one at a time.
pub fn may_start(topology: &Topology, guard: &Guard, outs: &Outs, node: NodeId) -> Verdict {
    if !guard.on || outs.down.contains(&node) || outs.by_job(node) {
        return Verdict::Admit;
    }
    if let Some(status) = outs.not_up.get(&node) {
        return Verdict::Hold(Reason::Unsettled(*status));
    }
    let Some(number) = guard.center[node.index()] else {
        return Verdict::Hold(Reason::Unsettled(None));
    };
    let center = &guard.centers[number];
    let mine = guard.sets.of(node);
    let reaches_out = || mine.iter().any(|set| guard.sets.family(*set).data_center.is_none());
    let elsewhere = guard.unclear.filter(|_| center.unclear.is_none() && reaches_out());
    if let Some(unclear) = center.unclear.or(elsewhere) {
        return Verdict::Hold(Reason::TopologyChange(unclear));
    }
    if let Some(set) = mine.iter().find(|set| outs.room[**set as usize] == 0) {
        return Verdict::Hold(Reason::ReplicaSet(guard.reason(topology, outs, *set).into()));
    }
    if outs.in_center[number] >= center.cap {
        let (data_center, cap) = (center.name.clone(), center.cap as u32);
        return Verdict::Hold(Reason::MaxOut { data_center, cap });
    }
    Verdict::Admit
}

impl Outs {
    /// Who is out, and why.
    pub fn out(&self) -> &BTreeMap<NodeId, OutCause> {
        &self.out
    }

    /// Whether this job has the node out.
    pub fn by_job(&self, node: NodeId) -> bool {
        matches!(self.out.get(&node), Some(OutCause::Job(_)))
    }

    /// A node is out now, or for another cause.
    pub fn put_out(&mut self, guard: &Guard, node: NodeId, cause: OutCause) {
        if self.out.insert(node, cause).is_none() {
            self.count(guard, node, |lost| lost + 1, |n| n + 1);
        }
    }

    /// A node is back.
    pub fn take_back(&mut self, guard: &Guard, node: NodeId) {
        if self.out.remove(&node).is_some() {
            self.count(guard, node, |lost| lost - 1, |n| n - 1);
        }
    }

    fn count(
        &mut self,
        guard: &Guard,
        node: NodeId,
        lost: impl Fn(u16) -> u16,
        nodes: impl Fn(usize) -> usize,
    ) {
        for set in guard.sets.of(node) {
            let place = *set as usize;
            self.lost[place] = lost(self.lost[place]);
            self.room[place] = guard.sets.head(*set).room(self.lost[place]);
        }
        if let Some(center) = guard.center[node.index()] {
            self.in_center[center] = nodes(self.in_center[center]);
        }
    }

    /// Replaces what was known: what the newest round showed, and which nodes this job has out.
    ///
    /// A node that joins and is up isn't out: it is no replica yet, and counts as a live one of those to
    /// come.
    pub fn update(
        &mut self,
        guard: &Guard,
        not_up: &BTreeMap<NodeId, Option<NodeStatus>>,
        down: &BTreeSet<NodeId>,
        by_job: BTreeMap<NodeId, OutCause>,
    ) {
        self.not_up.clone_from(not_up);
        self.down.clone_from(down);
        let mut wanted = by_job;
        for (id, status) in not_up {
            let joins =
                matches!(status, Some(NodeStatus { liveness: Liveness::Up, mode: Mode::Joining }));
            if !joins {
                wanted.entry(*id).or_insert(OutCause::Shown(*status));
            }
        }
        let back: Vec<_> = self.out.keys().copied().filter(|id| !wanted.contains_key(id)).collect();
        for id in back {
            self.take_back(guard, id);
        }
        for (id, cause) in wanted {
            self.put_out(guard, id, cause);
        }
    }
}
