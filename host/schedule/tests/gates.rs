//! What confirms a node. Each gate has a test that fails without it.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_ring::{NodeId, NodeStatus, RingShape};
use quorate_schedule::{
    End, Event, FailureBudget, GateFailure, GatePolicy, Outcome, Phase, Policy, Round, SchemaView,
    SelfAnswer, SelfView, Transition, View, judge,
};
use std::collections::{BTreeMap, BTreeSet};
use world::{Manner, World, meshed, racked};

const HOUR: u64 = 3_600_000;

fn two() -> World {
    World::new(meshed("dc1 r1 2"), Policy::default())
}

/// Runs two nodes that share a range and tells how long after the first one's end the second started.
fn delay(mut world: World) -> u64 {
    assert_eq!(world.run(HOUR), Some(End::Completed));
    world.started_at(1).unwrap() - world.ended[&NodeId(0)]
}

#[test]
fn a_healthy_node_is_confirmed_after_the_stable_time() {
    let delay = delay(two());
    assert!((5_000..9_000).contains(&delay), "{delay}");
}

#[test]
fn gate_1_waits_until_every_observer_shows_it_up() {
    let mut world = two();
    world.manner(0, Manner { up_after: 60_000, ..Manner::default() });
    assert!(delay(world) >= 65_000);
}

#[test]
fn gate_2_waits_until_it_sees_whom_the_others_see() {
    let mut world = World::new(meshed("dc1 r1 3"), Policy::default());
    world.manner(0, Manner { sees_after: 60_000, ..Manner::default() });
    assert!(delay(world) >= 65_000);
}

#[test]
fn gate_3_waits_until_it_serves() {
    let mut world = two();
    world.manner(0, Manner { serves_after: 60_000, ..Manner::default() });
    assert!(delay(world) >= 65_000);
}

#[test]
fn new_process_never_confirms_the_old_one() {
    let gates = GatePolicy { new_process: true };
    let policy = Policy { gates, timeout_ms: Some(120_000), ..Policy::default() };
    let mut world = World::new(meshed("dc1 r1 2"), policy);
    world.manner(0, Manner { new_process: false, ..Manner::default() });
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 1 }));
    let gate = Some(GateFailure::SameProcess);
    let timed_out = Transition::TimedOut { node: NodeId(0), limit_ms: 120_000, gate };
    assert!(world.record.iter().any(|(_, t)| *t == timed_out));
}

#[test]
fn new_process_is_waived_where_there_was_nothing_to_do() {
    let gates = GatePolicy { new_process: true };
    let mut world = World::new(meshed("dc1 r1 2"), Policy { gates, ..Policy::default() });
    let outcome = Outcome::Skipped("already there".into());
    world.manner(0, Manner { new_process: false, outcome, ..Manner::default() });
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.job.nodes()[&NodeId(0)].phase, Phase::Skipped);
}

#[test]
fn a_node_that_flaps_begins_its_stable_time_again() {
    let mut world = two();
    world.begin(None);
    world.go_on(5_000); // Ended; seen healthy since a moment.
    assert!(world.confirmed_at(0).is_none());
    world.down.insert(NodeId(0));
    world.go_on(4_000);
    world.down.clear();
    let back = world.now;
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
    assert!(world.confirmed_at(0).unwrap() >= back + 5_000);
}

#[test]
fn a_failed_round_proves_nothing() {
    let mut world = two();
    world.begin(None);
    world.go_on(2_000);
    world.rounds_fail = true;
    world.go_on(60_000);
    assert!(world.confirmed_at(0).is_none());
    world.rounds_fail = false;
    assert_eq!(world.go_on(HOUR), Some(End::Completed));
}

#[test]
fn a_node_that_never_comes_back_holds_the_job_until_its_time_is_over() {
    let never = Manner { up_after: u64::MAX, ..Manner::default() };
    let mut patient = World::new(racked("dc1 r1 1, dc1 r2 1"), Policy::default());
    patient.manner(0, never.clone());
    assert_eq!(patient.run(HOUR), None);
    assert_eq!(patient.order(), [0]);
    let gate = patient.job.nodes()[&NodeId(0)].gate.clone().unwrap();
    assert_eq!(gate.text(patient.job.topology()), "10.0.0.1 shows it as DN");

    let policy = Policy { timeout_ms: Some(600_000), ..Policy::default() };
    let mut timed = World::new(racked("dc1 r1 1, dc1 r2 1"), policy);
    timed.manner(0, never);
    assert_eq!(timed.run(HOUR), Some(End::Failed { failed: 1, left: 1 }));
    let run = &timed.job.nodes()[&NodeId(0)];
    assert!(run.out && run.stays_out);
    assert_eq!(timed.now - timed.started_at(0).unwrap(), 600_000);
}

#[test]
fn a_command_that_takes_too_long_is_ended() {
    let policy = Policy { timeout_ms: Some(10_000), ..Policy::default() };
    let mut world = World::new(meshed("dc1 r1 2"), policy);
    world.manner(0, Manner { takes: u64::MAX / 2, ..Manner::default() });
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 1 }));
    assert!(world.running.is_empty(), "it was cancelled");
    // Its end comes too late to count.
    world.tell(Event::Ended(NodeId(0), Outcome::Done("late".into())));
    assert_eq!(world.job.nodes()[&NodeId(0)].phase, Phase::Failed);
}

#[test]
fn the_commands_own_wait_counts_towards_the_stable_time() {
    let mut world = two();
    world.play_the_first_command();
    world.tell(Event::WaitHealthy(NodeId(0)));
    world.go_on(8_000);
    assert!(world.confirmed_at(0).is_none(), "the command hasn't ended");
    world.tell(Event::Ended(NodeId(0), Outcome::Done("up".into())));
    let ended = world.now;
    world.go_on(HOUR);
    assert!(world.confirmed_at(0).unwrap() <= ended + 2_400, "only the next round was needed");
}

#[test]
fn an_action_after_the_wait_begins_the_stable_time_again() {
    let mut world = two();
    world.play_the_first_command();
    world.tell(Event::WaitHealthy(NodeId(0)));
    world.go_on(8_000);
    world.tell(Event::Acting(NodeId(0)));
    world.tell(Event::Ended(NodeId(0), Outcome::Done("up".into())));
    let ended = world.now;
    world.go_on(HOUR);
    assert!(world.confirmed_at(0).unwrap() >= ended + 5_000);
}

#[test]
fn the_waiting_command_is_woken_when_the_gates_hold() {
    let mut world = two();
    world.play_the_first_command();
    world.down.insert(NodeId(0));
    world.tell(Event::WaitHealthy(NodeId(0)));
    world.go_on(30_000);
    let gate = world.job.nodes()[&NodeId(0)].gate.clone();
    assert!(matches!(gate, Some(GateFailure::NotUp { .. })), "{gate:?}");
}

fn round(views: &[(u32, &[(u32, &str)])], own: &[(u32, &str)], serving: bool) -> Round {
    let statuses = |rows: &[(u32, &str)]| -> BTreeMap<NodeId, NodeStatus> {
        rows.iter().map(|(id, s)| (NodeId(*id), NodeStatus::from_letters(s).unwrap())).collect()
    };
    let answer = SelfAnswer {
        statuses: statuses(own),
        serving,
        generation: 7,
        shape: RingShape::default(),
        streams: Vec::new(),
    };
    Round {
        began: 0,
        ended: 1,
        seen: 1,
        views: views
            .iter()
            .map(|(id, rows)| View {
                observer: NodeId(*id),
                statuses: statuses(rows),
                shape: RingShape::default(),
            })
            .collect(),
        selves: vec![SelfView { node: NodeId(0), answer: Ok(answer), late: false }],
        generations: BTreeMap::new(),
        schema: Some(SchemaView::default()),
    }
}

fn judged(round: &Round) -> Result<(), GateFailure> {
    judge(
        round,
        NodeId(0),
        &BTreeSet::new(),
        GatePolicy { new_process: true },
        Some(6),
        &BTreeMap::new(),
    )
}

const ALL: &[(u32, &str)] = &[(0, "UN"), (1, "UN"), (2, "UN")];

#[test]
fn one_dissenting_observer_is_enough() {
    assert_eq!(judged(&round(&[(1, ALL), (2, ALL)], ALL, true)), Ok(()));
    let dissent: &[(u32, &str)] = &[(0, "DN"), (1, "UN"), (2, "UN")];
    let status = Some(NodeStatus::DOWN_NORMAL);
    let expected = GateFailure::NotUp { observer: NodeId(2), status };
    assert_eq!(judged(&round(&[(1, ALL), (2, dissent)], ALL, true)), Err(expected));
    let unseen: &[(u32, &str)] = &[(1, "UN"), (2, "UN")];
    let expected = GateFailure::NotUp { observer: NodeId(1), status: None };
    assert_eq!(judged(&round(&[(1, unseen)], ALL, true)), Err(expected));
    let joining: &[(u32, &str)] = &[(0, "UJ"), (1, "UN"), (2, "UN")];
    assert!(judged(&round(&[(1, joining)], ALL, true)).is_err());
}

#[test]
fn a_node_must_see_whom_all_see_but_not_whom_nobody_sees() {
    let half: &[(u32, &str)] = &[(0, "UN"), (1, "UN"), (2, "DN")];
    let blind = GateFailure::Blind { other: NodeId(2), status: Some(NodeStatus::DOWN_NORMAL) };
    assert_eq!(judged(&round(&[(1, ALL)], half, true)), Err(blind));
    assert_eq!(judged(&round(&[(1, half)], half, true)), Ok(()));
    // What the job itself has out isn't asked for.
    let out = BTreeSet::from([NodeId(2)]);
    let gates = GatePolicy { new_process: false };
    assert_eq!(
        judge(&round(&[(1, ALL)], half, true), NodeId(0), &out, gates, None, &BTreeMap::new()),
        Ok(())
    );
}

#[test]
fn a_node_that_is_not_asked_or_does_not_answer_is_not_confirmed() {
    let mut round = round(&[(1, ALL)], ALL, true);
    round.selves[0].answer = Err("Connection refused".into());
    assert_eq!(judged(&round), Err(GateFailure::NoAnswer("Connection refused".into())));
    round.selves.clear();
    assert_eq!(judged(&round), Err(GateFailure::NotAsked));
}

#[test]
fn a_failed_command_may_leave_the_old_process() {
    let gates = GatePolicy { new_process: true };
    let max_failures = FailureBudget::Nodes(9);
    let policy = Policy { gates, max_failures, ..Policy::default() };
    let mut world = World::new(meshed("dc1 r1 2"), policy);
    let outcome = Outcome::Failed { code: "stop".into(), message: "not stopped".into() };
    world.manner(0, Manner { new_process: false, outcome, ..Manner::default() });
    world.run(HOUR);
    let run = &world.job.nodes()[&NodeId(0)];
    assert_eq!((run.phase, run.out), (Phase::Failed, false));
}

#[test]
fn no_node_is_confirmed_by_its_own_word_alone() {
    for views in [&[][..], &[(0, ALL)]] {
        assert!(matches!(judged(&round(views, ALL, true)), Err(GateFailure::NoRound(_))));
    }
    // A cluster of one has no other.
    let one: &[(u32, &str)] = &[(0, "UN")];
    assert_eq!(judged(&round(&[(0, one)], one, true)), Ok(()));
}

#[test]
fn a_run_whose_time_is_over_gets_no_node_confirmed() {
    let policy = Policy { timeout_ms: Some(10_000), ..Policy::default() };
    let mut world = World::new(meshed("dc1 r1 2"), policy);
    world.manner(0, Manner { takes: u64::MAX / 2, ..Manner::default() });
    assert_eq!(world.run(HOUR), Some(End::Failed { failed: 1, left: 1 }));
    world.tell(Event::WaitHealthy(NodeId(0)));
    world.go_on(60_000);
    assert!(world.confirmed_at(0).is_none() && world.job.nodes()[&NodeId(0)].out);
}

#[test]
fn a_healthy_node_whose_command_goes_on_is_looked_at_with_pauses() {
    let mut world = two();
    world.play_the_first_command();
    world.tell(Event::WaitHealthy(NodeId(0)));
    let before = world.rounds;
    world.go_on(220_000);
    assert!(world.rounds - before <= 101, "{} rounds", world.rounds - before);
}

#[test]
fn who_is_too_slow_for_a_round_begins_nothing_anew() {
    let mut world = two();
    world.begin(None);
    world.go_on(4_000);
    assert!(world.job.nodes()[&NodeId(0)].healthy_at.is_some());
    let slow = Round {
        began: world.now,
        ended: world.now,
        seen: world.now,
        views: vec![View {
            observer: NodeId(1),
            statuses: ALL[..2]
                .iter()
                .map(|(id, s)| (NodeId(*id), NodeStatus::from_letters(s).unwrap()))
                .collect(),
            shape: world.job.topology().shape.clone(),
        }],
        selves: vec![SelfView {
            node: NodeId(0),
            answer: Err("no answer in time".into()),
            late: true,
        }],
        generations: BTreeMap::new(),
        schema: None,
    };
    world.tell(Event::Observed(slow));
    assert!(world.job.nodes()[&NodeId(0)].healthy_at.is_some());
}
