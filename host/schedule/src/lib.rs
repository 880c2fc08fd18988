//! When which node may start: the guard, the strategies and the state machine of a job.
//!
//! Pure: events and the time come in as data, transitions and effects go out. Nothing here waits,
//! reads a clock or talks to anything.
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]
extern crate alloc;

mod gates;
mod guard;
mod job;
mod names;
mod observe;
mod policy;
mod reason;
mod state;
mod strategy;
mod transition;

pub use gates::{GateFailure, judge};
pub use guard::{ClusterState, Verdict, may_start};
pub use job::{Effect, End, Event, Job, JobError, NodeRun, Phase, RoundRequest};
pub use names::{JobId, NodeKey};
pub use observe::{Round, SelfAnswer, SelfView, View, observers};
pub use policy::{FailureBudget, GatePolicy, Impact, Policy, Strategy};
pub use reason::Reason;
pub use transition::{Outcome, StopCause, Transition};
