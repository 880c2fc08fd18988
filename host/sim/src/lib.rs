//! A simulated Cassandra cluster in this process, for `quorate demo` and for tests: an SSH server per node on a loopback address of its
//! own, real shells behind them, and a nodetool, `service` and `systemctl` that print what real ones print, over a model of what
//! restarts and deaths look like to the node itself and to its peers. Faults come on demand, and a judge that knows the truth
//! records every quorum that was lost.
//!
//! Of the project it depends on the oracle alone, and places and judges by it: a bug of the product must not be able to hide here as
//! well.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod addresses;
mod cluster;
mod cqlsh;
mod error;
mod faults;
mod happening;
mod judge;
mod members;
mod nodetool;
mod placement;
mod processes;
mod random;
mod requests;
mod scripts;
mod service;
mod sim;
mod spec;
mod sshd;
mod world;

pub use cluster::{Entry, Phase};
pub use error::SimError;
pub use happening::Happening;
pub use nodetool::NodetoolFault;
pub use sim::{Sim, SimNode};
pub use spec::{DcSpec, FreshView, KeyspaceSpec, RackSpec, Replication, SimSpec, Timings, Version};
