//! Idle time: how long a node waits although nothing holds it any more, in virtual time, where it is exact. The table is
//! part of the docs; `UPDATE_EXPECTED=1` writes it anew.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_fixtures::{Chance, Cluster};
use quorate_ring::NodeId;
use quorate_schedule::{End, Policy, Strategy, Transition};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::PathBuf,
};
use world::{Manner, World};

/// What the clusters are called, racks, tokens a node, the user's keyspace.
const SHAPES: [(&str, &str, usize, &str); 6] = [
    ("3 nodes, 3 racks, RF 3", "dc1 r1 1, dc1 r2 1, dc1 r3 1", 16, "dc1=3"),
    ("12 nodes, 3 racks, RF 3", "dc1 r1 4, dc1 r2 4, dc1 r3 4", 16, "dc1=3"),
    ("60 nodes, 3 racks, RF 3", "dc1 r1 20, dc1 r2 20, dc1 r3 20", 16, "dc1=3"),
    ("20 nodes, 1 rack, RF 3", "dc1 r1 20", 16, "dc1=3"),
    ("30 nodes, 3 racks, RF 5", "dc1 r1 10, dc1 r2 10, dc1 r3 10", 16, "dc1=5"),
    (
        "2 x 12 nodes, 3 racks each, RF 3 and 3",
        "dc1 r1 4, dc1 r2 4, dc1 r3 4, dc2 r1 4, dc2 r2 4, dc2 r3 4",
        16,
        "dc1=3 dc2=3",
    ),
];

/// How long the observers take to answer: nodetool without a JVM, with one, and on nodes that are busy.
const LOOKS_MS: [u64; 3] = [200, 1_500, 4_000];

/// The guarantee, counted from nothing but the ring: what holds a node under strategy `quorum`.
struct Counts {
    /// Replicas of one range in one data center, and how many of them must stay.
    sets: Vec<(Vec<NodeId>, usize)>,
    /// The sets of each node.
    of: Vec<Vec<usize>>,
    /// The nodes of each node's data center, and how many of them may be out.
    center: Vec<(Vec<NodeId>, usize)>,
    out: BTreeSet<NodeId>,
}

impl Counts {
    fn new(cluster: &Cluster, policy: &Policy) -> Self {
        let topology = cluster.topology();
        let place = |id: &NodeId| topology.node(*id).data_center.clone();
        let mut sets = BTreeMap::new();
        for keyspace in cluster.keyspaces.iter().filter(|k| k.name.as_str() == "shop") {
            for range in topology.ranges(&keyspace.replication) {
                let mut centers: BTreeMap<_, Vec<NodeId>> = BTreeMap::new();
                for id in &range.natural {
                    centers.entry(place(id)).or_default().push(*id);
                }
                for (_, mut replicas) in centers {
                    replicas.sort_unstable();
                    let quorum = replicas.len() / 2 + 1;
                    sets.insert(replicas, quorum);
                }
            }
        }
        let sets: Vec<_> = sets.into_iter().collect();
        let of = |id: NodeId| (0..sets.len()).filter(|at| sets[*at].0.contains(&id)).collect();
        let of = topology.ids().map(of).collect();
        let center = |id: NodeId| {
            let nodes: Vec<_> = topology.ids().filter(|other| place(other) == place(&id)).collect();
            let mut racks = BTreeMap::new();
            for node in &nodes {
                *racks.entry(topology.node(*node).rack.clone()).or_insert(0) += 1;
            }
            let cap = policy.guarantee.max_out.cap(nodes.len(), *racks.values().max().unwrap());
            (nodes, cap)
        };
        let center = topology.ids().map(center).collect();
        Self { sets, of, center, out: BTreeSet::new() }
    }

    fn may_start(&self, node: NodeId) -> bool {
        let (nodes, cap) = &self.center[node.index()];
        let holds = |at: &usize| {
            let (replicas, quorum) = &self.sets[*at];
            let live = replicas.iter().filter(|id| **id != node && !self.out.contains(id)).count();
            live >= *quorum
        };
        nodes.iter().filter(|id| self.out.contains(id)).count() < *cap
            && self.of[node.index()].iter().all(holds)
    }
}

/// What a job's starts and releases tell, in milliseconds.
#[derive(Default)]
struct Times {
    /// Of each node that was held: from the release after which nothing held it to its start.
    idle: Vec<u64>,
    /// Of each node: from the moment when it was healthy to its release.
    confirming: Vec<u64>,
}

fn job(racks: &str, tokens: usize, replication: &str, look: u64, seed: u64) -> World {
    let cluster = Cluster::new(racks).vnodes(tokens).keyspace("shop", replication);
    let count = cluster.nodes.len() as u32;
    let policy = Policy { strategy: Strategy::Quorum, dc_parallel: true, ..Policy::default() };
    let mut world = World::new(cluster, policy);
    world.round_takes = look;
    let mut chance = Chance(seed);
    for node in 0..count {
        world.manner(
            node,
            Manner {
                takes: 5_000 + chance.below(30_000),
                up_after: chance.below(20_000),
                sees_after: chance.below(20_000),
                serves_after: chance.below(20_000),
                ..Manner::default()
            },
        );
    }
    assert_eq!(world.run(24 * 3_600_000), Some(End::Completed));
    world
}

fn times(world: &World) -> Times {
    let policy = Policy::default();
    let mut counts = Counts::new(&world.cluster, &policy);
    let mut times = Times::default();
    let mut waiting: BTreeSet<NodeId> = world.job.topology().ids().collect();
    let mut ended = BTreeMap::new();
    // Since when a node that was held isn't any more.
    let mut free: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut held = BTreeSet::new();
    for (at, transition) in &world.record {
        match transition {
            Transition::Started { node, .. } => {
                assert!(counts.may_start(*node), "a start that the ring doesn't bear");
                if held.contains(node) {
                    times.idle.push(at - free[node]);
                }
                waiting.remove(node);
                counts.out.insert(*node);
            }
            Transition::Ended { node, .. } => {
                ended.insert(*node, *at);
            }
            Transition::Confirmed { node } => {
                let manner = world.of(*node);
                let healthy =
                    ended[node] + manner.up_after.max(manner.sees_after).max(manner.serves_after);
                times.confirming.push(at - healthy);
                counts.out.remove(node);
            }
            _ => continue,
        }
        for node in &waiting {
            match counts.may_start(*node) {
                true => _ = free.entry(*node).or_insert(*at),
                false => {
                    free.remove(node);
                    held.insert(*node);
                }
            }
        }
    }
    assert!(waiting.is_empty());
    times
}

fn median(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn a_released_nodes_successor_starts_with_the_next_look() {
    let mut table = String::from(
        "| cluster | a look takes | starts that waited | idle, median | worst | healthy to released, median | worst |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    for (name, racks, tokens, replication) in SHAPES {
        for look in LOOKS_MS {
            let mut all = Times::default();
            for seed in 1..=3 {
                let times = times(&job(racks, tokens, replication, look, seed));
                all.idle.extend(times.idle);
                all.confirming.extend(times.confirming);
            }
            let (idle, confirming) = (median(&mut all.idle), median(&mut all.confirming));
            let (worst, longest) = (*all.idle.last().unwrap(), *all.confirming.last().unwrap());
            // The one look that a start needs after a release.
            assert!(worst <= look, "{name}, {look} ms: {worst} ms idle");
            let policy = Policy::default();
            // Healthy just too late for one look, seen by the next; stable just too late for one, seen by the next.
            let bound = policy.stable_ms + 2 * (policy.round_pause_ms + look) + look;
            assert!(longest <= bound, "{name}, {look} ms: {longest} ms from healthy to released");
            let _ = writeln!(
                table,
                "| {name} | {} | {} | {} | {} | {} | {} |",
                seconds(look),
                all.idle.len(),
                seconds(idle),
                seconds(worst),
                seconds(confirming),
                seconds(longest)
            );
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/measurements.md");
    let doc = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = doc.split_once("<!-- idle -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let now = format!("{before}<!-- idle -->\n{table}<!-- end -->{after}");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(now, written, "docs/measurements.md (UPDATE_EXPECTED=1)");
}
