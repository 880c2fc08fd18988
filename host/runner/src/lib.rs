//! Runs a job: events in, effects out. The loop, the rounds, discovery and what a component's wishes
//! turn into. Knows the ports, no edge.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod discover;
mod drive;
mod effects;
mod here;
mod journal;
mod nodetool;
mod older;
mod preflight;
mod rounds;
mod strategy;

pub use discover::{DiscoverError, Discovered, GivenReplications, discover};
pub use drive::{Deps, RunnerError, Stop, TakeUp, drive};
pub use journal::Live;
pub use nodetool::{JmxPassword, JmxUser, Nodetool, NodetoolCall, NodetoolError, Trouble};
pub use preflight::{Looking, look};
pub use strategy::{groups, strategy_view};
