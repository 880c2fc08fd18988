//! The command `run`: any shell command, program or script on the nodes.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod logic;

pub use logic::{manifest, plan, run};

quorate_sdk::export_command!(manifest: manifest, plan: plan, run: run);
