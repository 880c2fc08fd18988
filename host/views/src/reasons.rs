//! Why a node waits, in words and as JSON.
use crate::lines::health;
use quorate_journal::JobView;
use quorate_ring::{NodeId, Topology};
use quorate_schedule::{OutCause, Outcome, Phase, Reason};
use serde_json::{Value, json};

/// A reason as JSON: `kind` is a word, `text` a sentence; the rest depends on the kind. Nodes are named by
/// their addresses.
pub fn reason_json(topology: &Topology, reason: &Reason) -> Value {
    let mut value = json!({ "kind": reason.kind(), "text": reason.text(topology) });
    let name = |id: &NodeId| topology.node(*id).address.to_string();
    match reason {
        Reason::ReplicaSet(set) => {
            let out =
                |(id, cause): &(NodeId, OutCause)| json!({ "node": name(id), "why": cause.text() });
            let range = set.range.as_ref();
            value["keyspace"] = json!(set.keyspace.as_str());
            value["more_keyspaces"] = json!(set.more_keyspaces);
            value["data_center"] = json!(set.data_center.as_ref().map(|dc| dc.as_str()));
            value["level"] = json!(set.level.to_string());
            value["range"] = json!(range.map(|(start, end)| [start.to_string(), end.to_string()]));
            value["need"] = json!(set.need);
            value["replicas"] = json!(set.members);
            value["pending"] = set.pending.iter().map(name).collect();
            value["bears_none"] = json!(set.bears_none);
            value["out"] = set.out.iter().map(out).collect();
        }
        Reason::MaxOut { data_center, cap } => {
            value["data_center"] = json!(data_center.as_str());
            value["cap"] = json!(cap);
        }
        Reason::NeighbourRuns { other, keyspace } => {
            value["node"] = json!(name(other));
            value["keyspace"] = json!(keyspace.as_str());
        }
        Reason::DownFirst(node) | Reason::OneAtATime(node) | Reason::Pause { after: node, .. } => {
            value["node"] = json!(name(node));
        }
        Reason::DataCenterFirst(dc) => value["data_center"] = json!(dc.as_str()),
        _ => {}
    }
    value
}

/// Where a node of a job is, and why it waits if it does.
pub fn explain(view: &JobView, node: NodeId, reason: Option<&Reason>, now: u64) -> String {
    let key = view.key(node);
    let Some(run) = view.job.nodes().get(&node) else {
        return format!("{key} is no target of this job");
    };
    if let (Phase::Waiting, Some(reason)) = (run.phase, reason) {
        return format!("{key} waits: {}", reason.text(view.job.topology()));
    }
    if run.phase == Phase::Waiting {
        return format!("{key} waits for its turn: nothing else holds it now");
    }
    let more = match (run.phase, &run.outcome) {
        (Phase::Running | Phase::Confirming, _)
            if run.gate.is_some() || run.healthy_at.is_some() =>
        {
            format!(": {}", health(view, run, now))
        }
        (_, Some(Outcome::Done(text) | Outcome::Skipped(text))) if !text.is_empty() => {
            format!(": {text}")
        }
        (_, Some(Outcome::Failed { message, .. })) => {
            format!(": {message}{}", if run.out { "; it is still out" } else { "" })
        }
        _ => String::new(),
    };
    format!("{key} is {}{more}", run.phase.word())
}

/// [`explain`] as JSON: `job`, `node`, `state`, and `reason` where it waits.
pub fn explain_json(view: &JobView, node: NodeId, reason: Option<&Reason>, now: u64) -> Value {
    let run = view.job.nodes().get(&node);
    let waits = reason.filter(|_| run.is_some_and(|run| run.phase == Phase::Waiting));
    json!({
        "format": 1,
        "job": view.created.job.0,
        "node": view.key(node).0,
        "state": run.map_or("no target", |run| run.phase.word()),
        "text": explain(view, node, reason, now),
        "reason": waits.map(|reason| reason_json(view.job.topology(), reason)),
    })
}
