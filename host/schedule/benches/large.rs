//! What a large cluster costs: 1,000 nodes with 256 tokens each and 100 keyspaces of 20 replications. Each
//! line stands beside a floor of the same run, for the machine may be slow or busy.
#![allow(clippy::unwrap_used, missing_docs)]

use quorate_fixtures::{Chance, Cluster};
use quorate_ring::{
    DataCenter, Liveness, NodeId, Partitioner, Topology,
    parse::{self, ClusterDescription, RingRow, StatusRow},
};
use quorate_schedule::{Guard, OutCause, Phase, Policy, Strategy, Waves, may_start};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

const REPEATS: usize = 5;

/// The median of several runs, and what the last gave.
fn timed<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..REPEATS {
        let begun = Instant::now();
        last = Some(black_box(run()));
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    (times[REPEATS / 2], last.unwrap())
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn us(time: Duration) -> String {
    format!("{:.2} us", time.as_secs_f64() * 1e6)
}

/// Most memory that this process has had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
        / 1024
}

/// What `nodetool ring` of this cluster prints.
fn ring_text(cluster: &Cluster) -> String {
    let mut text = String::from("\n");
    for dc in cluster.topology().data_centers() {
        let mut rows: Vec<(i64, usize)> = Vec::new();
        for (number, node) in cluster.nodes.iter().enumerate() {
            if node.data_center == *dc {
                rows.extend(cluster.tokens[number].iter().map(|token| (*token, number)));
            }
        }
        rows.sort_unstable();
        let _ = writeln!(text, "Datacenter: {dc}\n==========");
        let _ = writeln!(
            text,
            "{:<15}  {:<12}{:<7}{:<8}{:<16}{:<20}{:<44}",
            "Address", "Rack", "Status", "State", "Load", "Owns", "Token"
        );
        let _ = writeln!(text, "{:80}{:<44}", "", rows.last().unwrap().0);
        for (token, number) in rows {
            let node = &cluster.nodes[number];
            let _ = writeln!(
                text,
                "{:<15}  {:<12}{:<7}{:<8}{:<16}{:<20}{token:<44}",
                node.address.to_string(),
                node.rack.as_str(),
                "Up",
                "Normal",
                "283.93 GiB",
                "?"
            );
        }
        text.push('\n');
    }
    text.push_str("  Warning: \"nodetool ring\" is used to output all the tokens of a node.\n");
    text.push_str("  To view status related info of a node use \"nodetool status\" instead.\n\n");
    text
}

fn description(cluster: &Cluster) -> ClusterDescription {
    let topology = cluster.topology();
    let count = |dc: &DataCenter| {
        topology.ids().filter(|id| topology.node(*id).data_center == *dc).count() as u32
    };
    let all: Vec<_> = topology.nodes.iter().map(|node| node.address).collect();
    ClusterDescription {
        name: topology.cluster.clone(),
        partitioner: "Murmur3Partitioner".into(),
        schema_versions: [("v".to_owned(), all.clone())].into(),
        unreachable: Vec::new(),
        data_centers: topology
            .data_centers()
            .into_iter()
            .map(|dc| (dc.clone(), count(dc)))
            .collect(),
        versions: [("5.0.4".to_owned(), all)].into(),
        keyspaces: cluster.keyspaces.clone(),
    }
}

fn measure(name: &str, racks: &str, replications: &[String]) {
    let mut cluster = Cluster::new(racks).vnodes(256);
    for number in 0..100 {
        let replication = &replications[number % replications.len()];
        cluster = cluster.keyspace(&format!("ks{number}"), replication);
    }
    let cluster = cluster.system_keyspaces();
    let text = ring_text(&cluster);
    let rows: Vec<StatusRow> = cluster.rows(|number| cluster.nodes[number].status);
    let description = description(&cluster);
    println!("\n{name}: {} nodes, {} MB of `nodetool ring`", cluster.nodes.len(), text.len() >> 20);
    let line =
        |what: &str, time: String, beside: String| println!("  {what:<38} {time:>10}   {beside}");

    let (lines, _) =
        timed(|| text.lines().map(|line| line.split_whitespace().count()).sum::<usize>());
    let (parsed, ring) = timed(|| parse::ring(Partitioner::Murmur3, &text).unwrap());
    line("parse the ring", ms(parsed), format!("splitting its lines into words: {}", ms(lines)));
    drop(text);
    let (copied, _) = timed(|| ring.clone());
    let assemble = |ring: Vec<RingRow>| {
        Topology::from_parts(rows.clone(), description.clone(), ring, &[]).unwrap()
    };
    let (mapped, topology) = timed(|| assemble(ring.clone()));
    line("map (with a copy of the rows)", ms(mapped), format!("the copy alone: {}", ms(copied)));
    drop(ring);

    for strategy in [Strategy::Topology, Strategy::Quorum] {
        let policy = Policy { strategy, dc_parallel: true, ..Policy::default() };
        let (guarded, guard) = timed(|| Guard::new(&topology, &policy));
        let targets: BTreeSet<NodeId> = topology.ids().collect();
        let (planned, waves) = timed(|| Waves::plan(&topology, &guard, &policy, &targets));
        line(&format!("guard, {} sets", guard.set_count()), ms(guarded), format!("{strategy:?}"));
        line(
            "plan",
            ms(planned),
            format!("{} waves, no order needs fewer than {}", waves.waves.len(), waves.bound.waves),
        );
        // Decisions with the first wave out.
        let mut outs = guard.nobody_out();
        for node in &waves.waves[0] {
            outs.put_out(&guard, *node, OutCause::Job(Phase::Running));
        }
        let mut times: Vec<Duration> = topology
            .ids()
            .chain(topology.ids())
            .map(|id| {
                let begun = Instant::now();
                black_box(may_start(&topology, &guard, &outs, id));
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        let out = outs.out().len();
        line(
            &format!("a decision, {out} nodes out"),
            us(times[times.len() / 2]),
            format!("99th of 100: {}", us(times[times.len() * 99 / 100])),
        );
        // Nobody out: every set of the node is looked at.
        let free = guard.nobody_out();
        let mut chance = Chance(1);
        let (all, _) = timed(|| {
            for _ in 0..1_000 {
                let id = NodeId(chance.below(topology.nodes.len() as u64) as u32);
                black_box(may_start(&topology, &guard, &free, id));
            }
        });
        line("a decision, nobody out", us(all / 1_000), String::new());
        let node = NodeId(7);
        let (moved, _) = timed(|| {
            let mut outs = guard.nobody_out();
            for _ in 0..100 {
                outs.put_out(&guard, node, OutCause::Job(Phase::Running));
                outs.take_back(&guard, node);
            }
        });
        line("a node out and back", us(moved / 100), String::new());
    }
    assert!(topology.nodes.iter().all(|node| node.status.liveness == Liveness::Up));
}

fn main() {
    // Of each data center 0 to 3 replicas: 20 of the 63 combinations.
    let three: Vec<String> = (1..=20)
        .map(|i| {
            let number = i * 3;
            let factor = |dc: usize| (number >> (2 * (dc - 1))) & 3;
            let listed = (1..=3).filter(|dc| factor(*dc) > 0);
            listed.map(|dc| format!("dc{dc}={}", factor(dc))).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let one: Vec<String> = (1..=3).map(|rf| format!("dc1={rf}")).collect();
    // More replicas than racks, up to 7: nothing that anybody should run.
    let odd: Vec<String> = (0..20).map(|i| format!("dc1={}", 1 + i % 7)).collect();
    let racks = |dc: usize, nodes: usize| -> String {
        (1..=3).map(|rack| format!("dc{dc} r{rack} {nodes}")).collect::<Vec<_>>().join(", ")
    };
    let centers = [racks(1, 112), racks(2, 111), racks(3, 111)].join(", ");
    measure("3 data centers of 3 racks", &centers, &three);
    println!("  most memory so far: {} MB", peak());
    measure("1 data center of 3 racks", &racks(1, 334), &one);
    measure("1 data center of 1 rack", "dc1 r1 1000", &one);
    measure("1 data center of 3 racks, RF 1 to 7", &racks(1, 334), &odd);
    println!("\nmost memory, with all that the measuring itself holds: {} MB", peak());
}
