//! The strategy `longest-first`: what took longest the last time begins first.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod logic;

pub use logic::{manifest, propose};

quorate_sdk::export_strategy!(manifest: manifest, propose: propose);
