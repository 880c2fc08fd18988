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
mod level;
mod names;
mod observe;
mod order;
mod policy;
mod preflight;
mod proposal;
mod reason;
mod sets;
mod state;
mod strategy;
mod transition;
mod troubles;
mod waves;

pub use gates::{GateFailure, judge};
pub use guard::{Guard, Outs, Verdict, may_start};
pub use job::{Effect, End, Event, Job, JobError, NodeRun, Phase, RoundRequest};
pub use level::{Level, UnknownLevel};
pub use names::{JobId, NodeKey};
pub use observe::{Round, SchemaView, SelfAnswer, SelfView, View, observers};
pub use policy::{FailureBudget, GatePolicy, Guarantee, Impact, MaxOut, Policy, Strategy};
pub use preflight::{
    Checked, Detaching, LiveAction, Look, NoVersion, Probe, Sharer, Skew, Unreached, UnreachedKind,
};
pub use proposal::{Group, Proposed};
pub use reason::{OutCause, Reason, SetReason};
pub use sets::Family;
pub use transition::{Outcome, StopCause, Transition};
pub use troubles::{Trouble, TroubleKind, troubles};
pub use waves::{Bound, Limit, Waves};
