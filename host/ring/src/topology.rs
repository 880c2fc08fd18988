//! The cluster as one observer shows it.
use crate::{Address, ClusterName, DataCenter, HostId, Keyspace, Node, NodeId, ReplicaMap};
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

/// Answers of a cluster that don't fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologyError {
    /// Two rows have one address.
    DuplicateAddress(Address),
    /// Two rows have one host id.
    DuplicateHostId(HostId),
}

impl core::fmt::Display for TopologyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::DuplicateAddress(a) => write!(f, "nodetool status lists the address {a} twice"),
            Self::DuplicateHostId(h) => write!(f, "nodetool status lists the host id {h} twice"),
        }
    }
}

impl core::error::Error for TopologyError {}

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
