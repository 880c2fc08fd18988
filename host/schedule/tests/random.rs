//! Random clusters and mishaps through the whole job, in virtual time: whatever happens, no start breaks the
//! guarantee, as the oracle tells it; and a job without mishaps ends with every node run.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_fixtures::{Chance, Cluster, oracle_members, oracle_replication};
use quorate_oracle::{HeldRange, Member, broken, place};
use quorate_ring::{Liveness, Mode, NodeId};
use quorate_schedule::{
    End, FailureBudget, Group, Guarantee, Level, MaxOut, Outcome, Phase, Policy, StopCause,
    Strategy,
};
use std::collections::{BTreeMap, BTreeSet};
use world::{Manner, World};

/// Seeds tried: `QUORATE_CASES` of them, or few enough for a build without optimisation; or the one of
/// `QUORATE_SEED`, with all that the job wrote down.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().unwrap());
    match number("QUORATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("QUORATE_CASES").unwrap_or(200),
    }
}

/// What repeats a failing case.
fn again(seed: u64) -> String {
    format!("QUORATE_SEED={seed} cargo test -p quorate-schedule --test random -- --nocapture")
}

/// With `QUORATE_SEED`, what the job wrote down.
fn tell(world: &World) {
    if std::env::var_os("QUORATE_SEED").is_some() {
        for (at, transition) in &world.record {
            let text = format!("{transition:?}");
            println!("{at} {}", text.chars().take(300).collect::<String>());
        }
    }
}

const HOUR: u64 = 3_600_000;

fn cluster(chance: &mut Chance) -> Cluster {
    let centers = 1 + chance.below(3);
    let mut racks = Vec::new();
    for dc in 1..=centers {
        for rack in 1..=1 + chance.below(4) {
            racks.push(format!("dc{dc} r{rack} {}", 1 + chance.below(3)));
        }
    }
    let mut cluster = Cluster::new(&racks.join(", "));
    let tokens = 1 + chance.below(4) as usize;
    cluster.scatter(tokens, chance);
    for name in ["shop", "system_of_record"] {
        let replication = replication(chance, centers);
        cluster = cluster.keyspace(name, &replication);
    }
    cluster.system_keyspaces()
}

fn replication(chance: &mut Chance, centers: u64) -> String {
    if chance.one_in(6) {
        return format!("simple {}", 1 + chance.below(5));
    }
    let mut factors = Vec::new();
    for dc in 1..=centers {
        if !chance.one_in(5) {
            let all = 1 + chance.below(7);
            let transient = u64::from(all > 2 && chance.one_in(8));
            factors.push(format!("dc{dc}={all}/{transient}"));
        }
    }
    if chance.one_in(8) {
        factors.push("removed=3".into());
    }
    factors.join(" ")
}

fn policy(chance: &mut Chance, mishaps: bool) -> Policy {
    use Strategy::{All, Component, One, Quorum, Topology};
    let strategy = [One, Topology, Quorum, All, Component][chance.below(5) as usize];
    let level = [Level::LocalQuorum, Level::Quorum, Level::LocalOne, Level::One];
    let guarantee = Guarantee {
        level: if chance.one_in(2) { Level::LocalQuorum } else { level[chance.below(4) as usize] },
        max_out: match chance.below(3) {
            0 => MaxOut::Usual,
            1 => MaxOut::Nodes(1 + chance.below(4) as u32),
            _ => MaxOut::Percent(100),
        },
        ..Guarantee::default()
    };
    Policy {
        strategy,
        guarantee,
        strategy_is_dynamic: chance.one_in(3),
        dc_parallel: chance.one_in(2),
        max_concurrency: chance.one_in(3).then(|| 1 + chance.below(3) as u32),
        max_failures: FailureBudget::Percent(100),
        node_done_pause_ms: if chance.one_in(4) { chance.below(20_000) } else { 0 },
        ignore_down_nodes: mishaps && chance.one_in(4),
        timeout_ms: (mishaps && chance.one_in(2)).then_some(120_000),
        ..Policy::default()
    }
}

fn world(chance: &mut Chance, mishaps: bool) -> World {
    let cluster = cluster(chance);
    let count = cluster.nodes.len() as u64;
    let policy = policy(chance, mishaps);
    let mut world = World::new(cluster, policy);
    world.round_takes = 50 + chance.below(3_000);
    // Whatever a component proposes: all nodes in groups at random, one named twice, one that isn't there.
    let mut groups: Vec<Group> = vec![Group::default(); 1 + chance.below(3) as usize];
    for node in 0..count as u32 {
        let group = chance.below(groups.len() as u64) as usize;
        groups[group].nodes.push(NodeId(node));
    }
    groups[0].nodes.extend([NodeId(0), NodeId(9_999)]);
    groups[0].max_out = chance.one_in(3).then_some(2);
    world.groups = Ok(groups);
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

/// The oracle's view of the cluster as it was last shown to the job.
struct Judge {
    members: Vec<Member>,
    keyspaces: Vec<(quorate_oracle::Replication, Vec<HeldRange>)>,
    level: quorate_oracle::Level,
    caps: BTreeMap<String, usize>,
}

impl Judge {
    fn new(cluster: &Cluster, guarantee: &Guarantee) -> Self {
        let members = oracle_members(cluster);
        let guarded = |name: &str| ["shop", "system_of_record", "late"].contains(&name);
        let keyspaces = cluster
            .keyspaces
            .iter()
            .filter(|keyspace| guarded(keyspace.name.as_str()))
            .filter_map(|keyspace| {
                let replication = oracle_replication(&keyspace.replication)?;
                let ranges = place(&members, &replication);
                Some((replication, ranges))
            })
            .collect();
        let level = match guarantee.level {
            Level::One => quorate_oracle::Level::One,
            Level::LocalOne => quorate_oracle::Level::LocalOne,
            Level::LocalQuorum => quorate_oracle::Level::LocalQuorum,
            Level::Quorum => quorate_oracle::Level::Quorum,
        };
        let mut racks: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
        for member in &members {
            *racks.entry(member.dc.clone()).or_default().entry(&member.rack).or_default() += 1;
        }
        let cap = |racks: &BTreeMap<&str, usize>| {
            let nodes: usize = racks.values().sum();
            match guarantee.max_out {
                MaxOut::Usual => (*racks.values().max().unwrap()).max((nodes * 4).div_ceil(10)),
                MaxOut::Nodes(n) => n as usize,
                MaxOut::Percent(_) => nodes,
            }
        };
        let caps = racks.iter().map(|(dc, racks)| (dc.clone(), cap(racks))).collect();
        Self { members, keyspaces, level, caps }
    }

    /// What these starts break; `before` was out already.
    fn wrong(&self, starts: &BTreeSet<usize>, before: &BTreeSet<usize>) -> Option<String> {
        let new: BTreeSet<usize> = starts.difference(before).copied().collect();
        let then: BTreeSet<usize> = before.union(&new).copied().collect();
        for (replication, ranges) in &self.keyspaces {
            for range in broken(&self.members, ranges, replication, self.level, &then) {
                if range.members.is_disjoint(&new) {
                    continue;
                }
                let bears_none =
                    range.members == range.natural && range.natural.len() <= range.need;
                if !bears_none || range.members.intersection(&then).count() > 1 {
                    return Some(format!("{replication:?} {range:?}, out {then:?}"));
                }
            }
        }
        for node in &new {
            let dc = &self.members[*node].dc;
            let out = then.iter().filter(|other| self.members[**other].dc == *dc).count();
            if out > self.caps[dc] {
                return Some(format!("{out} of {dc} are out"));
            }
            if self.members[*node].mode != quorate_oracle::Mode::Normal {
                return Some(format!("{node} isn't a normal node"));
            }
        }
        None
    }
}

/// Plays the world on and holds every start against the oracle. Returns how many it has judged.
struct Watch {
    judged: usize,
    /// Of the cluster as it was at the look before.
    judge: Judge,
    of: Cluster,
    guarantee: Guarantee,
}

impl Watch {
    fn new(world: &World) -> Self {
        let guarantee = world.job.policy().guarantee.clone();
        let judge = Judge::new(&world.cluster, &guarantee);
        Self { judged: 0, judge, of: world.cluster.clone(), guarantee }
    }

    fn check(&mut self, world: &World, seed: u64) {
        for batch in &world.batches[self.judged..] {
            if batch.seen != self.of {
                self.judge = Judge::new(&batch.seen, &self.guarantee);
                self.of = batch.seen.clone();
            }
            let numbers =
                |ids: &BTreeSet<NodeId>| ids.iter().map(|id| id.index()).collect::<BTreeSet<_>>();
            let wrong = self.judge.wrong(&numbers(&batch.starts), &numbers(&batch.out_before));
            if let Some(wrong) = wrong {
                tell(world);
                panic!("{}\n{:?} started: {wrong}\n{:#?}", again(seed), batch.starts, self.of);
            }
        }
        self.judged = world.batches.len();
    }
}

/// Something happens to the cluster.
fn mishap(world: &mut World, chance: &mut Chance) {
    let node = NodeId(chance.below(world.cluster.nodes.len() as u64) as u32);
    match chance.below(60) {
        0 | 1 if !world.running.contains_key(&node) => {
            world.down.insert(node);
        }
        2 | 3 => world.rounds_fail = !world.rounds_fail,
        4 => {
            world.dissent.insert(node);
        }
        5 => world.dissent.clear(),
        6 => {
            let dc = world.cluster.nodes[node.index()].data_center.as_str().to_owned();
            let rack = format!("r{}", 1 + chance.below(4));
            let joined = world.cluster.clone().joining(&dc, &rack, 1 + chance.below(3) as usize);
            world.cluster = joined;
        }
        7 => {
            // Who joins has joined, who leaves has left.
            for place in 0..world.cluster.nodes.len() {
                match world.cluster.nodes[place].status.mode {
                    Mode::Joining => {
                        world.cluster.nodes[place].status.mode = Mode::Normal;
                    }
                    Mode::Leaving => {
                        world.cluster.left.insert(place);
                    }
                    _ => {}
                }
            }
        }
        8 if !world.running.contains_key(&node) => {
            world.cluster.nodes[node.index()].status.mode = Mode::Leaving;
        }
        9 => {
            let centers = 1 + chance.below(3);
            let replication = replication(chance, centers);
            world.cluster.keyspaces.retain(|keyspace| keyspace.name.as_str() != "late");
            world.cluster = world.cluster.clone().keyspace("late", &replication);
            world.cluster.schema_version.push('x');
        }
        _ => {}
    }
}

#[test]
fn whatever_happens_no_start_breaks_the_guarantee() {
    let (mut starts, mut again_started) = (0, 0);
    let seeds = seeds();
    for seed in seeds.clone() {
        let mut chance = Chance(seed);
        let mut world = world(&mut chance, true);
        let mut watch = Watch::new(&world);
        world.begin(None);
        let mut retries = 3;
        for _ in 0..150 {
            if world.end.is_some() {
                if retries == 0 {
                    break;
                }
                // Somebody runs again what failed.
                retries -= 1;
                world.begin_again();
            }
            world.go_on(10_000);
            watch.check(&world, seed);
            mishap(&mut world, &mut chance);
        }
        starts += world.starts.len();
        let attempts = world.job.nodes().values().filter(|run| run.attempt > 1);
        again_started += attempts.count();
    }
    assert!(again_started > 0, "no node ran again");
    assert!(starts as u64 > (seeds.end - seeds.start), "{starts} starts only");
}

/// A job of this seed without mishaps, to its end.
fn calm(seed: u64) -> World {
    let mut chance = Chance(seed);
    let mut world = world(&mut chance, false);
    let mut watch = Watch::new(&world);
    world.begin(None);
    world.go_on(20_000 + chance.below(100_000));
    // What isn't a mishap: a node that joins and has joined, a new keyspace.
    if world.end.is_none() && chance.one_in(3) {
        world.cluster = world.cluster.clone().joining("dc1", "r1", 2);
        world.go_on(60_000);
        let last = world.cluster.nodes.last_mut().unwrap();
        last.status.mode = Mode::Normal;
        assert_eq!(last.status.liveness, Liveness::Up);
    }
    if world.end.is_none() && chance.one_in(3) {
        world.cluster = world.cluster.clone().keyspace("late", "dc1=2");
        world.cluster.schema_version.push('x');
    }
    world.go_on(24 * HOUR);
    // Nobody was told that the new keyspace bears no node out; now they are, and go on.
    if let Some(StopCause::Exposed(_)) = world.job.stopping() {
        world.begin(None);
        world.go_on(24 * HOUR);
    }
    watch.check(&world, seed);
    world
}

#[test]
fn a_job_without_mishaps_ends_with_every_node_run_once() {
    for seed in seeds() {
        let world = calm(seed);
        if world.end != Some(End::Completed) {
            tell(&world);
            panic!("{}\nit ends as {:?}: {:#?}", again(seed), world.end, world.job.holds());
        }
        assert_eq!(world.starts.len(), world.job.nodes().len(), "{}", again(seed));
        assert!(world.job.nodes().values().all(|r| r.phase == Phase::Done && !r.out));
    }
}
