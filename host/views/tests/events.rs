//! The events of `--output json`: one of each kind, as `docs/json.md` shows them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use quorate_fixtures::Cluster;
use quorate_journal::{ActionClose, ActionId, Exit, JobView, Level, Record, Stamped};
use quorate_ring::{ClusterName, KeyspaceName, NodeId, NodeStatus};
use quorate_schedule::{
    End, GateFailure, Group, JobId, NodeKey, Outcome, Policy, Proposed, Reason, StopCause,
    Transition,
};
use quorate_views::{
    ErrorView, OutputLine, asked_json, ended_json, error_json, event_json, event_line, job_json,
    jobs_json, not_begun_json, output_json, waiting_json,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

const START: u64 = 1_767_323_045_678;
const NODE: NodeId = NodeId(0);

fn created() -> Record {
    let cluster = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").keyspace("shop", "dc1=3");
    let mut created = quorate_fixtures::created(cluster.topology(), Policy::default());
    created.job = JobId("2rwq63lq".into());
    created.topology.cluster = ClusterName::new("shop");
    created.command.name = "restart".into();
    created.command.version = "0.1.0".into();
    created.command.summary = "restart".into();
    Record::Created(Box::new(created))
}

fn action() -> ActionId {
    let node = NodeKey("10.0.0.0".into());
    ActionId { job: JobId("2rwq63lq".into()), node, stage: "main".into(), attempt: 1, seq: 1 }
}

/// A step of every kind, in an order that a job may take. The match has no arm for whatever is new: it
/// doesn't compile until the new step is here, and so in the documentation.
fn steps() -> Vec<Transition> {
    let down = Some(NodeStatus::DOWN_NORMAL);
    let gate = GateFailure::NotUp { observer: NodeId(1), status: down };
    let group =
        |node, pause_after| Group { nodes: vec![NodeId(node)], max_out: Some(1), pause_after };
    let Record::Created(created) = created() else { unreachable!() };
    let keyspace = KeyspaceName::new("shop");
    let steps = vec![
        Transition::TakenUp { stop_after: Some(2) },
        Transition::Looked {
            not_up: BTreeMap::from([(NodeId(2), down)]),
            down: BTreeSet::from([NodeId(2)]),
        },
        Transition::Mapped(Box::new(created.topology)),
        Transition::Proposed(Proposed {
            groups: vec![group(0, true), group(1, false)],
            dropped: vec!["10.0.0.9 is no target".into()],
        }),
        Transition::Started { node: NODE, attempt: 1, generation: Some(1_767_000_000) },
        Transition::Held {
            node: NodeId(1),
            reason: Reason::NeighbourRuns { other: NODE, keyspace },
        },
        Transition::Ended { node: NODE, outcome: Outcome::Done("restarted".into()) },
        Transition::Unconfirmed { node: NODE, gate: gate.clone() },
        Transition::Healthy { node: NODE },
        Transition::Confirmed { node: NODE },
        Transition::Started { node: NodeId(1), attempt: 1, generation: None },
        Transition::TimedOut { node: NodeId(1), limit_ms: 600_000, gate: Some(gate.clone()) },
        Transition::Retried { node: NodeId(1) },
        Transition::Started { node: NodeId(1), attempt: 2, generation: None },
        Transition::TimedOut { node: NodeId(1), limit_ms: 600_000, gate: Some(gate) },
        Transition::GivenUp { node: NodeId(1) },
        Transition::LeftDown { node: NodeId(2) },
        Transition::LeftCluster { node: NodeId(2) },
        Transition::Stopping { cause: StopCause::Failures { failed: 1, allowed: 0 } },
        Transition::Finished { end: End::Failed { failed: 1, left: 0 } },
    ];
    for step in &steps {
        match step {
            Transition::TakenUp { .. }
            | Transition::Started { .. }
            | Transition::Ended { .. }
            | Transition::Confirmed { .. }
            | Transition::TimedOut { .. }
            | Transition::GivenUp { .. }
            | Transition::Retried { .. }
            | Transition::LeftDown { .. }
            | Transition::LeftCluster { .. }
            | Transition::Looked { .. }
            | Transition::Mapped(_)
            | Transition::Proposed(_)
            | Transition::Held { .. }
            | Transition::Unconfirmed { .. }
            | Transition::Healthy { .. }
            | Transition::Stopping { .. }
            | Transition::Finished { .. } => {}
        }
    }
    steps
}

/// A record of every other kind.
fn others() -> Vec<Record> {
    let node = NODE;
    let close = ActionClose::Exited(Exit::Code(0));
    let others = vec![
        Record::Warning { text: "lean (RF 2 in dc1) bears no replica out at LOCAL_QUORUM".into() },
        Record::Intended {
            action: action(),
            node,
            digest: "00".into(),
            summary: "nodetool drain".into(),
        },
        Record::Finished { action: action(), node, close },
        Record::Connection {
            node,
            text: "the connection ended; the action goes on there; attaching again".into(),
        },
        Record::Observed { node, request: "refresh".into(), answer: "UN".into() },
        Record::Log { node: Some(node), level: Level::Info, text: "2 snapshots are left".into() },
        Record::Progress { node, text: "draining".into() },
    ];
    for record in &others {
        match record {
            Record::Created(_) | Record::Step(_) => unreachable!(),
            Record::Warning { .. }
            | Record::Intended { .. }
            | Record::Finished { .. }
            | Record::Connection { .. }
            | Record::Observed { .. }
            | Record::Log { .. }
            | Record::Progress { .. } => {}
        }
    }
    others
}

/// One event of each kind, by name. The first of a kind is kept.
fn examples() -> BTreeMap<String, Value> {
    let mut at = START;
    let first = Stamped { at, record: created() };
    let mut view = JobView::new(&first).unwrap();
    let mut events = vec![event_json(&view, &first, 2).unwrap()];
    let mut records: Vec<Record> = steps().into_iter().map(Record::Step).collect();
    // Most others tell of a node that runs.
    let running =
        records.iter().position(|r| matches!(r, Record::Step(Transition::Started { .. })));
    let after = running.unwrap() + 1;
    records.splice(after..after, others());
    for record in records {
        at += 1_250;
        let stamped = Stamped { at, record };
        view.apply(&stamped).unwrap();
        events.push(event_json(&view, &stamped, 2).unwrap());
    }
    let line = OutputLine { text: "caf\u{fffd}".into(), lossy: true, partial: false };
    events.push(output_json(&view, at, NODE, "stdout", 0, &line));
    events.push(asked_json(&view, at, false));
    events.push(waiting_json(&view, at));
    events.push(ended_json(&view, at, Some(&End::Failed { failed: 1, left: 0 }), 1));
    let error = ErrorView {
        text: "10.0.0.1: Connection refused",
        at: "",
        hint: "is an SSH server running there?",
        exit_code: 3,
        nothing_touched: true,
    };
    events.push(error_json(at, &error));
    events.push(not_begun_json(at, &["shop-test".into()]));
    let mut examples = BTreeMap::new();
    for event in events {
        examples.entry(event["event"].as_str().unwrap().to_owned()).or_insert(event);
    }
    examples
}

/// Where the example of a heading begins and ends in the page.
fn block(page: &str, name: &str) -> Option<(usize, usize)> {
    let heading = page.find(&format!("\n### `{name}`\n"))?;
    let from = heading + page[heading..].find("```json\n")? + "```json\n".len();
    Some((from, from + page[from..].find("```")?))
}

#[test]
fn the_documentation_shows_each_event_as_it_is() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let mut page = std::fs::read_to_string(&path).unwrap();
    let examples = examples();
    for (name, event) in &examples {
        let (from, to) = block(&page, name).unwrap_or_else(|| panic!("docs/json.md: no {name}"));
        let text = format!("{event}\n");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            page.replace_range(from..to, &text);
        }
        assert_eq!(&page[from..from + text.len()], text, "docs/json.md, {name}");
    }
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let headings = page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let headings: BTreeSet<&str> = headings.collect();
    assert_eq!(headings, examples.keys().map(String::as_str).collect());
}

#[test]
fn what_every_event_has_is_the_same_everywhere() {
    for (name, event) in examples() {
        assert_eq!(event["format"], 1, "{name}");
        let time = event["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("2026-01-02T03:0") && time.ends_with('Z'));
        assert_eq!(event["job"].is_string(), name != "error" && name != "not-begun", "{name}");
        // Somebody who reads lines gets one object per line, whatever is printed.
        assert!(!event.to_string().contains('\n'));
        let of_a_node = event.get("node").is_some();
        assert_eq!(event.get("state").is_some() && event.get("out").is_some(), of_a_node, "{name}");
    }
}

#[test]
fn a_reason_is_an_object_of_its_own_beside_the_state() {
    let held = &examples()["held"];
    assert_eq!(held["reason"]["kind"], "neighbour-runs");
    assert_eq!(held["reason"]["node"], "10.0.0.0");
    assert!(held.get("text").is_none());
}

#[test]
fn what_is_said_less_often_needs_a_flag() {
    let first = Stamped { at: START, record: created() };
    let view = JobView::new(&first).unwrap();
    let told =
        |record, verbosity| event_json(&view, &Stamped { at: START, record }, verbosity).is_some();
    let observed =
        || Record::Observed { node: NODE, request: "refresh".into(), answer: "UN".into() };
    let debug = || Record::Log { node: Some(NODE), level: Level::Debug, text: "x".into() };
    assert!(!told(observed(), 1) && told(observed(), 2));
    assert!(!told(debug(), 0) && told(debug(), 1));
    let of_strategy = Record::Log { node: None, level: Level::Warn, text: "no rack".into() };
    let event = event_json(&view, &Stamped { at: START, record: of_strategy.clone() }, 0).unwrap();
    assert!(event.get("node").is_none() && event["level"] == "warn");
    let line = event_line(&view, &Stamped { at: START, record: of_strategy }, 0).unwrap();
    assert!(line.ends_with(" the strategy: warning: no rack"), "{line}");
}

#[test]
fn a_report_tells_where_each_node_is() {
    let mut view = JobView::new(&Stamped { at: START, record: created() }).unwrap();
    for transition in steps().into_iter().take(9) {
        view.apply(&Stamped { at: START + 5, record: Record::Step(transition) }).unwrap();
    }
    let report = job_json(&view, true);
    assert_eq!(report["state"], "running");
    assert_eq!(report["counts"]["confirming"], 1);
    assert_eq!(report["nodes"][0]["outcome"]["text"], "restarted");
    assert_eq!(report["nodes"][0]["out"], true);
    assert_eq!(report["nodes"][1]["reason"]["kind"], "neighbour-runs");
    // Once nobody runs it, what held a node says nothing of now.
    assert!(job_json(&view, false)["nodes"][1].get("reason").is_none());
    let rows = [quorate_views::JobRow { view: &view, running: false }];
    assert_eq!(jobs_json(&rows)["jobs"][0]["state"], "interrupted");
}
