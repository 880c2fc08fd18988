//! What confirms a node: gates judged over one round.
use crate::{GatePolicy, Round};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};
use quorate_ring::{NodeId, NodeStatus};
use serde::{Deserialize, Serialize};

/// Why a node isn't confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateFailure {
    /// An observer shows the node otherwise than `UN`, or not at all.
    NotUp {
        /// Whose view.
        observer: NodeId,
        /// What it shows.
        status: Option<NodeStatus>,
    },
    /// The node itself didn't answer; why.
    NoAnswer(String),
    /// The node wasn't asked in this round.
    NotAsked,
    /// The node doesn't see as `UN` a node that its observers do.
    Blind {
        /// The node that it doesn't see.
        other: NodeId,
        /// What it shows instead.
        status: Option<NodeStatus>,
    },
    /// It accepts no CQL clients.
    NotServing,
    /// Nodes of one release have more schema versions than before the job.
    SchemaVersions {
        /// The release; empty where it isn't known.
        release: String,
        /// How many there are.
        versions: u32,
    },
    /// Nobody could tell the schema versions.
    NoSchema,
    /// Ranges are streamed to it or from it: `Bootstrap`, `Rebuild`, …
    Streaming(String),
    /// Its process is still the one from before the command.
    SameProcess,
    /// There was no usable round; why.
    NoRound(String),
}

/// Judges a node's gates. `out` holds the nodes that the job itself has out: a node needn't see those.
/// `generation` is the node's gossip generation before the command, where it was up. `schema_before` says
/// per release how many schema versions there were before the job.
///
/// # Errors
/// The first gate that doesn't hold.
pub fn judge(
    round: &Round,
    node: NodeId,
    out: &BTreeSet<NodeId>,
    gates: GatePolicy,
    generation: Option<u64>,
    schema_before: &BTreeMap<String, usize>,
) -> Result<(), GateFailure> {
    // Gate 1: up for every observer.
    if let Some((observer, status)) = round.trouble(node) {
        return Err(GateFailure::NotUp { observer, status });
    }
    // Gate 2: sees itself and everybody whom all observers see.
    let own = round.own(node)?;
    if own.statuses.len() > 1 && round.views.iter().all(|view| view.observer == node) {
        return Err(GateFailure::NoRound("no other node could be asked".into()));
    }
    let sees = |other: NodeId| own.statuses.get(&other).copied();
    if !sees(node).is_some_and(NodeStatus::is_up_normal) {
        return Err(GateFailure::NotUp { observer: node, status: sees(node) });
    }
    let others = round.views.first().into_iter().flat_map(|view| view.statuses.keys());
    for other in others.filter(|other| **other != node && !out.contains(other)) {
        let shown = round.views.iter().all(|view| {
            view.observer == *other
                || view.statuses.get(other).copied().is_some_and(NodeStatus::is_up_normal)
        });
        if shown && !sees(*other).is_some_and(NodeStatus::is_up_normal) {
            return Err(GateFailure::Blind { other: *other, status: sees(*other) });
        }
    }
    // Gate 3: serves.
    if !own.serving {
        return Err(GateFailure::NotServing);
    }
    // Gate 4: the schema has settled.
    let schema = round.schema.as_ref().ok_or(GateFailure::NoSchema)?;
    let before = |release: &str| schema_before.get(release).copied().unwrap_or(0).max(1);
    if let Some((release, versions)) =
        schema.counts().into_iter().find(|(release, count)| *count > before(release))
    {
        return Err(GateFailure::SchemaVersions { release, versions: versions as u32 });
    }
    // Gate 5: no range is on its way.
    if let Some(stream) = own.streams.first() {
        return Err(GateFailure::Streaming(stream.clone()));
    }
    if gates.new_process && generation == Some(own.generation) {
        return Err(GateFailure::SameProcess);
    }
    Ok(())
}
