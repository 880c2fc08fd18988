//! The cluster as one observer shows it.
use crate::{
    Address, ClusterName, DataCenter, HostId, Keyspace, KeyspaceName, Node, NodeId, ReplicaMap,
    ReplicaMapError,
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Nodes, keyspaces and who replicates with whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The partitioner's simple class name: `Murmur3Partitioner`.
    pub partitioner: String,
    /// Nodes by data center, then rack, then address. [`NodeId`] is the place in this list.
    pub nodes: Vec<Node>,
    /// Every keyspace that the observer lists, guarded or not.
    pub keyspaces: Vec<Keyspace>,
    /// Schema versions and who has them; unreachable nodes are not listed.
    pub schema_versions: BTreeMap<String, Vec<Address>>,
    /// Who replicates with whom, over all guarded keyspaces.
    pub replicas: ReplicaMap,
}

/// Answers of a cluster that don't fit together. They were read one after the other: where the cluster
/// changed in between, reading all of them again helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// Two rows have one address.
    #[error("nodetool status lists the address {0} twice")]
    DuplicateAddress(Address),
    /// Two rows have one host id.
    #[error("nodetool status lists the host id {0} twice")]
    DuplicateHostId(HostId),
    /// `describecluster` names a node that `status` doesn't list.
    #[error(
        "describecluster names {address} among its {section}, but nodetool status doesn't list it: \
         a node that is about to join, or one that left and lingers in gossip"
    )]
    UnknownAddress {
        /// `schema versions`, `unreachable nodes` or `database versions`.
        section: &'static str,
        /// The address that no row of `status` has.
        address: Address,
    },
    /// `describecluster` names a node twice in one section.
    #[error("describecluster names {address} twice among its {section}")]
    ListedTwice {
        /// As in [`TopologyError::UnknownAddress`].
        section: &'static str,
        /// The address.
        address: Address,
    },
    /// `status` and `describecluster` count different numbers of nodes.
    #[error(
        "nodetool status lists {rows} nodes in data center {data_center}, describecluster counts \
         {counted}: nodes come or go, or an output was cut"
    )]
    NodeCount {
        /// The data center.
        data_center: DataCenter,
        /// Rows of `status`.
        rows: u32,
        /// What `describecluster` counts.
        counted: u32,
    },
    /// Ranges were given for a keyspace that `describecluster` shows otherwise, or not at all.
    #[error(
        "the ranges of keyspace {0} were read, but describecluster doesn't show it so: the schema changes"
    )]
    OtherKeyspace(KeyspaceName),
    /// Nobody gave the ranges of a guarded keyspace, nor of another with its replication.
    #[error("the ranges of keyspace {0} are missing")]
    MissingRanges(KeyspaceName),
    /// A range doesn't have as many replicas as the keyspace's replication asks for.
    #[error(
        "describering {keyspace} shows {found} replicas in {place} for the range that ends at {end}, \
         but its replication makes that {expected}: the schema or the ring changes"
    )]
    ReplicaCount {
        /// The keyspace.
        keyspace: KeyspaceName,
        /// The range's end token.
        end: String,
        /// `data center NAME`, or `the cluster` for `SimpleStrategy`.
        place: String,
        /// Replicas that the range has there.
        found: u32,
        /// Replicas that it should have there.
        expected: u32,
    },
    /// The ranges don't make a replica map.
    #[error(transparent)]
    Replicas(#[from] ReplicaMapError),
}

impl Topology {
    /// Sorts rows into the order of [`Topology::nodes`] and checks that they are distinct.
    pub fn order_nodes(mut nodes: Vec<Node>) -> Result<Vec<Node>, TopologyError> {
        nodes.sort_by(|a, b| {
            (&a.data_center, &a.rack, a.address).cmp(&(&b.data_center, &b.rack, b.address))
        });
        let mut addresses = BTreeMap::new();
        let mut hosts = BTreeMap::new();
        for node in &nodes {
            if addresses.insert(node.address, ()).is_some() {
                return Err(TopologyError::DuplicateAddress(node.address));
            }
            if let Some(host) = &node.host_id
                && hosts.insert(host.clone(), ()).is_some()
            {
                return Err(TopologyError::DuplicateHostId(host.clone()));
            }
        }
        Ok(nodes)
    }

    /// The node with this number.
    ///
    /// # Panics
    /// If the number belongs to another topology.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Every node's number, in order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// The node at an address.
    pub fn by_address(&self, address: Address) -> Option<NodeId> {
        self.nodes.iter().position(|n| n.address == address).map(|i| NodeId(i as u32))
    }

    /// The data centers, each once, in order.
    pub fn data_centers(&self) -> Vec<&DataCenter> {
        let mut names: Vec<_> = self.nodes.iter().map(|n| &n.data_center).collect();
        names.dedup();
        names
    }
}
