//! Where journals are kept.
use crate::{BoxFuture, JobId};
use quorate_journal::Stamped;

/// Why the journal can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No job of this id or prefix.
    #[error("there is no job {0}")]
    NoSuchJob(String),
    /// More than one job begins so.
    #[error("{prefix} could be any of {}", .jobs.join(", "))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The jobs that begin so.
        jobs: Vec<String>,
    },
    /// Another process runs the job.
    #[error("job {job} is being run by process {pid}")]
    Busy {
        /// The job.
        job: JobId,
        /// Whose lock it is, as that process wrote it.
        pid: String,
    },
    /// The place itself can't be read or written.
    #[error("{path}: {message}")]
    Storage {
        /// File.
        path: String,
        /// What happened.
        message: String,
    },
}

/// The journals of all jobs.
pub trait Store: Send + Sync {
    /// Appends records to a job's journal in this order. When it returns they are on disk.
    fn append<'a>(
        &'a self,
        job: &'a JobId,
        records: Vec<Stamped>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}
