//! The real binary against simulated clusters: what a person types, and what happens.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod clusters;
mod doctor;
mod faults;
mod garbage;
mod jobs;
mod logins;
mod orders;
mod plans;
mod stage;
mod streams;
mod sudo;
mod versions;
