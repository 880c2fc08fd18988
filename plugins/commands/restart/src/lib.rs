//! The command `restart`: a rolling restart, one node of it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod logic;
mod words;

pub use logic::{manifest, plan, run};

quorate_sdk::export_command!(manifest: manifest, plan: plan, run: run);
