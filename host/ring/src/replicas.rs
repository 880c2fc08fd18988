//! Replica sets: which nodes hold a range together.
use crate::{
    DataCenter, NodeId, Replication, ReplicationFactor, Token, Topology,
    placement::{Cuts, Part, Placed, each_range, parts},
};
use alloc::{vec, vec::Vec};

/// One token range and the nodes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRange {
    /// Exclusive start.
    pub start: Token,
    /// Inclusive end.
    pub end: Token,
    /// The replicas, nearest first; within a data center the transient ones last.
    pub natural: Vec<NodeId>,
    /// Those of them that are transient.
    pub transient: Vec<NodeId>,
    /// Nodes that will hold the range once those that join have joined and those that leave have left.
    pub pending: Vec<NodeId>,
}

/// The distinct replica sets of a placement. Ranges that the same nodes hold are one set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSets {
    /// The members of all sets: per set full replicas, transient ones, pending ones, each sorted.
    members: Vec<NodeId>,
    bounds: Vec<Bounds>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    begin: u32,
    full: u16,
    transient: u16,
    pending: u16,
    range: (u32, u32),
}

/// One replica set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaSet<'a> {
    /// Replicas that hold the data in full.
    pub full: &'a [NodeId],
    /// Transient replicas.
    pub transient: &'a [NodeId],
    /// Nodes that will hold the range.
    pub pending: &'a [NodeId],
    /// One of its ranges: places in [`TokenRing::owned`](crate::TokenRing::owned), start exclusive.
    pub range: (u32, u32),
}

impl ReplicaSet<'_> {
    /// The replicas, full and transient.
    pub fn natural(&self) -> impl Iterator<Item = NodeId> {
        self.full.iter().chain(self.transient).copied()
    }
}

impl ReplicaSets {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.bounds.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    /// The set with this number.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, number: usize) -> ReplicaSet<'_> {
        let bounds = self.bounds[number];
        let begin = bounds.begin as usize;
        let transient = begin + bounds.full as usize;
        let pending = transient + bounds.transient as usize;
        let end = pending + bounds.pending as usize;
        ReplicaSet {
            full: &self.members[begin..transient],
            transient: &self.members[transient..pending],
            pending: &self.members[pending..end],
            range: bounds.range,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = ReplicaSet<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// Adds a set, as it comes.
    pub fn push(
        &mut self,
        natural: &[NodeId],
        transient: &[NodeId],
        pending: &[NodeId],
        range: (u32, u32),
    ) {
        let begin = self.members.len();
        self.members.extend(natural.iter().filter(|id| !transient.contains(id)));
        let full = self.members.len() - begin;
        self.members[begin..].sort_unstable();
        self.members.extend_from_slice(transient);
        self.members[begin + full..].sort_unstable();
        self.members.extend_from_slice(pending);
        self.bounds.push(Bounds {
            begin: begin as u32,
            full: full as u16,
            transient: transient.len() as u16,
            pending: pending.len() as u16,
            range,
        });
    }

    /// Keeps one of the sets that have the same members: the last that was added.
    fn distinct(self) -> Self {
        let key = |bounds: &Bounds| (bounds.full, bounds.transient, bounds.pending);
        let mut order: Vec<(u64, u32)> =
            (0..self.len()).map(|i| (self.hash(i), i as u32)).collect();
        order.sort_unstable();
        let mut kept: Vec<u32> = Vec::with_capacity(order.len());
        let mut begin = 0;
        while begin < order.len() {
            let alike = order[begin..].iter().take_while(|(hash, _)| *hash == order[begin].0);
            let alike: Vec<u32> = alike.map(|(_, i)| *i).collect();
            begin += alike.len();
            // Almost always one; different sets of one hash are possible.
            for (place, i) in alike.iter().enumerate() {
                let again = alike[place + 1..].iter().any(|j| {
                    key(&self.bounds[*i as usize]) == key(&self.bounds[*j as usize])
                        && self.all(*i as usize) == self.all(*j as usize)
                });
                if !again {
                    kept.push(*i);
                }
            }
        }
        kept.sort_unstable_by(|a, b| b.cmp(a));
        let mut sets = Self::default();
        for i in kept {
            let bounds = self.bounds[i as usize];
            sets.bounds.push(Bounds { begin: sets.members.len() as u32, ..bounds });
            sets.members.extend_from_slice(self.all(i as usize));
        }
        sets
    }

    fn all(&self, number: usize) -> &[NodeId] {
        let bounds = self.bounds[number];
        let count = bounds.full + bounds.transient + bounds.pending;
        &self.members[bounds.begin as usize..bounds.begin as usize + count as usize]
    }

    /// FNV-1a over the members.
    fn hash(&self, number: usize) -> u64 {
        let step = |hash: u64, id: &NodeId| (hash ^ u64::from(id.0)).wrapping_mul(0x0100_0000_01b3);
        let hash = self.all(number).iter().fold(0xcbf2_9ce4_8422_2325, step);
        // The low bits of a product know little of the high bits of its factors.
        hash ^ (hash >> 32)
    }
}

impl Topology {
    /// The replica sets within one data center of a keyspace that has this factor there. Under
    /// NetworkTopologyStrategy they depend on nothing else, so that all such keyspaces share them.
    pub fn local_sets(&self, center: &DataCenter, factor: ReplicationFactor) -> ReplicaSets {
        self.sets(&[Part { data_center: Some(center.clone()), factor }])
    }

    /// The replica sets of a replication over the whole cluster. Under EverywhereStrategy one set per
    /// cluster, under LocalStrategy and MetaStrategy none.
    pub fn cluster_sets(&self, replication: &Replication) -> ReplicaSets {
        if *replication == Replication::Everywhere {
            return self.everywhere(None);
        }
        self.sets(&parts(replication))
    }

    /// The one replica set of EverywhereStrategy: every node, of one data center or of all.
    pub fn everywhere(&self, center: Option<&DataCenter>) -> ReplicaSets {
        let here = |id: &NodeId| {
            !self.gone.contains(id) && center.is_none_or(|dc| self.node(*id).data_center == *dc)
        };
        let joins = |id: &NodeId| self.node(*id).status.mode == crate::Mode::Joining;
        let (pending, natural): (Vec<_>, Vec<_>) = self.ids().filter(here).partition(joins);
        let mut sets = ReplicaSets::default();
        if !natural.is_empty() {
            let last = self.ring.owned().len().saturating_sub(1) as u32;
            sets.push(&natural, &[], &pending, (last, last));
        }
        sets
    }

    fn sets(&self, parts: &[Part]) -> ReplicaSets {
        let mut sets = ReplicaSets::default();
        each_range(self, parts, Cuts::Replicas, |placed| {
            sets.push(placed.natural, placed.transient, placed.pending, placed.range);
        });
        sets.distinct()
    }

    /// Every range of a replication in ring order; none where placement doesn't follow the tokens
    /// (EverywhereStrategy, LocalStrategy, MetaStrategy).
    pub fn ranges(&self, replication: &Replication) -> Vec<TokenRange> {
        let mut ranges = vec![];
        each_range(self, &parts(replication), Cuts::Everywhere, |placed: Placed<'_>| {
            let token = |place: u32| self.ring.owned()[place as usize].0.clone();
            ranges.push(TokenRange {
                start: token(placed.range.0),
                end: token(placed.range.1),
                natural: placed.natural.to_vec(),
                transient: placed.transient.to_vec(),
                pending: placed.pending.to_vec(),
            });
        });
        ranges.reverse();
        ranges
    }
}
