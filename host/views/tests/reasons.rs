//! Why a node waits, as `plan`, the board, `explain` and JSON say it: one situation after the other.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod snapshot;

use quorate_fixtures::Cluster;
use quorate_journal::{Component, JobView, Record, Stamped};
use quorate_ring::{KeyspaceName, NodeId, NodeStatus};
use quorate_schedule::{
    Group, Guard, Level, MaxOut, Outcome, Policy, Proposed, Strategy, Transition, Waves,
};
use quorate_views::{Board, Glance, Paint, PlanView, explain, explain_json};
use snapshot::check;
use std::{collections::BTreeMap, fmt::Write as _};

const NOW: u64 = 1_020_000;

/// A job of which this has been told. Nodes that are shown as down are targets or aren't.
fn view(cluster: &Cluster, policy: Policy, told: Vec<Transition>, all: bool) -> JobView {
    let mut created = quorate_fixtures::created(cluster.topology(), policy);
    for transition in &told {
        if let Transition::Looked { down, .. } = transition {
            created.targets.retain(|id| all || !down.contains(id));
        }
    }
    let first = Stamped { at: 1_000_000, record: Record::Created(Box::new(created)) };
    let mut view = JobView::new(&first).unwrap();
    for transition in told {
        view.apply(&Stamped { at: 1_010_000, record: Record::Step(transition) }).unwrap();
    }
    view
}

fn started(node: u32) -> Transition {
    Transition::Started { node: NodeId(node), attempt: 1, generation: None }
}

fn ended(node: u32) -> Transition {
    Transition::Ended { node: NodeId(node), outcome: Outcome::Done("restarted".into()) }
}

fn looked(nodes: &[(u32, &str)]) -> Transition {
    let status = |letters: &str| NodeStatus::from_letters(letters);
    let not_up: BTreeMap<_, _> = nodes.iter().map(|(n, s)| (NodeId(*n), status(s))).collect();
    let down = nodes.iter().filter(|(_, s)| s.starts_with('D')).map(|(n, _)| NodeId(*n)).collect();
    Transition::Looked { not_up, down }
}

fn three() -> Cluster {
    Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").keyspace("shop", "dc1=3").system_keyspaces()
}

fn policy(strategy: Strategy) -> Policy {
    Policy { strategy, dc_parallel: true, ..Policy::default() }
}

/// What it is called, the cluster, the policy, what happened, and the node that is asked about.
type Situation = (&'static str, Cluster, Policy, Vec<Transition>, u32);

fn situations() -> Vec<Situation> {
    let quorum = || policy(Strategy::Quorum);
    let two_centers = || {
        Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc2 r1 1, dc2 r2 1, dc2 r3 1")
            .keyspace("shop", "dc1=3 dc2=3")
    };
    let failed = Outcome::Failed { code: "stop".into(), message: "exit status 1".into() };
    let failed = Transition::Ended { node: NodeId(0), outcome: failed };
    let mut over_all = quorum();
    over_all.guarantee.level = Level::Quorum;
    let mut few = quorum();
    few.guarantee.max_out = MaxOut::Nodes(1);
    let mut one_way = quorum();
    one_way.guarantee.level = Level::LocalOne;
    let mut traces = quorum();
    traces.guarantee.keyspaces.insert(KeyspaceName::new("system_traces"), Level::Quorum);
    let mut joining = three().joining("dc1", "r1", 1).status(3, "UJ");
    joining.tokens[3] = vec![50];
    let group =
        |node: u32, max_out| Group { nodes: vec![NodeId(node)], max_out, pause_after: false };
    let groups = Proposed { groups: vec![group(0, None), group(1, None)], dropped: Vec::new() };
    vec![
        ("a neighbour runs", three(), quorum(), vec![started(0)], 1),
        ("a neighbour is being confirmed", three(), quorum(), vec![started(0), ended(0)], 1),
        ("a neighbour is down", three(), quorum(), vec![looked(&[(2, "DN")])], 1),
        ("one runs, one is down", three(), quorum(), vec![started(0), looked(&[(2, "DN")])], 1),
        ("a failed one isn't back", three(), quorum(), vec![started(0), failed], 1),
        (
            "two replicas, of three keyspaces",
            Cluster::new("dc1 r1 1, dc1 r2 1")
                .keyspace("shop", "dc1=2")
                .keyspace("orders", "dc1=2")
                .keyspace("carts", "dc1=2"),
            quorum(),
            vec![started(0)],
            1,
        ),
        ("a replica is to come", joining, quorum(), vec![looked(&[(0, "DN"), (3, "UJ")])], 1),
        ("a node moves", three().status(2, "UM"), quorum(), vec![looked(&[(2, "UM")])], 1),
        ("it leaves itself", three(), quorum(), vec![looked(&[(1, "UL")])], 1),
        ("at QUORUM over all", two_centers(), over_all, vec![looked(&[(3, "DN"), (4, "DN")])], 1),
        (
            "under SimpleStrategy",
            Cluster::new("dc1 r1 2, dc2 r1 1").keyspace("old", "simple 3"),
            quorum(),
            vec![started(2)],
            1,
        ),
        (
            "the last full replica",
            Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").keyspace("t", "dc1=3/1"),
            one_way,
            vec![started(0)],
            1,
        ),
        (
            "a stock keyspace put under guard",
            Cluster::new("dc1 r1 3").system_keyspaces(),
            traces,
            vec![started(0)],
            1,
        ),
        ("as many out as may be", Cluster::new("dc1 r1 3"), few, vec![started(0)], 1),
        (
            "strategy topology",
            Cluster::new("dc1 r1 3").keyspace("shop", "dc1=5"),
            policy(Strategy::Topology),
            vec![started(0)],
            1,
        ),
        ("strategy one", Cluster::new("dc1 r1 3"), policy(Strategy::One), vec![started(0)], 1),
        (
            "a later group",
            Cluster::new("dc1 r1 3"),
            policy(Strategy::Component),
            vec![Transition::Proposed(groups.clone()), started(0)],
            1,
        ),
        (
            "in no group",
            Cluster::new("dc1 r1 3"),
            policy(Strategy::Component),
            vec![Transition::Proposed(groups), started(0)],
            2,
        ),
        (
            "another data center first",
            two_centers(),
            Policy { dc_parallel: false, ..quorum() },
            vec![started(0)],
            4,
        ),
        (
            "enough run",
            Cluster::new("dc1 r1 3"),
            Policy { max_concurrency: Some(1), ..quorum() },
            vec![started(0)],
            1,
        ),
        ("a down one goes first", three(), quorum(), vec![looked(&[(0, "DN")])], 2),
        ("it runs", three(), quorum(), vec![started(1)], 1),
        (
            "it is done",
            three(),
            quorum(),
            vec![started(1), ended(1), Transition::Confirmed { node: NodeId(1) }],
            1,
        ),
    ]
}

#[test]
fn reasons_read_well_everywhere() {
    let mut text = String::new();
    for (name, cluster, policy, told, node) in situations() {
        let mut view = view(&cluster, policy, told, name == "a down one goes first");
        let node = NodeId(node);
        let holds = view.job.explain(NOW);
        let reason = holds.get(&node);
        let _ = writeln!(text, "# {name}");
        let _ = writeln!(text, "explain  {}", explain(&view, node, reason, NOW));
        let glance = Glance {
            holds: reason.into_iter().map(|reason| (node, reason.clone())).collect(),
            ..Glance::default()
        };
        let board = Board { width: 200, height: 30, paint: Paint::Plain, picked: None };
        let drawn = board.draw(&view, &glance, NOW);
        if let Some(line) = drawn.iter().find(|line| line.starts_with(". ")) {
            let _ = writeln!(text, "board    {line}");
        }
        let _ = writeln!(text, "json     {}\n", explain_json(&view, node, reason, NOW));
    }
    check("reasons.txt", &text);
}

fn plan(cluster: &Cluster, policy: Policy, warnings: &[&str]) -> (String, String) {
    let created = quorate_fixtures::created(cluster.topology(), policy.clone());
    let guard = Guard::new(&created.topology, &policy);
    let waves = Waves::plan(&created.topology, &guard, &policy, &created.targets);
    let mut all = quorate_views::findings(&created.topology, &guard, &policy);
    all.extend(warnings.iter().map(|text| (*text).to_owned()));
    let view = PlanView { created: &created, waves: &waves, warnings: &all, whole: false };
    (view.text(), view.json().to_string())
}

#[test]
fn plans_say_what_they_keep_and_what_limits_them() {
    let mut text = String::new();
    let mut add = |name: &str, (plan, json): (String, String)| {
        let _ = writeln!(text, "# {name}\n{plan}{json}\n");
    };
    let quorum = || policy(Strategy::Quorum);
    let racks = "dc1 r1 10, dc1 r2 10, dc1 r3 10";
    add(
        "three racks, an older system_auth",
        plan(&Cluster::new(racks).vnodes(16).shop().system_keyspaces(), quorum(), &[]),
    );
    add(
        "a node is down: its neighbours are held once it was tried",
        plan(
            &Cluster::new(racks).vnodes(16).shop().status(3, "DN"),
            Policy { ignore_down_nodes: true, ..quorum() },
            &[],
        ),
    );
    add("two replicas", plan(&Cluster::new("dc1 r1 2, dc1 r2 2").vnodes(8).shop(), quorum(), &[]));
    add(
        "below its level already",
        plan(
            &three().status(0, "DN").status(1, "DN"),
            Policy { ignore_down_nodes: true, ..quorum() },
            &[],
        ),
    );
    add(
        "a removed data center, SimpleStrategy in two",
        plan(
            &Cluster::new("dc1 r1 2, dc2 r1 2")
                .keyspace("shop", "dc1=3 dc2=3 dc3=3")
                .keyspace("old", "simple 3"),
            quorum(),
            &[],
        ),
    );
    add(
        "nothing in common",
        plan(
            &Cluster::new("dc1 r1 5, dc1 r2 5"),
            Policy { max_concurrency: Some(3), ..quorum() },
            &[],
        ),
    );
    check("plans.txt", &text);
}

#[test]
fn the_strategys_name_is_that_of_its_component() {
    let cluster = Cluster::new("dc1 r1 2, dc1 r2 2");
    let policy = policy(Strategy::Component);
    let mut created = quorate_fixtures::created(cluster.topology(), policy.clone());
    created.strategy = Some(Component {
        name: "rack".into(),
        version: "1".into(),
        digest: "00".into(),
        arguments: BTreeMap::new(),
    });
    let guard = Guard::new(&created.topology, &policy);
    let nodes = |ids: [u32; 2]| Group { nodes: ids.map(NodeId).to_vec(), ..Group::default() };
    let groups = vec![nodes([0, 1]), nodes([2, 3])];
    let (waves, _) = Waves::of_groups(&created.topology, &guard, &policy, &created.targets, groups);
    let view = PlanView { created: &created, waves: &waves, warnings: &[], whole: true };
    assert!(view.text().contains("strategy rack"), "{}", view.text());
    assert_eq!(waves.waves.len(), 2);
}

#[test]
fn a_narrow_board_still_says_who_is_out() {
    let mut view = view(&three(), policy(Strategy::Quorum), vec![started(0)], true);
    let holds = view.job.explain(NOW).into_iter().collect();
    let glance = Glance { holds, ..Glance::default() };
    let board = Board { width: 60, height: 24, paint: Paint::Plain, picked: None };
    let drawn = board.draw(&view, &glance, NOW);
    assert!(drawn.iter().any(|line| line.ends_with("  10.0.0.0 is running")), "{drawn:#?}");
    assert!(drawn.iter().all(|line| line.chars().count() <= 60));
}
