//! What a large cluster costs: 1,000 nodes with 256 tokens each and 100 keyspaces of 20 replications. Each
//! line stands beside a floor of the same run, for the machine may be slow or busy.
#![allow(clippy::unwrap_used, missing_docs)]

use quorate_fixtures::{Chance, Cluster};
use quorate_ring::{
    Address, DataCenter, Keyspace, Liveness, NodeId, NodeStatus, Partitioner, Replication,
    Topology,
    parse::{self, ClusterDescription, RingRow},
};
use quorate_schedule::{Guard, OutCause, Outs, Phase, Policy, Strategy, Verdict, Waves, may_start};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    hint::black_box,
    process::Command,
    time::{Duration, Instant},
};

const REPEATS: usize = 5;

/// The median of several runs, and what the last gave.
fn timed<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..REPEATS {
        // Two of them at a time would be more memory than anybody needs.
        drop(last.take());
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

/// What `nodetool status` prints.
fn status_text(cluster: &Cluster) -> String {
    let mut text = String::new();
    for dc in cluster.topology().data_centers() {
        let title = format!("Datacenter: {dc}");
        let _ = writeln!(text, "{title}\n{}", "=".repeat(title.len()));
        text.push_str("Status=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n");
        let _ = writeln!(
            text,
            "--  {:<15}  {:<10}  {:<6}  {:<4}  {:<36}  Rack",
            "Address", "Load", "Tokens", "Owns", "Host ID"
        );
        for (number, node) in cluster.nodes.iter().enumerate() {
            if node.data_center == *dc {
                let host = format!("00000000-0000-4000-8000-{number:012}");
                let _ = writeln!(
                    text,
                    "UN  {:<15}  {:<10}  {:<6}  {:<4}  {host}  {}",
                    node.address.to_string(),
                    "283.93 GiB",
                    cluster.tokens[number].len(),
                    "?",
                    node.rack.as_str()
                );
            }
        }
        text.push('\n');
    }
    text
}

/// What `nodetool describecluster` prints.
fn description_text(described: &ClusterDescription) -> String {
    let mut text = format!(
        "Cluster Information:\n\tName: {}\n\tSnitch: \
         org.apache.cassandra.locator.GossipingPropertyFileSnitch\n\tDynamicEndPointSnitch: \
         enabled\n\tPartitioner: org.apache.cassandra.dht.{}\n\tSchema versions:\n",
        described.name, described.partitioner
    );
    let list = |nodes: &[Address], port: &str| {
        nodes.iter().map(|node| format!("{node}{port}")).collect::<Vec<_>>().join(", ")
    };
    for (version, nodes) in &described.schema_versions {
        let _ = writeln!(text, "\t\t{version}: [{}]", list(nodes, ""));
    }
    let nodes: u32 = described.data_centers.values().sum();
    let _ = writeln!(text, "\nStats for all nodes:\n\tLive: {nodes}");
    text.push_str("\tJoining: 0\n\tMoving: 0\n\tLeaving: 0\n\tUnreachable: 0\n\n");
    text.push_str("Data Centers: \n");
    for (dc, count) in &described.data_centers {
        let _ = writeln!(text, "\t{dc} #Nodes: {count} #Down: 0");
    }
    text.push_str("\nDatabase versions:\n");
    for (version, nodes) in &described.versions {
        let _ = writeln!(text, "\t{version}: [{}]", list(nodes, ":7000"));
    }
    text.push_str("\nKeyspaces:\n");
    for Keyspace { name, replication } in &described.keyspaces {
        let words = match replication {
            Replication::NetworkTopology(factors) => {
                let factors: Vec<_> =
                    factors.iter().map(|(dc, factor)| format!("{dc}={}", factor.all)).collect();
                format!("NetworkTopologyStrategy {{{}}}", factors.join(", "))
            }
            Replication::Simple(factor) => {
                format!("SimpleStrategy {{replication_factor={}}}", factor.all)
            }
            _ => "LocalStrategy {}".to_owned(),
        };
        let _ = writeln!(text, "\t{name} -> Replication class: {words}");
    }
    text.push('\n');
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
        schema_versions: [("4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76".to_owned(), all.clone())].into(),
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

fn line(what: &str, time: String, beside: String) {
    println!("  {what:<38} {time:>10}   {beside}");
}

/// Reads what nodetool prints of this cluster, and makes the map.
fn map(cluster: &Cluster) -> Topology {
    let text = ring_text(cluster);
    let (lines, _) =
        timed(|| text.lines().map(|line| line.split_whitespace().count()).sum::<usize>());
    let (parsed, ring) = timed(|| parse::ring(Partitioner::Murmur3, &text).unwrap());
    let words = format!("{} MB; splitting its lines into words: {}", text.len() >> 20, ms(lines));
    line("parse the ring", ms(parsed), words);
    drop(text);
    let text = status_text(cluster);
    let (counted, _) = timed(|| text.lines().count());
    let (parsed, rows) = timed(|| parse::status(&text).unwrap());
    assert_eq!(rows.len(), cluster.nodes.len());
    line("parse status", ms(parsed), format!("counting its lines: {}", ms(counted)));
    let expected = description(cluster);
    let text = description_text(&expected);
    let (counted, _) = timed(|| text.lines().count());
    let (parsed, description) = timed(|| parse::describecluster(&text).unwrap());
    assert_eq!(description, expected);
    line("parse describecluster", ms(parsed), format!("counting its lines: {}", ms(counted)));
    let (copied, _) = timed(|| ring.clone());
    let assemble = |ring: Vec<RingRow>| {
        Topology::from_parts(rows.clone(), description.clone(), ring, &[]).unwrap()
    };
    let (mapped, topology) = timed(|| assemble(ring.clone()));
    line("map (with a copy of the rows)", ms(mapped), format!("the copy alone: {}", ms(copied)));
    topology
}

/// Every node is asked for several times, and the fastest counts: the worst node is looked for, not the
/// moment at which something else ran.
fn decisions(what: &str, topology: &Topology, guard: &Guard, outs: &Outs) {
    let mut held = 0;
    let mut decide = |id: NodeId| {
        held += usize::from(may_start(topology, guard, outs, id) != Verdict::Admit);
        let ask = || {
            let begun = Instant::now();
            black_box(may_start(topology, guard, outs, id));
            begun.elapsed()
        };
        (0..REPEATS).map(|_| ask()).min().unwrap()
    };
    let mut times: Vec<Duration> = topology.ids().map(&mut decide).collect();
    times.sort_unstable();
    let worst = us(times[times.len() - 1]);
    line(
        &format!("a decision, {} {what}", outs.out().len()),
        us(times[times.len() / 2]),
        format!("the worst node: {worst}; {held} held"),
    );
}

fn guarding(topology: &Topology, strategy: Strategy) {
    let policy = Policy { strategy, dc_parallel: true, ..Policy::default() };
    let (guarded, guard) = timed(|| Guard::new(topology, &policy));
    // The least that placing asks for: to meet every token once a family.
    let walks = guard.families().len();
    let (walked, _) = timed(|| {
        for _ in 0..walks {
            let racks =
                topology.ring.owned().iter().map(|(_, id)| topology.node(*id).rack.as_str());
            black_box(racks.map(str::len).sum::<usize>());
        }
    });
    let (pass, free) = timed(|| guard.nobody_out());
    let targets: BTreeSet<NodeId> = topology.ids().collect();
    let (planned, waves) = timed(|| Waves::plan(topology, &guard, &policy, &targets));
    let beside = format!("{walks} passes over all tokens: {}", ms(walked));
    line(&format!("guard, {} sets", guard.set_count()), ms(guarded), beside);
    let (count, bound) = (waves.waves.len(), waves.bound.waves);
    let counts = format!("{count} waves, no order needs fewer than {bound}");
    let beside = format!("one pass over all sets: {}; {counts}", ms(pass));
    line(&format!("plan, {strategy:?}"), ms(planned), beside);
    // Nobody out: every set of the node is looked at. Otherwise the first that has no room is enough.
    let mut chance = Chance(1);
    let mut any = || NodeId(chance.below(topology.nodes.len() as u64) as u32);
    let (all, _) = timed(|| {
        for _ in 0..1_000 {
            black_box(may_start(topology, &guard, &free, any()));
        }
    });
    line("a decision, nobody out", us(all / 1_000), String::new());
    let mut outs = guard.nobody_out();
    for node in &waves.waves[0] {
        outs.put_out(&guard, *node, OutCause::Job(Phase::Running));
    }
    decisions("out: the first wave", topology, &guard, &outs);
    // A hold names everybody who is out of its set.
    let mut outs = guard.nobody_out();
    let mut down = BTreeSet::new();
    while down.len() < 300 {
        down.insert(any());
    }
    let not_up: BTreeMap<_, _> =
        down.iter().map(|id| (*id, Some(NodeStatus::DOWN_NORMAL))).collect();
    outs.update(&guard, &not_up, &down, BTreeMap::new());
    decisions("down, anywhere", topology, &guard, &outs);
    let node = NodeId(7);
    let mut outs = guard.nobody_out();
    let (moved, _) = timed(|| {
        for _ in 0..100 {
            outs.put_out(&guard, node, OutCause::Job(Phase::Running));
            outs.take_back(&guard, node);
        }
    });
    line("a node out and back", us(moved / 100), String::new());
}

fn measure(name: &str, racks: &str, replications: &[String]) {
    let mut cluster = Cluster::new(racks).vnodes(256);
    for number in 0..100 {
        let replication = &replications[number % replications.len()];
        cluster = cluster.keyspace(&format!("ks{number}"), replication);
    }
    let cluster = cluster.system_keyspaces();
    println!("\n{name}: {} nodes", cluster.nodes.len());
    let topology = map(&cluster);
    assert!(topology.nodes.iter().all(|node| node.status.liveness == Liveness::Up));
    for strategy in [Strategy::Topology, Strategy::Quorum] {
        guarding(&topology, strategy);
    }
}

/// Names, racks and replications of what is measured.
fn clusters() -> [(&'static str, String, Vec<String>); 4] {
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
    [
        ("3 data centers of 3 racks", centers, three),
        ("1 data center of 3 racks", racks(1, 334), one.clone()),
        ("1 data center of 1 rack", "dc1 r1 1000".to_owned(), one),
        ("1 data center of 3 racks, RF 1 to 7", racks(1, 334), odd),
    ]
}

/// Each cluster in a process of its own, so that its memory is its own too.
fn main() {
    let wanted = std::env::var("CLUSTER").ok();
    for (name, racks, replications) in clusters() {
        if wanted.as_deref() == Some(name) {
            measure(name, &racks, &replications);
            println!("  most memory, what the measuring itself holds included: {} MB", peak());
        } else if wanted.is_none() {
            let mut own = Command::new(std::env::current_exe().unwrap());
            assert!(own.env("CLUSTER", name).status().unwrap().success(), "{name}");
        }
    }
}
