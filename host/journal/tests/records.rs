//! Records keep what they hold, and add up to the job.
#![allow(clippy::unwrap_used)]

use quorate_fixtures::Cluster;
use quorate_journal::{
    ActionClose, ActionId, Created, Exit, FoldError, JobView, Level, Record, Stamped, decode,
    encode, follow,
};
use quorate_ring::{KeyspaceName, NodeId, NodeStatus};
use quorate_schedule::{
    End, GateFailure, JobId, NodeKey, Outcome, Phase, Policy, Reason, StopCause, Transition,
};

fn created() -> Created {
    let cluster = Cluster::new("dc1 r1 2").keyspace("shop", "dc1=2");
    let mut created = quorate_fixtures::created(cluster.topology(), Policy::default());
    for (n, host) in created.hosts.iter_mut().enumerate() {
        host.host = format!("node{}", n + 1);
    }
    created
}

fn story() -> Vec<Stamped> {
    let (a, b) = (NodeId(0), NodeId(1));
    let action = ActionId {
        job: JobId("k1".into()),
        node: NodeKey("10.0.0.1".into()),
        stage: "main".into(),
        attempt: 1,
        seq: 1,
    };
    let intended = |node, digest: &str| Record::Intended {
        action: action.clone(),
        node,
        digest: digest.into(),
        summary: "true".into(),
    };
    let finished = |node, close| Record::Finished { action: action.clone(), node, close };
    let failed = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    let down = Some(NodeStatus::DOWN_NORMAL);
    let steps = [
        Record::Created(Box::new(created())),
        Record::Step(Transition::TakenUp { stop_after: Some(2) }),
        Record::Step(Transition::Started { node: a, attempt: 1, generation: Some(7) }),
        intended(a, "aa"),
        Record::Connection { node: a, text: "broke".into() },
        Record::Progress { node: a, text: "working".into() },
        Record::Log { node: Some(a), level: Level::Warn, text: "odd".into() },
        Record::Observed { node: a, request: "wait".into(), answer: "ok".into() },
        finished(a, ActionClose::Exited(Exit::Signal(9))),
        Record::Step(Transition::Ended { node: a, outcome: failed }),
        Record::Step(Transition::Unconfirmed {
            node: a,
            gate: GateFailure::NotUp { observer: b, status: down },
        }),
        Record::Step(Transition::Held {
            node: b,
            reason: Reason::NeighbourRuns { other: a, keyspace: KeyspaceName::new("shop") },
        }),
        Record::Step(Transition::Stopping { cause: StopCause::Failures { failed: 1, allowed: 0 } }),
        Record::Step(Transition::Confirmed { node: a }),
        Record::Warning { text: "careful".into() },
        Record::Step(Transition::Finished { end: End::Failed { failed: 1, left: 1 } }),
    ];
    (1000..).zip(steps).map(|(at, record)| Stamped { at, record }).collect()
}

#[test]
fn every_record_comes_back_from_its_line() {
    for record in story() {
        let line = encode(&record).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(decode(&line).unwrap(), record, "{line}");
    }
    assert!(decode("{\"at\":1,\"record\":{\"unheard-of\":{}}}").is_err());
}

#[test]
fn the_fold_tells_where_the_job_is() {
    let view = JobView::fold(&story()).unwrap();
    let (a, b) = (&view.job.nodes()[&NodeId(0)], &view.job.nodes()[&NodeId(1)]);
    assert_eq!((a.phase, a.out, a.generation), (Phase::Failed, false, Some(7)));
    assert_eq!(b.phase, Phase::Waiting);
    assert_eq!(view.job.end(), Some(&End::Failed { failed: 1, left: 1 }));
    assert_eq!(view.last_exit(NodeId(0)), Some(Exit::Signal(9)));
    assert_eq!(view.unfinished().count(), 0);
    let texts: Vec<_> = view.messages.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(texts, ["broke", "odd", "careful"]);
    assert_eq!(view.by_key("node2"), Some(NodeId(1)));
}

#[test]
fn an_action_without_its_end_is_unfinished() {
    let story = story();
    let view = JobView::fold(&story[..8]).unwrap();
    let (node, action) = view.unfinished().next().unwrap();
    assert_eq!((node, action.id.to_string().as_str()), (NodeId(0), "k1/10.0.0.1/main/1/1"));
}

#[test]
fn records_that_make_no_job_are_refused() {
    let mut story = story();
    assert_eq!(JobView::fold(&story[1..]).unwrap_err(), FoldError::NotCreated);
    let again = story[0].clone();
    story.push(again);
    assert_eq!(JobView::fold(&story).unwrap_err(), FoldError::CreatedTwice);
    if let Record::Created(created) = &mut story[0].record {
        created.format = 99;
    }
    assert_eq!(JobView::fold(&story).unwrap_err(), FoldError::Format(99));
}

#[test]
fn a_node_is_reached_as_it_was_whatever_a_later_map_says() {
    let cluster = Cluster::new("dc1 r1 3").keyspace("shop", "dc1=2");
    let before = cluster.topology();
    let mut now = Cluster::new("dc1 r1 5").keyspace("shop", "dc1=2").topology();
    let address = |text: &str| quorate_ring::Address(text.parse().unwrap());
    for (node, moved) in now.nodes.iter_mut().zip(["10.9.0.0", "10.9.0.1", "10.9.0.2"]) {
        node.address = address(moved);
    }
    // The first by its address, the second by a name, the third by the map; of the new ones one is in the map.
    let mut hosts = created().hosts;
    hosts.truncate(2);
    hosts[0].host = before.nodes[0].address.to_string();
    hosts.push(quorate_journal::TargetHost { key: NodeKey("third".into()), host: "by-id".into() });
    let pair = |node: &str, host: &str| (node.to_owned(), host.to_owned());
    let addresses = [
        pair(now.nodes[2].host_id.as_ref().unwrap().as_str(), "by-id"),
        pair(&now.nodes[4].address.to_string(), "ann@new"),
    ];
    follow(&mut hosts, &addresses.into(), &before, &now);
    let reached: Vec<_> = hosts.iter().map(|host| host.host.as_str()).collect();
    let fourth = now.nodes[3].address.to_string();
    assert_eq!(reached, ["10.9.0.0", "node2", "by-id", &fourth, "ann@new"]);
    assert_eq!(hosts[2].key.0, "third");
}
