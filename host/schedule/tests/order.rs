//! Which nodes run together, and in which order.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_fixtures::Cluster;
use quorate_ring::{NodeId, NodeStatus};
use quorate_schedule::{End, FailureBudget, Impact, Outcome, Phase, Policy, StopCause, Strategy};
use world::{Manner, World, meshed, racked};

fn policy() -> Policy {
    Policy::default()
}

const HOUR: u64 = 3_600_000;

#[test]
fn three_racks_of_four_run_four_at_a_time() {
    let mut world = World::new(racked("dc1 r1 4, dc1 r2 4, dc1 r3 4"), policy());
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.most, 4);
    assert_eq!(world.order(), (0..12).collect::<Vec<_>>());
    let waves: std::collections::BTreeSet<_> = world.starts.iter().map(|(at, _)| at).collect();
    assert_eq!(waves.len(), 3, "a rack starts at one moment");
}

#[test]
fn one_rack_where_every_pair_shares_a_range_runs_one_at_a_time() {
    let mut world = World::new(meshed("dc1 r1 5"), policy());
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.most, 1);
    assert_eq!(world.starts.len(), 5);
}

#[test]
fn data_centers_run_in_turn_or_in_parallel() {
    let cluster = "dc1 r1 2, dc1 r2 2, dc1 r3 2, dc2 r1 2, dc2 r2 2, dc2 r3 2";
    let mut serial = World::new(racked(cluster), policy());
    assert_eq!(serial.run(HOUR), Some(End::Completed));
    assert_eq!(serial.most, 2);
    assert_eq!(serial.order(), (0..12).collect::<Vec<_>>());
    let mut parallel = World::new(racked(cluster), Policy { dc_parallel: true, ..policy() });
    assert_eq!(parallel.run(HOUR), Some(End::Completed));
    assert_eq!(parallel.most, 4);
    assert!(parallel.now - 1_000_000 < (serial.now - 1_000_000) * 2 / 3);
}

#[test]
fn strategy_one_runs_one_of_each_data_center() {
    let cluster = "dc1 r1 3, dc2 r1 3";
    let none = Cluster::new;
    let one = Policy { strategy: Strategy::One, dc_parallel: true, ..policy() };
    let mut parallel = World::new(none(cluster), one.clone());
    assert_eq!(parallel.run(HOUR), Some(End::Completed));
    assert_eq!(parallel.most, 2);
    let mut serial = World::new(none(cluster), Policy { dc_parallel: false, ..one });
    assert_eq!(serial.run(HOUR), Some(End::Completed));
    assert_eq!(serial.most, 1);
}

#[test]
fn strategy_all_by_hand_runs_everything_and_otherwise_is_guarded() {
    let all = Policy { strategy: Strategy::All, ..policy() };
    let mut guarded = World::new(meshed("dc1 r1 4"), all.clone());
    assert_eq!(guarded.run(HOUR), Some(End::Completed));
    assert_eq!(guarded.most, 1, "the guard is behind every strategy");
    let mut taken = World::new(meshed("dc1 r1 4"), Policy { unguarded: true, ..all });
    assert_eq!(taken.run(HOUR), Some(End::Completed));
    assert_eq!(taken.most, 4);
}

#[test]
fn impact_none_observes_nothing_and_the_strategy_alone_decides() {
    let none = Policy { impact: Impact::None, ..policy() };
    let mut world = World::new(racked("dc1 r1 2, dc1 r2 2"), none.clone());
    world.down.insert(NodeId(3));
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!((world.rounds, world.most), (0, 2));
    let mut all =
        World::new(racked("dc1 r1 2, dc1 r2 2"), Policy { strategy: Strategy::All, ..none });
    assert_eq!(all.run(HOUR), Some(End::Completed));
    assert_eq!(all.most, 4);
}

#[test]
fn max_concurrency_is_kept_and_shared_between_data_centers() {
    let cluster = racked("dc1 r1 4, dc1 r2 4, dc2 r1 4, dc2 r2 4");
    let policy = Policy { max_concurrency: Some(3), dc_parallel: true, ..policy() };
    let mut world = World::new(cluster, policy);
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.most, 3);
    assert_eq!(world.order()[..3], [0, 8, 1]);
}

#[test]
fn stop_after_leaves_the_rest_for_the_next_run() {
    let mut world = World::new(racked("dc1 r1 2, dc1 r2 2"), policy());
    world.begin(Some(3));
    assert_eq!(world.go_on(HOUR), Some(End::Stopped { left: 1 }));
    assert_eq!(world.starts.len(), 3);
    assert_eq!(world.job.stopping(), Some(&StopCause::StopAfter(3)));
    world.begin(None);
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert_eq!(world.order(), [0, 1, 2, 3]);
}

#[test]
fn the_first_failure_ends_new_starts() {
    let mut world = World::new(meshed("dc1 r1 4"), policy());
    let failed = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    world.manner(1, Manner { outcome: failed, ..Manner::default() });
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 2 }));
    assert_eq!(world.order(), [0, 1]);
    assert_eq!(world.job.stopping(), Some(&StopCause::Failures { failed: 1, allowed: 0 }));
    // What wasn't started can go on; the old failure doesn't count against it.
    world.begin(None);
    assert_eq!(world.go_on(HOUR), Some(End::Failed { failed: 1, left: 0 }));
    assert_eq!(world.order(), [0, 1, 2, 3]);
}

#[test]
fn failures_within_the_budget_let_the_rest_run() {
    let mut world = World::new(
        meshed("dc1 r1 4"),
        Policy { max_failures: FailureBudget::Percent(100), ..policy() },
    );
    let failed = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    for node in [0, 2] {
        world.manner(node, Manner { outcome: failed.clone(), ..Manner::default() });
    }
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 2, left: 0 }));
    assert_eq!(world.most, 1, "a failed node is out until its gates hold");
    let run = &world.job.nodes()[&NodeId(0)];
    assert_eq!((run.phase, run.out), (Phase::Failed, false));
}

#[test]
fn a_failed_node_that_does_not_come_back_holds_its_neighbours() {
    let budget = FailureBudget::Nodes(9);
    let mut world = World::new(
        racked("dc1 r1 2, dc1 r2 1, dc1 r3 1"),
        Policy { max_failures: budget, ..policy() },
    );
    let failed = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    world.manner(0, Manner { outcome: failed, up_after: u64::MAX, ..Manner::default() });
    assert_eq!(world.run(HOUR), None);
    assert_eq!(world.order(), [0, 1], "its rack neighbour shares nothing with it");
    let text = world.job.holds()[&NodeId(2)].text(world.job.topology());
    assert!(
        text.ends_with("of shop needs 2 of 3 in dc1; 10.0.0.0 failed and isn't back"),
        "{text}"
    );
}

#[test]
fn the_pause_holds_the_successor_and_not_the_whole_job() {
    // Two pairs that share nothing with each other.
    let policy = Policy { node_done_pause_ms: 60_000, dc_parallel: true, ..policy() };
    let mut world = World::new(meshed("dc1 r1 2, dc2 r1 2"), policy);
    world.manner(2, Manner { takes: 30_000, ..Manner::default() });
    assert_eq!(world.run(HOUR), Some(End::Completed));
    let gap =
        |before, after| world.started_at(after).unwrap() - world.confirmed_at(before).unwrap();
    assert!((60_000..62_000).contains(&gap(0, 1)), "{}", gap(0, 1));
    assert!((60_000..62_000).contains(&gap(2, 3)), "{}", gap(2, 3));
    assert_eq!(world.started_at(0), world.started_at(2));
}

#[test]
fn a_down_node_holds_its_neighbours_and_nobody_else() {
    let cluster = racked("dc1 r1 1, dc1 r2 1, dc2 r1 1, dc2 r2 1");
    let targets = [0, 2, 3].map(NodeId).into_iter().collect();
    let mut world = World::with_targets(cluster, targets, Policy { dc_parallel: true, ..policy() });
    world.down.insert(NodeId(1));
    assert_eq!(world.run(HOUR), None);
    assert_eq!(world.order(), [2, 3]);
    let reason = world.job.holds()[&NodeId(0)].clone();
    let text = reason.text(world.job.topology());
    assert!(text.ends_with("in dc1 out: one at a time; 10.0.0.1 is down"), "{text}");
    // It comes back by itself: the job goes on.
    world.down.clear();
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn ignore_down_nodes_skips_down_targets_and_holds_only_their_neighbours() {
    let policy = Policy { ignore_down_nodes: true, dc_parallel: true, ..policy() };
    let mut world = World::new(meshed("dc1 r1 2, dc2 r1 2"), policy);
    world.down.insert(NodeId(1));
    assert_eq!(world.run(HOUR), None);
    assert_eq!(world.order(), [2, 3]);
    assert_eq!(world.job.nodes()[&NodeId(1)].phase, Phase::Skipped);
    let text = world.job.holds()[&NodeId(0)].text(world.job.topology());
    assert!(text.ends_with("10.0.0.1 is down"), "{text}");
}

#[test]
fn a_down_target_runs_first_and_alone() {
    let mut world = World::new(racked("dc1 r1 3, dc1 r2 3, dc1 r3 3"), policy());
    world.down.insert(NodeId(7));
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.order()[0], 7);
    assert!(world.starts[1].0 >= world.confirmed_at(7).unwrap());
    assert_eq!(world.most, 3);
}

#[test]
fn two_down_targets_run_one_after_the_other() {
    let mut world = World::new(meshed("dc1 r1 4"), policy());
    world.down.extend([NodeId(1), NodeId(3)]);
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.order()[..2], [1, 3]);
    assert_eq!(world.most, 1);
}

#[test]
fn nothing_starts_on_an_unobserved_cluster() {
    let mut world = World::new(meshed("dc1 r1 3"), policy());
    world.rounds_fail = true;
    assert_eq!(world.run(HOUR), None);
    assert!(world.starts.is_empty());
    assert!(world.rounds > 100, "it keeps looking");
    let reason = world.job.holds()[&NodeId(0)].text(world.job.topology());
    assert_eq!(reason, "the cluster can't be observed: nobody answers");
    world.rounds_fail = false;
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn a_start_needs_a_round_from_after_the_last_confirmation() {
    let mut world = World::new(meshed("dc1 r1 2"), policy());
    assert_eq!(world.run(HOUR), Some(End::Completed));
    let (released, next) = (world.confirmed_at(0).unwrap(), world.started_at(1).unwrap());
    assert!(next >= released + world.round_takes, "{next} {released}");
    assert!(next < released + 2 * world.round_takes, "it looks at once, not after a pause");
}

#[test]
fn a_target_that_joins_leaves_or_moves_is_held_and_so_is_its_data_center() {
    for letters in ["UJ", "UL", "UM", "?N"] {
        let mut world = World::new(meshed("dc1 r1 3"), policy());
        world.shown.insert(NodeId(2), NodeStatus::from_letters(letters).unwrap());
        assert_eq!(world.run(HOUR), None);
        assert!(world.starts.is_empty(), "{letters}: {:?}", world.order());
        let reason = world.job.holds()[&NodeId(2)].text(world.job.topology());
        assert_eq!(reason, format!("it is {letters} in the view of an observer"));
    }
}

#[test]
fn what_one_observer_shows_as_down_is_not_taken_for_down() {
    // Were it, it would go first, beside a neighbour that is down.
    let mut world = World::new(meshed("dc1 r1 4"), policy());
    world.dissent.insert(NodeId(2));
    world.begin(None);
    world.go_on(60_000);
    assert!(world.starts.is_empty(), "{:?}", world.order());
    world.dissent.clear();
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert_eq!(world.order(), [0, 1, 2, 3]);
}

#[test]
fn a_target_is_left_down_only_where_everybody_shows_it_as_down() {
    let policy = Policy { ignore_down_nodes: true, ..policy() };
    let mut world = World::new(meshed("dc1 r1 4"), policy);
    world.dissent.insert(NodeId(2));
    world.begin(None);
    world.go_on(60_000);
    world.dissent.clear();
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert_eq!(world.starts.len(), 4, "none was skipped");
}

#[test]
fn a_view_that_took_too_long_starts_nothing() {
    let mut world = World::new(meshed("dc1 r1 2"), policy());
    (world.round_takes, world.seen_after) = (20_000, Some(100));
    assert_eq!(world.run(HOUR), None);
    assert!(world.starts.is_empty());
    // One who is late makes the views no older, if most of them are new.
    world.seen_after = Some(19_000);
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn a_job_whose_rest_is_held_by_nodes_that_did_not_come_back_ends() {
    let policy =
        Policy { max_failures: FailureBudget::Nodes(9), timeout_ms: Some(60_000), ..policy() };
    let mut world = World::new(racked("dc1 r1 2, dc1 r2 1, dc1 r3 1"), policy);
    let failed = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    world.manner(0, Manner { outcome: failed, up_after: u64::MAX, ..Manner::default() });
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 2 }));
    assert_eq!(world.job.stopping(), Some(&StopCause::Stuck));
    // It is repaired by hand: the next run of the job sees that and goes on.
    world.manner(0, Manner::default());
    world.begin(None);
    assert_eq!(world.go_on(HOUR), Some(End::Failed { failed: 1, left: 0 }));
    assert_eq!(world.starts.len(), 4);
}

#[test]
fn a_down_node_that_is_no_target_is_left_alone() {
    let cluster = meshed("dc1 r1 2, dc2 r1 2");
    let targets = [0, 1].map(NodeId).into_iter().collect();
    let policy = Policy { ignore_down_nodes: true, ..policy() };
    let mut world = World::with_targets(cluster, targets, policy);
    world.down.insert(NodeId(3));
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.order(), [0, 1]);
}

#[test]
fn a_job_whose_only_place_is_taken_by_a_node_that_did_not_come_back_ends() {
    let policy = Policy {
        max_concurrency: Some(1),
        max_failures: FailureBudget::Nodes(9),
        timeout_ms: Some(60_000),
        ..policy()
    };
    // Nobody shares a range with anybody.
    let mut world = World::new(Cluster::new("dc1 r1 3"), policy);
    world.manner(0, Manner { up_after: u64::MAX, ..Manner::default() });
    world.shown.clear();
    let end = world.run(HOUR);
    assert!(matches!(end, Some(End::Failed { failed: 1, .. })), "{end:?}");
}

#[test]
fn a_node_whose_generation_cannot_be_read_holds_nobody_else() {
    let gates = quorate_schedule::GatePolicy { new_process: true };
    let mut world = World::new(meshed("dc1 r1 3"), Policy { gates, ..policy() });
    world.unreadable.insert(NodeId(0));
    world.begin(None);
    world.go_on(300_000);
    assert_eq!(world.order(), [1, 2]);
    assert!(world.rounds < 400, "{} rounds: it looks with pauses", world.rounds);
    let reason = world.job.holds()[&NodeId(0)].text(world.job.topology());
    assert_eq!(reason, "its nodetool info can't be read: no answer");
    world.unreadable.clear();
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn views_that_are_never_new_enough_are_asked_for_with_pauses() {
    let mut world = World::new(meshed("dc1 r1 2"), policy());
    (world.round_takes, world.seen_after) = (20_000, Some(100));
    world.begin(None);
    world.go_on(HOUR);
    assert!(world.starts.is_empty() && world.rounds <= 3_600 / 22 + 1, "{}", world.rounds);
}

#[test]
fn a_target_that_goes_down_meanwhile_holds_its_neighbours_and_nobody_else() {
    let cluster = racked("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc2 r1 1, dc2 r2 1, dc2 r3 1");
    let mut world = World::new(cluster, Policy { dc_parallel: true, ..policy() });
    world.manner(3, Manner { takes: 30_000, ..Manner::default() });
    world.manner(5, Manner { up_after: u64::MAX, ..Manner::default() });
    world.begin(None);
    world.go_on(2_000);
    assert_eq!(world.order(), [0, 3]);
    world.down.insert(NodeId(5));
    world.go_on(HOUR);
    let order = world.order();
    assert!([0, 1, 2].iter().all(|node| order.contains(node)), "dc1 goes on: {order:?}");
    let text = world.job.holds()[&NodeId(4)].text(world.job.topology());
    assert!(text.contains("10.0.0.5 "), "{text}");
    // What explains it from the records alone says the same.
    assert_eq!(world.job.clone().explain(world.now)[&NodeId(4)].text(world.job.topology()), text);
    world.manner(5, Manner::default());
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}
