//! Newtypes of Cassandra's names.
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the name as Cassandra spells it.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as Cassandra spells it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// The `cluster_name` of cassandra.yaml.
    ClusterName
);
name!(
    /// A data center.
    DataCenter
);
name!(
    /// A rack; unique within its data center only.
    Rack
);
name!(
    /// A keyspace.
    KeyspaceName
);
name!(
    /// The UUID by which Cassandra knows a node for as long as its data lives.
    HostId
);
