//! The ring: nodes, data centers, racks, replication and who replicates with whom, read from the
//! text that nodetool prints.
//!
//! Pure: text in, values out. Strict about what it understands and clear about what it doesn't: an
//! unknown line is an error that shows the line, never a guess.
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]
extern crate alloc;

mod assembly;
mod changes;
mod doubt;
mod inference;
mod names;
mod node;
pub mod parse;
mod placement;
mod replicas;
mod replication;
mod shape;
mod token;
mod token_ring;
mod topology;

pub use doubt::{Doubt, DoubtfulRange};
pub use inference::{Inferred, Reading};
pub use names::{ClusterName, DataCenter, HostId, KeyspaceName, Rack};
pub use node::{Address, Liveness, Mode, Node, NodeId, NodeStatus};
pub use replicas::{ReplicaSet, ReplicaSets, TokenRange};
pub use replication::{Keyspace, Replication, ReplicationFactor};
pub use shape::RingShape;
pub use token::{Partitioner, Token};
pub use token_ring::{Replacement, TokenRing};
pub use topology::{Topology, TopologyError, Unclear};
