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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicaMapError {
    /// A range names a node that `status` doesn't list.
    #[error("describering {keyspace} names {endpoint}, which nodetool status doesn't list")]
    UnknownEndpoint {
        /// The keyspace asked for.
        keyspace: KeyspaceName,
        /// The address that no row of `status` has.
        endpoint: Address,
    },
    /// A range without replicas, in a keyspace that should have some.
    #[error("describering {keyspace} shows no replica for the range that ends at {end}")]
    EmptyRange {
        /// The keyspace asked for.
        keyspace: KeyspaceName,
        /// The range's end token.
        end: String,
    },
    /// No range at all.
    #[error("describering {0} shows no range")]
    NoRanges(KeyspaceName),
}

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
                        let near =
                            across || nodes[a.index()].data_center == nodes[b.index()].data_center;
                        if a != b && near {
                            neighbours[a.index()]
                                .entry(*b)
                                .or_insert_with(|| keyspace.name.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataCenter, NodeStatus, Rack, ReplicationFactor};
    use alloc::{format, string::ToString};

    /// Nodes 10.0.DC.N, all in one rack of their data center.
    fn nodes(counts: &[u8]) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (dc, count) in (1..).zip(counts) {
            for n in 1..=*count {
                nodes.push(Node {
                    host_id: None,
                    address: at(dc, n),
                    data_center: DataCenter::new(format!("dc{dc}")),
                    rack: Rack::new("r"),
                    status: NodeStatus::UP_NORMAL,
                    version: None,
                });
            }
        }
        nodes
    }

    fn at(dc: u8, n: u8) -> Address {
        Address([10, 0, dc, n].into())
    }

    fn range(end: u32, endpoints: &[Address]) -> RangeReplicas {
        RangeReplicas { start: "0".into(), end: end.to_string(), endpoints: endpoints.into() }
    }

    fn keyspace(name: &str, replication: Replication) -> Keyspace {
        Keyspace { name: KeyspaceName::new(name), replication }
    }

    fn networked(name: &str) -> Keyspace {
        keyspace(name, Replication::NetworkTopology(BTreeMap::new()))
    }

    fn simple(name: &str) -> Keyspace {
        keyspace(name, Replication::Simple(ReplicationFactor { all: 2, transient: 0 }))
    }

    fn ids(map: &ReplicaMap, node: u32) -> Vec<u32> {
        map.neighbours(NodeId(node)).map(|(id, _)| id.0).collect()
    }

    #[test]
    fn under_network_topology_only_nodes_of_one_data_center_are_neighbours() {
        let ranges = [range(1, &[at(1, 1), at(1, 2), at(2, 1), at(2, 2)])];
        let map = ReplicaMap::new(&nodes(&[3, 2]), &[(networked("app"), ranges.to_vec())]).unwrap();
        assert_eq!(ids(&map, 0), [1]);
        assert_eq!(ids(&map, 2), []);
        assert_eq!(ids(&map, 3), [4]);
        assert_eq!(map.shared(NodeId(0), NodeId(1)).unwrap().as_str(), "app");
        assert_eq!(map.shared(NodeId(0), NodeId(3)), None);
    }

    #[test]
    fn under_simple_strategy_neighbours_cross_data_centers() {
        let ranges = [range(1, &[at(1, 1), at(2, 1)]), range(2, &[at(2, 1), at(1, 2)])];
        let map = ReplicaMap::new(&nodes(&[2, 1]), &[(simple("old"), ranges.to_vec())]).unwrap();
        assert_eq!(ids(&map, 0), [2]);
        assert_eq!(ids(&map, 1), [2]);
        assert_eq!(ids(&map, 2), [0, 1]);
    }

    #[test]
    fn neighbours_of_several_keyspaces_add_up_and_the_first_names_itself() {
        let one = (networked("a"), [range(1, &[at(1, 1), at(1, 2)])].to_vec());
        let two = (
            simple("b"),
            [range(1, &[at(1, 2), at(1, 1)]), range(2, &[at(1, 2), at(1, 3)])].to_vec(),
        );
        let map = ReplicaMap::new(&nodes(&[3]), &[one, two]).unwrap();
        assert_eq!(map.shared(NodeId(0), NodeId(1)).unwrap().as_str(), "a");
        assert_eq!(map.shared(NodeId(2), NodeId(1)).unwrap().as_str(), "b");
        assert_eq!(map.shared(NodeId(0), NodeId(2)), None);
    }

    #[test]
    fn one_rack_with_many_vnodes_makes_everyone_a_neighbour_and_always_both_ways() {
        // A ring of 12 nodes with 64 tokens each, in an order that a fixed recurrence shuffles.
        let all = nodes(&[12]);
        let mut state = 7_u64;
        let mut owners: Vec<u8> = (0..12 * 64).map(|i| (i % 12 + 1) as u8).collect();
        for i in (1..owners.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            owners.swap(i, (state >> 33) as usize % (i + 1));
        }
        let mut ranges = Vec::new();
        for i in 0..owners.len() {
            let mut set: Vec<Address> = Vec::new();
            for owner in owners.iter().cycle().skip(i) {
                if !set.contains(&at(1, *owner)) {
                    set.push(at(1, *owner));
                }
                if set.len() == 3 {
                    break;
                }
            }
            ranges.push(range(i as u32, &set));
        }
        let map = ReplicaMap::new(&all, &[(networked("app"), ranges.clone())]).unwrap();
        for node in 0..12 {
            assert_eq!(ids(&map, node), (0..12).filter(|n| *n != node).collect::<Vec<_>>());
        }
        // A part of the ranges: not everyone, and still both ways.
        let map = ReplicaMap::new(&all, &[(networked("app"), ranges[..6].to_vec())]).unwrap();
        for a in 0..12 {
            for b in 0..12 {
                let (a, b) = (NodeId(a), NodeId(b));
                assert_eq!(map.shared(a, b), map.shared(b, a));
            }
            assert!(!ids(&map, a).contains(&a) && ids(&map, a).len() < 11);
        }
    }

    #[test]
    fn ranges_that_do_not_fit_are_refused() {
        let all = nodes(&[1]);
        let stranger = [(networked("app"), [range(1, &[at(1, 9)])].to_vec())];
        let error = ReplicaMap::new(&all, &stranger).unwrap_err();
        assert_eq!(
            error.to_string(),
            "describering app names 10.0.1.9, which nodetool status doesn't list"
        );
        let error = ReplicaMap::new(&all, &[(networked("app"), [range(5, &[])].to_vec())]);
        assert!(matches!(error, Err(ReplicaMapError::EmptyRange { end, .. }) if end == "5"));
        let error = ReplicaMap::new(&all, &[(networked("app"), Vec::new())]);
        assert_eq!(error, Err(ReplicaMapError::NoRanges(KeyspaceName::new("app"))));
    }
}
