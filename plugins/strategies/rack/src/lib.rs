//! The strategy `rack`: one rack at a time.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod logic;

pub use logic::{manifest, propose};

quorate_sdk::export_strategy!(manifest: manifest, propose: propose);
