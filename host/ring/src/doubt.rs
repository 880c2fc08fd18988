//! Where the ranges that Cassandra describes aren't those that follow from its tokens.
use crate::{
    KeyspaceName, NodeId, Partitioner, Replication, Topology, TopologyError,
    parse::Described,
    placement::{Cuts, each_range, parts},
};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Ranges of a keyspace whose replicas are told in two ways. Which one is true isn't known, so both
/// count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The keyspace that was asked for.
    pub keyspace: KeyspaceName,
    /// Its replication: others that have it are as doubtful.
    pub replication: Replication,
    /// The ranges in question, at least one.
    pub ranges: Vec<DoubtfulRange>,
}

/// One such range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubtfulRange {
    /// Places in [`TokenRing::owned`](crate::TokenRing::owned): start, exclusive, and end, inclusive.
    pub range: (u32, u32),
    /// Its replicas as `describering` shows them, sorted.
    pub described: Vec<NodeId>,
    /// Its replicas as they follow from the tokens, sorted.
    pub computed: Vec<NodeId>,
}

impl Doubt {
    pub(crate) fn renumber(&mut self, number: impl Fn(&mut NodeId)) {
        for range in &mut self.ranges {
            for list in [&mut range.described, &mut range.computed] {
                list.iter_mut().for_each(&number);
                list.sort_unstable();
            }
        }
    }

    /// In words.
    pub fn text(&self, topology: &Topology) -> String {
        let Self { keyspace, ranges, .. } = self;
        let names = |ids: &[NodeId]| {
            let names: Vec<String> =
                ids.iter().map(|id| format!("{}", topology.node(*id).address)).collect();
            if names.is_empty() { "no node".into() } else { names.join(", ") }
        };
        let Some(first) = ranges.first() else { return String::new() };
        let token = |place: u32| &topology.ring.owned()[place as usize].0;
        let more = match ranges.len() {
            1 => String::new(),
            count => format!(" (and {} more ranges)", count - 1),
        };
        format!(
            "{keyspace}: describering shows the range ({}, {}] on {}, its tokens put it on {}{more}; \
             both are guarded",
            token(first.range.0),
            token(first.range.1),
            names(&first.described),
            names(&first.computed),
        )
    }
}

impl Topology {
    /// Compares what `describering` shows for a keyspace with what follows from the tokens.
    ///
    /// # Errors
    /// A node or a token that the ring doesn't have.
    pub(crate) fn compare(
        &self,
        keyspace: &KeyspaceName,
        replication: &Replication,
        described: &Described,
    ) -> Result<Option<Doubt>, TopologyError> {
        let mut shown: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
        let addresses: BTreeMap<_, NodeId> =
            self.ids().map(|id| (self.node(id).address, id)).collect();
        for range in &described.ranges {
            let end = place(self, self.partitioner, &range.end).ok_or_else(|| {
                TopologyError::UnknownRange { keyspace: keyspace.clone(), end: range.end.clone() }
            })?;
            let mut set = Vec::with_capacity(range.endpoints.len());
            for endpoint in &range.endpoints {
                set.push(*addresses.get(endpoint).ok_or_else(|| {
                    TopologyError::UnknownEndpoint {
                        keyspace: keyspace.clone(),
                        endpoint: *endpoint,
                    }
                })?);
            }
            set.sort_unstable();
            shown.insert(end, set);
        }
        let mut ranges = Vec::new();
        // From the last range to the first. Joining nodes' tokens cut ranges here and not there: such a
        // piece belongs to the next token that is described; after the last comes the first.
        let mut next = shown.first_key_value().map(|(_, set)| set.clone()).unwrap_or_default();
        each_range(self, &parts(replication), Cuts::Everywhere, |placed| {
            if let Some(described) = shown.remove(&placed.range.1) {
                next = described;
            }
            let mut computed = placed.natural.to_vec();
            computed.sort_unstable();
            if next != computed {
                ranges.push(DoubtfulRange {
                    range: placed.range,
                    described: next.clone(),
                    computed,
                });
            }
        });
        let rest = shown.into_iter().map(|(end, described)| {
            let count = self.ring.owned().len() as u32;
            let start = if end == 0 { count - 1 } else { end - 1 };
            DoubtfulRange { range: (start, end), described, computed: Vec::new() }
        });
        ranges.extend(rest);
        ranges.sort_by_key(|range| range.range.1);
        Ok((!ranges.is_empty()).then(|| Doubt {
            keyspace: keyspace.clone(),
            replication: replication.clone(),
            ranges,
        }))
    }
}

fn place(topology: &Topology, partitioner: Partitioner, text: &str) -> Option<u32> {
    topology.ring.place(&partitioner.parse_token(text)?)
}
