//! Who replicates with whom.
use crate::{Address, Keyspace, KeyspaceName, Node, NodeId, Replication};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use serde::{Deserialize, Serialize};

/// One token range of one keyspace and the nodes that hold it, as `describering` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeReplicas {
    /// Exclusive start, as printed.
    pub start: String,
    /// Inclusive end, as printed.
    pub end: String,
    /// The replicas' addresses in the order printed.
    pub endpoints: Vec<Address>,
}

/// For every node its neighbours: the nodes that hold a range together with it such that both out
/// at once could cost a quorum. Under `NetworkTopologyStrategy` only nodes of the same data center
/// count (a `LOCAL_QUORUM` is taken there); under `SimpleStrategy`, which knows no data centers, all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaMap {
    /// Per node, its neighbours and the first keyspace through which they are. Sorted.
    neighbours: Vec<BTreeMap<NodeId, KeyspaceName>>,
}

/// What makes a replica map impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaMapError {
    /// A range names a node that `status` doesn't list.
    UnknownEndpoint {
        /// The keyspace asked for.
        keyspace: KeyspaceName,
        /// The address that no row of `status` has.
        endpoint: Address,
    },
    /// A range without replicas, in a keyspace that should have some.
    EmptyRange {
        /// The keyspace asked for.
        keyspace: KeyspaceName,
        /// The range's end token.
        end: String,
    },
    /// No range at all.
    NoRanges(KeyspaceName),
}

impl core::fmt::Display for ReplicaMapError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::UnknownEndpoint { keyspace, endpoint } => write!(
                f,
                "describering {keyspace} names {endpoint}, which nodetool status doesn't list"
            ),
            Self::EmptyRange { keyspace, end } => {
                write!(f, "describering {keyspace} shows no replica for the range that ends at {end}")
            }
            Self::NoRanges(keyspace) => write!(f, "describering {keyspace} shows no range"),
        }
    }
}

impl core::error::Error for ReplicaMapError {}

impl ReplicaMap {
    /// Builds the map from the ranges of keyspaces. Keyspaces of the same replication have the same
    /// ranges, so that one of each is enough.
    pub fn new(
        nodes: &[Node],
        ranges: &[(Keyspace, Vec<RangeReplicas>)],
    ) -> Result<Self, ReplicaMapError> {
        let ids: BTreeMap<Address, NodeId> =
            nodes.iter().enumerate().map(|(i, n)| (n.address, NodeId(i as u32))).collect();
        let mut neighbours: Vec<BTreeMap<NodeId, KeyspaceName>> = Vec::new();
        neighbours.resize(nodes.len(), BTreeMap::new());
        for (keyspace, ranges) in ranges {
            if ranges.is_empty() {
                return Err(ReplicaMapError::NoRanges(keyspace.name.clone()));
            }
            let across = matches!(keyspace.replication, Replication::Simple(_));
            let mut seen = BTreeSet::new();
            for range in ranges {
                let set = resolve(keyspace, range, &ids)?;
                if !seen.insert(set.clone()) {
                    continue;
                }
                for a in &set {
                    for b in &set {
                        let near = across
                            || nodes[a.index()].data_center == nodes[b.index()].data_center;
                        if a != b && near {
                            neighbours[a.index()].entry(*b).or_insert_with(|| keyspace.name.clone());
                        }
                    }
                }
            }
        }
        Ok(Self { neighbours })
    }

    /// The nodes that share a range with this one, each with a keyspace through which it does.
    pub fn neighbours(&self, node: NodeId) -> impl Iterator<Item = (NodeId, &KeyspaceName)> {
        self.neighbours[node.index()].iter().map(|(id, ks)| (*id, ks))
    }

    /// A keyspace of which both nodes hold a range together, if there is one.
    pub fn shared(&self, a: NodeId, b: NodeId) -> Option<&KeyspaceName> {
        self.neighbours[a.index()].get(&b)
    }
}

fn resolve(
    keyspace: &Keyspace,
    range: &RangeReplicas,
    ids: &BTreeMap<Address, NodeId>,
) -> Result<Vec<NodeId>, ReplicaMapError> {
    if range.endpoints.is_empty() {
        return Err(ReplicaMapError::EmptyRange {
            keyspace: keyspace.name.clone(),
            end: range.end.clone(),
        });
    }
    let mut set = Vec::with_capacity(range.endpoints.len());
    for endpoint in &range.endpoints {
        let id = ids.get(endpoint).ok_or_else(|| ReplicaMapError::UnknownEndpoint {
            keyspace: keyspace.name.clone(),
            endpoint: *endpoint,
        })?;
        set.push(*id);
    }
    set.sort();
    set.dedup();
    Ok(set)
}
