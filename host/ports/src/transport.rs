//! Reaching nodes.
use crate::{ActionId, BoxFuture, Exit, NodeKey, PrivateFile, Stream};
use std::time::Duration;

/// A node and how to reach it, in one value, so that neither can be mixed up with another's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The job's name of the node.
    pub node: NodeKey,
    /// Name or address to log in to, as `ssh` would be given it.
    pub host: String,
}

/// A command that only reads: not journalled, may run more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Program and arguments; passed as data, no shell splits them.
    pub argv: Vec<String>,
    /// After this long the answer is a timeout.
    pub timeout: Duration,
    /// More bytes than this on either stream are an error.
    pub max_output: usize,
    /// Files that are there while it runs; a word of `argv` that stands for one becomes its path.
    pub private: Vec<PrivateFile>,
}

/// What a query printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub exit: Exit,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
}

/// What an action runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A program with its arguments; no shell splits them.
    Argv(Vec<String>),
    /// A script's text.
    Script {
        /// The whole text.
        text: String,
        /// The interpreter; empty: the text's own shebang, else `sh`.
        interpreter: String,
        /// The script's arguments.
        args: Vec<String>,
    },
}

/// One thing to do at most once on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its id: the name of its directory on the node.
    pub id: ActionId,
    /// What it runs.
    pub program: Program,
    /// Its standard input.
    pub stdin: Vec<u8>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// Ended by its supervisor after this many milliseconds, with its process group.
    pub timeout_ms: Option<u64>,
    /// Files that are there while it runs; an argument that stands for one becomes its path.
    pub private: Vec<PrivateFile>,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionEnd {
    /// It ran to its end.
    Exited(Exit),
    /// Its time limit passed and it was ended.
    TimedOut {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// It can't be known whether or how it ended.
    Lost(String),
}

/// Told what happens while an action runs.
pub trait ActionWatch: Send + Sync {
    /// The next bytes of a stream; each byte comes once and in order. An error ends the attachment.
    fn output(&self, stream: Stream, bytes: &[u8]) -> Result<(), String>;
    /// The connection broke or came back: one line for the person who watches.
    fn connection(&self, text: &str);
}

/// What went wrong on the way to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Name not found, refused, no route, timed out.
    Unreachable,
    /// The host key is unknown, changed or revoked.
    HostKey,
    /// No method or key was accepted.
    Authentication,
    /// The connection ended.
    Disconnected,
    /// The time limit of a query passed.
    TimedOut,
    /// A query printed more than its limit.
    TooMuchOutput,
    /// The node lacks what an action needs: `sh`, a writable home, …
    Node,
    /// sudo doesn't let the login become the user that `--sudo` names.
    Sudo,
    /// A directive or a file of the client's configuration can't be used.
    Configuration,
    /// The operator's own machine failed (a full disk under the outputs).
    Local,
}

/// A fault on the way to a node, told so that a person can act on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {message}")]
pub struct TransportError {
    /// Name or address, as given.
    pub host: String,
    /// What kind of fault.
    pub kind: FaultKind,
    /// What happened, with user, methods and keys where they matter. No secrets.
    pub message: String,
    /// What to do about it; empty where nothing better than the message can be said.
    pub hint: String,
}

/// Runs commands on nodes.
pub trait Transport: Send + Sync {
    /// Runs a command that only reads, once, on a connection that may be shared.
    fn query<'a>(
        &'a self,
        target: &'a Target,
        query: Query,
    ) -> BoxFuture<'a, Result<Answer, TransportError>>;

    /// Starts an action, or attaches to it where it has started, and stays until it ended; reconnects
    /// and attaches again when the connection breaks. Dropping the future leaves the action running.
    fn act<'a>(
        &'a self,
        target: &'a Target,
        action: &'a Action,
        watch: &'a dyn ActionWatch,
    ) -> BoxFuture<'a, Result<ActionEnd, TransportError>>;

    /// Removes an ended action's outputs from the node, once its end is journalled.
    fn forget<'a>(
        &'a self,
        target: &'a Target,
        id: &'a ActionId,
    ) -> BoxFuture<'a, Result<(), TransportError>>;
}
