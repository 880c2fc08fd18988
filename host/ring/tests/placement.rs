//! Placement, worked out by hand.
#![allow(clippy::unwrap_used)]
use quorate_fixtures::{Cluster, replication};
use quorate_ring::{DataCenter, NodeId, ReplicationFactor, Topology, Unclear};

/// The replicas of every range in ring order, by node number; transient ones as `n'`, pending ones after `+`.
fn ranges(topology: &Topology, text: &str) -> Vec<String> {
    let name = |id: &NodeId| id.0.to_string();
    let one = |range: quorate_ring::TokenRange| {
        let natural = range
            .natural
            .iter()
            .map(|id| name(id) + if range.transient.contains(id) { "'" } else { "" });
        let mut text = natural.collect::<Vec<_>>().join(" ");
        for id in &range.pending {
            text += &format!(" +{}", name(id));
        }
        text
    };
    topology.ranges(&replication(text)).into_iter().map(one).collect()
}

#[test]
fn with_as_many_racks_as_replicas_every_rack_has_one() {
    // Around the ring: r1, r2, r3, r1, r2, r3.
    let topology = Cluster::new("dc1 r1 2, dc1 r2 2, dc1 r3 2").topology();
    // Nodes 0, 2, 4, 1, 3, 5 in token order.
    assert_eq!(ranges(&topology, "dc1=3"), ["0 2 4", "2 4 1", "4 1 3", "1 3 5", "3 5 0", "5 0 2"]);
    assert_eq!(ranges(&topology, "dc1=1"), ["0", "2", "4", "1", "3", "5"]);
}

#[test]
fn racks_are_skipped_until_all_have_a_replica() {
    // Around the ring: r1 (0), r2 (3), r1 (1), r1 (2).
    let topology = Cluster::new("dc1 r1 3, dc1 r2 1").topology();
    assert_eq!(ranges(&topology, "dc1=2"), ["0 3", "3 1", "1 3", "2 3"]);
    // More replicas than racks: the nearest others fill up.
    assert_eq!(ranges(&topology, "dc1=3"), ["0 3 1", "3 1 2", "1 2 3", "2 0 3"]);
    // More than nodes: all of them.
    assert_eq!(ranges(&topology, "dc1=6"), ["0 3 1 2", "3 1 2 0", "1 2 0 3", "2 0 3 1"]);
}

#[test]
fn more_racks_than_replicas_take_the_nearest_racks() {
    let topology = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc1 r4 1").topology();
    assert_eq!(ranges(&topology, "dc1=2"), ["0 1", "1 2", "2 3", "3 0"]);
}

#[test]
fn data_centers_are_placed_each_by_itself() {
    let cluster = Cluster::new("dc1 r1 1, dc1 r2 1, dc2 r1 2");
    let topology = cluster.keyspace("a", "dc1=1 dc2=2 dc3=3").topology();
    // Around the ring: 0 (dc1), 1 (dc1), 2 (dc2), 3 (dc2); dc3 has no node.
    assert_eq!(ranges(&topology, "dc1=1 dc2=2 dc3=3"), ["0 2 3", "1 2 3", "0 2 3", "0 3 2"]);
    let sets = topology.local_sets(&DataCenter::new("dc2"), factor(2));
    assert_eq!(sets.len(), 1, "both nodes hold every range");
    assert!(topology.local_sets(&DataCenter::new("dc3"), factor(3)).is_empty());
}

fn factor(all: u32) -> ReplicationFactor {
    ReplicationFactor { all, transient: 0 }
}

#[test]
fn simple_strategy_knows_neither_racks_nor_data_centers() {
    let topology = Cluster::new("dc1 r1 2, dc2 r1 2").topology();
    assert_eq!(ranges(&topology, "simple 2"), ["0 2", "2 1", "1 3", "3 0"]);
    assert_eq!(ranges(&topology, "simple 9").len(), 4);
}

#[test]
fn everywhere_is_one_set_and_local_none() {
    let topology = Cluster::new("dc1 r1 2, dc2 r1 1").topology();
    let everywhere = topology.cluster_sets(&replication("everywhere"));
    assert_eq!(everywhere.iter().map(|set| set.full.len()).collect::<Vec<_>>(), [3]);
    assert!(topology.cluster_sets(&replication("local")).is_empty());
    assert!(ranges(&topology, "everywhere").is_empty());
}

#[test]
fn the_last_replicas_are_transient() {
    let topology = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc1 r4 1").topology();
    assert_eq!(ranges(&topology, "dc1=3/1"), ["0 1 2'", "1 2 3'", "2 3 0'", "3 0 1'"]);
    // Fewer nodes than replicas: the transient ones are given up first.
    let two = Cluster::new("dc1 r1 1, dc1 r2 1").topology();
    assert_eq!(ranges(&two, "dc1=3/1"), ["0 1", "1 0"]);
    assert_eq!(ranges(&two, "dc1=2/1"), ["0 1'", "1 0'"]);
}

#[test]
fn who_joins_is_to_come_and_who_leaves_is_to_be_replaced() {
    // Tokens 0, 100, 200 and, joining, 150: it will hold (100, 150] and, with RF 2, (0, 100].
    let mut cluster = Cluster::new("dc1 r1 3").joining("dc1", "r1", 1);
    cluster.tokens[3] = vec![150];
    let topology = cluster.topology();
    assert_eq!(ranges(&topology, "dc1=2"), ["0 1", "1 2 +3", "2 0 +3", "2 0"]);
    assert_eq!(topology.unclear(None), None);

    let topology = Cluster::new("dc1 r1 4").status(1, "UL").topology();
    assert_eq!(ranges(&topology, "dc1=2"), ["0 1 +2", "1 2 +3", "2 3", "3 0"]);

    // Both at once: 4 joins at 150 while 1 (at 100) leaves.
    let mut cluster = Cluster::new("dc1 r1 4").status(1, "UL").joining("dc1", "r1", 1);
    cluster.tokens[4] = vec![150];
    let topology = cluster.topology();
    assert_eq!(ranges(&topology, "dc1=2"), ["0 1 +2 +4", "1 2 +3 +4", "2 3 +4", "2 3", "3 0"]);
}

#[test]
fn what_is_to_come_can_not_be_told_where_tokens_are_not_shown() {
    let moving = Cluster::new("dc1 r1 2, dc2 r1 2").status(1, "UM").topology();
    assert_eq!(moving.unclear(None), Some(Unclear::Moving(NodeId(1))));
    assert_eq!(moving.unclear(Some(&DataCenter::new("dc2"))), None);
    let joining = Cluster::new("dc1 r1 2").joining("dc1", "r1", 0).topology();
    assert_eq!(joining.unclear(None), Some(Unclear::Tokenless(NodeId(2))));
}

#[test]
fn ranges_of_the_same_nodes_are_one_set() {
    let topology = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").vnodes(64).topology();
    assert_eq!(ranges(&topology, "dc1=3").len(), 3 * 64);
    let sets = topology.local_sets(&DataCenter::new("dc1"), factor(3));
    assert_eq!(sets.len(), 1);
    let pairs = topology.local_sets(&DataCenter::new("dc1"), factor(2));
    assert_eq!(pairs.len(), 3);
}
