//! Parsers of what nodetool prints, as Cassandra 3.0 to 5.0 print it, and of the tables of cqlsh.
//!
//! Give them the whole standard output, untrimmed: everything that nodetool prints ends with a line
//! end, so that an answer without one was cut on its way and is refused. A line that isn't understood
//! is an error that shows it. The parsers take time in proportion to the text, whatever it holds.
//!
//! Formats were read in Cassandra's sources (`org.apache.cassandra.tools.nodetool`) and held against
//! real outputs. Where that is otherwise, and for `ring`, which ends without a line end, the module says so.
mod address;
mod cms;
mod cqlsh;
mod describecluster;
mod describering;
mod error;
mod gossipinfo;
mod info;
mod lines;
mod netstats;
mod replication;
mod ring;
mod short;
mod status;
mod tablestats;

pub use cms::{CmsDescription, CmsState, cms};
pub use cqlsh::{CQL_KEYSPACES, CqlKeyspaces, cql_keyspaces};
pub use describecluster::{
    ClusterAnswer, ClusterDescription, SchemaDescription, describecluster,
    describecluster_of_any_version,
};
pub use describering::{Described, RangeReplicas, describering};
pub use error::{ParseError, is_unprintable};
pub use gossipinfo::{GossipEndpoint, gossipinfo};
pub use info::{NodeInfo, info};
pub use netstats::{NetStats, Stream, StreamOperation, netstats};
pub use replication::replication_by_hand;
pub use ring::{RingRow, ring};
pub use short::{statusbinary, version};
pub use status::{StatusRow, status};
pub use tablestats::keyspaces_of_tablestats;
