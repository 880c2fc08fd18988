//! Actions as the journal names them.
use core::fmt;
use quorate_schedule::{JobId, NodeKey};
use serde::{Deserialize, Serialize};

/// `JOB/NODE/STAGE/ATTEMPT/SEQ`: one thing done at most once on one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActionId {
    /// The job.
    pub job: JobId,
    /// The node.
    pub node: NodeKey,
    /// The stage's name.
    pub stage: String,
    /// 1 for the first attempt on this node.
    pub attempt: u32,
    /// Counts the actions of one run from 1.
    pub seq: u32,
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, node, stage, attempt, seq } = self;
        write!(f, "{job}/{node}/{stage}/{attempt}/{seq}")
    }
}

/// How a program on a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// Its exit status.
    Code(i32),
    /// The signal that ended it.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
