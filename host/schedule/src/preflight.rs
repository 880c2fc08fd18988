//! What a look at a node finds before anything is done to it. Facts only; `troubles.rs` says which of them matter.
use alloc::{collections::BTreeSet, string::String, vec::Vec};
use quorate_ring::NodeId;

/// What a node's own shell tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// The user that everything runs as there; with `--sudo`, the one that sudo becomes.
    pub user: String,
    /// Where actions keep their state: an absolute path on the node.
    pub directory: String,
    /// Why that directory can't be made or written to.
    pub unwritable: Option<String>,
    /// What is left on its file system for that user, in KiB; `None` where `df` doesn't tell.
    pub free_kib: Option<u64>,
    /// How many more files it takes; `None` where the file system has no such limit or `df` doesn't tell.
    pub free_files: Option<u64>,
    /// The type of the file system, as the kernel calls it: `ext4`, `nfs4`, `tmpfs`.
    pub file_system: Option<String>,
    /// How an action leaves the session of its connection.
    pub detaching: Detaching,
    /// Programs that actions need of every node and that aren't there or don't do what they must: `dd`, `ls -ln`.
    pub missing: Vec<String>,
    /// Programs that were asked for and aren't found: nodetool, `service`.
    pub absent: Vec<String>,
    /// The node's clock beside the operator's.
    pub skew: Option<Skew>,
    /// Identifies the machine since its last start.
    pub boot: Option<String>,
    /// Other nodes of this look that keep their state in the same directory: their keys and boot ids.
    pub sharing: Vec<Sharer>,
    /// Actions that run there now.
    pub live: Vec<LiveAction>,
    /// Whether what was started outlived its connection; `None` where that wasn't tried.
    pub outlives: Option<bool>,
    /// Sessions that one connection may have, up to as many as are used; `None` where that wasn't tried.
    pub sessions: Option<u32>,
}

/// How an action leaves the session of its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detaching {
    /// By `setsid`.
    Setsid,
    /// By the job control of the node's `sh`.
    JobControl,
    /// It can't.
    #[default]
    Impossible,
}

/// A clock beside the operator's: bounds, as far apart as the answer took. In milliseconds, positive where it is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// It is ahead by at least this.
    pub least_ms: i64,
    /// It is ahead by at most this.
    pub most_ms: i64,
}

impl Skew {
    /// In the middle.
    pub fn likely_ms(self) -> i64 {
        self.least_ms.midpoint(self.most_ms)
    }
}

/// A node whose mark is in the directory of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharer {
    /// The node's key.
    pub node: String,
    /// Its boot id, where it has one.
    pub boot: Option<String>,
}

/// An action that runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveAction {
    /// Its job.
    pub job: String,
    /// Its node, stage, attempt and number, as its directory names them.
    pub action: String,
}

/// A node that couldn't be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// How far it went.
    pub kind: UnreachedKind,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// How far the way to a node went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreachedKind {
    /// Nobody answered, or not in time.
    NoAnswer,
    /// It answered, and there was no login: host key, user, keys.
    NoLogin,
    /// Logged in, sudo refused.
    SudoDenied,
    /// Logged in, and no `sh` of ours ran.
    NoShell,
    /// The operator's own configuration or machine.
    Ours,
}

/// All that was found out about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The node.
    pub node: NodeId,
    /// What its shell told, or why it couldn't.
    pub probe: Result<Probe, Unreached>,
    /// Its version as its own nodetool told it, or why it didn't; `None` where nodetool wasn't asked.
    pub version: Option<Result<String, NoVersion>>,
}

/// A nodetool that gave no version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoVersion {
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What is decided about: nodes, and those of them that are shown as down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What was found out, a node once.
    pub nodes: Vec<Checked>,
    /// Nodes that the ring shows as down: their nodetool has nobody to ask.
    pub down: BTreeSet<NodeId>,
    /// The job that the look is for: its own actions are no news.
    pub job: Option<String>,
}
