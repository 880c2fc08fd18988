//! The board and the lines, as text.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use quorate_fixtures::Cluster;
use quorate_journal::{JobView, Level, Record, Stamped};
use quorate_ring::{ClusterName, KeyspaceName, NodeId, NodeStatus};
use quorate_schedule::{GateFailure, JobId, Outcome, Policy, Reason, Transition};
use quorate_views::{Board, Glance, Paint, event_line, job_report, waiting_lines};
use std::collections::BTreeMap;

/// Two data centers of two racks with `per_rack` nodes each.
fn view(per_rack: u8) -> JobView {
    let racks: Vec<String> = ["dc1 r1", "dc1 r2", "dc2 r1", "dc2 r2"]
        .iter()
        .map(|rack| format!("{rack} {per_rack}"))
        .collect();
    let cluster = Cluster::new(&racks.join(", ")).shop();
    let mut created = quorate_fixtures::created(cluster.topology(), Policy::default());
    created.job = JobId("2rwq63lq".into());
    created.topology.cluster = ClusterName::new("shop");
    created.command.name = "restart".into();
    created.command.summary = "restart".into();
    JobView::new(&Stamped { at: 1_000_000, record: Record::Created(Box::new(created)) }).unwrap()
}

fn told(view: &mut JobView, at: u64, record: Record) -> Option<String> {
    let stamped = Stamped { at, record };
    view.apply(&stamped).unwrap();
    event_line(view, &stamped, 0)
}

fn step(view: &mut JobView, at: u64, transition: Transition) -> Option<String> {
    told(view, at, Record::Step(transition))
}

/// One node in every situation.
fn situation() -> (JobView, Glance, Vec<String>) {
    let mut view = view(2);
    let node = NodeId;
    let done = |node| Transition::Ended { node, outcome: Outcome::Done("restarted".into()) };
    let failed = Outcome::Failed { code: "stop".into(), message: "exit status 1".into() };
    let status = Some(NodeStatus::DOWN_NORMAL);
    let keyspace = KeyspaceName::new("orders");
    let started = |node| Transition::Started { node, attempt: 1, generation: None };
    let mut lines: Vec<Option<String>> = Vec::new();
    for (at, transition) in [
        (1_000_000, started(node(0))),
        (1_008_000, done(node(0))),
        (1_013_000, Transition::Confirmed { node: node(0) }),
        (1_013_000, started(node(1))),
        (1_019_000, done(node(1))),
        (
            1_020_000,
            Transition::Unconfirmed {
                node: node(1),
                gate: GateFailure::NotUp { observer: node(3), status },
            },
        ),
        (
            1_013_000,
            Transition::Held {
                node: node(2),
                reason: Reason::NeighbourRuns { other: node(1), keyspace },
            },
        ),
        (1_014_000, started(node(4))),
        (1_016_000, Transition::Ended { node: node(4), outcome: failed }),
        (1_017_000, started(node(5))),
        (1_018_000, Transition::LeftDown { node: node(7) }),
    ] {
        lines.push(step(&mut view, at, transition));
    }
    lines.push(told(
        &mut view,
        1_018_000,
        Record::Progress { node: node(5), text: "draining".into() },
    ));
    let text = "the connection broke; taken up again at byte 4096".into();
    lines.push(told(&mut view, 1_019_000, Record::Connection { node: node(5), text }));
    let level = Level::Debug;
    lines.push(told(
        &mut view,
        1_019_000,
        Record::Log { node: Some(node(5)), level, text: "x".into() },
    ));
    let holds = vec![(node(2), view.job.nodes()[&node(2)].held.clone().unwrap())];
    let last_lines = BTreeMap::from([(node(5), "flushing shop.orders".to_owned())]);
    (view, Glance { holds, last_lines }, lines.into_iter().flatten().collect())
}

fn check(name: &str, text: &str) {
    let path = format!("{}/tests/expected/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(text == expected, "{path} (UPDATE_EXPECTED=1 writes it)\n{text}");
}

#[test]
fn the_board_shows_every_situation() {
    let (view, glance, _) = situation();
    let board = Board { width: 80, height: 24, paint: Paint::Plain, picked: None };
    check("board", &board.draw(&view, &glance, 1_021_000).join("\n"));
}

#[test]
fn a_picked_node_tells_more() {
    let (view, glance, _) = situation();
    let board = Board { width: 80, height: 24, paint: Paint::Plain, picked: Some(NodeId(2)) };
    check("board-picked", &board.draw(&view, &glance, 1_021_000).join("\n"));
}

#[test]
fn every_event_has_its_line() {
    let (_, _, lines) = situation();
    check("lines", &lines.join("\n"));
}

#[test]
fn what_waits_is_said_with_its_reason() {
    let (view, _, _) = situation();
    check("waiting", &waiting_lines(&view, 1_100_000).join("\n"));
}

#[test]
fn a_report_tells_where_every_node_is() {
    let (view, _, _) = situation();
    check("report", &job_report(&view, false));
}

#[test]
fn no_line_is_wider_and_no_board_higher_than_the_terminal() {
    let (view, glance, _) = situation();
    let large = self::view(60);
    for (view, glance) in [(&view, glance), (&large, Glance::default())] {
        for (width, height) in [(80, 24), (200, 50), (40, 10), (20, 8)] {
            for picked in [None, Some(NodeId(1))] {
                let board = Board { width, height, paint: Paint::Plain, picked };
                let lines = board.draw(view, &glance, 1_021_000);
                assert!(lines.len() <= height, "{width}x{height}: {} lines", lines.len());
                for line in lines {
                    assert!(line.chars().count() <= width, "{width}x{height}: {line}");
                }
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_the_colours() {
    let (view, glance, _) = situation();
    let draw = |paint| {
        let board = Board { width: 80, height: 24, paint, picked: None };
        board.draw(&view, &glance, 1_021_000).join("\n")
    };
    let mut plain = String::new();
    let mut rest = draw(Paint::Colour);
    assert!(rest.contains("\u{1b}["));
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        let end = start + rest[start..].find('m').unwrap() + 1;
        rest = rest[end..].to_owned();
    }
    plain.push_str(&rest);
    assert_eq!(plain, draw(Paint::Plain));
}
