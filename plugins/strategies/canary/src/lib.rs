//! The strategy `canary`: one node, the rest of its rack, everything else.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod logic;

pub use logic::{manifest, propose};

quorate_sdk::export_strategy!(manifest: manifest, propose: propose);
