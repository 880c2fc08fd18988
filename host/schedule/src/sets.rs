//! The replica sets that the guard counts: those of the topology, under the levels of the policy.
use crate::{Guarantee, Level};
use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};
use core::ops::Range;
use quorate_ring::{
    DataCenter, Keyspace, KeyspaceName, NodeId, Reading, ReplicaSets, Replication,
    ReplicationFactor, Topology,
};

/// The keyspaces that have their replica sets in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Where the replicas are counted; none: over the whole cluster.
    pub data_center: Option<DataCenter>,
    /// What must go on working.
    pub level: Level,
    /// The configured number of replicas there.
    pub factor: u32,
    /// Whether only full replicas are counted: one of them must stay, beside the quorum.
    pub full_only: bool,
    /// Whether the configured number may be greater than `factor`: nobody tells it. Then all are needed at a
    /// quorum, and the nodes go one at a time.
    pub open: bool,
    /// Users' keyspaces first, then by name. For the cluster metadata its own name.
    pub keyspaces: Vec<KeyspaceName>,
    /// Whether their outage is accepted: every one of them is named in `--accept-outage`.
    pub accepted: bool,
}

/// All guarded sets. A set is a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct GuardedSets {
    pub(crate) families: Vec<Family>,
    /// Per set.
    heads: Vec<Head>,
    /// Set by set its members, pending ones last.
    members: Vec<NodeId>,
    /// Node by node the sets that it is in, ascending.
    sets: Vec<u32>,
    /// Per node, where its sets begin in `sets`; one more at the end.
    begins: Vec<u32>,
}

/// One set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) family: u16,
    /// Live members that are needed.
    pub(crate) need: u16,
    pub(crate) pending: u16,
    begin: u32,
    end: u32,
    /// One of its ranges; none where placement doesn't follow the tokens.
    pub(crate) range: Option<(u32, u32)>,
}

impl Head {
    pub(crate) fn members(&self) -> u16 {
        (self.end - self.begin) as u16
    }

    /// How many more members may go out where so many are out already. A set that bears none of them out in
    /// any order may lose one.
    pub(crate) fn room(&self, lost: u16) -> u16 {
        match self.bears_none() {
            true => u16::from(lost == 0),
            false => (self.members() - lost).saturating_sub(self.need),
        }
    }

    /// Whether one member out is too many even where no other is: no order helps. Where a node is to come,
    /// it helps to wait for it.
    pub(crate) fn bears_none(&self) -> bool {
        self.pending == 0 && self.members() <= self.need
    }
}

/// What keyspaces must have in common to share replica sets and needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Local(DataCenter, ReplicationFactor, Level, Open),
    /// With the configured number of all replicas, those of data centers without a node included.
    Cluster(Replication, u32, Level, Open),
    Everywhere(Option<DataCenter>, Level),
    Metadata(KeyspaceName),
}

/// Whether more replicas may be configured than are known.
type Open = bool;

impl GuardedSets {
    pub(crate) fn new(topology: &Topology, guarantee: &Guarantee) -> Self {
        let mut sets = Self::default();
        for (key, mut keyspaces) in keys(topology, guarantee) {
            keyspaces.sort_by(|a, b| preference(a).cmp(&preference(b)));
            let accepted = keyspaces.iter().all(|name| guarantee.accepted.contains(name));
            sets.add(topology, &key, keyspaces, accepted);
        }
        sets.index(topology.nodes.len());
        sets
    }

    fn add(
        &mut self,
        topology: &Topology,
        key: &Key,
        keyspaces: Vec<KeyspaceName>,
        accepted: bool,
    ) {
        let (found, data_center, level, factor) = match key {
            Key::Local(center, factor, level, _) => {
                (topology.local_sets(center, *factor), Some(center.clone()), *level, *factor)
            }
            Key::Cluster(replication, all, level, _) => {
                let transient = sum(replication).transient;
                let factor = ReplicationFactor { all: *all, transient };
                (topology.cluster_sets(replication), None, *level, factor)
            }
            Key::Everywhere(center, level) => {
                let found = topology.everywhere(center.as_ref());
                let all = found.iter().map(|set| set.full.len()).sum::<usize>() as u32;
                (found, center.clone(), *level, ReplicationFactor { all, transient: 0 })
            }
            Key::Metadata(_) => {
                let members = &topology.metadata_service;
                let mut found = ReplicaSets::default();
                found.push(members, &[], &[], (0, 0));
                let all = members.len() as u32;
                (found, None, Level::Quorum, ReplicationFactor { all, transient: 0 })
            }
        };
        if found.is_empty() {
            return;
        }
        let has_ranges = matches!(key, Key::Local(..) | Key::Cluster(..));
        let family = Family {
            data_center,
            level,
            factor: factor.all,
            full_only: false,
            open: matches!(key, Key::Local(_, _, _, true) | Key::Cluster(_, _, _, true)),
            keyspaces,
            accepted,
        };
        let number = self.families.len() as u16;
        self.families.push(family.clone());
        for set in found.iter() {
            let natural = set.natural().collect::<Vec<_>>();
            let need = family.replicas(natural.len()) + set.pending.len() as u32;
            self.push(number, need, &natural, set.pending, has_ranges.then_some(set.range));
        }
        if factor.transient > 0 {
            self.families.push(Family { full_only: true, ..family.clone() });
            for set in found.iter() {
                self.push(number + 1, 1, set.full, &[], Some(set.range));
            }
        }
        self.add_doubtful(topology, key, number, &family);
    }

    /// The sets that `describering` shows where the tokens say otherwise.
    fn add_doubtful(&mut self, topology: &Topology, key: &Key, number: u16, family: &Family) {
        for doubt in &topology.doubts {
            for doubtful in &doubt.ranges {
                let here = |id: &NodeId| match key {
                    Key::Local(center, ..) => topology.node(*id).data_center == *center,
                    _ => true,
                };
                let concerned = match (key, &doubt.replication) {
                    (Key::Local(dc, factor, ..), Replication::NetworkTopology(factors)) => {
                        factors.get(dc) == Some(factor)
                    }
                    (Key::Cluster(replication, ..), other) => {
                        *replication == living(topology, other)
                    }
                    _ => false,
                };
                let members: Vec<NodeId> =
                    doubtful.described.iter().copied().filter(here).collect();
                if concerned && !members.is_empty() {
                    let need = family.replicas(members.len());
                    self.push(number, need, &members, &[], Some(doubtful.range));
                }
            }
        }
    }

    fn push(
        &mut self,
        family: u16,
        need: u32,
        natural: &[NodeId],
        pending: &[NodeId],
        range: Option<(u32, u32)>,
    ) {
        let begin = self.members.len() as u32;
        self.members.extend_from_slice(natural);
        self.members.extend_from_slice(pending);
        let end = self.members.len() as u32;
        let (need, pending) = (need as u16, pending.len() as u16);
        self.heads.push(Head { family, need, pending, begin, end, range });
    }

    fn index(&mut self, nodes: usize) {
        let mut begins = vec![0_u32; nodes + 1];
        for id in &self.members {
            begins[id.index() + 1] += 1;
        }
        for node in 0..nodes {
            begins[node + 1] += begins[node];
        }
        let mut next = begins.clone();
        self.sets.resize(self.members.len(), 0);
        for (number, head) in (0..).zip(&self.heads) {
            for id in &self.members[head.begin as usize..head.end as usize] {
                let place = &mut next[id.index()];
                self.sets[*place as usize] = number;
                *place += 1;
            }
        }
        self.begins = begins;
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn numbers(&self) -> Range<u32> {
        0..self.heads.len() as u32
    }

    pub(crate) fn head(&self, set: u32) -> &Head {
        &self.heads[set as usize]
    }

    pub(crate) fn family(&self, set: u32) -> &Family {
        &self.families[self.head(set).family as usize]
    }

    /// Members, those that hold the range before those that will.
    pub(crate) fn members(&self, set: u32) -> &[NodeId] {
        let head = self.head(set);
        &self.members[head.begin as usize..head.end as usize]
    }

    /// The sets that a node is in, ascending.
    pub(crate) fn of(&self, node: NodeId) -> &[u32] {
        let place = node.index();
        &self.sets[self.begins[place] as usize..self.begins[place + 1] as usize]
    }
}

/// The keyspaces that count, by what they have in common.
fn keys(topology: &Topology, guarantee: &Guarantee) -> Vec<(Key, Vec<KeyspaceName>)> {
    let mut keys: BTreeMap<Key, Vec<KeyspaceName>> = BTreeMap::new();
    for (name, reading) in topology.readings() {
        if let Replication::Meta(_) = reading.replication
            && !topology.metadata_service.is_empty()
        {
            keys.entry(Key::Metadata(name.clone())).or_default().push(name.clone());
            continue;
        }
        let Some(level) = guarantee.level_of_reading(name, &reading) else { continue };
        let inferred = topology.inferred.iter().any(|known| known.keyspace == *name);
        for key in keys_of(topology, &reading, inferred, level) {
            keys.entry(key).or_default().push(name.clone());
        }
    }
    // What people know comes first, in explanations too.
    let mut keys: Vec<_> = keys.into_iter().collect();
    let first =
        |names: &[KeyspaceName]| names.iter().map(preference).min().map(|p| (p.0, p.1.clone()));
    keys.sort_by_cached_key(|(_, names)| first(names));
    keys
}

fn keys_of(topology: &Topology, reading: &Reading, inferred: bool, level: Level) -> Vec<Key> {
    let local = matches!(level, Level::LocalOne | Level::LocalQuorum);
    let Reading { replication, open } = reading;
    match replication {
        Replication::NetworkTopology(_) => match living(topology, replication) {
            Replication::NetworkTopology(factors) if local => {
                let key = |(dc, factor)| {
                    let open = open.contains(&dc);
                    Key::Local(dc, factor, level, open)
                };
                factors.into_iter().map(key).collect()
            }
            // Of data centers without a node, which ranges don't show, QUORUM counts the replicas too.
            living => [Key::Cluster(living, sum(replication).all, level, inferred)].into(),
        },
        Replication::Simple(_) => {
            let all = sum(replication).all;
            let open = !open.is_empty();
            [Key::Cluster(replication.clone(), all, level.anywhere(), open)].into()
        }
        Replication::Everywhere if local => {
            let centers = topology.data_centers().into_iter();
            centers.map(|dc| Key::Everywhere(Some(dc.clone()), level)).collect()
        }
        Replication::Everywhere => [Key::Everywhere(None, level)].into(),
        Replication::Local | Replication::Meta(_) => Vec::new(),
    }
}

/// The replication without data centers that have no node, and without factors of 0: phantoms are a
/// finding, they hold nothing.
fn living(topology: &Topology, replication: &Replication) -> Replication {
    let Replication::NetworkTopology(factors) = replication else { return replication.clone() };
    let centers = topology.data_centers();
    let lives =
        |(dc, factor): &(&DataCenter, &ReplicationFactor)| factor.all > 0 && centers.contains(dc);
    let factors = factors.iter().filter(lives).map(|(dc, factor)| (dc.clone(), *factor));
    Replication::NetworkTopology(factors.collect())
}

fn sum(replication: &Replication) -> ReplicationFactor {
    match replication {
        Replication::NetworkTopology(factors) => {
            factors.values().fold(ReplicationFactor::default(), |sum, factor| ReplicationFactor {
                all: sum.all + factor.all,
                transient: sum.transient + factor.transient,
            })
        }
        Replication::Simple(factor) => *factor,
        Replication::Everywhere | Replication::Local | Replication::Meta(_) => {
            ReplicationFactor::default()
        }
    }
}

/// Keyspaces that people know before those of the system.
fn preference(name: &KeyspaceName) -> (bool, &KeyspaceName) {
    (name.as_str().starts_with("system_"), name)
}

impl Family {
    /// How many live replicas a set of so many needs.
    fn replicas(&self, members: usize) -> u32 {
        match self.level {
            Level::LocalQuorum | Level::Quorum if self.open => members as u32,
            level => level.replicas(self.factor),
        }
    }
}

impl Guarantee {
    /// The level that is kept for one reading of a keyspace. Where a factor may be greater than it seems, it
    /// is taken for great enough to be guarded.
    fn level_of_reading(&self, name: &KeyspaceName, reading: &Reading) -> Option<Level> {
        let mut replication = reading.replication.clone();
        if let Replication::NetworkTopology(factors) = &mut replication {
            for factor in factors.iter_mut().filter(|(dc, _)| reading.open.contains(*dc)) {
                factor.1.all = factor.1.all.max(3);
            }
        }
        self.level_of(&Keyspace { name: name.clone(), replication })
    }

    /// The level that is kept for a keyspace, if it is guarded at all.
    pub fn level_of(&self, keyspace: &Keyspace) -> Option<Level> {
        if let Some(level) = self.keyspaces.get(&keyspace.name) {
            return Some(*level);
        }
        let named = self.only.contains(&keyspace.name);
        if !named && (!self.only.is_empty() || !keyspace.is_guarded()) {
            return None;
        }
        // What a node reads to log a client in, from 4.1 on, whatever the operator's own data needs.
        Some(if keyspace.name.as_str() == "system_auth" { Level::LocalQuorum } else { self.level })
    }

    /// In words, for a plan's head.
    pub fn text(&self) -> String {
        let own: Vec<String> =
            self.keyspaces.iter().map(|(name, level)| alloc::format!("{name}={level}")).collect();
        match own.is_empty() {
            true => alloc::format!("{}", self.level),
            false => alloc::format!("{}, {}", self.level, own.join(", ")),
        }
    }
}
