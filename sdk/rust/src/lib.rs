//! Writes commands for quorate.
//!
//! A command is a small deterministic program: it gets a node, asks the host for one action after
//! another, looks at what came back and decides. It can reach nothing that the host doesn't hand it.
//!
//! ```
//! use quorate_sdk::{Args, Failure, Healthy, Host, Node, Nodetool, Outcome, Shell};
//!
//! pub fn run<H: Host + Nodetool + Shell>(node: &Node<H>, args: &Args) -> Result<Outcome, Failure> {
//!     node.nodetool(["drain"]).check()?;
//!     node.shell(["systemctl", "restart", "cassandra"]).check()?;
//!     node.wait(Healthy, args.duration_ms("wait-timeout")?)?;
//!     Ok(Outcome::done("restarted"))
//! }
//! ```
//!
//! **The bounds on `H` are the permissions.** [`Host`] is always granted. Whoever also wants
//! [`Nodetool`], [`Shell`] or [`Script`] names it; the built component imports exactly the
//! interfaces whose functions are called, and the host shows them to the person who installs it.
//!
//! Logic is generic over the host, so it is tested natively against [`testing::Scripted`]. Keep it
//! in a file of its own, and turn it into a component in `lib.rs` with [`export_command!`], which
//! expands to nothing in a native build.
//!
//! To end one run is a [`Failure`]; a panic is a trap, which names the function and little else.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod call;
mod facts;
mod host;
mod manifest;
mod node;
mod outcome;
pub mod testing;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;

pub use args::Args;
pub use call::{CallError, Exit, Finished, OnLost, Output, Request};
pub use facts::NodeFactsExt;
pub use host::{Host, Level, Nodetool, Script, Shell};
pub use manifest::{argument, manifest};
pub use node::{Call, Node, NodetoolCall};
pub use outcome::{Failure, Outcome};
pub use quorate_contract::{
    Argument, ArgumentKind, Condition, Gate, Impact, Manifest, NodeFacts, NodeState, PlanContext,
    PlanDocument, RunContext, Stage, Topology, WaitResult,
};

/// The condition that every gate of the node holds in one observation round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Healthy;

impl From<Healthy> for Condition {
    fn from(_: Healthy) -> Self {
        Self::Healthy {}
    }
}

/// The plan of most commands: one stage over all targets.
///
/// # Errors
/// None; the signature is that of a plan.
pub fn one_stage(_: &PlanContext) -> Result<PlanDocument, Failure> {
    Ok(PlanDocument::default())
}

/// Makes the crate a component that exports one command. Expands to nothing in a native build.
///
/// `manifest: fn() -> Manifest`, `run: fn(&Node<H>, &Args) -> Result<Outcome, Failure>` and, where
/// the command has more than one stage or checks its arguments before anything is touched,
/// `plan: fn(&PlanContext) -> Result<PlanDocument, Failure>`.
#[macro_export]
macro_rules! export_command {
    (manifest: $manifest:path, run: $run:path $(,)?) => {
        $crate::export_command!(manifest: $manifest, plan: $crate::one_stage, run: $run);
    };
    (manifest: $manifest:path, plan: $plan:path, run: $run:path $(,)?) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::guest::bindings;
            use bindings::exports::quorate::plugin::command_plugin as exported;

            struct Component;

            impl exported::Guest for Component {
                fn describe() -> String {
                    $crate::guest::describe($manifest())
                }
                fn plan(context: String) -> Result<String, exported::Error> {
                    $crate::guest::plan(&context, $plan)
                }
                fn run(
                    node: String,
                    context: String,
                ) -> Result<exported::Outcome, exported::Failure> {
                    $crate::guest::run(&node, &context, $run)
                }
            }

            bindings::export!(Component with_types_in $crate::guest::bindings);
        };
    };
}
