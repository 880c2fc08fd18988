//! What the operator and the command decided about a job. Immutable once the job exists.
use crate::Level;
use alloc::collections::{BTreeMap, BTreeSet};
use quorate_ring::{KeyspaceName, Replication};
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

/// Who proposes what runs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One node of a data center at a time.
    One,
    /// As many as share no range within a data center.
    Topology,
    /// As many as the guarantee allows.
    Quorum,
    /// No limit of its own.
    All,
    /// A component: groups of nodes, one after the other.
    Component,
}

/// What must go on working while nodes are out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Guarantee {
    /// Kept for every guarded keyspace that has no level of its own.
    pub level: Level,
    /// Keyspaces with a level of their own; naming one puts it under guard.
    pub keyspaces: BTreeMap<KeyspaceName, Level>,
    /// How keyspaces are replicated where the cluster doesn't tell it (`--rf`).
    pub replications: BTreeMap<KeyspaceName, Replication>,
    /// Only these are guarded, where any is named (`--keyspace`).
    pub only: BTreeSet<KeyspaceName>,
    /// Keyspaces whose outage is accepted: it is neither named nor refused (`--accept-outage`).
    pub accepted: BTreeSet<KeyspaceName>,
    /// Most nodes of a data center out at a time, whatever the cause.
    pub max_out: MaxOut,
    /// Goes on where pending replicas can't be told.
    pub allow_topology_change: bool,
}

/// How much of a data center may be out at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaxOut {
    /// Its largest rack or 40 % of it, rounded up, whichever is more.
    #[default]
    Usual,
    /// So many nodes.
    Nodes(u32),
    /// So many of a hundred, rounded down, but one at least.
    Percent(u8),
}

impl MaxOut {
    /// The most nodes out in a data center of so many nodes with so many in its largest rack.
    pub fn cap(self, nodes: usize, largest_rack: usize) -> usize {
        match self {
            Self::Usual => largest_rack.max((nodes * 2).div_ceil(5)).max(1),
            Self::Nodes(n) => n as usize,
            Self::Percent(percent) => (nodes * usize::from(percent) / 100).max(1),
        }
    }
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
    /// The strategy's component is asked again whenever a node has ended.
    pub strategy_is_dynamic: bool,
    /// The guard is off: `--strategy all` given by hand, taken at its word.
    pub unguarded: bool,
    /// What the guard keeps.
    pub guarantee: Guarantee,
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
    /// Down targets are skipped.
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
            strategy_is_dynamic: false,
            unguarded: false,
            guarantee: Guarantee::default(),
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

    /// Whether the guard decides about starts.
    pub fn guards(&self) -> bool {
        self.observes() && !self.unguarded
    }
}
