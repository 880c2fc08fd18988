//! The cases that anybody who runs Cassandra would try first; the stock system keyspaces are in every ring.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_fixtures::Cluster;
use quorate_ring::{KeyspaceName, NodeId};
use quorate_schedule::{
    End, FailureBudget, Guard, Level, OutCause, Outcome, Phase, Policy, Reason, Strategy, Verdict,
    Waves, may_start,
};
use std::collections::{BTreeMap, BTreeSet};
use world::{Manner, World};

const HOUR: u64 = 3_600_000;

fn cluster(racks: &str, replication: &str) -> Cluster {
    Cluster::new(racks).vnodes(16).keyspace("shop", replication).system_keyspaces()
}

fn quorum() -> Policy {
    Policy { strategy: Strategy::Quorum, dc_parallel: true, ..Policy::default() }
}

fn waves(cluster: &Cluster, policy: &Policy) -> Vec<Vec<u32>> {
    let topology = cluster.topology();
    let guard = Guard::new(&topology, policy);
    let waves = Waves::plan(&topology, &guard, policy, &topology.ids().collect());
    assert_eq!(waves.held, []);
    let numbers = |wave: &Vec<NodeId>| {
        let mut numbers: Vec<u32> = wave.iter().map(|id| id.0).collect();
        numbers.sort_unstable();
        numbers
    };
    waves.waves.iter().map(numbers).collect()
}

/// Whom the guard holds while these nodes are down, and in which words.
fn held(cluster: &Cluster, down: &[u32], policy: &Policy) -> BTreeMap<u32, String> {
    let topology = cluster.topology();
    let guard = Guard::new(&topology, policy);
    let mut outs = guard.nobody_out();
    let shown = |id: &u32| (NodeId(*id), Some(quorate_ring::NodeStatus::DOWN_NORMAL));
    let not_up: BTreeMap<_, _> = down.iter().map(shown).collect();
    let all_down = not_up.keys().copied().collect();
    outs.update(&guard, &not_up, &all_down, BTreeMap::new());
    let hold = |id: NodeId| match may_start(&topology, &guard, &outs, id) {
        Verdict::Admit => None,
        Verdict::Hold(reason) => Some((id.0, reason.text(&topology))),
    };
    topology.ids().filter_map(hold).collect()
}

#[test]
fn three_replicas_in_three_racks_run_a_rack_at_a_time() {
    for policy in [quorum(), Policy::default()] {
        let waves = waves(&cluster("dc1 r1 4, dc1 r2 4, dc1 r3 4", "dc1=3"), &policy);
        assert_eq!(waves, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]);
    }
}

#[test]
fn three_replicas_in_two_racks_do_not() {
    let cluster = cluster("dc1 r1 6, dc1 r2 6", "dc1=3");
    for policy in [quorum(), Policy::default()] {
        let waves = waves(&cluster, &policy);
        assert!(waves.iter().all(|wave| wave.len() < 6), "{waves:?}");
    }
}

#[test]
fn three_replicas_around_a_ring_of_one_token_each_run_every_third_node() {
    let cluster = Cluster::new("dc1 r1 12").keyspace("shop", "simple 3").system_keyspaces();
    let waves = waves(&cluster, &quorum());
    assert_eq!(waves, [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]);
}

#[test]
fn five_replicas_in_five_racks_run_two_racks_at_a_time() {
    let waves =
        waves(&cluster("dc1 r1 3, dc1 r2 3, dc1 r3 3, dc1 r4 3, dc1 r5 3", "dc1=5"), &quorum());
    assert_eq!(waves, [vec![0, 1, 2, 3, 4, 5], vec![6, 7, 8, 9, 10, 11], vec![12, 13, 14]]);
}

#[test]
fn racks_of_four_three_and_three_take_three_waves() {
    let waves = waves(&cluster("dc1 r1 4, dc1 r2 3, dc1 r3 3", "dc1=3"), &quorum());
    assert_eq!(waves, [vec![0, 1, 2, 3], vec![4, 5, 6], vec![7, 8, 9]]);
}

#[test]
fn a_down_node_holds_its_neighbours_and_nobody_else() {
    let cluster = cluster("dc1 r1 2, dc1 r2 2, dc1 r3 2, dc2 r1 2, dc2 r2 2", "dc1=3 dc2=2");
    let held = held(&cluster, &[0], &quorum());
    // Nobody of its rack, nobody of the other data center, and the node itself may be started.
    assert_eq!(held.keys().copied().collect::<Vec<_>>(), [2, 3, 4, 5]);
    for text in held.values() {
        assert!(text.ends_with("of shop needs 2 of 3 in dc1; 10.0.0.0 is down"), "{text}");
    }
}

#[test]
fn a_down_node_may_be_started_and_a_failed_one_again() {
    let cluster = cluster("dc1 r1 1, dc1 r2 1, dc1 r3 1", "dc1=3");
    let topology = cluster.topology();
    let guard = Guard::new(&topology, &quorum());
    let mut outs = guard.nobody_out();
    outs.put_out(&guard, NodeId(1), OutCause::Job(Phase::Failed));
    assert_eq!(may_start(&topology, &guard, &outs, NodeId(1)), Verdict::Admit);
    assert!(matches!(
        may_start(&topology, &guard, &outs, NodeId(0)),
        Verdict::Hold(Reason::ReplicaSet(_))
    ));
    let mut world = World::new(cluster, quorum());
    world.down.insert(NodeId(2));
    assert_eq!(world.run(HOUR), Some(End::Completed));
    assert_eq!(world.order(), [2, 0, 1]);
}

#[test]
fn two_data_centers_run_at_the_same_time() {
    let cluster =
        cluster("dc1 r1 2, dc1 r2 2, dc1 r3 2, dc2 r1 2, dc2 r2 2, dc2 r3 2", "dc1=3 dc2=3");
    assert_eq!(waves(&cluster, &quorum()), [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]);
    // At QUORUM over both, four of six are needed: two may be out, wherever.
    let mut over_all = quorum();
    over_all.guarantee.level = Level::Quorum;
    let topology = cluster.topology();
    let guard = Guard::new(&topology, &over_all);
    let mut outs = guard.nobody_out();
    for node in [0, 2] {
        assert_eq!(may_start(&topology, &guard, &outs, NodeId(node)), Verdict::Admit);
        outs.put_out(&guard, NodeId(node), OutCause::Job(Phase::Running));
    }
    let admitted = topology
        .ids()
        .filter(|id| !outs.out().contains_key(id))
        .filter(|id| may_start(&topology, &guard, &outs, *id) == Verdict::Admit)
        .count();
    assert!(admitted < 10, "two of one range are out: the rest of that range stays");
}

#[test]
fn two_replicas_are_named_and_run_one_of_a_range_at_a_time() {
    let cluster = cluster("dc1 r1 3, dc1 r2 3", "dc1=2");
    let topology = cluster.topology();
    let guard = Guard::new(&topology, &quorum());
    let named: Vec<_> = guard
        .bears_none()
        .into_iter()
        .map(|(family, nodes)| (family.keyspaces[0].to_string(), family.factor, nodes))
        .collect();
    assert_eq!(named, [("shop".to_owned(), 2, 6)]);
    assert_eq!(waves(&cluster, &quorum()), [[0, 1, 2], [3, 4, 5]]);
    let held = held(&cluster, &[0], &quorum());
    assert!(held.values().all(|text| text.contains("bears none of its 2 in dc1 out")), "{held:?}");
    let mut accepted = quorum();
    accepted.guarantee.accepted.insert(KeyspaceName::new("shop"));
    let guard = Guard::new(&topology, &accepted);
    assert!(guard.bears_none().iter().all(|(family, _)| family.accepted));
}

#[test]
fn one_replica_is_named_and_holds_nobody_else() {
    let cluster = cluster("dc1 r1 2, dc1 r2 2, dc1 r3 2", "dc1=1");
    let topology = cluster.topology();
    assert_eq!(Guard::new(&topology, &quorum()).bears_none().len(), 1);
    assert_eq!(held(&cluster, &[0], &quorum()), BTreeMap::new());
}

#[test]
fn a_keyspace_that_skips_a_data_center_does_not_limit_it() {
    let cluster = cluster("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc2 r1 3", "dc1=3");
    assert_eq!(waves(&cluster, &quorum())[0], [0, 3, 4, 5]);
    assert_eq!(held(&cluster, &[3], &quorum()), BTreeMap::new());
}

#[test]
fn replacing_a_node_holds_its_whole_replica_sets() {
    // 10.0.0.2 is dead; 10.0.0.9 joins with its tokens. RF 3: two of three live, and the new one must
    // answer too.
    let mut cluster = cluster("dc1 r1 3, dc1 r2 3, dc1 r3 3", "dc1=3").status(2, "DN");
    cluster = cluster.joining("dc1", "r1", 1);
    cluster.tokens[9] = std::mem::take(&mut cluster.tokens[2]);
    let mut topology = cluster.topology();
    let (dead, by) = (NodeId(2), NodeId(9));
    let owned = topology.ring.owned().to_vec();
    topology.ring =
        quorate_ring::TokenRing::new(owned, vec![quorate_ring::Replacement { dead, by }]).unwrap();
    let guard = Guard::new(&topology, &quorum());
    let mut outs = guard.nobody_out();
    let shown: BTreeMap<_, _> =
        [dead, by].into_iter().map(|id| (id, Some(topology.node(id).status))).collect();
    outs.update(&guard, &shown, &[dead].into(), BTreeMap::new());
    let mut held = BTreeSet::new();
    for id in topology.ids() {
        if let Verdict::Hold(reason) = may_start(&topology, &guard, &outs, id) {
            held.insert(id.0);
            if id != by {
                let text = reason.text(&topology);
                let expected = "of shop needs 3 of 4 in dc1 (10.0.0.9 to come); 10.0.0.2 is down";
                assert!(text.ends_with(expected), "{text}");
            }
        }
    }
    // Its rack's other nodes share nothing with it.
    assert_eq!(held, [3, 4, 5, 6, 7, 8, 9].into());
}

#[test]
fn a_removed_data_center_that_is_still_listed_holds_nothing() {
    let cluster = cluster("dc1 r1 2, dc1 r2 2, dc1 r3 2", "dc1=3 removed=3");
    assert_eq!(waves(&cluster, &quorum()).len(), 3);
    // A QUORUM counts it: four of six, of which three exist. Nothing can be kept; it is named, and no
    // deadlock: one of a range at a time.
    let mut over_all = quorum();
    over_all.guarantee.level = Level::Quorum;
    assert_eq!(waves(&cluster, &over_all).len(), 3);
    let topology = cluster.topology();
    assert_eq!(Guard::new(&topology, &over_all).bears_none()[0].0.factor, 6);
}

#[test]
fn data_centers_of_one_and_of_two_nodes() {
    // RF 3 asks for two of two: none can go without it, they go one at a time.
    let cluster = cluster("dc1 r1 1, dc2 r1 1, dc2 r2 1", "dc1=3 dc2=3");
    assert_eq!(waves(&cluster, &quorum()), [vec![0, 1], vec![2]]);
    let topology = cluster.topology();
    let guard = Guard::new(&topology, &quorum());
    let factors: Vec<_> = guard.bears_none().iter().map(|(family, _)| family.factor).collect();
    assert_eq!(factors, [3, 3]);
}

#[test]
fn a_new_rack_of_one_node_holds_every_range() {
    let cluster = cluster("dc1 r1 4, dc1 r2 4, dc1 r3 1", "dc1=3");
    let held = held(&cluster, &[8], &quorum());
    assert_eq!(held.len(), 8, "all others share a range with it");
}

#[test]
fn keyspaces_are_judged_by_what_they_are_and_not_by_their_names() {
    // A user's keyspace whose name begins with `system_` counts; the stock ones don't, with any replication.
    let of = |name: &str, replication: &str| {
        let cluster = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").vnodes(16);
        let cluster = cluster.keyspace(name, replication);
        held(&cluster, &[0], &quorum()).len()
    };
    assert_eq!(of("system_of_record", "dc1=3"), 2);
    assert_eq!(of("system_auth", "dc1=3"), 2);
    assert_eq!(of("system_auth", "dc1=2"), 0);
    assert_eq!(of("system_auth", "simple 3"), 0);
    assert_eq!(of("system_traces", "dc1=3"), 0);
    assert_eq!(of("system_distributed", "simple 3"), 0);
    assert_eq!(of("shop", "everywhere"), 0);
    assert_eq!(of("shop", "local"), 0);
    // By name, any of them is put under guard.
    let cluster = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").vnodes(16).system_keyspaces();
    let mut kept = quorum();
    kept.guarantee.keyspaces.insert(KeyspaceName::new("system_distributed"), Level::Quorum);
    assert_eq!(held(&cluster, &[0], &kept).len(), 2);
    // And narrowed to some, the rest holds nothing.
    let shop = cluster.keyspace("shop", "dc1=3").keyspace("other", "dc1=1");
    let mut narrowed = quorum();
    narrowed.guarantee.only.insert(KeyspaceName::new("other"));
    assert_eq!(held(&shop, &[0], &narrowed).len(), 0);
}

#[test]
fn no_more_of_a_data_center_is_out_than_max_out_allows() {
    // Without a user's keyspace nothing ties the nodes together: 40 % of ten, or the largest rack.
    let none = Cluster::new("dc1 r1 4, dc1 r2 3, dc1 r3 3").vnodes(16).system_keyspaces();
    assert_eq!(waves(&none, &quorum()).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let mut two = quorum();
    two.guarantee.max_out = quorate_schedule::MaxOut::Nodes(2);
    assert_eq!(waves(&none, &two).len(), 5);
    two.guarantee.max_out = quorate_schedule::MaxOut::Percent(30);
    assert_eq!(waves(&none, &two).len(), 4);
    // Who is down already counts.
    let held = held(&none, &[0, 1], &Policy { guarantee: two.guarantee.clone(), ..quorum() });
    assert_eq!(held, BTreeMap::new());
    two.guarantee.max_out = quorate_schedule::MaxOut::Nodes(2);
    let text = &self::held(&none, &[0, 1], &two)[&5];
    assert_eq!(text, "2 of dc1 out is the most (--max-out)");
}

#[test]
fn an_already_broken_range_names_itself_and_the_rest_goes_on() {
    let cluster =
        cluster("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc2 r1 1, dc2 r2 1, dc2 r3 1", "dc1=3 dc2=3");
    let held = held(&cluster, &[0, 1], &quorum());
    assert_eq!(held.keys().copied().collect::<Vec<_>>(), [2]);
    assert!(
        held[&2].ends_with("needs 2 of 3 in dc1; 10.0.0.0 is down, 10.0.0.1 is down"),
        "{held:?}"
    );
}

#[test]
fn one_transient_replica_of_three_leaves_one_full_one() {
    let cluster = cluster("dc1 r1 1, dc1 r2 1, dc1 r3 1", "dc1=3/1");
    let mut one = quorum();
    one.guarantee.level = Level::LocalOne;
    // Two of three may go at LOCAL_ONE, but not both full ones of a range.
    let held = held(&cluster, &[0], &one);
    assert!(!held.is_empty());
    assert!(held.values().any(|text| text.contains("needs 1 full replica of 2")), "{held:?}");
}

#[test]
fn a_failed_node_that_is_not_back_holds_its_neighbours() {
    let policy = Policy { max_failures: FailureBudget::Nodes(9), ..quorum() };
    let mut world = World::new(cluster("dc1 r1 1, dc1 r2 1, dc1 r3 1", "dc1=3"), policy);
    let outcome = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    world.manner(0, Manner { outcome, up_after: u64::MAX, ..Manner::default() });
    assert_eq!(world.run(HOUR), None);
    assert_eq!(world.order(), [0]);
}
