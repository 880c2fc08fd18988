//! What changes a job. Transitions are journalled; applying them in order gives the job again.
use crate::{GateFailure, Proposed, Reason};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
};
use core::fmt;
use quorate_ring::{NodeId, NodeStatus, Topology};
use serde::{Deserialize, Serialize};

/// How a command ended on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What it says it did.
    Done(String),
    /// There was nothing to do; the reason.
    Skipped(String),
    /// It failed.
    Failed {
        /// A short word.
        code: String,
        /// For people.
        message: String,
    },
}

/// Why no further node is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopCause {
    /// More nodes failed than `--max-failures` allows.
    Failures {
        /// How many failed.
        failed: u32,
        /// How many may.
        allowed: u32,
    },
    /// `--stop-after`: so many nodes were started.
    StopAfter(u32),
    /// A person asked.
    Requested,
    /// What waits is held by nodes that are waited for no more.
    Stuck,
    /// The ring or the schema changed so that this keyspace bears no node out in any order, which nobody
    /// was told when the job began.
    Exposed(String),
    /// The strategy's component asks for a pause after this group, counted from 1.
    GroupDone(u32),
    /// The strategy's component names no further node.
    NotProposed,
    /// The strategy's component failed; why.
    Strategy(String),
}

impl StopCause {
    /// A word for the kind of cause, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Failures { .. } => "failures",
            Self::StopAfter(_) => "stop-after",
            Self::Requested => "requested",
            Self::Stuck => "stuck",
            Self::Exposed(_) => "exposed",
            Self::GroupDone(_) => "group-done",
            Self::NotProposed => "not-proposed",
            Self::Strategy(_) => "strategy",
        }
    }
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures { failed, allowed } => {
                write!(f, "{failed} failed, --max-failures allows {allowed}")
            }
            Self::StopAfter(n) => write!(f, "--stop-after {n}"),
            Self::Requested => f.write_str("on request"),
            Self::Stuck => f.write_str("what is left is held by nodes that didn't come back"),
            Self::Exposed(keyspace) => write!(
                f,
                "since a change of ring or schema, {keyspace} bears no node out; `continue` goes on all the same"
            ),
            Self::GroupDone(group) => write!(f, "the strategy pauses after group {group}"),
            Self::NotProposed => f.write_str("the strategy names no further node"),
            Self::Strategy(why) => write!(f, "the strategy failed: {why}"),
        }
    }
}

/// One change of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// A runner took the job up: at its creation and at every `continue`.
    TakenUp {
        /// `--stop-after` of this run.
        stop_after: Option<u32>,
    },
    /// The node is started. Journalled before anything reaches it.
    Started {
        /// The node.
        node: NodeId,
        /// 1 for the first attempt.
        attempt: u32,
        /// The node's gossip generation before the command (seconds since 1970, as Cassandra chose it
        /// at its start); absent where it was down, or where nobody wants to know.
        generation: Option<u64>,
    },
    /// A person wants the failed node run again: it waits as those that were never started. What it has out
    /// stays out meanwhile.
    Retried {
        /// The node.
        node: NodeId,
    },
    /// The command ended on the node.
    Ended {
        /// The node.
        node: NodeId,
        /// How.
        outcome: Outcome,
    },
    /// Its gates held for long enough: it is no longer out.
    Confirmed {
        /// The node.
        node: NodeId,
    },
    /// The node's time is over; it has failed and stays out.
    TimedOut {
        /// The node.
        node: NodeId,
        /// The limit in milliseconds.
        limit_ms: u64,
        /// The gate that didn't hold, where the command itself had ended.
        gate: Option<GateFailure>,
    },
    /// A failed node's time is over too, or it isn't known what its command did: it is waited for no
    /// more and stays out.
    GivenUp {
        /// The node.
        node: NodeId,
    },
    /// A down target isn't run (`--ignore-down-nodes`).
    LeftDown {
        /// The node.
        node: NodeId,
    },
    /// A target isn't a node of the cluster any more.
    LeftCluster {
        /// The node.
        node: NodeId,
    },
    /// What the newest round shows of nodes that aren't well, where it changed.
    Looked {
        /// Whom some observer doesn't show as `UN`, with what it shows; absent: not at all.
        not_up: BTreeMap<NodeId, Option<NodeStatus>>,
        /// Those of them that every observer shows as down.
        down: BTreeSet<NodeId>,
    },
    /// The cluster was read anew; nodes keep their numbers.
    Mapped(Box<Topology>),
    /// The strategy's component answered.
    Proposed(Proposed),
    /// What holds the first waiting node of a data center changed.
    Held {
        /// The node.
        node: NodeId,
        /// Why it waits.
        reason: Reason,
    },
    /// What keeps a node from being confirmed changed.
    Unconfirmed {
        /// The node.
        node: NodeId,
        /// The gate that doesn't hold.
        gate: GateFailure,
    },
    /// All gates of the node hold, for the first time since one didn't.
    Healthy {
        /// The node.
        node: NodeId,
    },
    /// No further node is started.
    Stopping {
        /// Why.
        cause: StopCause,
    },
    /// The job is over, or this run of it.
    Finished {
        /// How.
        end: crate::End,
    },
}
