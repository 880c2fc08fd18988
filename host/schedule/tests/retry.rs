//! `continue --retry-failed`: failed nodes run again, each under the guard as at its first start.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_fixtures::Cluster;
use quorate_ring::{NodeId, NodeStatus};
use quorate_schedule::{
    End, FailureBudget, Job, Outcome, Phase, Policy, Reason, Strategy, Transition,
};
use world::{Manner, World};

const HOUR: u64 = 3_600_000;

fn policy() -> Policy {
    Policy {
        strategy: Strategy::Quorum,
        max_failures: FailureBudget::Nodes(9),
        timeout_ms: Some(60_000),
        ..Policy::default()
    }
}

fn world(racks: &str, policy: Policy) -> World {
    World::new(Cluster::new(racks).vnodes(8).keyspace("shop", "dc1=3"), policy)
}

fn failing(up_after: u64) -> Manner {
    let outcome = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    Manner { outcome, up_after, ..Manner::default() }
}

/// When each node was started since then, in order.
fn starts(world: &World, since: usize) -> Vec<u32> {
    world.starts[since..].iter().map(|(_, node)| node.0).collect()
}

#[test]
fn a_failed_node_that_is_back_runs_again_as_another_attempt() {
    let mut world = world("dc1 r1 1, dc1 r2 1, dc1 r3 1", policy());
    world.manner(1, failing(0));
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 0 }));
    let before = world.starts.len();
    world.manner(1, Manner::default());
    assert_eq!(world.retry(HOUR), Some(End::Completed));
    assert_eq!(starts(&world, before), [1], "nobody else runs twice");
    let run = &world.job.nodes()[&NodeId(1)];
    assert_eq!((run.phase, run.attempt), (Phase::Done, 2));
    // That it was well before its command doesn't count.
    let (ended, confirmed) = (run.ended_at.unwrap(), run.confirmed_at.unwrap());
    assert!(confirmed >= ended + world.job.policy().stable_ms, "{ended} {confirmed}");

    // Who reads the records knows the same.
    let targets = world.job.nodes().keys().copied().collect();
    let mut fold = Job::new(world.topology(), &targets, policy()).unwrap();
    world.record.iter().for_each(|(at, transition)| fold.apply(transition, *at));
    assert_eq!(fold.nodes(), world.job.nodes());
}

#[test]
fn without_the_wish_it_is_left_alone() {
    let mut world = world("dc1 r1 1, dc1 r2 1, dc1 r3 1", policy());
    world.manner(0, failing(0));
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 0 }));
    let before = world.starts.len();
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 0 }));
    assert_eq!(starts(&world, before), [0; 0]);
}

#[test]
fn one_that_is_not_back_is_brought_back_before_its_neighbours_go() {
    for strategy in [Strategy::Quorum, Strategy::Topology, Strategy::One] {
        let mut world = world("dc1 r1 2, dc1 r2 2, dc1 r3 2", Policy { strategy, ..policy() });
        world.manner(0, failing(u64::MAX));
        assert!(matches!(world.run(HOUR), Some(End::Failed { failed: 1, .. })), "{strategy:?}");
        let before = world.starts.len();
        // It is the command that brings it back.
        world.manner(0, Manner::default());
        world.down.insert(NodeId(0));
        assert_eq!(world.retry(HOUR), Some(End::Completed), "{strategy:?}");
        let again = starts(&world, before);
        assert_eq!(again.iter().filter(|node| **node == 0).count(), 1);
        let of = |node: u32| world.starts[before..].iter().find(|(_, id)| id.0 == node).unwrap().0;
        let back = world.job.nodes()[&NodeId(0)].confirmed_at.unwrap();
        for node in again.iter().filter(|node| **node >= 2) {
            assert!(of(*node) >= back, "{strategy:?}: {node} shares its ranges: {again:?}");
        }
    }
}

#[test]
fn several_that_are_not_back_are_not_in_each_others_way() {
    for strategy in [Strategy::Quorum, Strategy::Topology] {
        let mut world = world("dc1 r1 2, dc1 r2 2, dc1 r3 2", Policy { strategy, ..policy() });
        for node in [0, 1] {
            world.manner(node, failing(u64::MAX));
        }
        assert!(matches!(world.run(HOUR), Some(End::Failed { failed: 2, .. })), "{strategy:?}");
        for node in [0, 1] {
            world.manner(node, Manner::default());
            world.down.insert(NodeId(node));
        }
        assert_eq!(world.retry(HOUR), Some(End::Completed), "{strategy:?}");
    }
}

#[test]
fn a_neighbour_that_went_down_meanwhile_holds_it() {
    let mut world = world("dc1 r1 1, dc1 r2 1, dc1 r3 1", policy());
    world.manner(0, failing(0));
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 0 }));
    let before = world.starts.len();
    world.manner(0, Manner::default());
    world.down.insert(NodeId(2));
    assert_eq!(world.retry(600_000), None);
    assert_eq!(starts(&world, before), [0; 0]);
    assert!(matches!(world.job.holds()[&NodeId(0)], Reason::ReplicaSet(_)));
    world.down.remove(&NodeId(2));
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert_eq!(starts(&world, before), [0]);
    let retried = Transition::Retried { node: NodeId(0) };
    assert_eq!(world.record.iter().filter(|(_, step)| *step == retried).count(), 1);
}

#[test]
fn one_that_fails_again_has_failed_and_counts() {
    let policy = Policy { max_failures: FailureBudget::Nodes(0), ..policy() };
    let mut world = world("dc1 r1 1, dc1 r2 1, dc1 r3 1", policy);
    world.manner(0, failing(0));
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 2 }));
    assert_eq!(world.retry(HOUR), Some(End::Failed { failed: 1, left: 2 }));
    assert_eq!(world.job.nodes()[&NodeId(0)].attempt, 2);
    world.manner(0, Manner::default());
    assert_eq!(world.retry(HOUR), Some(End::Completed));
}

/// A world whose first node failed and is up, out, and streams.
fn streaming(strategy: Strategy) -> World {
    let mut world = world("dc1 r1 2, dc1 r2 2, dc1 r3 2", Policy { strategy, ..policy() });
    world.manner(0, failing(0));
    world.streams.insert(NodeId(0), "Rebuild".into());
    assert!(matches!(world.run(HOUR), Some(End::Failed { failed: 1, .. })), "{strategy:?}");
    assert!(world.job.nodes()[&NodeId(0)].out);
    world.manner(0, Manner::default());
    world
}

#[test]
fn one_that_is_up_and_out_is_not_in_its_own_way() {
    for strategy in [Strategy::Quorum, Strategy::Topology, Strategy::One] {
        let mut world = streaming(strategy);
        let before = world.starts.len();
        world.retry(30_000);
        assert_eq!(starts(&world, before).first(), Some(&0), "{strategy:?}");
        world.streams.clear();
        assert_eq!(world.go_on(HOUR), Some(End::Completed), "{strategy:?}");
    }
}

#[test]
fn that_it_became_well_before_its_command_does_not_count() {
    let mut world = streaming(Strategy::Quorum);
    world.streams.clear();
    // Nobody sees that the command runs.
    world.shown.insert(NodeId(0), NodeStatus::UP_NORMAL);
    assert_eq!(world.retry(HOUR), Some(End::Completed));
    let run = &world.job.nodes()[&NodeId(0)];
    assert_eq!(run.attempt, 2);
    let (ended, confirmed) = (run.ended_at.unwrap(), run.confirmed_at.unwrap());
    assert!(confirmed >= ended + world.job.policy().stable_ms, "{ended} {confirmed}");
}

#[test]
fn one_that_waits_to_run_again_still_holds_its_neighbours() {
    let mut gated = Policy { max_failures: FailureBudget::Nodes(0), ..policy() };
    gated.gates.new_process = true;
    let mut world = world("dc1 r1 1, dc1 r2 1, dc1 r3 1", gated);
    world.manner(0, failing(0));
    world.streams.insert(NodeId(0), "Rebuild".into());
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 2 }));
    // It is up, out, and can't be asked for its generation any more, without which it doesn't start.
    world.now += 60_000;
    world.unreadable.insert(NodeId(0));
    let before = world.starts.len();
    assert_eq!(world.retry(600_000), None);
    assert_eq!(starts(&world, before), [0; 0]);
    let Reason::ReplicaSet(set) = &world.job.holds()[&NodeId(1)] else {
        panic!("{:?}", world.job.holds())
    };
    assert!(set.out.iter().any(|(node, _)| *node == NodeId(0)), "{set:?}");
}
