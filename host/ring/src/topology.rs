//! The cluster as one observer shows it.
use crate::{
    Address, ClusterName, DataCenter, Doubt, HostId, Inferred, Keyspace, KeyspaceName, Mode, Node,
    NodeId, Partitioner, Replication, RingShape, Token, TokenRing,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use serde::{Deserialize, Serialize};

/// Nodes, keyspaces, and the tokens from which follows who replicates with whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// How keys become tokens.
    pub partitioner: Partitioner,
    /// The nodes; [`NodeId`] is the place in this list. Of a first map, they are sorted by data center,
    /// rack and address; a later map keeps the places and appends, see [`Topology::renumbered`].
    pub nodes: Vec<Node>,
    /// Nodes that an earlier map had and this one has no more.
    pub gone: BTreeSet<NodeId>,
    /// Every keyspace that the observer lists, guarded or not.
    pub keyspaces: Vec<Keyspace>,
    /// Keyspaces whose replication was read off their ranges, since no node told it.
    #[serde(default)]
    pub inferred: Vec<Inferred>,
    /// Schema versions and who has them; unreachable nodes are not listed.
    pub schema_versions: BTreeMap<String, Vec<Address>>,
    /// Who owns which token.
    pub ring: TokenRing,
    /// Where `describering` says otherwise than the tokens.
    pub doubts: Vec<Doubt>,
    /// The members of the cluster metadata service; none before Cassandra 6.
    pub metadata_service: Vec<NodeId>,
    /// Nodes that `describecluster` names and `status` doesn't list: about to join, or left and lingering
    /// in gossip for a few days. They hold no range.
    pub strangers: BTreeSet<Address>,
    /// The rows of `status` that this was made from.
    pub shape: RingShape,
}

/// Why pending replicas can't be told in a data center.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unclear {
    /// The node moves; its new token isn't shown.
    Moving(NodeId),
    /// The node has no token, or none that is shown.
    Tokenless(NodeId),
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
    /// Dead nodes are being replaced, and which node replaces which can't be told.
    #[error(
        "{0} is being replaced, and which joining node takes its place isn't shown: wait until it is over"
    )]
    UnclearReplacement(Address),
    /// `describecluster` names a node twice in one section.
    #[error("describecluster names {address} twice among its {section}")]
    ListedTwice {
        /// `schema versions`, `unreachable nodes` or `database versions`.
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
    /// The ranges of a keyspace aren't placed as a strategy whose placement is known would place them.
    #[error(
        "how keyspace {0} is replicated can't be told from its ranges: neither NetworkTopologyStrategy nor \
         SimpleStrategy places them so, or the ring changes"
    )]
    UnknownReplication(KeyspaceName),
    /// A person says that a keyspace is replicated otherwise than its ranges, or the cluster, show it.
    #[error(
        "--rf {keyspace}: nodetool describering shows {shown} replicas of a range{}",
        .data_center.as_ref().map(|dc| alloc::format!(" in {dc}")).unwrap_or_default()
    )]
    OtherFactor {
        /// The keyspace.
        keyspace: KeyspaceName,
        /// Where it differs; none: over all data centers.
        data_center: Option<DataCenter>,
        /// How many replicas there are.
        shown: u32,
    },
    /// A person says that a keyspace is replicated otherwise than the cluster says.
    #[error("--rf {keyspace}: the cluster says that it is replicated otherwise ({told})")]
    ToldOtherwise {
        /// The keyspace.
        keyspace: KeyspaceName,
        /// As the cluster says it.
        told: Replication,
    },
    /// The partitioner isn't one of those whose tokens are understood.
    #[error(
        "the partitioner {0} isn't known: Murmur3Partitioner, RandomPartitioner and \
         ByteOrderedPartitioner are"
    )]
    UnknownPartitioner(String),
    /// `ring` names a node that `status` doesn't list.
    #[error("nodetool ring names {0}, which nodetool status doesn't list: the ring changes")]
    UnknownOwner(Address),
    /// `ring` and `status` count different numbers of tokens of a node.
    #[error(
        "nodetool status counts {counted} tokens of {address}, nodetool ring lists {listed}: the \
         ring changes, or an output was cut"
    )]
    TokenCount {
        /// The node.
        address: Address,
        /// What `status` says.
        counted: u32,
        /// What `ring` lists.
        listed: u32,
    },
    /// A token has two owners.
    #[error("nodetool ring lists the token {0} twice")]
    DuplicateToken(Token),
    /// `describering` names a node that `status` doesn't list.
    #[error("describering {keyspace} names {endpoint}, which nodetool status doesn't list")]
    UnknownEndpoint {
        /// The keyspace asked for.
        keyspace: KeyspaceName,
        /// The address that no row of `status` has.
        endpoint: Address,
    },
    /// `describering` shows a range whose end is no node's token.
    #[error(
        "describering {keyspace} shows a range that ends at {end}, which is no token of the ring: \
         the ring changes"
    )]
    UnknownRange {
        /// The keyspace asked for.
        keyspace: KeyspaceName,
        /// The range's end, as printed.
        end: String,
    },
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

    /// Every member's number, ascending. Nodes that are gone are left out.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + Clone {
        (0..self.nodes.len() as u32).map(NodeId).filter(|id| !self.gone.contains(id))
    }

    /// Every member's number by data center, then rack, then address.
    pub fn in_order(&self) -> Vec<NodeId> {
        let mut ids: Vec<NodeId> = self.ids().collect();
        ids.sort_by_key(|id| {
            let node = self.node(*id);
            (&node.data_center, &node.rack, node.address)
        });
        ids
    }

    /// The member at an address.
    pub fn by_address(&self, address: Address) -> Option<NodeId> {
        self.ids().find(|id| self.node(*id).address == address)
    }

    /// The data centers, each once, in order.
    pub fn data_centers(&self) -> Vec<&DataCenter> {
        let names: BTreeSet<_> = self.ids().map(|id| &self.node(id).data_center).collect();
        names.into_iter().collect()
    }

    /// A node because of which pending replicas can't be told: anywhere, or in one data center.
    pub fn unclear(&self, center: Option<&DataCenter>) -> Option<Unclear> {
        let owners: BTreeSet<NodeId> = self.ring.owned().iter().map(|(_, id)| *id).collect();
        self.ids().filter(|id| center.is_none_or(|dc| self.node(*id).data_center == *dc)).find_map(
            |id| {
                let replaced = self.ring.replaced().iter().any(|r| r.dead == id);
                match self.node(id).status.mode {
                    Mode::Moving => Some(Unclear::Moving(id)),
                    _ if !replaced && !owners.contains(&id) => Some(Unclear::Tokenless(id)),
                    _ => None,
                }
            },
        )
    }

    /// This map with the numbers of an earlier one: a node keeps its number by its host id, or by its address
    /// where it has none; a new one comes after all others; who isn't there any more stays, marked as gone.
    pub fn renumbered(mut self, earlier: &Self) -> Self {
        let key = |node: &Node| match &node.host_id {
            Some(host) => Ok(host.clone()),
            None => Err(node.address),
        };
        let known: BTreeMap<_, NodeId> =
            (0..).map(NodeId).zip(&earlier.nodes).map(|(id, node)| (key(node), id)).collect();
        // A dead node that is being replaced is shown by its address alone.
        let by_address = |node: &Node| {
            let same = |id: &NodeId| earlier.node(*id).address == node.address;
            if node.host_id.is_none() { earlier.ids().find(same) } else { None }
        };
        let mut nodes = earlier.nodes.clone();
        let mut gone: BTreeSet<NodeId> = (0..nodes.len() as u32).map(NodeId).collect();
        let mut numbers = Vec::with_capacity(self.nodes.len());
        for node in core::mem::take(&mut self.nodes) {
            let id = known.get(&key(&node)).copied().or_else(|| by_address(&node));
            let id = id.unwrap_or(NodeId(nodes.len() as u32));
            match nodes.get_mut(id.index()) {
                Some(place) => *place = node,
                None => nodes.push(node),
            }
            gone.remove(&id);
            numbers.push(id);
        }
        let number = |id: &mut NodeId| *id = numbers[id.index()];
        self.ring.renumber(number);
        self.doubts.iter_mut().for_each(|doubt| doubt.renumber(number));
        self.metadata_service.iter_mut().for_each(number);
        Self { nodes, gone, ..self }
    }
}
