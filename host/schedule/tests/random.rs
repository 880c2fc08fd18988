//! Random clusters and mishaps: whatever happens, no two nodes that share a range are out because of
//! the job, and a job without mishaps ends with every node run.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_ring::NodeId;
use quorate_schedule::{End, FailureBudget, Outcome, Phase, Policy, Strategy};
use world::{Manner, World, nodes, with_sets};

/// Seeds tried: `QUORATE_CASES`, or few enough for a build without optimisation.
fn cases() -> u64 {
    std::env::var("QUORATE_CASES").map_or(100, |n| n.parse().unwrap())
}

const HOUR: u64 = 3_600_000;

/// SplitMix64: a case is its seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn world(chance: &mut Chance, mishaps: bool) -> World {
    let centers = 1 + chance.below(3);
    let mut racks = Vec::new();
    for dc in 1..=centers {
        for rack in 1..=1 + chance.below(4) {
            racks.push(format!("dc{dc} r{rack} {}", 1 + chance.below(4)));
        }
    }
    let nodes = nodes(&racks.join(", "));
    let count = nodes.len() as u64;
    // Replica sets at random: harder than any placement that Cassandra makes.
    let set = |chance: &mut Chance| -> Vec<usize> {
        (0..1 + chance.below(4)).map(|_| chance.below(count) as usize).collect()
    };
    let sets: Vec<_> = (0..=chance.below(2 * count)).map(|_| set(chance)).collect();
    let strategy = [Strategy::One, Strategy::Topology, Strategy::All][chance.below(3) as usize];
    let policy = Policy {
        strategy,
        dc_parallel: chance.one_in(2),
        max_concurrency: chance.one_in(3).then(|| 1 + chance.below(3) as u32),
        max_failures: FailureBudget::Percent(100),
        node_done_pause_ms: if chance.one_in(4) { chance.below(20_000) } else { 0 },
        ignore_down_nodes: mishaps && chance.one_in(4),
        timeout_ms: (mishaps && chance.one_in(2)).then_some(120_000),
        ..Policy::default()
    };
    let mut world = World::new(with_sets(nodes, &sets), policy);
    world.round_takes = 50 + chance.below(3_000);
    for node in 0..count as u32 {
        let failed = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
        let outcome = if mishaps && chance.one_in(6) { failed } else { Outcome::Done("".into()) };
        let never = mishaps && chance.one_in(10);
        world.manner(
            node,
            Manner {
                takes: chance.below(20_000),
                outcome,
                up_after: if never { u64::MAX } else { chance.below(30_000) },
                sees_after: chance.below(30_000),
                serves_after: chance.below(30_000),
                new_process: true,
            },
        );
        if mishaps && chance.one_in(12) {
            world.down.insert(NodeId(node));
        }
    }
    world
}

/// No two nodes that share a range are out because of the job, but for one that was down when it was
/// started: starting it made nothing worse.
fn check(world: &World, seed: u64) {
    let out: Vec<_> =
        world.job.nodes().iter().filter(|(_, run)| run.out).map(|(id, _)| *id).collect();
    let replicas = &world.job.topology().replicas;
    for (place, a) in out.iter().enumerate() {
        for b in &out[place + 1..] {
            if world.rescued.contains(a) || world.rescued.contains(b) {
                continue;
            }
            let shared = replicas.shared(*a, *b);
            assert!(shared.is_none(), "seed {seed}: {a:?} and {b:?} are out together");
        }
    }
}

#[test]
fn no_two_neighbours_are_ever_out_together() {
    for seed in 0..cases() {
        let mut chance = Chance(seed);
        let mut world = world(&mut chance, true);
        world.begin(None);
        for _ in 0..400 {
            if world.end.is_some() {
                break;
            }
            world.go_on(10_000);
            check(&world, seed);
            if chance.one_in(40) {
                let node = NodeId(chance.below(world.job.topology().nodes.len() as u64) as u32);
                if !world.running.contains_key(&node) {
                    world.down.insert(node);
                }
            }
            if chance.one_in(20) {
                world.rounds_fail = !world.rounds_fail;
            }
        }
    }
}

#[test]
fn a_job_without_mishaps_ends_with_every_node_run_once() {
    for seed in 0..cases() {
        let mut world = world(&mut Chance(seed), false);
        assert_eq!(world.run(24 * HOUR), Some(End::Completed), "seed {seed}");
        assert_eq!(world.starts.len(), world.job.nodes().len(), "seed {seed}");
        assert!(world.job.nodes().values().all(|r| r.phase == Phase::Done && !r.out));
    }
}
