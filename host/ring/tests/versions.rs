//! Topologies out of the samples of 3.0, 3.11, 4.0 and of mixed releases.
#![allow(clippy::unwrap_used)]
use quorate_ring::{
    DataCenter, Keyspace, KeyspaceName, Partitioner, Reading, Replication, Topology, TopologyError,
    parse::{self, ClusterAnswer, ClusterDescription},
};
use std::{collections::BTreeMap, fs, path::Path};

fn sample(folder: &str, file: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cassandra/samples");
    let path = samples.join(folder).join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The topology as a node before 4.0 tells it, with what a person says.
fn older(folder: &str, given: &[&str]) -> Result<Topology, TopologyError> {
    let text = sample(folder, "describecluster.txt");
    let ClusterAnswer::SchemaOnly(schema) = parse::describecluster_of_any_version(&text).unwrap()
    else {
        panic!("{folder} tells keyspaces");
    };
    let rows = parse::status(&sample(folder, "status.txt")).unwrap();
    let ring = parse::ring(Partitioner::Murmur3, &sample(folder, "ring.txt")).unwrap();
    let gossip = parse::gossipinfo(&sample(folder, "gossipinfo.txt")).unwrap();
    let mut versions: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (address, state) in gossip {
        versions.entry(state.release.unwrap()).or_default().push(address);
    }
    let names = parse::keyspaces_of_tablestats(&sample(folder, "tablestats.txt")).unwrap();
    let placed =
        names.into_iter().filter(|name| !["system", "system_schema"].contains(&name.as_str()));
    let ranges = placed.map(|name| {
        let text = sample(folder, &format!("describering_{name}.txt"));
        let described = parse::describering(&name, &text).unwrap();
        (name, described)
    });
    let cluster = ClusterDescription {
        name: schema.name,
        partitioner: schema.partitioner,
        schema_versions: schema.schema_versions,
        unreachable: schema.unreachable,
        data_centers: [(DataCenter::new("dc1"), rows.len() as u32)].into(),
        versions,
        keyspaces: Vec::new(),
    };
    let given = given.iter().map(|text| parse::replication_by_hand(text).unwrap());
    let given = given.map(|Keyspace { name, replication }| (name, replication)).collect();
    Topology::from_ranges(rows, cluster, ring, ranges.collect(), &given)
}

/// Every reading of a keyspace, an open one with a plus.
fn readings(topology: &Topology, name: &str) -> Vec<String> {
    let name = KeyspaceName::new(name);
    let of = topology.readings().filter(|(known, _)| **known == name);
    let text = |Reading { replication, open }: Reading| {
        format!("{replication}{}", if open.is_empty() { "" } else { "+" })
    };
    of.map(|(_, reading)| text(reading)).collect()
}

#[test]
fn replication_is_read_off_the_ranges_of_old_nodes() {
    for folder in ["3.0.29/normal", "3.11.17/normal", "3.11.17/dn", "3.11.17/mixed_3.11_4.0"] {
        let topology = older(folder, &[]).unwrap_or_else(|e| panic!("{folder}: {e}"));
        assert_eq!(topology.doubts, [], "{folder}");
        let simple = |all: u32| format!("SimpleStrategy {{replication_factor={all}}}");
        let network = |all: u32| format!("NetworkTopologyStrategy {{dc1={all}}}");
        // Three nodes in three racks: the factor of three is open, and both strategies place one replica alike.
        let open = [network(3) + "+", simple(3) + "+"];
        assert_eq!(readings(&topology, "app_rf3"), open, "{folder}");
        assert_eq!(readings(&topology, "system_auth"), open, "{folder}");
        assert_eq!(readings(&topology, "app_rf1"), [network(1), simple(1)], "{folder}");
        assert!(readings(&topology, "simple_rf2").contains(&simple(2)), "{folder}");
        let releases = topology.nodes.iter().filter_map(|node| node.version.as_deref());
        let mixed = folder.contains("mixed");
        assert_eq!(releases.filter(|r| *r == "4.0.17").count(), usize::from(mixed), "{folder}");
        assert_eq!(topology.schema_versions.len(), 1 + usize::from(mixed), "{folder}");
    }
}

#[test]
fn what_a_person_says_closes_the_factor_and_must_fit() {
    let topology = older("3.11.17/normal", &["app_rf3:dc1=3", "simple_rf2=2"]).unwrap();
    assert_eq!(readings(&topology, "app_rf3"), ["NetworkTopologyStrategy {dc1=3}"]);
    assert_eq!(readings(&topology, "simple_rf2"), ["SimpleStrategy {replication_factor=2}"]);
    assert_eq!(topology.doubts, []);
    // More than there are nodes can't be seen.
    assert!(older("3.11.17/normal", &["app_rf3:dc1=5"]).is_ok());
    for (said, told) in [
        ("app_rf3:dc1=2", "--rf app_rf3: nodetool describering shows 3 replicas of a range in dc1"),
        ("app_rf1:dc1=3", "--rf app_rf1: nodetool describering shows 1 replicas of a range in dc1"),
        ("app_rf1:dc2=1", "--rf app_rf1: nodetool describering shows 1 replicas of a range in dc1"),
        ("simple_rf2=3", "--rf simple_rf2: nodetool describering shows 2 replicas of a range"),
    ] {
        assert_eq!(older("3.11.17/normal", &[said]).unwrap_err().to_string(), told);
    }
    let told = [parse::replication_by_hand("shop:dc1=3").unwrap()];
    let said = |text: &str| {
        let Keyspace { name, replication } = parse::replication_by_hand(text).unwrap();
        Topology::check_by_hand(&told, &[(name, replication)].into())
    };
    assert_eq!(said("shop:dc1=3"), Ok(()));
    assert_eq!(said("other:dc1=1"), Ok(()));
    assert!(said("shop:dc1=2").unwrap_err().to_string().contains("{dc1=3}"));
}

#[test]
fn cqlsh_tells_what_the_ranges_only_suggest() {
    for folder in ["3.11.17/normal", "4.0.17/normal", "4.0.17/2dc", "4.1.9/mixed_4.0_4.1"] {
        let told = parse::cql_keyspaces(&sample(folder, "cqlsh.txt")).unwrap();
        let rows = parse::status(&sample(folder, "status.txt")).unwrap();
        assert!(rows.iter().any(|row| row.host_id.as_ref() == Some(&told.host_id)), "{folder}");
        if folder.starts_with('4') {
            let cluster = parse::describecluster(&sample(folder, "describecluster.txt")).unwrap();
            let by_name = |mut keyspaces: Vec<Keyspace>| {
                keyspaces.sort_by(|a, b| a.name.cmp(&b.name));
                keyspaces
            };
            assert_eq!(by_name(told.keyspaces), by_name(cluster.keyspaces), "{folder}");
            assert!(cluster.schema_versions.contains_key(&told.schema_version), "{folder}");
        }
    }
}

#[test]
fn in_every_state_of_4_0_the_ranges_follow_from_the_tokens() {
    for (folder, keyspaces) in [
        ("4.0.17/normal", &["app_rf3", "app_rf1", "simple_rf2"][..]),
        ("4.0.17/dn", &["app_rf3", "app_rf1", "simple_rf2"]),
        ("4.0.17/2dc", &["app_rf3", "app_rf1", "simple_rf2"]),
        ("4.0.17/single_token", &["app_rf3", "app_rf1", "simple_rf2"]),
        ("4.0.17/one_token_each", &["app_rf3", "app_rf1", "simple_rf2"]),
        ("4.0.17/joining", &["app_rf3"]),
        ("4.0.17/leaving", &["app_rf3"]),
        ("4.0.17/stopped_before_upgrade", &["app_rf3", "app_rf1", "simple_rf2"]),
        ("4.0.17/mixed_4.0_4.1", &["app_rf3", "app_rf1", "simple_rf2"]),
        ("4.1.9/mixed_4.0_4.1", &["app_rf3", "app_rf1", "simple_rf2"]),
        ("4.0.17/mixed_3.11_4.0", &["app_rf3", "app_rf1", "simple_rf2"]),
    ] {
        let rows = parse::status(&sample(folder, "status.txt")).unwrap();
        let cluster = parse::describecluster(&sample(folder, "describecluster.txt")).unwrap();
        let ring = parse::ring(Partitioner::Murmur3, &sample(folder, "ring.txt")).unwrap();
        let asked = cluster.keyspaces.iter().filter(|ks| keyspaces.contains(&ks.name.as_str()));
        let ranges: Vec<_> = asked
            .map(|ks| {
                let text = sample(folder, &format!("describering_{}.txt", ks.name));
                (ks.clone(), parse::describering(&ks.name, &text).unwrap())
            })
            .collect();
        assert_eq!(ranges.len(), keyspaces.len(), "{folder}");
        let topology = Topology::from_parts(rows, cluster, ring, &ranges)
            .unwrap_or_else(|e| panic!("{folder}: {e}"));
        assert_eq!(topology.doubts, [], "{folder}");
        assert!(topology.inferred.is_empty());
        assert!(topology.keyspaces.iter().any(|ks| ks.replication == Replication::Local));
        assert!(topology.nodes.iter().all(|node| node.version.is_some()), "{folder}");
        let pending =
            topology.ranges(&ranges[0].0.replication).iter().any(|range| !range.pending.is_empty());
        let changes = ["joining", "leaving"].iter().any(|state| folder.contains(state));
        assert_eq!(pending, changes, "{folder}");
    }
}
