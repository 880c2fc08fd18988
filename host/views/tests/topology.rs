//! The cluster as a table, as JSON and as a picture; ranges; findings.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod snapshot;

use quorate_fixtures::Cluster;
use quorate_ring::{
    Doubt, DoubtfulRange, KeyspaceName, NodeId, Partitioner, Replacement, Token, TokenRing,
    Topology,
};
use quorate_schedule::{Guard, Level, Policy};
use quorate_views::{TopologyView, findings, ranges_json, ranges_text};
use serde_json::{Value, json};
use snapshot::check;
use std::collections::BTreeSet;

fn shown<T>(topology: &Topology, policy: &Policy, show: impl FnOnce(TopologyView<'_>) -> T) -> T {
    let guard = Guard::new(topology, policy);
    show(TopologyView { topology, guard: &guard, policy })
}

fn found(topology: &Topology, policy: &Policy) -> Vec<String> {
    findings(topology, &Guard::new(topology, policy), policy)
}

/// One finding, which has these words in it.
fn one(topology: &Topology, policy: &Policy, words: &[&str]) {
    let found = found(topology, policy);
    let fits = |text: &&String| words.iter().all(|word| text.contains(word));
    assert_eq!(found.iter().filter(fits).count(), 1, "{words:?} in {found:#?}");
}

/// Eighteen nodes: one down, one that joins, and keyspaces of all kinds.
fn shop() -> Topology {
    let racks: Vec<String> = ["dc1", "dc2"]
        .iter()
        .flat_map(|dc| (1..4).map(move |rack| format!("{dc} rack{rack} 3")))
        .collect();
    Cluster::new(&racks.join(", "))
        .vnodes(4)
        .status(4, "DN")
        .joining("dc2", "rack3", 4)
        .keyspace("shop", "dc1=3 dc2=3")
        .keyspace("shop_events", "dc1=3 dc2=3")
        .keyspace("cache", "dc2=1")
        .keyspace("old", "dc1=3 dc9=3")
        .keyspace("simple", "simple 3")
        .keyspace("everywhere", "everywhere")
        .system_keyspaces()
        .topology()
}

#[test]
fn the_table_tells_nodes_keyspaces_and_findings() {
    check("topology.txt", &shown(&shop(), &Policy::default(), |view| view.text()));
}

#[test]
fn the_json_tells_the_same() {
    let topology = shop();
    let json = shown(&topology, &Policy::default(), |view| view.json());
    check("topology.json", &format!("{json:#}\n"));
    assert_eq!(json["format"], 1);
    assert_eq!(json["findings"], json!(found(&topology, &Policy::default())));
    let nodes = json["nodes"].as_array().unwrap();
    for dc in ["dc1", "dc2"] {
        let of = nodes.iter().filter(|node| node["data_center"] == dc);
        let sum: f64 = of.map(|node| node["share"].as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 0.01, "the shares of {dc} are {sum}");
    }
}

#[test]
fn slack_counts_who_is_out() {
    let cluster = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").keyspace("shop", "dc1=3");
    let slack = |cluster: &Cluster, level: Level| -> Vec<Option<u64>> {
        let mut policy = Policy::default();
        policy.guarantee.level = level;
        let json = shown(&cluster.topology(), &policy, |view| view.json());
        json["nodes"].as_array().unwrap().iter().map(|node| node["slack"].as_u64()).collect()
    };
    assert_eq!(slack(&cluster, Level::LocalQuorum), [Some(1); 3]);
    assert_eq!(slack(&cluster, Level::One), [Some(2); 3]);
    assert_eq!(slack(&cluster.clone().status(0, "DN"), Level::LocalQuorum), [Some(0); 3]);
    let bare = Cluster::new("dc1 r1 2").system_keyspaces();
    assert_eq!(slack(&bare, Level::LocalQuorum), [None; 2]);
}

#[test]
fn a_share_is_the_distance_to_the_token_before() {
    let tokens = [(i64::MIN, 0), (0, 1), (i64::MAX / 2 + 1, 2)];
    let mut topology = Cluster::new("dc1 r1 3").topology();
    let owned = tokens.map(|(token, node)| (Token::Number(token), NodeId(node)));
    topology.ring = TokenRing::new(owned.into(), Vec::new()).unwrap();
    let shares = |topology: &Topology| -> Vec<Value> {
        let json = shown(topology, &Policy::default(), |view| view.json());
        json["nodes"].as_array().unwrap().iter().map(|node| node["share"].clone()).collect()
    };
    assert_eq!(shares(&topology), [0.25, 0.5, 0.25]);

    topology.partitioner = Partitioner::Random;
    let owned = [(0, 0), (1_u128 << 126, 1), (1_u128 << 125, 2)];
    let owned = owned.map(|(token, node)| (Token::Large(token), NodeId(node)));
    topology.ring = TokenRing::new(owned.into(), Vec::new()).unwrap();
    assert_eq!(shares(&topology), [0.5, 0.25, 0.25]);

    topology.partitioner = Partitioner::ByteOrdered;
    let owned = [("10", 0), ("80", 1), ("f0", 2)];
    let token = |text| Partitioner::ByteOrdered.parse_token(text).unwrap();
    let owned = owned.map(|(text, node)| (token(text), NodeId(node)));
    topology.ring = TokenRing::new(owned.into(), Vec::new()).unwrap();
    assert_eq!(shares(&topology), [Value::Null, Value::Null, Value::Null]);
    assert!(shown(&topology, &Policy::default(), |view| view.svg()).contains("class=\"s0\""));
}

#[test]
fn a_node_that_is_being_replaced_still_owns_its_tokens() {
    let cluster = Cluster::new("dc1 r1 2").status(0, "DN").joining("dc1", "r1", 1);
    let mut topology = cluster.keyspace("shop", "dc1=2").topology();
    let owned = [(0, 2), (i64::MIN, 1)];
    let owned = owned.map(|(token, node)| (Token::Number(token), NodeId(node)));
    let replaced = Replacement { dead: NodeId(0), by: NodeId(2) };
    topology.ring = TokenRing::new(owned.into(), vec![replaced]).unwrap();
    let json = shown(&topology, &Policy::default(), |view| view.json());
    let told: Vec<(&Value, &Value)> = json["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (&node["tokens"], &node["share"]))
        .collect();
    let half = json!(0.5);
    assert_eq!(told, [(&json!(1), &half), (&json!(1), &half), (&json!(1), &json!(0.0))]);
}

#[test]
fn every_range_has_its_line_in_ring_order() {
    let topology = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc2 r1 2")
        .keyspace("shop", "dc1=2")
        .keyspace("thin", "dc1=3/1")
        .keyspace("everywhere", "everywhere")
        .keyspace("elsewhere", "dc9=3")
        .topology();
    let all: Vec<String> = topology
        .keyspaces
        .iter()
        .map(|keyspace| format!("{}\n{}", keyspace.name, ranges_text(&topology, keyspace)))
        .collect();
    check("topology-ranges.txt", &all.join("\n"));
    for keyspace in &topology.keyspaces {
        let json: Value = serde_json::from_str(&ranges_json(&topology, keyspace)).unwrap();
        assert_eq!(json["keyspace"], keyspace.name.as_str());
        let lines = ranges_text(&topology, keyspace).lines().count();
        assert_eq!(json["ranges"].as_array().unwrap().len(), lines);
    }
    let json: Value =
        serde_json::from_str(&ranges_json(&topology, &topology.keyspaces[1])).unwrap();
    let first = &json["ranges"][0];
    assert_eq!(first["replicas"].as_array().unwrap().len(), 3);
    assert_eq!(first["transient"], json!([first["replicas"][2]]));
    assert_eq!(first["pending"], json!([]));
}

#[test]
fn a_range_says_who_is_to_come_and_what_is_in_doubt() {
    let mut topology = Cluster::new("dc1 r1 2, dc1 r2 2")
        .joining("dc1", "r3", 2)
        .keyspace("shop", "dc1=2")
        .keyspace("same", "dc1=2")
        .keyspace("other", "dc1=3")
        .topology();
    topology.doubts = vec![Doubt {
        keyspace: KeyspaceName::new("shop"),
        replication: topology.keyspaces[0].replication.clone(),
        ranges: vec![DoubtfulRange {
            range: (0, 1),
            described: vec![NodeId(0)],
            computed: vec![NodeId(1)],
        }],
    }];
    let json = |number: usize| -> Value {
        serde_json::from_str(&ranges_json(&topology, &topology.keyspaces[number])).unwrap()
    };
    let to_come = json!(["10.0.0.4"]);
    assert!(json(0)["ranges"].as_array().unwrap().iter().any(|range| range["pending"] == to_come));
    assert!(ranges_text(&topology, &topology.keyspaces[0]).contains("  to come: 10.0.0.4\n"));
    for (number, doubts) in [(0, 1), (1, 1), (2, 0)] {
        assert_eq!(json(number)["doubts"].as_array().unwrap().len(), doubts);
        let text = ranges_text(&topology, &topology.keyspaces[number]);
        assert_eq!(text.lines().filter(|line| line.starts_with("in doubt: ")).count(), doubts);
    }
    one(&topology, &Policy::default(), &["describering"]);
}

#[test]
fn keyspaces_that_bear_no_node_out_are_named_once() {
    let mut cluster = Cluster::new("dc1 r1 2, dc1 r2 2").keyspace("shop", "dc1=2");
    let policy = Policy::default();
    one(&cluster.topology(), &policy, &["shop (RF 2 in dc1)", "4 nodes", "LOCAL_QUORUM"]);
    for number in 0..5 {
        cluster = cluster.keyspace(&format!("cache{number}"), "dc1=1");
    }
    one(&cluster.topology(), &policy, &["bears no replica out", "with 5 more keyspaces"]);
    // All but one are accepted: that one is named, and no other counted.
    let mut accepting = Policy::default();
    for number in 0..5 {
        accepting.guarantee.accepted.insert(KeyspaceName::new(format!("cache{number}")));
    }
    let found = found(&cluster.topology(), &accepting);
    assert!(found[0].starts_with("shop (RF 2") && !found[0].contains("more"), "{found:#?}");
    accepting.guarantee.accepted.insert(KeyspaceName::new("shop"));
    assert_eq!(self::found(&cluster.topology(), &accepting), [""; 0]);
    let lone = Cluster::new("dc1 r1 1").keyspace("shop", "dc1=3").topology();
    one(&lone, &policy, &["shop (RF 3 in dc1)", "its one node"]);
}

#[test]
fn an_accepted_keyspace_is_not_named_for_another_with_its_replication() {
    let cluster = Cluster::new("dc1 r1 2").keyspace("aged", "dc1=1").keyspace("shop", "dc1=1");
    let mut policy = Policy::default();
    policy.guarantee.accepted.insert(KeyspaceName::new("aged"));
    let found = found(&cluster.topology(), &policy);
    assert!(found[0].starts_with("shop (RF 1") && !found[0].contains("more"), "{found:#?}");
}

#[test]
fn what_else_a_person_should_know_is_found() {
    let policy = Policy::default();
    let topology = shop();
    one(&topology, &policy, &["old is replicated to dc9, which has no node"]);
    one(&topology, &policy, &["simple is replicated by SimpleStrategy"]);
    one(
        &topology,
        &policy,
        &[
            "ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 3};",
        ],
    );
    one(&topology, &policy, &["10.0.0.4 of dc1 is DN"]);
    let mut versions = topology.clone();
    let address = versions.nodes[0].address;
    versions.schema_versions.insert("v2".into(), vec![address]);
    one(&versions, &policy, &["5.0.4", "2 schema versions"]);

    let well = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1").keyspace("shop", "dc1=3");
    assert_eq!(found(&well.topology(), &policy), [""; 0]);
    let quoted = Cluster::new("it's r1 3").system_keyspaces().topology();
    one(&quoted, &policy, &["'it''s': 3}"]);
}

#[test]
fn a_node_that_moves_is_said_to_hold_its_data_center() {
    let cluster = Cluster::new("dc1 r1 3, dc2 r1 3").shop().status(1, "UM");
    let mut policy = Policy::default();
    one(&cluster.topology(), &policy, &["no node of dc1", "10.0.0.1 moves"]);
    policy.guarantee.allow_topology_change = true;
    let found = found(&cluster.topology(), &policy);
    assert!(!found.iter().any(|text| text.contains("is started")), "{found:#?}");
}

#[test]
fn a_keyspace_is_shown_as_it_is_kept() {
    let topology = shop();
    let mut policy = Policy::default();
    policy.guarantee.keyspaces.insert(KeyspaceName::new("system_traces"), Level::One);
    policy.guarantee.only.insert(KeyspaceName::new("shop"));
    let json = shown(&topology, &policy, |view| view.json());
    let kept: Vec<(&str, Option<&str>)> = json["keyspaces"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|keyspace| keyspace["guarded"] == true)
        .map(|keyspace| (keyspace["name"].as_str().unwrap(), keyspace["level"].as_str()))
        .collect();
    assert_eq!(kept, [("shop", Some("LOCAL_QUORUM")), ("system_traces", Some("ONE"))]);
    for keyspace in json["keyspaces"].as_array().unwrap() {
        assert_eq!(keyspace["guarded"] == true, keyspace["why_not"].is_null(), "{keyspace}");
    }
}

/// How many paths of this class there are.
fn paths(svg: &str, class: &str) -> usize {
    svg.matches(&format!("<path class=\"{class}\"")).count()
}

#[test]
fn the_picture_shows_every_node_with_its_state() {
    let mut topology = shop();
    let kept = ["shop", "old", "system_auth"];
    topology.keyspaces.retain(|keyspace| kept.contains(&keyspace.name.as_str()));
    let svg = shown(&topology, &Policy::default(), |view| view.svg());
    check("topology.svg", &svg);
    for id in topology.ids() {
        let node = topology.node(id);
        let words =
            format!("<title>{}, {} {}, {}", node.address, node.data_center, node.rack, node.status);
        assert!(svg.contains(&words), "{words}");
    }
    assert_eq!(svg.matches("<rect class=\"out").count(), 2, "one in the legend, one node");
    assert_eq!(paths(&svg, "outs"), 1, "one data center has a node that is out");
    let tokens = |class: &str| paths(&svg, class);
    assert_eq!((0..7).map(|n| tokens(&format!("s{n}"))).sum::<usize>(), 18 * 4);
}

#[test]
fn names_cannot_break_out_of_the_picture() {
    let mut topology = Cluster::new("<dc&> \"r1\" 2").topology();
    topology.cluster = quorate_ring::ClusterName::new("a<script>\u{1}&");
    let svg = shown(&topology, &Policy::default(), |view| view.svg());
    assert!(svg.contains("a&lt;script&gt; &amp;") && !svg.contains("<script"));
    assert!(svg.contains("&lt;dc&amp;&gt;") && svg.contains("&quot;r1&quot;"));
}

/// Thousand nodes with 256 tokens each, one down: no more elements than a browser bears, and no token lost.
#[test]
fn a_large_cluster_has_a_picture_of_its_own_size() {
    let racks: Vec<String> = (1..4)
        .flat_map(|dc| (1..4).map(move |rack| format!("dc{dc} rack{rack} {}", 111 + rack / 3)))
        .collect();
    let cluster = Cluster::new(&racks.join(", ")).vnodes(256).keyspace("shop", "dc1=3 dc2=3 dc3=3");
    let topology = cluster.clone().status(0, "DN").topology();
    let svg = shown(&topology, &Policy::default(), |view| view.svg());
    assert!(svg.len() < 1_000_000, "{} bytes", svg.len());
    assert!(svg.matches("<path").count() < 50);
    assert_eq!(svg.matches("<g><title>").count(), topology.nodes.len());
    // What is out is marked wherever it has a token, however narrow.
    let marks: BTreeSet<&str> = svg.lines().filter(|line| line.contains("\"outs\"")).collect();
    let curves: usize = marks.iter().map(|line| line.matches('M').count()).sum();
    assert!((150..=256).contains(&curves), "{curves} marks for 256 tokens");
}
