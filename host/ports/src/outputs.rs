//! Where the outputs of actions go: `jobs/JOB/NODE/{out,err,status}`.
use crate::{Exit, JobId, NodeKey};
use std::sync::Arc;

/// Standard output or standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output: the file `out`.
    Stdout,
    /// Standard error: the file `err`.
    Stderr,
}

/// The outputs' place can't be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct OutputsError {
    /// The file or directory.
    pub path: String,
    /// What happened.
    pub message: String,
}

/// The outputs of one node of one job. Actions append.
pub trait NodeOutput: Send + Sync {
    /// Appends bytes.
    fn append(&self, stream: Stream, bytes: &[u8]) -> Result<(), OutputsError>;
    /// Replaces the status by the last action's.
    fn status(&self, exit: Exit) -> Result<(), OutputsError>;
}

/// Opens the outputs of nodes.
pub trait Outputs: Send + Sync {
    /// Opens a node's outputs, and makes them where they don't exist.
    fn open(&self, job: &JobId, node: &NodeKey) -> Result<Arc<dyn NodeOutput>, OutputsError>;
}
