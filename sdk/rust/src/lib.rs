//! Writes commands and strategies for quorate.
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
//! A strategy is smaller still: a function from the targets of a job to groups of them. It has no host,
//! for there is nothing that it may ask; [`export_strategy!`] turns it into a component.
//!
//! ```
//! use quorate_sdk::{Args, Failure, Group, Proposal, StrategyView};
//!
//! /// One node at a time, and a data center only when the one before it is done.
//! pub fn propose(view: &StrategyView, _: &Args) -> Result<Proposal, Failure> {
//!     let mut groups: std::collections::BTreeMap<&str, Group> = Default::default();
//!     for node in view.nodes.iter().filter(|node| node.is_waiting()) {
//!         let group = groups.entry(&node.data_center).or_default();
//!         group.max_out = Some(1);
//!         group.nodes.push(node.id);
//!     }
//!     Ok(Proposal { groups: groups.into_values().collect() })
//! }
//! ```
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
pub use manifest::{argument, manifest, strategy_manifest};
pub use node::{Call, Node, NodetoolCall};
pub use outcome::{Failure, Outcome};
pub use quorate_contract::{
    Argument, ArgumentKind, Condition, Gate, Group, Impact, Manifest, NodeFacts, NodeState,
    PlanContext, PlanDocument, Proposal, RunContext, Stage, StrategyManifest, StrategyNode,
    StrategyView, Topology, WaitResult,
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
                    $crate::guest::describe(&$manifest())
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

/// Makes the crate a component that exports one strategy. Expands to nothing in a native build.
///
/// `manifest: fn() -> StrategyManifest` and
/// `propose: fn(&StrategyView, &Args) -> Result<Proposal, Failure>`. The arguments are those of the
/// view, to be read by type; a failure's message is shown to the operator and ends the job's starts.
#[macro_export]
macro_rules! export_strategy {
    (manifest: $manifest:path, propose: $propose:path $(,)?) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            use bindings::exports::quorate::plugin::strategy_plugin as exported;
            use $crate::guest::strategy_bindings as bindings;

            struct Component;

            impl exported::Guest for Component {
                fn describe() -> String {
                    $crate::guest::describe(&$manifest())
                }
                fn propose(view: String) -> Result<String, String> {
                    $crate::guest::propose(&view, $propose)
                }
            }

    bindings::export!(Component with_types_in $crate::guest::strategy_bindings);
        };
    };
}
