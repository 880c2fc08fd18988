//! The JSON types of the plugin contract `quorate:plugin` 0.1.
//!
//! Shapes that can't change live in `quorate-plugin.wit`; what is certain to grow crosses the
//! boundary as JSON of the types here. Host and components use the same crate, natively and
//! compiled to WebAssembly, so only `serde` may enter.
//!
//! A host reads a document of an older component, and a component one of a newer host: unknown
//! members are ignored in what the host tells (facts, contexts) and refused in what a component
//! asks for (manifest, plan, condition), where ignoring one would ignore a wish.
#![no_std]
extern crate alloc;

mod facts;
mod manifest;
mod plan;

pub use facts::{Condition, NodeFacts, NodeState, RunContext, Topology, WaitResult};
pub use manifest::{Argument, ArgumentKind, Gate, Impact, Manifest};
pub use plan::{PlanContext, PlanDocument, Stage};

/// The version of the contract that this crate describes.
pub const CONTRACT: &str = "0.1.0";
