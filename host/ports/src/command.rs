//! Running a command's component, and what the component may ask for.
use crate::{BoxFuture, Exit};
use quorate_contract::{Condition, Manifest, NodeFacts, PlanContext, PlanDocument, RunContext};
use std::{fmt, sync::Arc};

/// One command, loaded.
pub trait CommandHost: Send + Sync {
    /// What the component says of itself. No guest code runs for it.
    fn manifest(&self) -> &Manifest;
    /// SHA-256 of the component's bytes, in lower-case hexadecimal.
    fn digest(&self) -> &str;
    /// Asks the component for its stages.
    fn plan(&self, context: PlanContext) -> BoxFuture<'_, Result<PlanDocument, CommandError>>;
    /// Runs the component for one node, in an instance of its own. Dropping the future ends the guest.
    fn run(&self, input: RunInput, effects: Arc<dyn Effects>) -> BoxFuture<'_, RunEnd>;
}

/// What a run starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInput {
    /// Seeds the guest's random sources: the same for every replay of the run.
    pub seed: u64,
    /// The guest's clocks begin here: milliseconds since 1970.
    pub now_ms: u64,
    /// The node.
    pub node: NodeFacts,
    /// Everything else.
    pub context: RunContext,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// With what the component says it did.
    Done(String),
    /// There was nothing to do; the reason.
    Skipped(String),
    /// The component reported a failure, or was ended.
    Failed {
        /// A short word: the component's own, or `trap`, `cpu-limit`, `memory-limit`, `log-limit`,
        /// `action-limit`, `plugin`.
        code: String,
        /// For people: what happened and, for a limit, how to raise it.
        message: String,
    },
}

/// What a component is loaded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentKind {
    /// A command.
    Command,
    /// A strategy.
    Strategy,
}

/// `command` or `strategy`.
impl fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "command",
            Self::Strategy => "strategy",
        })
    }
}

/// A component that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {command}: {message}")]
pub struct CommandError {
    /// What it was to be used as.
    pub kind: ComponentKind,
    /// The name of the command or strategy, or the file where it has none yet.
    pub command: String,
    /// What is wrong.
    pub message: String,
}

/// The level of a line that a component logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Shown with `-v`.
    Debug,
    /// Shown.
    Info,
    /// Shown, marked.
    Warn,
    /// Shown, marked.
    Error,
}

/// What to do when it can't be known whether an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLost {
    /// The node fails.
    Fail,
    /// Run it again as a new attempt.
    Again,
    /// The action takes its own shell away: a new boot id is its end.
    Expected,
}

/// An action that a component asks for on the current node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Which permission it uses.
    pub kind: WorkKind,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// Its own time limit in milliseconds.
    pub timeout_ms: Option<u64>,
    /// What to do when it is lost.
    pub on_lost: OnLost,
}

/// The kinds of action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkKind {
    /// `shell`: a program and its arguments.
    Shell(Vec<String>),
    /// `nodetool`: its arguments; the host adds path, host, port and credentials.
    Nodetool(Vec<String>),
    /// `script`.
    Script {
        /// The whole text.
        text: String,
        /// The interpreter; empty: the text's own shebang, else `sh`.
        interpreter: String,
        /// The script's arguments.
        args: Vec<String>,
    },
}

/// What is kept of a stream for the component. The whole is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes.
    pub head: Vec<u8>,
    /// The last bytes, where the stream was longer than the head.
    pub tail: Vec<u8>,
    /// Bytes of the whole stream.
    pub total_bytes: u64,
}

impl Captured {
    /// Whether bytes between head and tail are missing.
    pub fn is_truncated(&self) -> bool {
        self.total_bytes > (self.head.len() + self.tail.len()) as u64
    }
}

/// How an action ended, for the component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionOutcome {
    /// Status or signal.
    pub exit: Exit,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
}

/// An effect that didn't come about. The cases are those of the contract's `error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EffectError {
    /// Policy forbids it.
    #[error("denied: {0}")]
    Denied(String),
    /// The request makes no sense.
    #[error("invalid: {0}")]
    Invalid(String),
    /// The host gave up after this many milliseconds.
    #[error("timed out after {0} ms")]
    TimedOut(u64),
    /// It can't be known whether it happened.
    #[error("lost: {0}")]
    Lost(String),
    /// Anything else.
    #[error("{message}")]
    Other {
        /// A short word.
        code: String,
        /// For people.
        message: String,
    },
}

/// Everything that a running component can ask for. The host of components turns imports into calls
/// of this and does nothing by itself.
pub trait Effects: Send + Sync {
    /// Runs an action on the current node and waits for its end.
    fn act(&self, work: Work) -> BoxFuture<'_, Result<ActionOutcome, EffectError>>;
    /// Waits for a condition of the current node.
    fn wait(
        &self,
        condition: Condition,
        timeout_ms: Option<u64>,
    ) -> BoxFuture<'_, Result<quorate_contract::WaitResult, EffectError>>;
    /// Reads a node's facts anew.
    fn refresh(&self, node: String) -> BoxFuture<'_, Result<NodeFacts, EffectError>>;
    /// The nodes as the job knows them.
    fn topology(&self) -> BoxFuture<'_, Result<quorate_contract::Topology, EffectError>>;
    /// Sleeps.
    fn sleep(&self, duration_ms: u64) -> BoxFuture<'_, ()>;
    /// The time now, in milliseconds since 1970.
    fn now(&self) -> BoxFuture<'_, u64>;
    /// A line for the person who watches.
    fn log(&self, level: LogLevel, text: String);
    /// What the node does now, in a short phrase.
    fn progress(&self, text: String);
}
