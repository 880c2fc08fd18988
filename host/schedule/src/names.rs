//! Names that a job gives.
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A job's id: short, sortable by time of creation, made of lower-case letters and digits; or as a person gave it
/// (`--enforced-job-id`): letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

/// A job's own name of a node, fixed when the job is made: the address that gossip showed then. What
/// the node is called elsewhere (host id, name to log in to) may change, this doesn't. It names the
/// directory of the node's outputs and is a part of every action's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeKey(pub String);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
