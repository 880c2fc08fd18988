//! What is fuzzed, and what must hold: nothing panics, and what was read and is printed again reads as the same.
//! `host/ring/tests/corpus.rs` runs the same over the kept corpus, without libFuzzer.
use quorate_ring::{
    HostId, Keyspace, KeyspaceName, Partitioner, Replication,
    parse::{self, ClusterAnswer, ClusterDescription, CqlKeyspaces, StatusRow},
};
use std::{collections::BTreeMap, fmt::Write as _};

/// A target and its name, which is that of its corpus' folder.
pub type Named = (&'static str, fn(&str));

/// Every target.
pub const ALL: [Named; 12] = [
    ("status", status),
    ("ring", ring),
    ("describecluster", describecluster),
    ("describering", describering),
    ("info", info),
    ("netstats", netstats),
    ("cms", cms),
    ("gossipinfo", gossipinfo),
    ("cqlsh", cqlsh),
    ("tablestats", tablestats),
    ("short", short),
    ("replication", replication),
];

fn status(text: &str) {
    if let Ok(rows) = parse::status(text) {
        assert!(!rows.is_empty());
        assert_eq!(parse::status(&print_status(&rows)), Ok(rows));
    }
}

fn print_status(rows: &[StatusRow]) -> String {
    let mut text = String::new();
    for block in rows.chunk_by(|a, b| a.data_center == b.data_center) {
        let tokens = block[0].tokens.is_some();
        let columns = if tokens { "Tokens  Owns  Host ID" } else { "Owns  Host ID  Token" };
        let _ = writeln!(
            text,
            "Datacenter: {}\n===\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n--  Address  Load  {columns}  Rack",
            block[0].data_center
        );
        for row in block {
            let host = row.host_id.as_ref().map_or("null", HostId::as_str);
            let cells = match (row.tokens, &row.token) {
                (Some(count), _) => format!("{count}  {}  {host}", row.owns),
                (_, token) => format!("{}  {host}  {}", row.owns, token.as_deref().unwrap_or("")),
            };
            let _ = writeln!(
                text,
                "{}  {}  {}  {cells}  {}",
                row.status, row.address, row.load, row.rack
            );
        }
        text.push('\n');
    }
    text
}

fn ring(text: &str) {
    for partitioner in [Partitioner::Murmur3, Partitioner::Random, Partitioner::ByteOrdered] {
        if let Ok(rows) = parse::ring(partitioner, text) {
            for row in rows {
                assert_eq!(partitioner.parse_token(&row.token.to_string()), Some(row.token));
            }
        }
    }
}

fn describecluster(text: &str) {
    let strict = parse::describecluster(text);
    match parse::describecluster_of_any_version(text) {
        Ok(ClusterAnswer::Whole(told)) => {
            assert_eq!(strict.as_ref(), Ok(&told));
            assert_eq!(parse::describecluster(&print_cluster(&told)), Ok(told));
        }
        Ok(ClusterAnswer::SchemaOnly(_)) | Err(_) => assert!(strict.is_err()),
    }
}

fn print_cluster(told: &ClusterDescription) -> String {
    let list = |nodes: &[quorate_ring::Address]| {
        nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!(
        "Cluster Information:\n\tName: {}\n\tSnitch: s\n\tPartitioner: {}\n\tSchema versions:\n",
        told.name, told.partitioner
    );
    for (version, nodes) in &told.schema_versions {
        let _ = writeln!(text, "\t\t{version}: [{}]\n", list(nodes));
    }
    let _ = writeln!(text, "\t\tUNREACHABLE: [{}]\n", list(&told.unreachable));
    text += "Stats for all nodes:\n\tLive: 0\n\tJoining: 0\n\tMoving: 0\n\tLeaving: 0\n\tUnreachable: 0\n\nData Centers: \n";
    for (name, count) in &told.data_centers {
        let _ = writeln!(text, "\t{name} #Nodes: {count} #Down: 0");
    }
    text += "\nDatabase versions:\n";
    for (version, nodes) in &told.versions {
        let _ = writeln!(text, "\t{version}: [{}]\n", list(nodes));
    }
    text += "Keyspaces:\n";
    for Keyspace { name, replication } in &told.keyspaces {
        let _ = writeln!(text, "\t{name} -> Replication class: {replication}");
    }
    text
}

fn describering(text: &str) {
    let keyspace = KeyspaceName::new("k");
    let Ok(described) = parse::describering(&keyspace, text) else { return };
    let mut printed =
        String::from("Schema Version:4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76\nTokenRange: \n");
    for range in &described.ranges {
        let hosts: Vec<String> = range.endpoints.iter().map(ToString::to_string).collect();
        let details: Vec<String> = hosts
            .iter()
            .map(|h| format!("EndpointDetails(host:{h}, datacenter:d, rack:r)"))
            .collect();
        let _ = writeln!(
            printed,
            "\tTokenRange(start_token:{}, end_token:{}, endpoints:[{}], rpc_endpoints:[], endpoint_details:[{}])",
            range.start,
            range.end,
            hosts.join(", "),
            details.join(", ")
        );
    }
    let again = parse::describering(&keyspace, &printed).expect("it is what was read");
    assert_eq!(again.ranges, described.ranges);
}

fn info(text: &str) {
    let _ = parse::info(text);
}

fn netstats(text: &str) {
    if let Ok(stats) = parse::netstats(text) {
        assert!(stats.topology_streams().count() <= stats.streams.len());
    }
}

fn cms(text: &str) {
    let _ = parse::cms(text);
}

fn gossipinfo(text: &str) {
    if let Ok(endpoints) = parse::gossipinfo(text) {
        assert!(!endpoints.is_empty());
    }
}

fn cqlsh(text: &str) {
    if let Ok(told) = parse::cql_keyspaces(text) {
        assert_eq!(parse::cql_keyspaces(&print_cql(&told)), Ok(told));
    }
}

fn print_cql(told: &CqlKeyspaces) -> String {
    let mut text = format!(
        "\n host_id | schema_version\n---------+---------------\n {} | {}\n\n(1 rows)\n\n keyspace_name | replication\n---------------+-------------\n",
        told.host_id.as_str(),
        told.schema_version
    );
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    for Keyspace { name, replication } in &told.keyspaces {
        let (class, options) = match replication {
            Replication::NetworkTopology(factors) => {
                let option = |(dc, factor): (&quorate_ring::DataCenter, _)| {
                    format!(", {}: '{factor}'", quoted(dc.as_str()))
                };
                ("NetworkTopologyStrategy", factors.iter().map(option).collect())
            }
            Replication::Simple(factor) => {
                ("SimpleStrategy", format!(", 'replication_factor': '{factor}'"))
            }
            Replication::Everywhere => ("EverywhereStrategy", String::new()),
            Replication::Local => ("LocalStrategy", String::new()),
            // Its options are kept as they are, in another form.
            Replication::Meta(_) => ("MetaStrategy", String::new()),
        };
        let _ = writeln!(text, " {name} | {{'class': '{class}'{options}}}");
    }
    let _ = writeln!(text, "\n({} rows)", told.keyspaces.len());
    text
}

fn tablestats(text: &str) {
    let Ok(names) = parse::keyspaces_of_tablestats(text) else { return };
    let mut printed = String::new();
    for name in &names {
        let _ = writeln!(printed, "Keyspace: {name}\n\tRead Count: 0\n\n----------------");
    }
    assert_eq!(parse::keyspaces_of_tablestats(&printed), Ok(names));
}

fn short(text: &str) {
    let _ = parse::statusbinary(text);
    if let Ok(version) = parse::version(text) {
        assert_eq!(parse::version(&format!("ReleaseVersion: {version}\n")), Ok(version));
    }
}

/// `--rf`, and how a replication is printed.
fn replication(text: &str) {
    let Ok(keyspace) = parse::replication_by_hand(text) else { return };
    let again = match &keyspace.replication {
        Replication::NetworkTopology(factors) => {
            let one = |(dc, factor): (&quorate_ring::DataCenter, _)| format!("{dc}={factor}");
            let factors: Vec<String> = factors.iter().map(one).collect();
            format!("{}:{}", keyspace.name, factors.join(","))
        }
        Replication::Simple(factor) => format!("{}={factor}", keyspace.name),
        other => panic!("{other}"),
    };
    assert_eq!(parse::replication_by_hand(&again), Ok(keyspace.clone()));
    // A name with a line end or more can be typed, but not be printed.
    let name = keyspace.replication.to_string();
    if !name.contains(char::is_control) {
        let told = ClusterDescription {
            name: quorate_ring::ClusterName::new("c"),
            partitioner: "Murmur3Partitioner".into(),
            schema_versions: BTreeMap::new(),
            unreachable: Vec::new(),
            data_centers: BTreeMap::new(),
            versions: BTreeMap::new(),
            keyspaces: ["system", "system_schema"]
                .map(|name| Keyspace {
                    name: KeyspaceName::new(name),
                    replication: Replication::Local,
                })
                .into_iter()
                .filter(|local| local.name != keyspace.name)
                .chain([keyspace.clone()])
                .collect(),
        };
        if let Ok(read) = parse::describecluster(&print_cluster(&told)) {
            assert_eq!(read, told);
        }
    }
}
