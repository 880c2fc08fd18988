//! A job as JSON objects, one per event, for programs. `docs/json.md` describes each.
use crate::{
    output::OutputLine,
    plan::{keeps, strategy},
    reasons::reason_json,
    tables::{end_line, progress},
    time::timestamp,
};
use quorate_journal::{ActionClose, ActionId, Created, Exit, JobView, Level, Record, Stamped};
use quorate_ring::{NodeId, Topology};
use quorate_schedule::{
    End, FailureBudget, GateFailure, Impact, MaxOut, Outcome, Phase, Proposed, StopCause,
    Transition,
};
use serde_json::{Value, json};

/// The version of the objects. Members are only ever added to it.
const FORMAT: u32 = 1;

/// The event of a record, where it has one at this verbosity. The record is applied already.
pub fn event_json(view: &JobView, stamped: &Stamped, verbosity: u8) -> Option<Value> {
    let at = |node: &NodeId, name, more| Some(event(view, stamped.at, name, Some(*node), more));
    match &stamped.record {
        Record::Created(created) => {
            Some(event(view, stamped.at, "created", None, created_json(created)))
        }
        Record::Step(step) => Some(step_event(view, step, stamped.at)),
        Record::Intended { action, node, summary, .. } => {
            let mut more = action_json(action);
            more["summary"] = json!(summary);
            at(node, "action-intended", more)
        }
        Record::Finished { action, node, close } => {
            let mut more = action_json(action);
            close_json(close, &mut more);
            at(node, "action-finished", more)
        }
        Record::Connection { node, text } => at(node, "connection", json!({ "text": text })),
        Record::Observed { node, request, answer } => match verbosity {
            0 | 1 => None,
            _ => at(node, "observed", json!({ "request": request, "answer": answer })),
        },
        Record::Log { level: Level::Debug, .. } if verbosity < 1 => None,
        Record::Log { node, level, text } => {
            let more = json!({ "level": level_word(*level), "text": text });
            Some(event(view, stamped.at, "log", *node, more))
        }
        Record::Progress { node, text } => at(node, "progress", json!({ "text": text })),
        Record::Warning { text } => {
            Some(event(view, stamped.at, "warning", None, json!({ "text": text })))
        }
    }
}

fn step_event(view: &JobView, step: &Transition, at: u64) -> Value {
    let topology = view.job.topology();
    let of = |node: &NodeId, name, more| event(view, at, name, Some(*node), more);
    let all = |name, more| event(view, at, name, None, more);
    match step {
        Transition::TakenUp { stop_after } => {
            let mut more = json!({
                "summary": view.created.command.summary,
                "counts": counts(view),
            });
            set(&mut more, "stop_after", *stop_after);
            all("taken-up", more)
        }
        Transition::Started { node, attempt, generation } => {
            let mut more = json!({ "attempt": attempt });
            set(&mut more, "generation", *generation);
            of(node, "started", more)
        }
        Transition::Ended { node, outcome } => {
            let mut more = outcome_json(outcome);
            set(&mut more, "after_ms", since_start(view, *node, at));
            of(node, "command-ended", more)
        }
        Transition::Confirmed { node } => {
            let mut more = json!({});
            set(&mut more, "after_ms", since_start(view, *node, at));
            of(node, "confirmed", more)
        }
        Transition::TimedOut { node, limit_ms, gate } => {
            let mut more = json!({ "limit_ms": limit_ms });
            set(&mut more, "gate", gate.as_ref().map(|gate| gate_json(topology, gate)));
            of(node, "timed-out", more)
        }
        Transition::GivenUp { node } => of(node, "given-up", json!({})),
        Transition::Retried { node } => of(node, "retried", json!({})),
        Transition::LeftDown { node } => of(node, "left-down", json!({})),
        Transition::LeftCluster { node } => of(node, "left-cluster", json!({})),
        Transition::Looked { not_up, down } => {
            let shown = not_up.iter().map(|(node, status)| {
                let shown = status.map(|status| status.to_string());
                json!({ "node": view.key(*node).0, "shown": shown, "down": down.contains(node) })
            });
            all("looked", json!({ "not_up": shown.collect::<Vec<_>>() }))
        }
        Transition::Mapped(topology) => {
            // What changed is told by the message that the view makes of it.
            let text = view.messages.last().map(|message| message.text.clone());
            all("map", json!({ "text": text, "nodes": topology.nodes.len() }))
        }
        Transition::Proposed(proposed) => all("proposed", proposed_json(view, proposed)),
        Transition::Held { node, reason } => {
            of(node, "held", json!({ "reason": reason_json(topology, reason) }))
        }
        Transition::Unconfirmed { node, gate } => {
            of(node, "unconfirmed", json!({ "gate": gate_json(topology, gate) }))
        }
        Transition::Healthy { node } => {
            of(node, "healthy", json!({ "stable_ms": view.job.policy().stable_ms }))
        }
        Transition::Stopping { cause } => all("stopping", json!({ "cause": cause_json(cause) })),
        Transition::Finished { end } => all("finished", json!({ "result": end_word(Some(end)) })),
    }
}

/// A line that a node printed on one of its streams, `stdout` or `stderr`. `skipped` bytes were left out
/// before it.
pub fn output_json(
    view: &JobView,
    at: u64,
    node: NodeId,
    stream: &str,
    skipped: usize,
    line: &OutputLine,
) -> Value {
    let mut more = json!({ "stream": stream, "text": line.text });
    for (name, set) in [("lossy", line.lossy), ("partial", line.partial)] {
        if set {
            more[name] = json!(true);
        }
    }
    if skipped > 0 {
        more["skipped_bytes"] = json!(skipped);
    }
    event(view, at, "output", Some(node), more)
}

/// A person asked for the end: no further node is started, or (`at_once`) it is left with nodes running.
pub fn asked_json(view: &JobView, at: u64, at_once: bool) -> Value {
    event(view, at, "asked-to-stop", None, json!({ "at_once": at_once }))
}

/// Nothing has happened for a while: how many nodes are where.
pub fn waiting_json(view: &JobView, at: u64) -> Value {
    event(view, at, "waiting", None, json!({ "counts": counts(view) }))
}

/// The last event of a job in this process.
pub fn ended_json(view: &JobView, at: u64, end: Option<&End>, exit_code: u8) -> Value {
    let runs = view.job.nodes().iter();
    let left = runs.filter(|(_, run)| run.phase == Phase::Running).map(|(node, _)| {
        let mut entry = json!({ "node": view.key(*node).0 });
        set(&mut entry, "progress", view.progress.get(node).map(String::as_str));
        entry
    });
    let mut more = json!({
        "result": end_word(end),
        "exit_code": exit_code,
        "counts": counts(view),
        "text": end_line(view, end),
    });
    if end.is_none() {
        more["left_running"] = left.collect();
    }
    event(view, at, "ended", None, more)
}

/// Why a call ended otherwise than a job does.
#[derive(Clone, Copy, Debug)]
pub struct ErrorView<'a> {
    /// What happened.
    pub text: &'a str,
    /// Where; may be empty.
    pub at: &'a str,
    /// What to do next; may be empty.
    pub hint: &'a str,
    /// The exit code.
    pub exit_code: u8,
    /// It was about to act, and didn't.
    pub nothing_touched: bool,
}

/// An error, in the same stream as the events.
pub fn error_json(time: u64, error: &ErrorView<'_>) -> Value {
    let mut value = json!({
        "format": FORMAT,
        "time": timestamp(time),
        "event": "error",
        "text": error.text,
        "exit_code": error.exit_code,
        "nothing_touched": error.nothing_touched,
    });
    set(&mut value, "at", Some(error.at).filter(|at| !at.is_empty()));
    set(&mut value, "hint", Some(error.hint).filter(|hint| !hint.is_empty()));
    value
}

/// Of several clusters in turn, those whose jobs weren't begun, because of how one before them ended.
pub fn not_begun_json(time: u64, clusters: &[String]) -> Value {
    json!({
        "format": FORMAT,
        "time": timestamp(time),
        "event": "not-begun",
        "clusters": clusters,
    })
}

/// What every event has, and what is its own.
fn event(view: &JobView, at: u64, name: &str, node: Option<NodeId>, more: Value) -> Value {
    let mut value = json!({
        "format": FORMAT,
        "time": timestamp(at),
        "event": name,
        "job": view.created.job.0,
        "cluster": view.created.topology.cluster.as_str(),
    });
    if let Some(node) = node {
        value["node"] = json!(view.key(node).0);
        if let Some(run) = view.job.nodes().get(&node) {
            value["state"] = json!(run.phase.word());
            value["out"] = json!(run.out);
        }
    }
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), more) {
        all.extend(more);
    }
    value
}

/// A member where there is a value for it.
fn set(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[name] = value.into();
    }
}

fn created_json(created: &Created) -> Value {
    let policy = &created.policy;
    let targets = created.targets.iter().map(|id| {
        let (host, node) = (&created.hosts[id.index()], created.topology.node(*id));
        json!({
            "node": host.key.0,
            "host": host.host,
            "data_center": node.data_center.as_str(),
            "rack": node.rack.as_str(),
        })
    });
    json!({
        "command": {
            "name": created.command.name,
            "version": created.command.version,
            "stage": created.command.stage,
            "summary": created.command.summary,
        },
        "nodes": created.topology.nodes.len(),
        "targets": targets.collect::<Vec<_>>(),
        "policy": {
            "strategy": strategy(created),
            "impact": impact_word(policy.impact),
            "guarded": policy.guards(),
            "keeps": keeps(created),
            "max_out": max_out(policy.guarantee.max_out),
            "dc_parallel": policy.dc_parallel,
            "max_concurrency": policy.max_concurrency,
            "max_failures": max_failures(policy.max_failures),
            "ignore_down_nodes": policy.ignore_down_nodes,
            "node_done_pause_ms": policy.node_done_pause_ms,
            "stable_ms": policy.stable_ms,
            "timeout_ms": policy.timeout_ms,
        },
    })
}

/// Targets by where they are.
pub(crate) fn counts(view: &JobView) -> Value {
    let sum = progress(view);
    json!({
        "targets": sum.targets,
        "waiting": sum.waiting,
        "running": sum.running,
        "confirming": sum.confirming,
        "done": sum.done,
        "skipped": sum.skipped,
        "failed": sum.failed,
    })
}

pub(crate) fn gate_json(topology: &Topology, gate: &GateFailure) -> Value {
    json!({ "kind": gate.kind(), "text": gate.text(topology) })
}

pub(crate) fn outcome_json(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Done(text) => json!({ "outcome": "done", "text": text }),
        Outcome::Skipped(text) => json!({ "outcome": "skipped", "text": text }),
        Outcome::Failed { code, message } => {
            json!({ "outcome": "failed", "code": code, "text": message })
        }
    }
}

fn action_json(action: &ActionId) -> Value {
    json!({ "action": action.to_string(), "seq": action.seq })
}

fn close_json(close: &ActionClose, into: &mut Value) {
    match close {
        ActionClose::Exited(Exit::Code(code)) => {
            into["result"] = json!("exited");
            into["exit_status"] = json!(code);
        }
        ActionClose::Exited(Exit::Signal(signal)) => {
            into["result"] = json!("signalled");
            into["signal"] = json!(signal);
        }
        ActionClose::TimedOut(limit_ms) => {
            into["result"] = json!("timed-out");
            into["limit_ms"] = json!(limit_ms);
        }
        ActionClose::Lost(why) => {
            into["result"] = json!("lost");
            into["text"] = json!(why);
        }
        ActionClose::NotStarted(why) => {
            into["result"] = json!("not-started");
            into["text"] = json!(why);
        }
    }
}

fn proposed_json(view: &JobView, proposed: &Proposed) -> Value {
    let groups = proposed.groups.iter().map(|group| {
        let nodes: Vec<&str> = group.nodes.iter().map(|id| view.key(*id).0.as_str()).collect();
        json!({ "nodes": nodes, "max_out": group.max_out, "pause_after": group.pause_after })
    });
    json!({ "groups": groups.collect::<Vec<_>>(), "dropped": proposed.dropped })
}

fn cause_json(cause: &StopCause) -> Value {
    json!({ "kind": cause.kind(), "text": cause.to_string() })
}

fn since_start(view: &JobView, node: NodeId, at: u64) -> Option<u64> {
    let start = view.job.nodes().get(&node)?.started_at?;
    Some(at.saturating_sub(start))
}

/// How a job, or this run of it, ended.
pub(crate) fn end_word(end: Option<&End>) -> &'static str {
    match end {
        Some(End::Completed) => "completed",
        Some(End::Failed { .. }) => "failed",
        Some(End::Stopped { .. }) => "stopped",
        None => "left",
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn impact_word(impact: Impact) -> &'static str {
    match impact {
        Impact::None => "none",
        Impact::Load => "load",
        Impact::Down => "down",
    }
}

fn max_out(max_out: MaxOut) -> Value {
    match max_out {
        MaxOut::Usual => Value::Null,
        MaxOut::Nodes(n) => json!(n.to_string()),
        MaxOut::Percent(percent) => json!(format!("{percent}%")),
    }
}

fn max_failures(budget: FailureBudget) -> String {
    match budget {
        FailureBudget::Nodes(n) => n.to_string(),
        FailureBudget::Percent(percent) => format!("{percent}%"),
    }
}
