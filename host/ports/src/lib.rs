//! The traits between the runner and the world. No implementation and no decision lives here.

mod clock;
mod command;
mod outputs;
mod preflight;
mod private;
mod store;
mod strategy;
mod transport;

pub use clock::{Clock, UnixMs};
pub use command::{
    ActionOutcome, Captured, CommandError, CommandHost, ComponentKind, EffectError, Effects,
    LogLevel, OnLost, RunEnd, RunInput, Work, WorkKind,
};
pub use outputs::{NodeOutput, Outputs, OutputsError, Stream};
pub use preflight::{Preflight, ProbeRequest};
pub use private::{PrivateFile, Secret};
pub use quorate_journal::{ActionId, Exit};
pub use quorate_schedule::{Detaching, JobId, LiveAction, NodeKey, Probe, Sharer, Skew};
pub use store::{Store, StoreError};
pub use strategy::{StrategyAnswer, StrategyHost};
pub use transport::{
    Action, ActionEnd, ActionWatch, Answer, FaultKind, Program, Query, Target, Transport,
    TransportError,
};

use std::{future::Future, pin::Pin};

/// A boxed future, so that the traits here can be used as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
