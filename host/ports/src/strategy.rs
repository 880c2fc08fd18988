//! Asking a strategy's component for an order.
use crate::{BoxFuture, CommandError, LogLevel};
use quorate_contract::{Proposal, StrategyManifest, StrategyView};

/// What a strategy's component answered.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyAnswer {
    /// Its proposal; else it refused, was ended, or answered what can't be read or carried out.
    pub proposal: Result<Proposal, CommandError>,
    /// What it logged and printed meanwhile, by the line.
    pub lines: Vec<(LogLevel, String)>,
}

/// One strategy, loaded. What it proposes is a wish: the guard admits each node, or doesn't.
pub trait StrategyHost: Send + Sync {
    /// What the component says of itself. No guest code runs for it.
    fn manifest(&self) -> &StrategyManifest;
    /// SHA-256 of the component's bytes, in lower-case hexadecimal.
    fn digest(&self) -> &str;
    /// Asks the component, in an instance of its own: equal views get equal answers. Whether the nodes
    /// of the answer exist, wait and are named once isn't looked at here.
    ///
    /// Dropping the future ends the guest.
    fn propose(&self, view: StrategyView) -> BoxFuture<'_, StrategyAnswer>;
}
