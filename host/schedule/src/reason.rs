//! Why a node waits. Reasons are values: plan, board, JSON and explanations show the same one.
use crate::StopCause;
use alloc::string::String;
use quorate_ring::{DataCenter, KeyspaceName, NodeId, NodeStatus, Topology};
use serde::{Deserialize, Serialize};

/// Why a node isn't started now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A node that shares a range is out because of this job.
    NeighbourOut {
        /// The node that is out.
        out: NodeId,
        /// A keyspace of which both hold a range.
        keyspace: KeyspaceName,
    },
    /// A node that shares a range runs too, and the strategy keeps them apart.
    NeighbourRuns {
        /// The node that runs.
        other: NodeId,
        /// A keyspace of which both hold a range.
        keyspace: KeyspaceName,
    },
    /// The node itself is neither up nor down: it joins, leaves or moves, or its observers disagree.
    Unsettled(Option<NodeStatus>),
    /// Its gossip generation must be known before it is started, and can't be read; why.
    NoBaseline(String),
    /// A node is down that this job hasn't started.
    NodeDown {
        /// The node.
        down: NodeId,
        /// What an observer shows of it; `None` where it isn't shown.
        status: Option<NodeStatus>,
    },
    /// A down target runs first and alone.
    DownFirst(NodeId),
    /// Strategy `one`: another node runs.
    OneAtATime(NodeId),
    /// Another data center goes first.
    DataCenterFirst(DataCenter),
    /// `--max-concurrency` nodes run already.
    Concurrency(u32),
    /// `--node-done-pause` after this node; ends at milliseconds since 1970.
    Pause {
        /// The node that ended.
        after: NodeId,
        /// When the pause ends.
        until: u64,
    },
    /// The newest look at the cluster is too old; a new one is under way.
    NoFreshRound,
    /// The cluster couldn't be observed; why.
    RoundFailed(String),
    /// No further node is started in this run of the job.
    Stopping(StopCause),
}

impl Reason {
    /// The reason in words; nodes are named by their addresses.
    pub fn text(&self, topology: &Topology) -> String {
        let name = |id: NodeId| topology.node(id).address;
        match self {
            Self::NeighbourOut { out, keyspace } => format(format_args!(
                "shares a range of {keyspace} with {}, which is out",
                name(*out)
            )),
            Self::NeighbourRuns { other, keyspace } => format(format_args!(
                "shares a range of {keyspace} with {}, which runs",
                name(*other)
            )),
            Self::Unsettled(Some(status)) => {
                format(format_args!("it is {status} in the view of an observer"))
            }
            Self::Unsettled(None) => String::from("an observer doesn't show it"),
            Self::NoBaseline(why) => format(format_args!("its nodetool info can't be read: {why}")),
            Self::NodeDown { down, status } => {
                let node = topology.node(*down);
                let shown = match status {
                    Some(status) => format(format_args!("is {status}")),
                    None => String::from("isn't shown"),
                };
                format(format_args!("{} of {} {shown}", node.address, node.data_center))
            }
            Self::DownFirst(node) => {
                format(format_args!("{} was down and goes first, alone", name(*node)))
            }
            Self::OneAtATime(node) => format(format_args!("{} runs, one at a time", name(*node))),
            Self::DataCenterFirst(dc) => format(format_args!("{dc} goes first")),
            Self::Concurrency(n) => format(format_args!("{n} at a time (--max-concurrency)")),
            Self::Pause { after, .. } => format(format_args!("pause after {}", name(*after))),
            Self::NoFreshRound => String::from("looking at the cluster"),
            Self::RoundFailed(why) => format(format_args!("the cluster can't be observed: {why}")),
            Self::Stopping(cause) => format(format_args!("no further node is started: {cause}")),
        }
    }
}

fn format(arguments: core::fmt::Arguments<'_>) -> String {
    alloc::fmt::format(arguments)
}

impl crate::GateFailure {
    /// The failing gate in words.
    pub fn text(&self, topology: &Topology) -> String {
        let name = |id: NodeId| topology.node(id).address;
        let shows = |status: &Option<NodeStatus>| match status {
            Some(status) => format(format_args!("as {status}")),
            None => String::from("not at all"),
        };
        match self {
            Self::NotUp { observer, status } => {
                format(format_args!("{} shows it {}", name(*observer), shows(status)))
            }
            Self::NoAnswer(why) => format(format_args!("it doesn't answer: {why}")),
            Self::NotAsked => String::from("it hasn't been asked yet"),
            Self::Blind { other, status } => {
                format(format_args!("it shows {} {}", name(*other), shows(status)))
            }
            Self::NotServing => String::from("it accepts no CQL clients"),
            Self::SameProcess => String::from("its Cassandra is the same process as before"),
            Self::NoRound(why) => format(format_args!("the cluster can't be observed: {why}")),
        }
    }
}
