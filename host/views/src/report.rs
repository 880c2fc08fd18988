//! `jobs` and `show` as JSON.
use crate::{
    events::{counts, gate_json, outcome_json},
    reasons::reason_json,
    tables::{JobRow, state},
    time::timestamp,
};
use quorate_journal::JobView;
use quorate_ring::NodeId;
use quorate_schedule::{NodeRun, Phase};
use serde_json::{Value, json};

/// All jobs, oldest first.
pub fn jobs_json(rows: &[JobRow<'_>]) -> Value {
    let jobs: Vec<Value> = rows.iter().map(|row| head(row.view, row.running)).collect();
    json!({ "format": 1, "jobs": jobs })
}

/// One job: its head, and each of its targets.
pub fn job_json(view: &JobView, running: bool) -> Value {
    let mut value = head(view, running);
    value["format"] = json!(1);
    value["nodes"] =
        view.job.nodes().iter().map(|(node, run)| node_json(view, *node, run, running)).collect();
    value
}

fn head(view: &JobView, running: bool) -> Value {
    json!({
        "job": view.created.job.0,
        "cluster": view.created.topology.cluster.as_str(),
        "command": { "name": view.created.command.name, "summary": view.created.command.summary },
        "created": timestamp(view.created_at),
        "newest": timestamp(view.newest_at),
        "state": state(view, running),
        "counts": counts(view),
    })
}

fn node_json(view: &JobView, node: NodeId, run: &NodeRun, running: bool) -> Value {
    let (topology, place) = (view.job.topology(), view.job.topology().node(node));
    let mut value = json!({
        "node": view.key(node).0,
        "host": view.hosts[node.index()].host,
        "data_center": place.data_center.as_str(),
        "rack": place.rack.as_str(),
        "state": run.phase.word(),
        "out": run.out,
        "attempt": run.attempt,
        // Its command was cut off, and nobody goes on with it.
        "left": run.phase == Phase::Running && !running,
    });
    let times = [
        ("started", run.started_at),
        ("command_ended", run.ended_at),
        ("confirmed", run.confirmed_at),
    ];
    for (name, at) in times {
        if let Some(at) = at {
            value[name] = json!(timestamp(at));
        }
    }
    if let Some(outcome) = &run.outcome {
        value["outcome"] = outcome_json(outcome);
    }
    if let Some(gate) = &run.gate {
        value["gate"] = gate_json(topology, gate);
    }
    // What held it when the job ended says nothing of now.
    if let (Phase::Waiting, true, Some(reason)) = (run.phase, running, &run.held) {
        value["reason"] = reason_json(topology, reason);
    }
    if let Some(progress) = view.progress.get(&node) {
        value["progress"] = json!(progress);
    }
    value
}
