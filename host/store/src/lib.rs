//! What quorate keeps on the operator's machine: journals in SQLite, outputs in files.
//!
//! ```text
//! HOME/state.db                        journals of all jobs
//! HOME/jobs/JOB/lock                   held while a process runs the job; holds its pid
//! HOME/jobs/JOB/NODE/{out,err,status}  outputs of the node's actions, appended; the last exit status
//! HOME/jobs/JOB/outputs                a link to `--output-directory`, where that was given; each NODE is one, too
//! HOME/cache/                          compiled components
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod home;
mod id;
mod lock;
mod outputs;
mod sqlite;

pub use home::Home;
pub use id::new_job_id;
pub use lock::JobLock;
pub use outputs::{FileOutputs, output_path, place_outputs, remove_outputs};
pub use sqlite::SqliteStore;
