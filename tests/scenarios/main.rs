//! The real binary against simulated clusters: what a person types, and what happens.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod clusters;
mod cstar;
mod doctor;
mod errors;
mod faults;
mod garbage;
mod jmx;
mod jobs;
mod logins;
mod orders;
mod pages;
mod par;
mod plans;
mod reach;
mod stage;
mod streams;
mod sudo;
mod versions;
