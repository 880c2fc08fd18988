//! How many waves it takes: beside cstar's rule, over ring shapes of many kinds. The table is part of the
//! docs; `UPDATE_EXPECTED=1` writes it anew.
#![allow(clippy::unwrap_used)]

use quorate_fixtures::{Chance, Cluster};
use quorate_ring::{NodeId, Replication};
use quorate_schedule::{Guard, Policy, Strategy, Waves};
use std::{collections::BTreeSet, fmt::Write, path::PathBuf};

/// The shapes: what they are called, racks, tokens a node (0: one, racks in turn), the user's keyspace.
const SHAPES: [(&str, &str, usize, &str); 18] = [
    ("3 nodes, 3 racks, RF 3", "dc1 r1 1, dc1 r2 1, dc1 r3 1", 16, "dc1=3"),
    ("12 nodes, 3 racks, RF 3", "dc1 r1 4, dc1 r2 4, dc1 r3 4", 16, "dc1=3"),
    ("10 nodes, racks of 4, 3 and 3, RF 3", "dc1 r1 4, dc1 r2 3, dc1 r3 3", 16, "dc1=3"),
    ("30 nodes, 3 racks, 256 tokens, RF 3", "dc1 r1 10, dc1 r2 10, dc1 r3 10", 256, "dc1=3"),
    ("300 nodes, 3 racks, 16 tokens, RF 3", "dc1 r1 100, dc1 r2 100, dc1 r3 100", 16, "dc1=3"),
    (
        "300 nodes, 5 racks, 16 tokens, RF 5",
        "dc1 r1 60, dc1 r2 60, dc1 r3 60, dc1 r4 60, dc1 r5 60",
        16,
        "dc1=5",
    ),
    (
        "60 nodes, 6 racks, 16 tokens, RF 3",
        "dc1 r1 10, dc1 r2 10, dc1 r3 10, dc1 r4 10, dc1 r5 10, dc1 r6 10",
        16,
        "dc1=3",
    ),
    ("60 nodes, 1 rack, 256 tokens, RF 3", "dc1 r1 60", 256, "dc1=3"),
    ("60 nodes, 1 rack, 4 tokens, RF 3", "dc1 r1 60", 4, "dc1=3"),
    ("20 nodes, 2 racks, 16 tokens, RF 3", "dc1 r1 10, dc1 r2 10", 16, "dc1=3"),
    ("20 nodes, 2 racks, 16 tokens, RF 2", "dc1 r1 10, dc1 r2 10", 16, "dc1=2"),
    (
        "31 nodes, 3 racks of 10 and a new one of 1, RF 3",
        "dc1 r1 10, dc1 r2 10, dc1 r3 10, dc1 r4 1",
        16,
        "dc1=3",
    ),
    ("45 nodes, 3 racks, 16 tokens, RF 5", "dc1 r1 15, dc1 r2 15, dc1 r3 15", 16, "dc1=5"),
    ("30 nodes, one token, SimpleStrategy RF 3", "dc1 r1 30", 0, "simple 3"),
    ("31 nodes, one token, SimpleStrategy RF 3", "dc1 r1 31", 0, "simple 3"),
    ("30 nodes, 3 racks in turn, one token, RF 3", "dc1 r1 10, dc1 r2 10, dc1 r3 10", 0, "dc1=3"),
    (
        "2 x 30 nodes, 3 racks each, RF 3 and 3",
        "dc1 r1 10, dc1 r2 10, dc1 r3 10, dc2 r1 10, dc2 r2 10, dc2 r3 10",
        16,
        "dc1=3 dc2=3",
    ),
    (
        "30 + 3 nodes, 3 racks each, RF 3 and 2",
        "dc1 r1 10, dc1 r2 10, dc1 r3 10, dc2 r1 1, dc2 r2 1, dc2 r3 1",
        16,
        "dc1=3 dc2=2",
    ),
];

/// cstar 0.9's strategy `topology`: of the nodes left, in no particular order, each whose ranges no running
/// node of its data center holds too. Written from its source (`Job`, `strategy.py`, `topology.py`), for
/// keyspaces whose names don't begin with `system`.
fn cstar(cluster: &Cluster, seed: u64) -> usize {
    let topology = cluster.topology();
    let mut shares: Vec<BTreeSet<NodeId>> = vec![BTreeSet::new(); topology.nodes.len()];
    for keyspace in &cluster.keyspaces {
        let everywhere = matches!(keyspace.replication, Replication::Local);
        if keyspace.name.as_str().starts_with("system") || everywhere {
            continue;
        }
        for range in topology.ranges(&keyspace.replication) {
            for a in &range.natural {
                for b in &range.natural {
                    if topology.node(*a).data_center == topology.node(*b).data_center {
                        shares[a.index()].insert(*b);
                    }
                }
            }
        }
    }
    let mut left: Vec<NodeId> = topology.ids().collect();
    let mut chance = Chance(seed);
    for place in (1..left.len()).rev() {
        left.swap(place, chance.below(place as u64 + 1) as usize);
    }
    let mut waves = 0;
    while !left.is_empty() {
        let mut running: BTreeSet<NodeId> = BTreeSet::new();
        left.retain(|node| {
            let free = shares[node.index()].is_disjoint(&running);
            if free {
                running.insert(*node);
            }
            !free
        });
        waves += 1;
    }
    waves
}

fn ours(cluster: &Cluster, strategy: Strategy) -> Waves {
    let policy = Policy { strategy, dc_parallel: true, ..Policy::default() };
    let topology = cluster.topology();
    let guard = Guard::new(&topology, &policy);
    let waves = Waves::plan(&topology, &guard, &policy, &topology.ids().collect());
    assert!(waves.held.is_empty());
    let planned: usize = waves.waves.iter().map(Vec::len).sum();
    assert_eq!(planned, cluster.nodes.len());
    assert!(waves.waves.len() >= waves.bound.waves, "a bound that isn't one");
    waves
}

#[test]
fn no_shape_needs_more_waves_than_under_cstars_rule() {
    let mut table = String::from(
        "| ring | cstar's rule | `topology` | `quorum` | no order needs fewer than |\n| --- | ---: | ---: | ---: | ---: |\n",
    );
    for (name, racks, tokens, replication) in SHAPES {
        let cluster = Cluster::new(racks);
        let cluster = if tokens > 0 { cluster.vnodes(tokens) } else { cluster };
        let cluster = cluster.keyspace("shop", replication).system_keyspaces();
        let mut tries: Vec<usize> = (1..=5).map(|seed| cstar(&cluster, seed)).collect();
        tries.sort_unstable();
        let (least, median) = (tries[0], tries[2]);
        let (topology, quorum) =
            (ours(&cluster, Strategy::Topology), ours(&cluster, Strategy::Quorum));
        let (pairs, budgets) = (topology.waves.len(), quorum.waves.len());
        assert!(pairs <= least && budgets <= least, "{name}: {pairs} and {budgets}, cstar {least}");
        let bound = quorum.bound.waves;
        let _ = writeln!(table, "| {name} | {median} | {pairs} | {budgets} | {bound} |");
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/waves.md");
    let doc = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = doc.split_once("<!-- table -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let now = format!("{before}<!-- table -->\n{table}<!-- end -->{after}");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert_eq!(now, std::fs::read_to_string(&path).unwrap(), "docs/waves.md (UPDATE_EXPECTED=1)");
}
