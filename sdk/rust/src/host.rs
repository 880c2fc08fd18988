//! What a component can ask of its host: one trait per permission.
use crate::{CallError, Finished, Request};
use quorate_contract::{Condition, NodeFacts, Topology, WaitResult};

/// The level of a line for the person who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Shown on request.
    Debug,
    /// Shown.
    Info,
    /// Shown, marked.
    Warn,
    /// Shown, marked.
    Error,
}

/// Always granted.
pub trait Host {
    /// A line for the person who watches.
    fn log(&self, level: Level, text: &str);
    /// A short phrase about what this node does now.
    fn progress(&self, text: &str);
    /// Sleeps; survives a crash of the host.
    fn sleep_ms(&self, duration_ms: u64);
    /// Milliseconds since 1970, the same on replay.
    fn now_ms(&self) -> u64;
    /// Seeded from the run's id, the same on replay.
    fn random(&self) -> u64;
    /// Every node of the cluster.
    ///
    /// # Errors
    /// The host couldn't say.
    fn topology(&self) -> Result<Topology, CallError>;
    /// A node's facts, read anew.
    ///
    /// # Errors
    /// The node is unknown or couldn't be asked.
    fn refresh(&self, node: &str) -> Result<NodeFacts, CallError>;
    /// Waits for a condition of the current node; no limit of its own where `timeout_ms` is absent.
    ///
    /// # Errors
    /// The limit passed, or the node can't be watched.
    fn wait(&self, condition: &Condition, timeout_ms: Option<u64>)
    -> Result<WaitResult, CallError>;
}

/// The permission to run nodetool on the current node.
pub trait Nodetool {
    /// Runs nodetool; the host adds path, host, port and credentials.
    ///
    /// # Errors
    /// The action didn't come about or its end isn't known. A non-zero exit is no error.
    fn run_nodetool(&self, args: &[String], timeout_ms: Option<u64>)
    -> Result<Finished, CallError>;
}

/// The permission to run programs on the current node.
pub trait Shell {
    /// Runs a program with its arguments; no shell splits or expands them.
    ///
    /// # Errors
    /// The action didn't come about or its end isn't known. A non-zero exit is no error.
    fn run_shell(&self, argv: &[String], request: &Request) -> Result<Finished, CallError>;
}

/// The permission to run scripts of the component's own text on the current node.
pub trait Script {
    /// Runs a script. An empty interpreter means the text's own shebang, else `sh`.
    ///
    /// # Errors
    /// The action didn't come about or its end isn't known. A non-zero exit is no error.
    fn run_script(
        &self,
        text: &str,
        interpreter: &str,
        args: &[String],
        request: &Request,
    ) -> Result<Finished, CallError>;
}
