//! What changes while a job runs: the ring, the schema, and what a strategy's component wants.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_fixtures::Cluster;
use quorate_ring::{Mode, NodeId};
use quorate_schedule::{
    End, GateFailure, Group, Phase, Policy, Reason, StopCause, Strategy, Transition,
};
use std::collections::BTreeSet;
use world::{Manner, World, meshed, racked};

const HOUR: u64 = 3_600_000;

fn text(world: &World, node: u32) -> String {
    world.job.holds()[&NodeId(node)].text(world.job.topology())
}

fn mapped(world: &World) -> usize {
    world.record.iter().filter(|(_, t)| matches!(t, Transition::Mapped(_))).count()
}

#[test]
fn a_node_that_joins_meanwhile_makes_a_new_map_and_is_counted() {
    let mut world = World::new(racked("dc1 r1 2, dc1 r2 2, dc1 r3 2"), Policy::default());
    world.begin(None);
    world.go_on(2_000);
    assert_eq!(world.order(), [0, 1]);
    world.cluster = world.cluster.clone().joining("dc1", "r1", 64);
    world.down.insert(NodeId(6));
    world.go_on(60_000);
    assert_eq!(mapped(&world), 1);
    // Three must answer, of three and the one to come: while that one is down, nobody else may go.
    assert_eq!(world.order(), [0, 1]);
    let text = text(&world, 2);
    assert!(text.ends_with("needs 3 of 4 in dc1 (10.0.0.6 to come); 10.0.0.6 is down"), "{text}");
    world.down.clear();
    world.go_on(2_000);
    world.cluster.nodes[6].status.mode = Mode::Normal;
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert_eq!(world.starts.len(), 6, "the new node is no target");
    assert_eq!(mapped(&world), 2);
}

#[test]
fn a_node_that_moves_holds_its_data_center() {
    let cluster = racked("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc2 r1 1, dc2 r2 1, dc2 r3 1");
    let policy = Policy { dc_parallel: true, ..Policy::default() };
    let mut world = World::new(cluster.clone(), policy.clone());
    world.cluster.nodes[0].status.mode = Mode::Moving;
    assert_eq!(world.run(HOUR), None);
    assert_eq!(world.order(), [3, 4, 5]);
    assert_eq!(
        text(&world, 1),
        "10.0.0.0 moves, and its new ranges aren't shown (--allow-topology-change goes on)"
    );
    let mut allowed = policy;
    allowed.guarantee.allow_topology_change = true;
    let mut world = World::new(cluster, allowed);
    world.cluster.nodes[0].status.mode = Mode::Moving;
    assert_eq!(world.run(HOUR), None, "the moving node itself is never started");
    assert_eq!(world.order(), [3, 4, 5], "and it isn't UN: who shares a range with it waits");
    world.cluster.nodes[0].status.mode = Mode::Normal;
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn a_new_keyspace_makes_a_new_map_before_the_next_start() {
    // Racks in turn at first; then a keyspace that knows no racks.
    let cluster = Cluster::new("dc1 r1 3, dc1 r2 3, dc1 r3 3").vnodes(64).keyspace("shop", "dc1=3");
    let mut world = World::new(cluster, Policy::default());
    world.begin(None);
    world.go_on(2_000);
    assert_eq!(world.starts.len(), 3);
    world.cluster = world.cluster.clone().keyspace("old", "simple 3");
    world.cluster.schema_version = "v2".into();
    world.go_on(HOUR);
    assert_eq!(mapped(&world), 1);
    assert_eq!(world.end, Some(End::Completed));
    let later: BTreeSet<u64> = world.starts[3..].iter().map(|(at, _)| *at).collect();
    assert_eq!(later.len(), 6, "one at a time from then on");
}

#[test]
fn a_target_that_leaves_the_cluster_is_skipped() {
    let mut world = World::new(meshed("dc1 r1 4"), Policy::default());
    world.begin(None);
    world.go_on(2_000);
    world.cluster.left.insert(3);
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert_eq!(world.order(), [0, 1, 2]);
    assert_eq!(world.job.nodes()[&NodeId(3)].phase, Phase::Skipped);
    assert!(world.job.topology().gone.contains(&NodeId(3)));
}

#[test]
fn observers_that_show_different_rings_hold_until_they_agree() {
    let mut world = World::new(meshed("dc1 r1 4"), Policy::default());
    world.other_ring = Some(world.cluster.clone().joining("dc1", "r1", 4));
    assert_eq!(world.run(60_000), None);
    assert!(world.starts.is_empty());
    assert!(text(&world, 0).contains("otherwise than others"), "{}", text(&world, 0));
    assert_eq!(mapped(&world), 0);
    world.other_ring = None;
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn one_schema_version_too_many_keeps_a_node_out() {
    let mut world = World::new(meshed("dc1 r1 3"), Policy::default());
    world.begin(None);
    world.go_on(1_500);
    assert_eq!(world.order(), [0]);
    world.schemas.insert("v1-old".into(), [NodeId(0)].into());
    world.go_on(HOUR);
    let gate = world.job.nodes()[&NodeId(0)].gate.clone().unwrap();
    let expected = GateFailure::SchemaVersions { release: "5.0.4".into(), versions: 2 };
    assert_eq!(gate, expected);
    assert_eq!(gate.text(world.job.topology()), "nodes of 5.0.4 have 2 schema versions");
    world.schemas.clear();
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn schema_versions_that_were_there_before_hold_nothing() {
    let mut cluster = meshed("dc1 r1 3");
    cluster.schema_version = "v1".into();
    let mut topology = cluster.topology();
    let lagging = topology.nodes[2].address;
    topology.schema_versions.get_mut("v1").unwrap().retain(|address| *address != lagging);
    topology.schema_versions.insert("v0".into(), vec![lagging]);
    let mut world = World::new(cluster, Policy::default());
    let targets = topology.ids().collect();
    world.job = quorate_schedule::Job::new(topology, &targets, Policy::default()).unwrap();
    world.schemas.insert("v0".into(), [NodeId(2)].into());
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.maps, 0);
}

#[test]
fn ranges_on_their_way_keep_a_node_out() {
    let mut world = World::new(meshed("dc1 r1 3"), Policy::default());
    world.streams.insert(NodeId(0), "Rebuild".into());
    assert_eq!(world.run(HOUR), None);
    assert_eq!(world.order(), [0]);
    let gate = world.job.nodes()[&NodeId(0)].gate.clone().unwrap();
    assert_eq!(gate.text(world.job.topology()), "it streams: Rebuild");
    world.streams.clear();
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

fn component() -> Policy {
    Policy { strategy: Strategy::Component, dc_parallel: true, ..Policy::default() }
}

fn group(nodes: &[u32]) -> Group {
    Group { nodes: nodes.iter().copied().map(NodeId).collect(), ..Group::default() }
}

#[test]
fn the_groups_of_a_component_run_one_after_the_other() {
    // Nobody shares a range: only the groups keep them apart.
    let mut world = World::new(Cluster::new("dc1 r1 5"), component());
    world.groups = Ok(vec![group(&[4, 3]), Group { max_out: Some(1), ..group(&[0, 1, 2]) }]);
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.order(), [4, 3, 0, 1, 2]);
    assert_eq!(world.started_at(4), world.started_at(3));
    assert!(world.started_at(0).unwrap() >= world.confirmed_at(4).unwrap());
    assert!(world.started_at(1).unwrap() >= world.confirmed_at(0).unwrap());
}

#[test]
fn the_guard_is_behind_every_component() {
    let mut world = World::new(meshed("dc1 r1 4"), component());
    world.groups = Ok(vec![group(&[0, 1, 2, 3])]);
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.most, 1);
}

#[test]
fn what_a_component_names_wrongly_is_dropped_and_told() {
    let mut world = World::new(Cluster::new("dc1 r1 2"), component());
    world.groups = Ok(vec![group(&[0, 0, 9]), group(&[1])]);
    assert_eq!(world.run(HOUR), Some(End::Completed));
    let dropped = &world.job.proposed().unwrap().dropped;
    assert_eq!(dropped, &["10.0.0.0 is named twice", "node 9 is no target"]);
}

#[test]
fn a_component_that_names_nobody_ends_the_job_with_that_reason() {
    let mut world = World::new(Cluster::new("dc1 r1 2"), component());
    world.groups = Ok(vec![group(&[1])]);
    assert_eq!(world.run(HOUR), Some(End::Stopped { left: 1 }));
    assert_eq!(world.job.stopping(), Some(&StopCause::NotProposed));
    assert_eq!(world.order(), [1]);
    let mut world = World::new(Cluster::new("dc1 r1 2"), component());
    world.groups = Err("it trapped".into());
    assert_eq!(world.run(HOUR), Some(End::Stopped { left: 2 }));
    assert_eq!(world.job.stopping(), Some(&StopCause::Strategy("it trapped".into())));
}

#[test]
fn a_component_may_pause_and_continue_goes_on() {
    let mut world = World::new(Cluster::new("dc1 r1 3"), component());
    world.groups = Ok(vec![Group { pause_after: true, ..group(&[2]) }, group(&[0, 1])]);
    assert_eq!(world.run(HOUR), Some(End::Stopped { left: 2 }));
    assert_eq!(world.job.stopping(), Some(&StopCause::GroupDone(1)));
    world.groups = Ok(vec![group(&[0, 1])]);
    world.begin(None);
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn a_new_answer_waits_for_the_nodes_of_the_earlier_one_and_keeps_its_pause() {
    let mut world = World::new(Cluster::new("dc1 r1 3"), component());
    world.groups = Ok(vec![Group { pause_after: true, ..group(&[0]) }, group(&[1, 2])]);
    world.manner(0, Manner { takes: 120_000, ..Manner::default() });
    world.begin(None);
    world.go_on(5_000);
    world.groups = Ok(vec![group(&[1, 2])]);
    world.cluster.schema_version = "v2".into();
    world.go_on(60_000);
    world.job.handle(quorate_schedule::Event::Mapped(world.topology().into()), world.now);
    world.tell(quorate_schedule::Event::Tick);
    assert_eq!(world.order(), [0]);
    let reason = &world.job.holds()[&NodeId(1)];
    assert!(matches!(reason, Reason::LaterGroup { turn: 0, .. }), "{reason:?}");
    assert_eq!(world.go_on(HOUR), Some(End::Stopped { left: 2 }));
    assert_eq!(world.job.stopping(), Some(&StopCause::GroupDone(1)));
}

#[test]
fn a_dynamic_component_is_asked_again_whenever_a_node_is_back() {
    let policy = Policy { strategy_is_dynamic: true, ..component() };
    let mut world = World::new(Cluster::new("dc1 r1 3"), policy);
    world.groups = Ok(vec![Group { max_out: Some(1), ..group(&[0, 1, 2]) }]);
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert!(world.proposals >= 4, "{}", world.proposals);
}

#[test]
fn a_dead_node_that_is_removed_does_not_open_the_gate() {
    // RF 3 on three nodes, one of them dead: held. Then it is removed: two of two are needed now, which
    // nobody was told when the job began.
    let mut world =
        World::new(meshed("dc1 r1 3"), Policy { ignore_down_nodes: true, ..Policy::default() });
    world.down.insert(NodeId(2));
    assert_eq!(world.run(60_000), None);
    assert!(world.starts.is_empty());
    world.cluster.left.insert(2);
    assert_eq!(world.go_on(HOUR), Some(End::Stopped { left: 2 }));
    assert!(world.starts.is_empty());
    assert_eq!(world.job.stopping(), Some(&StopCause::Exposed("shop".into())));
    // Asked to go on all the same, it does: one at a time.
    world.begin(None);
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert_eq!(world.most, 1);
}

#[test]
fn a_look_without_the_schemas_version_starts_nothing() {
    let mut world = World::new(meshed("dc1 r1 3"), Policy::default());
    world.no_schema = true;
    assert_eq!(world.run(HOUR), None);
    assert!(world.starts.is_empty());
    assert_eq!(text(&world, 0), "reading the ring anew: nobody told the schema's version");
    world.no_schema = false;
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn a_map_read_while_the_schema_settles_is_read_again() {
    let mut world = World::new(meshed("dc1 r1 3"), Policy::default());
    world.begin(None);
    world.go_on(1_500);
    // The keyspace is there, and one node hasn't heard of it: a map read now shows two versions.
    world.cluster.schema_version = "v2".into();
    let mut torn = world.topology();
    let late = torn.nodes[2].address;
    torn.schema_versions.get_mut("v2").unwrap().retain(|address| *address != late);
    torn.schema_versions.insert("v1".into(), vec![late]);
    world.tell(quorate_schedule::Event::Mapped(torn.into()));
    let before = mapped(&world);
    world.go_on(60_000);
    assert!(mapped(&world) > before, "it is read again");
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn a_node_that_was_started_and_leaves_the_cluster_is_waited_for_no_more() {
    let mut world = World::new(
        meshed("dc1 r1 5"),
        Policy { max_failures: quorate_schedule::FailureBudget::Nodes(9), ..Policy::default() },
    );
    world.manner(0, Manner { up_after: u64::MAX, ..Manner::default() });
    assert_eq!(world.run(60_000), None);
    world.cluster.left.insert(0);
    assert_eq!(world.go_on(HOUR), Some(End::Failed { failed: 1, left: 0 }));
    assert_eq!(world.starts.len(), 5);
}

#[test]
fn a_dead_machine_holds_nobody_else() {
    let gates = quorate_schedule::GatePolicy { new_process: true };
    let mut world = World::new(meshed("dc1 r1 5"), Policy { gates, ..Policy::default() });
    world.down.insert(NodeId(4));
    world.unreadable.insert(NodeId(4));
    world.begin(None);
    world.go_on(300_000);
    assert!(world.starts.is_empty(), "all others share a range with it");
    let text = text(&world, 0);
    assert!(text.ends_with("needs 2 of 3 in dc1; 10.0.0.4 is down"), "{text}");
}
