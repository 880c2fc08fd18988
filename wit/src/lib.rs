//! The JSON types of the plugin contract `quorate:plugin` 0.1.
//!
//! Shapes that can't change live in `quorate-plugin.wit`; what is certain to grow crosses the
//! boundary as JSON of the types here. Host and components use the same crate, natively and
//! compiled to WebAssembly, so only `serde` may enter.
//!
//! A host reads a document of an older component, and a component one of a newer host: unknown
//! members are ignored in what the host tells (facts, contexts, views) and refused in what a component
//! asks for (manifests, plan, condition, proposal), where ignoring one would ignore a wish.
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

mod facts;
mod manifest;
mod plan;
mod strategy;

pub use facts::{Condition, NodeFacts, NodeState, RunContext, Topology, WaitResult};
pub use manifest::{Argument, ArgumentKind, Gate, Impact, Manifest};
pub use plan::{PlanContext, PlanDocument, Stage};
pub use strategy::{Group, Proposal, StrategyManifest, StrategyNode, StrategyView};

/// The version of the contract that this crate describes.
pub const CONTRACT: &str = "0.1.0";
