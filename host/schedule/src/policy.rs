//! What the operator and the command decided about a job. Immutable once the job exists.
use serde::{Deserialize, Serialize};

/// What a command does to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// The node serves as before: the strategy alone decides, nothing is observed.
    None,
    /// The node serves, slower: guarded as `Down`.
    Load,
    /// The node stops serving for a while.
    Down,
}

/// The native strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One node of a data center at a time.
    One,
    /// As many as share no range.
    Topology,
    /// No limit of its own.
    All,
}

/// How many nodes may fail before no further node starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureBudget {
    /// So many nodes.
    Nodes(u32),
    /// So many of a hundred targets, rounded down.
    Percent(u8),
}

impl FailureBudget {
    /// The number of failures that are still within the budget.
    pub fn allowed(self, targets: usize) -> usize {
        match self {
            Self::Nodes(n) => n as usize,
            Self::Percent(p) => targets * usize::from(p) / 100,
        }
    }
}

/// Gates that a command asks for beyond those that always hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GatePolicy {
    /// The Cassandra process is another one than before the command.
    pub new_process: bool,
}

/// Everything that bounds a job. Durations are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Policy {
    /// Who proposes the order.
    pub strategy: Strategy,
    /// The guard is off: `--strategy all` given by hand, taken at its word.
    pub unguarded: bool,
    /// What the command does to its node.
    pub impact: Impact,
    /// Extra gates.
    pub gates: GatePolicy,
    /// Data centers at the same time; otherwise one after the other.
    pub dc_parallel: bool,
    /// Most nodes running or unconfirmed at a time.
    pub max_concurrency: Option<u32>,
    /// Failures that don't stop the job.
    pub max_failures: FailureBudget,
    /// Pause between a node's confirmation and the start of its successor.
    pub node_done_pause_ms: u64,
    /// Down targets are skipped, and a down node holds only those that share a range with it.
    pub ignore_down_nodes: bool,
    /// From a node's start to its confirmation; then it has failed and stays out.
    pub timeout_ms: Option<u64>,
    /// How long the gates must hold.
    pub stable_ms: u64,
    /// Pause between two rounds while something waits.
    pub round_pause_ms: u64,
    /// Age at which a round is too old for a start.
    pub round_max_age_ms: u64,
    /// After this long a nodetool that only reads is given up.
    pub nodetool_timeout_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            strategy: Strategy::Topology,
            unguarded: false,
            impact: Impact::Down,
            gates: GatePolicy::default(),
            dc_parallel: false,
            max_concurrency: None,
            max_failures: FailureBudget::Nodes(0),
            node_done_pause_ms: 0,
            ignore_down_nodes: false,
            timeout_ms: None,
            stable_ms: 5_000,
            round_pause_ms: 2_000,
            round_max_age_ms: 5_000,
            nodetool_timeout_ms: 60_000,
        }
    }
}

impl Policy {
    /// Whether rounds are made and nodes confirmed at all.
    pub fn observes(&self) -> bool {
        self.impact != Impact::None
    }
}
