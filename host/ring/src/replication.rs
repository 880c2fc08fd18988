//! How a keyspace is replicated.
use crate::{DataCenter, KeyspaceName};
use alloc::{collections::BTreeMap, string::String};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A configured replication factor.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ReplicationFactor {
    /// Replicas in all, transient ones included.
    pub all: u32,
    /// How many of them are transient (`3/1` has one).
    pub transient: u32,
}

/// A replication strategy with its options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Replication {
    /// `NetworkTopologyStrategy`: a factor per data center.
    NetworkTopology(BTreeMap<DataCenter, ReplicationFactor>),
    /// `SimpleStrategy`: knows neither data centers nor racks.
    Simple(ReplicationFactor),
    /// `EverywhereStrategy`: every node holds everything.
    Everywhere,
    /// `LocalStrategy`: every node holds its own.
    Local,
    /// `MetaStrategy` (Cassandra 6): cluster metadata.
    Meta(String),
}

/// A keyspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyspace {
    /// Its name.
    pub name: KeyspaceName,
    /// Its replication.
    pub replication: Replication,
}

impl Keyspace {
    /// Whether this keyspace's ranges hold a start. Judged by class, not by the name's prefix: a
    /// user's `system_of_record` counts. The stock `system_traces` and `system_distributed` are
    /// rack-blind and carry nothing that a client waits for; `system_auth` counts where it is
    /// replicated by `NetworkTopologyStrategy` three times or more.
    pub fn is_guarded(&self) -> bool {
        match &self.replication {
            Replication::Local | Replication::Everywhere | Replication::Meta(_) => false,
            Replication::NetworkTopology(factors) => match self.name.as_str() {
                "system_traces" | "system_distributed" => false,
                "system_auth" => factors.values().any(|f| f.all >= 3),
                _ => true,
            },
            Replication::Simple(_) => !matches!(
                self.name.as_str(),
                "system_traces" | "system_distributed" | "system_auth"
            ),
        }
    }
}

/// As `describecluster` prints it.
impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkTopology(factors) => {
                f.write_str("NetworkTopologyStrategy {")?;
                for (number, (dc, factor)) in factors.iter().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{dc}={factor}")?;
                }
                f.write_str("}")
            }
            Self::Simple(factor) => write!(f, "SimpleStrategy {{replication_factor={factor}}}"),
            Self::Everywhere => f.write_str("EverywhereStrategy {}"),
            Self::Local => f.write_str("LocalStrategy {}"),
            Self::Meta(options) => write!(f, "MetaStrategy {{{options}}}"),
        }
    }
}

/// `3`, or `3/1`.
impl fmt::Display for ReplicationFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transient {
            0 => write!(f, "{}", self.all),
            transient => write!(f, "{}/{transient}", self.all),
        }
    }
}
