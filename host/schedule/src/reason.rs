//! Why a node waits. Reasons are values: plan, board, JSON and explanations show the same one.
use crate::{Level, Phase, StopCause};
use alloc::{
    boxed::Box,
    string::{String, ToString as _},
    vec::Vec,
};
use quorate_ring::{
    DataCenter, KeyspaceName, Liveness, NodeId, NodeStatus, Token, Topology, Unclear,
};
use serde::{Deserialize, Serialize};

/// Why a node isn't started now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A replica set of the node can't lose it.
    ReplicaSet(Box<SetReason>),
    /// The ring changes, and which replicas are to come can't be told.
    TopologyChange(Unclear),
    /// So many nodes of its data center are out already (`--max-out`).
    MaxOut {
        /// The data center.
        data_center: DataCenter,
        /// Most nodes out there at a time.
        cap: u32,
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
    /// A down target runs first and alone.
    DownFirst(NodeId),
    /// Strategy `one`: another node runs.
    OneAtATime(NodeId),
    /// Another data center goes first.
    DataCenterFirst(DataCenter),
    /// The strategy's component has it in a later group.
    LaterGroup {
        /// The group whose turn it is, counted from 1; 0: nodes of an earlier answer.
        turn: u32,
        /// The node's group.
        group: u32,
    },
    /// The strategy's component lets so many nodes of this group be out.
    GroupFull(u32),
    /// The strategy's component hasn't named it.
    NotProposed,
    /// The strategy's component is being asked.
    Proposing,
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
    /// The ring or the schema isn't what the map was made from; a new map is being read. What changed.
    NewMap(String),
    /// No further node is started in this run of the job.
    Stopping(StopCause),
}

/// A replica set that can't lose another member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SetReason {
    /// A keyspace of the set.
    pub keyspace: KeyspaceName,
    /// How many more have the same sets.
    pub more_keyspaces: u32,
    /// Where the members are counted; none: over the whole cluster.
    pub data_center: Option<DataCenter>,
    /// The level that is kept.
    pub level: Level,
    /// Only full replicas count, one of which must stay.
    pub full_only: bool,
    /// A range that the set holds: start, exclusive, and end; none where placement follows no tokens.
    pub range: Option<(Token, Token)>,
    /// Live members that the level needs, pending ones included.
    pub need: u32,
    /// Its replicas.
    pub members: u32,
    /// Nodes that will hold the range; they must answer too.
    pub pending: Vec<NodeId>,
    /// It bears no member out in any order.
    pub bears_none: bool,
    /// Its members that are out, and why.
    pub out: Vec<(NodeId, OutCause)>,
}

/// Why a node counts as out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutCause {
    /// This job started it and hasn't confirmed it since.
    Job(Phase),
    /// An observer shows it so; none: not at all.
    Shown(Option<NodeStatus>),
}

impl OutCause {
    /// Whether the cluster shows it, whatever this job does.
    pub fn is_shown(&self) -> bool {
        matches!(self, Self::Shown(_))
    }

    /// In words, after the node's name.
    pub fn text(&self) -> String {
        match self {
            Self::Job(Phase::Running) => "is running".into(),
            // One that waits and is out has failed before.
            Self::Job(Phase::Failed | Phase::Waiting) => "failed and isn't back".into(),
            Self::Job(_) => "isn't confirmed yet".into(),
            Self::Shown(None) => "isn't shown".into(),
            Self::Shown(Some(status)) if status.liveness == Liveness::Down => "is down".into(),
            Self::Shown(Some(status)) => format(format_args!("is {status}")),
        }
    }
}

impl SetReason {
    /// Whether it may pass without this job: a node comes back, or has joined.
    pub fn may_pass(&self) -> bool {
        !self.pending.is_empty() || self.out.iter().any(|(_, cause)| cause.is_shown())
    }

    /// In words.
    pub fn text(&self, topology: &Topology) -> String {
        let name = |id: NodeId| topology.node(id).address.to_string();
        let mut text = match &self.range {
            Some((start, end)) => {
                format(format_args!("range ({start}, {end}] of {}", self.keyspace))
            }
            None => self.keyspace.to_string(),
        };
        if self.more_keyspaces > 0 {
            let keyspaces = if self.more_keyspaces == 1 { "keyspace" } else { "keyspaces" };
            text.push_str(&format(format_args!(" and {} more {keyspaces}", self.more_keyspaces)));
        }
        let all = self.members + self.pending.len() as u32;
        let place = self.data_center.as_ref().map(|dc| format(format_args!(" in {dc}")));
        let place = place.unwrap_or_default();
        text.push_str(&match (self.bears_none, self.full_only) {
            (true, _) => format(format_args!(" bears none of its {all}{place} out: one at a time")),
            (_, true) => format(format_args!(" needs {} full replica of {all}{place}", self.need)),
            _ => format(format_args!(" needs {} of {all}{place}", self.need)),
        });
        if !self.pending.is_empty() {
            let pending: Vec<_> = self.pending.iter().map(|id| name(*id)).collect();
            text.push_str(&format(format_args!(" ({} to come)", pending.join(", "))));
        }
        let out = |(id, cause): &(NodeId, OutCause)| {
            format(format_args!("{} {}", name(*id), cause.text()))
        };
        let out: Vec<_> = self.out.iter().map(out).collect();
        if !out.is_empty() {
            text.push_str("; ");
            text.push_str(&out.join(", "));
        }
        text
    }
}

impl Reason {
    /// The reason in words; nodes are named by their addresses.
    pub fn text(&self, topology: &Topology) -> String {
        let name = |id: NodeId| topology.node(id).address;
        match self {
            Self::ReplicaSet(set) => set.text(topology),
            Self::TopologyChange(Unclear::Moving(node)) => format(format_args!(
                "{} moves, and its new ranges aren't shown (--allow-topology-change goes on)",
                name(*node)
            )),
            Self::TopologyChange(Unclear::Tokenless(node)) => format(format_args!(
                "{} has no tokens yet, or is being replaced: which ranges move isn't shown \
                 (--allow-topology-change goes on)",
                name(*node)
            )),
            Self::MaxOut { data_center, cap } => {
                format(format_args!("{cap} of {data_center} out is the most (--max-out)"))
            }
            Self::NeighbourRuns { other, keyspace } => format(format_args!(
                "shares a range of {keyspace} with {}, which runs",
                name(*other)
            )),
            Self::Unsettled(Some(status)) => {
                format(format_args!("it is {status} in the view of an observer"))
            }
            Self::Unsettled(None) => String::from("an observer doesn't show it"),
            Self::NoBaseline(why) => format(format_args!("its nodetool info can't be read: {why}")),
            Self::DownFirst(node) => {
                format(format_args!("{} was down and goes first, alone", name(*node)))
            }
            Self::OneAtATime(node) => format(format_args!("{} runs, one at a time", name(*node))),
            Self::DataCenterFirst(dc) => format(format_args!("{dc} goes first")),
            Self::LaterGroup { turn: 0, .. } => {
                String::from("nodes of the strategy's earlier answer end first")
            }
            Self::LaterGroup { turn, group } => {
                format(format_args!("it is in group {group}, group {turn} goes first"))
            }
            Self::GroupFull(n) => {
                format(format_args!("{n} of its group at a time, as the strategy has it"))
            }
            Self::NotProposed => String::from("the strategy hasn't named it"),
            Self::Proposing => String::from("the strategy is being asked"),
            Self::Concurrency(n) => format(format_args!("{n} at a time (--max-concurrency)")),
            Self::Pause { after, .. } => format(format_args!("pause after {}", name(*after))),
            Self::NoFreshRound => String::from("looking at the cluster"),
            Self::RoundFailed(why) => format(format_args!("the cluster can't be observed: {why}")),
            Self::NewMap(why) => format(format_args!("reading the ring anew: {why}")),
            Self::Stopping(cause) => format(format_args!("no further node is started: {cause}")),
        }
    }

    /// A word for the kind of reason, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ReplicaSet(_) => "replica-set",
            Self::TopologyChange(_) => "topology-change",
            Self::MaxOut { .. } => "max-out",
            Self::NeighbourRuns { .. } => "neighbour-runs",
            Self::Unsettled(_) => "unsettled",
            Self::NoBaseline(_) => "no-baseline",
            Self::DownFirst(_) => "down-first",
            Self::OneAtATime(_) => "one-at-a-time",
            Self::DataCenterFirst(_) => "data-center-first",
            Self::LaterGroup { .. } => "later-group",
            Self::GroupFull(_) => "group-full",
            Self::NotProposed => "not-proposed",
            Self::Proposing => "proposing",
            Self::Concurrency(_) => "max-concurrency",
            Self::Pause { .. } => "pause",
            Self::NoFreshRound => "no-fresh-round",
            Self::RoundFailed(_) => "round-failed",
            Self::NewMap(_) => "new-map",
            Self::Stopping(_) => "stopping",
        }
    }
}

fn format(arguments: core::fmt::Arguments<'_>) -> String {
    alloc::fmt::format(arguments)
}

impl crate::GateFailure {
    /// A word for the kind of failure, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotUp { .. } => "not-up",
            Self::NoAnswer(_) => "no-answer",
            Self::NotAsked => "not-asked",
            Self::Blind { .. } => "blind",
            Self::NotServing => "not-serving",
            Self::SchemaVersions { .. } => "schema-versions",
            Self::NoSchema => "no-schema",
            Self::Streaming(_) => "streaming",
            Self::SameProcess => "same-process",
            Self::NoRound(_) => "no-round",
        }
    }

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
            Self::SchemaVersions { release, versions } if release.is_empty() => {
                format(format_args!("the cluster has {versions} schema versions"))
            }
            Self::SchemaVersions { release, versions } => {
                format(format_args!("nodes of {release} have {versions} schema versions"))
            }
            Self::NoSchema => String::from("nobody could tell the schema versions"),
            Self::Streaming(stream) => format(format_args!("it streams: {stream}")),
            Self::SameProcess => String::from("its Cassandra is the same process as before"),
            Self::NoRound(why) => format(format_args!("the cluster can't be observed: {why}")),
        }
    }
}
