//! The ring: nodes, data centers, racks, replication and who replicates with whom, read from the
//! text that nodetool prints.
//!
//! Pure: text in, values out. Strict about what it understands and clear about what it doesn't: an
//! unknown line is an error that shows the line, never a guess.
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]
extern crate alloc;

mod assembly;
mod names;
mod node;
pub mod parse;
mod replicas;
mod replication;
mod topology;

pub use names::{ClusterName, DataCenter, HostId, KeyspaceName, Rack};
pub use node::{Address, Liveness, Mode, Node, NodeId, NodeStatus};
pub use replicas::{RangeReplicas, ReplicaMap, ReplicaMapError};
pub use replication::{Keyspace, Replication, ReplicationFactor};
pub use topology::{Topology, TopologyError};
