//! The guard against the oracle: small rings, every set of nodes out, every candidate. The verdicts are the
//! same, both ways: nothing is admitted that breaks the guarantee, and nothing is held that doesn't.
#![allow(clippy::unwrap_used)]

use quorate_fixtures::{Chance, Cluster, oracle_members, oracle_replication};
use quorate_oracle::{HeldRange, Member, broken, place};
use quorate_ring::{
    ClusterName, DataCenter, KeyspaceName, Mode, NodeId, Replication, Token, Topology,
    parse::{ClusterDescription, Described, RangeReplicas, RingRow},
};
use quorate_schedule::{
    Guarantee, Guard, Level, MaxOut, OutCause, Phase, Policy, Verdict, may_start,
};
use std::collections::{BTreeMap, BTreeSet};

/// Rings tried: `QUORATE_RINGS`, or few enough for a build without optimisation.
fn rings() -> u64 {
    std::env::var("QUORATE_RINGS").map_or(150, |n| n.parse().unwrap())
}

const LEVELS: [(Level, quorate_oracle::Level); 4] = [
    (Level::One, quorate_oracle::Level::One),
    (Level::LocalOne, quorate_oracle::Level::LocalOne),
    (Level::LocalQuorum, quorate_oracle::Level::LocalQuorum),
    (Level::Quorum, quorate_oracle::Level::Quorum),
];

/// A ring of at most seven nodes with keyspaces of many kinds.
fn ring(chance: &mut Chance) -> Cluster {
    let mut racks = Vec::new();
    let mut left = 3 + chance.below(5);
    let centers = 1 + chance.below(3).min(left - 1);
    for dc in 1..=centers {
        for rack in 1..=1 + chance.below(3) {
            let nodes = (1 + chance.below(3)).min(left);
            if nodes > 0 {
                racks.push(format!("dc{dc} r{rack} {nodes}"));
                left -= nodes;
            }
        }
    }
    let mut cluster = Cluster::new(&racks.join(", "));
    let tokens = 1 + chance.below(3) as usize;
    cluster.scatter(tokens, chance);
    let present: BTreeSet<String> =
        cluster.nodes.iter().map(|node| node.data_center.as_str().to_owned()).collect();
    for name in ["shop", "stock", "old"] {
        let replication = match chance.below(5) {
            0 => format!("simple {}", 1 + chance.below(5)),
            _ => {
                let mut factors = Vec::new();
                for dc in &present {
                    let all = chance.below(6);
                    let transient = if all > 1 && chance.one_in(5) { 1 } else { 0 };
                    if all > 0 {
                        factors.push(format!("{dc}={all}/{transient}"));
                    }
                }
                if chance.one_in(6) {
                    factors.push("removed=3".into());
                }
                factors.join(" ")
            }
        };
        cluster = cluster.keyspace(name, &replication);
    }
    if chance.one_in(2) {
        cluster = cluster.system_keyspaces();
    }
    let last = cluster.nodes.len() - 1;
    match chance.below(4) {
        0 if last > 2 => cluster = cluster.status(last, "UL"),
        1 => {
            let tokens = 1 + chance.below(2) as usize;
            let dc = format!("dc{}", 1 + chance.below(centers));
            cluster = cluster.joining(&dc, &format!("r{}", 1 + chance.below(3)), tokens);
        }
        _ => {}
    }
    cluster
}

/// What the oracle holds a start against.
struct Judge {
    members: Vec<Member>,
    keyspaces: Vec<(quorate_oracle::Replication, Vec<HeldRange>, quorate_oracle::Level)>,
}

impl Judge {
    fn new(cluster: &Cluster, levels: &BTreeMap<&str, quorate_oracle::Level>) -> Self {
        let members = oracle_members(cluster);
        let guarded = cluster.keyspaces.iter().filter_map(|keyspace| {
            let level = *levels.get(keyspace.name.as_str())?;
            let replication = oracle_replication(&keyspace.replication)?;
            let ranges = place(&members, &replication);
            // Without data centers the local levels mean the whole ring.
            Some((replication, ranges, level))
        });
        Self { keyspaces: guarded.collect(), members }
    }

    /// Whether a node that isn't out may go out besides.
    fn admits(&self, out: &BTreeSet<usize>, node: usize) -> bool {
        let mut then = out.clone();
        then.insert(node);
        self.keyspaces.iter().all(|(replication, ranges, level)| {
            let broken = broken(&self.members, ranges, replication, *level, &then);
            broken.iter().filter(|range| range.members.contains(&node)).all(|range| {
                // No order helps, and no other member is out.
                let none_to_come = range.members == range.natural;
                let bears_none = none_to_come && range.natural.len() <= range.need;
                bears_none && range.members.intersection(out).count() == 0
            })
        })
    }
}

#[test]
fn the_guard_admits_exactly_what_the_oracle_does() {
    let (mut admitted, mut held) = (0_u64, 0_u64);
    for seed in 0..rings() {
        let chance = &mut Chance(seed);
        let cluster = ring(chance);
        let (default, oracle_default) = LEVELS[chance.below(4) as usize];
        let (own, oracle_own) = LEVELS[chance.below(4) as usize];
        let mut guarantee =
            Guarantee { level: default, max_out: MaxOut::Percent(100), ..Guarantee::default() };
        guarantee.keyspaces.insert(KeyspaceName::new("stock"), own);
        let levels = BTreeMap::from([
            ("shop", oracle_default),
            ("stock", oracle_own),
            ("old", oracle_default),
        ]);
        let judge = Judge::new(&cluster, &levels);
        let policy = Policy { guarantee, ..Policy::default() };
        let topology = cluster.topology();
        let guard = Guard::new(&topology, &policy);
        let nodes: Vec<usize> = (0..cluster.nodes.len()).collect();
        for subset in 0_u32..1 << nodes.len() {
            let out: BTreeSet<usize> =
                nodes.iter().copied().filter(|node| subset & (1 << node) != 0).collect();
            let mut outs = guard.nobody_out();
            for node in &out {
                outs.put_out(&guard, NodeId(*node as u32), OutCause::Job(Phase::Running));
            }
            for node in nodes.iter().copied().filter(|node| !out.contains(node)) {
                if cluster.nodes[node].status.mode == Mode::Joining {
                    continue; // Never a candidate: it isn't `UN`.
                }
                let verdict = may_start(&topology, &guard, &outs, NodeId(node as u32));
                let expected = judge.admits(&out, node);
                assert_eq!(
                    verdict == Verdict::Admit,
                    expected,
                    "seed {seed}, out {out:?}, candidate {node}: {verdict:?}\n{cluster:#?}"
                );
                *(if expected { &mut admitted } else { &mut held }) += 1;
            }
        }
    }
    assert!(admitted > held / 50 && held > admitted / 50, "{admitted} admitted, {held} held");
}

/// The topology as it is read from a node that tells no replication: off ranges that the oracle placed.
fn read_off_ranges(cluster: &Cluster) -> Topology {
    let members = oracle_members(cluster);
    let address = |node: &usize| cluster.nodes[*node].address;
    let described = |replication: &Replication| {
        let held = place(&members, &oracle_replication(replication).unwrap());
        let range = |range: HeldRange| RangeReplicas {
            start: range.start.to_string(),
            end: range.end.to_string(),
            endpoints: range.replicas.iter().map(address).collect(),
        };
        // Tokens of joining nodes cut no ranges there.
        let whole = |range: &HeldRange| {
            let end = cluster.tokens.iter().position(|tokens| tokens.contains(&range.end));
            cluster.nodes[end.unwrap()].status.mode != Mode::Joining
        };
        let ranges = held.into_iter().filter(whole).map(range).collect();
        Described { ranges, places: BTreeMap::new() }
    };
    let told = |ks: &&quorate_ring::Keyspace| ks.replication != Replication::Local;
    let keyspaces = cluster.keyspaces.iter().filter(told);
    let ranges = keyspaces.map(|ks| (ks.name.clone(), described(&ks.replication))).collect();
    let rows = cluster.rows(|node| cluster.nodes[node].status);
    let mut data_centers: BTreeMap<DataCenter, u32> = BTreeMap::new();
    for row in &rows {
        *data_centers.entry(row.data_center.clone()).or_default() += 1;
    }
    let mut ring = Vec::new();
    for (node, tokens) in cluster.nodes.iter().zip(&cluster.tokens) {
        let row = |token: &i64| RingRow {
            address: node.address,
            mode: node.status.mode,
            token: Token::Number(*token),
        };
        ring.extend(tokens.iter().map(row));
    }
    let description = ClusterDescription {
        name: ClusterName::new("c"),
        partitioner: "Murmur3Partitioner".into(),
        schema_versions: BTreeMap::new(),
        unreachable: Vec::new(),
        data_centers,
        versions: BTreeMap::new(),
        keyspaces: Vec::new(),
    };
    Topology::from_ranges(rows, description, ring, ranges, &BTreeMap::new())
        .unwrap_or_else(|error| panic!("{error}\n{cluster:#?}"))
}

/// Where nobody tells how keyspaces are replicated, nothing is admitted that the true replication forbids; what
/// is held besides is held because more replicas may be configured than there are nodes, or because two
/// strategies fit.
#[test]
fn a_guard_that_reads_the_replication_off_the_ranges_admits_no_more_than_the_oracle() {
    let (mut same, mut stricter) = (0_u64, 0_u64);
    // The last needs the reading with more replicas than nodes.
    for seed in (0..3 * rings()).chain([1014]) {
        let chance = &mut Chance(seed);
        let mut cluster = ring(chance);
        for keyspace in &mut cluster.keyspaces {
            // There are no transient replicas before 4.0.
            if let Replication::NetworkTopology(factors) = &mut keyspace.replication {
                factors.values_mut().for_each(|factor| factor.transient = 0);
            }
        }
        // Mostly the level that depends most on what isn't known.
        let kind = if chance.one_in(2) { 2 } else { chance.below(4) };
        let (level, oracle_level) = LEVELS[kind as usize];
        let guarantee = Guarantee { level, max_out: MaxOut::Percent(100), ..Guarantee::default() };
        let levels = ["shop", "stock", "old"].map(|name| (name, oracle_level)).into();
        let judge = Judge::new(&cluster, &levels);
        let policy = Policy { guarantee, ..Policy::default() };
        let topology = read_off_ranges(&cluster);
        let guard = Guard::new(&topology, &policy);
        let nodes: Vec<usize> = (0..cluster.nodes.len()).collect();
        let id = |node: usize| topology.by_address(cluster.nodes[node].address).unwrap();
        for subset in 0_u32..1 << nodes.len() {
            let out: BTreeSet<usize> =
                nodes.iter().copied().filter(|node| subset & (1 << node) != 0).collect();
            let mut outs = guard.nobody_out();
            for node in &out {
                outs.put_out(&guard, id(*node), OutCause::Job(Phase::Running));
            }
            for node in nodes.iter().copied().filter(|node| !out.contains(node)) {
                if cluster.nodes[node].status.mode == Mode::Joining {
                    continue; // Never a candidate: it isn't `UN`.
                }
                let admitted = may_start(&topology, &guard, &outs, id(node)) == Verdict::Admit;
                let expected = judge.admits(&out, node);
                assert!(
                    expected || !admitted,
                    "seed {seed}, out {out:?}, candidate {node} is admitted\n{:#?}\n{cluster:#?}",
                    topology.inferred
                );
                *(if admitted == expected { &mut same } else { &mut stricter }) += 1;
            }
        }
    }
    assert!(same > stricter, "{same} the same, {stricter} held besides");
}
