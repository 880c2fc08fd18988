//! The journal: what is written down of a job, and what it adds up to.
//!
//! Records are never changed. Every view of a job, running or past, is a fold over its records; so is
//! the job that `continue` takes up.

mod action;
mod record;
mod view;

pub use action::{ActionId, Exit};
pub use record::{
    ActionClose, Command, Component, Created, FORMAT, Level, Place, Record, RecordError, Stamped,
    TargetHost, decode, encode, follow,
};
pub use view::{ActionView, FoldError, JobView, Message};
