//! The parsers against what real nodes of 4.1.9 and 5.0.4 printed, and against those outputs cut or
//! with lines missing.
#![allow(clippy::unwrap_used)]
use quorate_ring::{
    Keyspace, KeyspaceName, Mode, NodeId, Partitioner, Replication, TokenRange, Topology,
    parse::{self, Described, ParseError},
};
use std::{collections::BTreeSet, fs, path::PathBuf};

/// Every folder of samples: a version and a state of its cluster.
const FOLDERS: [&str; 7] = [
    "4.1.9/mixed_4.1_5.0",
    "4.1.9/normal",
    "5.0.4/2dc",
    "5.0.4/dn",
    "5.0.4/joining",
    "5.0.4/leaving",
    "5.0.4/normal",
];

/// Folders of a ring of four nodes that changes, with fewer commands each.
const CHANGING: [&str; 7] = [
    "5.0.4/joining2",
    "5.0.4/leaving2",
    "5.0.4/left",
    "5.0.4/replaced",
    "5.0.4/replacing",
    "5.0.4/replacing_phase1",
    "5.0.4/replacing_same_address",
];

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/cassandra/samples")
}

fn sample(folder: &str, file: &str) -> Option<String> {
    fs::read_to_string(samples().join(folder).join(file)).ok()
}

/// The ranges of a keyspace; the state folders without a keyspace's name in the file's hold those of
/// `app_rf3`.
fn ranges_text(folder: &str, keyspace: &str) -> String {
    sample(folder, &format!("describering_{keyspace}.txt"))
        .or_else(|| sample(folder, "describering.txt"))
        .unwrap()
}

fn ranges(keyspace: &str, text: &str) -> Result<Described, ParseError> {
    parse::describering(&KeyspaceName::new(keyspace), text)
}

/// Keeps of the samples' keyspaces only those whose ranges are among the samples.
fn keep_keyspaces(describecluster: &str, kept: &[&str]) -> String {
    let is_kept = |line: &&str| match line.split_once(" -> Replication class: ") {
        Some((name, _)) => {
            kept.contains(&name.trim()) || ["\tsystem", "\tsystem_schema"].contains(&name)
        }
        None => true,
    };
    describecluster.split_inclusive('\n').filter(is_kept).collect()
}

#[test]
fn every_status_is_read() {
    for folder in FOLDERS {
        for file in ["status.txt", "status_ks.txt", "status_ks_rf1.txt", "status_port.txt"] {
            let Some(text) = sample(folder, file) else { continue };
            let rows = parse::status(&text).unwrap_or_else(|e| panic!("{folder}/{file}: {e}"));
            let nodes = match folder {
                "5.0.4/2dc" => 6,
                "5.0.4/joining" | "5.0.4/leaving" => 4,
                _ => 3,
            };
            assert_eq!(rows.len(), nodes, "{folder}/{file}");
            for row in &rows {
                assert_eq!(row.tokens, Some(if folder == "5.0.4/2dc" { 16 } else { 4 }));
                assert!(row.host_id.is_some());
                assert!(row.rack.as_str().starts_with("rack"), "{row:?}");
                let letters = row.status.to_string();
                let expected = match (folder, row.address.to_string().as_str()) {
                    ("5.0.4/dn", "127.0.0.3") => "DN",
                    ("5.0.4/joining", "127.0.0.4") => "UJ",
                    ("5.0.4/leaving", "127.0.0.4") => "UL",
                    _ => "UN",
                };
                assert_eq!(letters, expected, "{folder}/{file}");
            }
        }
        if let Some(text) = sample(folder, "status_r.txt") {
            let error = parse::status(&text).unwrap_err().to_string();
            assert!(error.contains("leave `-r` out") && error.contains("localhost"), "{error}");
        }
    }
}

#[test]
fn every_describecluster_is_read() {
    for folder in FOLDERS {
        let text = sample(folder, "describecluster.txt").unwrap();
        let cluster = parse::describecluster(&text).unwrap_or_else(|e| panic!("{folder}: {e}"));
        assert_eq!(cluster.name.as_str(), "Test Cluster");
        assert_eq!(cluster.partitioner, "Murmur3Partitioner");
        assert_eq!(cluster.keyspaces.len(), 11);
        assert_eq!(cluster.unreachable.len(), usize::from(folder == "5.0.4/dn"));
        let mixed = folder == "4.1.9/mixed_4.1_5.0";
        assert_eq!(cluster.schema_versions.len(), if mixed { 2 } else { 1 });
        assert_eq!(cluster.versions.len(), if mixed { 2 } else { 1 });
        let local = cluster.keyspaces.iter().filter(|k| k.replication == Replication::Local);
        assert_eq!(local.count(), 2);
        let guarded: Vec<_> = cluster
            .keyspaces
            .iter()
            .filter(|k| !k.is_guarded())
            .map(|k| k.name.as_str())
            .filter(|name| !["system", "system_schema"].contains(name))
            .collect();
        assert_eq!(guarded.len(), 2, "{guarded:?}");
    }
}

#[test]
fn every_describering_is_read() {
    for folder in FOLDERS {
        for (keyspace, factor) in
            [("app_rf1", 1), ("app_rf3", 3), ("system_auth", 3), ("system_traces", 2), ("port", 3)]
        {
            let Some(text) = sample(folder, &format!("describering_{keyspace}.txt")) else {
                continue;
            };
            let ranges = ranges(keyspace, &text).unwrap_or_else(|e| panic!("{folder}: {e}"));
            let two = folder == "5.0.4/2dc";
            assert_eq!(ranges.ranges.len(), if two { 96 } else { 12 });
            let factor = if two && keyspace != "system_traces" { 2 * factor } else { factor };
            assert!(
                ranges.ranges.iter().all(|r| r.endpoints.len() == factor),
                "{folder} {keyspace}"
            );
        }
        if let Some(text) = sample(folder, "describering_nosuchks.txt") {
            let error = ranges("nosuchks", &text).unwrap_err().to_string();
            assert!(error.contains("does the keyspace exist?"), "{error}");
        }
    }
}

#[test]
fn every_short_answer_is_read() {
    for folder in FOLDERS {
        for file in ["info.txt", "info_T.txt"] {
            let Some(text) = sample(folder, file) else { continue };
            let info = parse::info(&text).unwrap_or_else(|e| panic!("{folder}: {e}"));
            assert!(info.gossip_active && info.native_transport_active);
            assert!(info.generation > 1_700_000_000 && info.uptime_seconds > 0);
            assert_eq!((info.data_center.as_str(), info.rack.as_str()), ("dc1", "rack1"));
        }
        if let Some(text) = sample(folder, "statusbinary.txt") {
            assert!(parse::statusbinary(&text).unwrap());
        }
        if let Some(text) = sample(folder, "version.txt") {
            assert_eq!(parse::version(&text).unwrap(), folder.split('/').next().unwrap());
        }
        let stats = parse::netstats(&sample(folder, "netstats.txt").unwrap()).unwrap();
        assert_eq!((stats.mode.as_str(), stats.streams.len()), ("NORMAL", 0));
    }
}

/// The keyspaces of the samples that have ranges among them.
fn asked(folder: &str) -> &'static [&'static str] {
    match folder {
        "5.0.4/joining" | "5.0.4/leaving" => &["app_rf3"],
        _ if CHANGING.contains(&folder) => &["app_rf3"],
        _ => &["app_rf3", "app_rf1"],
    }
}

/// What a topology is made from.
#[derive(Clone)]
struct Texts {
    status: String,
    cluster: String,
    ring: String,
    ranges: String,
}

impl Texts {
    fn of(folder: &str) -> Self {
        let cluster = sample(folder, "describecluster.txt").unwrap();
        Self {
            status: sample(folder, "status.txt").unwrap(),
            cluster: keep_keyspaces(&cluster, asked(folder)),
            ring: sample(folder, "ring.txt").unwrap(),
            ranges: ranges_text(folder, "app_rf3"),
        }
    }

    fn topology(&self, folder: &str) -> Result<Topology, String> {
        let rows = parse::status(&self.status).map_err(|e| e.to_string())?;
        let cluster = parse::describecluster(&self.cluster).map_err(|e| e.to_string())?;
        let ring = parse::ring(Partitioner::Murmur3, &self.ring).map_err(|e| e.to_string())?;
        let mut all = Vec::new();
        for keyspace in Topology::distinct_replications(&cluster, &rows) {
            let name = keyspace.name.as_str().to_owned();
            let text = match name.as_str() {
                "app_rf3" => self.ranges.clone(),
                _ => ranges_text(folder, &name),
            };
            all.push((keyspace, ranges(&name, &text).map_err(|e| e.to_string())?));
        }
        Topology::from_parts(rows, cluster, ring, &all).map_err(|e| e.to_string())
    }
}

#[test]
fn in_every_state_the_ranges_follow_from_the_tokens() {
    for folder in FOLDERS {
        let topology =
            Texts::of(folder).topology(folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
        assert_eq!(topology.doubts, [], "{folder}");
        for id in topology.ids() {
            assert!(topology.node(id).version.is_some());
            assert_eq!(topology.by_address(topology.node(id).address), Some(id));
        }
        let dcs = if folder == "5.0.4/2dc" { 2 } else { 1 };
        assert_eq!(topology.data_centers().len(), dcs);
        assert_eq!(topology.unclear(None), None, "{folder}");
        let app = topology.keyspaces.iter().find(|ks| ks.name.as_str() == "app_rf3").unwrap();
        let pending: BTreeSet<String> = topology
            .ranges(&app.replication)
            .into_iter()
            .flat_map(|range| range.pending)
            .map(|id| topology.node(id).address.to_string())
            .collect();
        match folder {
            // Its rack's ranges move to the node that joins.
            "5.0.4/joining" => assert_eq!(pending, ["127.0.0.4".to_owned()].into()),
            // 127.0.0.4 leaves: its ranges go back to the other node of its rack.
            "5.0.4/leaving" => assert_eq!(pending, ["127.0.0.1".to_owned()].into()),
            _ => assert!(pending.is_empty(), "{folder}"),
        }
    }
}

#[test]
fn a_changing_ring_is_mapped_as_it_is() {
    for folder in CHANGING {
        let topology =
            Texts::of(folder).topology(folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
        assert_eq!(topology.doubts, [], "{folder}");
        let name = |id: &NodeId| topology.node(*id).address.to_string();
        let app = topology.keyspaces.iter().find(|ks| ks.name.as_str() == "app_rf3").unwrap();
        let ranges = topology.ranges(&app.replication);
        let of = |pick: &dyn Fn(&TokenRange) -> Vec<NodeId>| -> BTreeSet<String> {
            ranges.iter().flat_map(pick).map(|id| name(&id)).collect()
        };
        let (natural, pending) = (of(&|r| r.natural.clone()), of(&|r| r.pending.clone()));
        let strangers: Vec<String> = topology.strangers.iter().map(ToString::to_string).collect();
        let replaced = topology.ring.replaced();
        match folder {
            "5.0.4/replacing" => {
                // The dead node holds its ranges until the one that joins in its place is a member.
                let pairs: Vec<_> = replaced.iter().map(|r| (name(&r.dead), name(&r.by))).collect();
                assert_eq!(pairs, [("127.0.0.4".to_owned(), "127.0.0.5".to_owned())]);
                assert!(natural.contains("127.0.0.4") && !natural.contains("127.0.0.5"));
                for range in &ranges {
                    let dead = range.natural.iter().any(|id| name(id) == "127.0.0.4");
                    assert_eq!(range.pending.len(), usize::from(dead));
                }
                assert_eq!(pending, ["127.0.0.5".to_owned()].into());
            }
            "5.0.4/joining2" => assert_eq!(pending, ["127.0.0.6".to_owned()].into()),
            "5.0.4/leaving2" => assert_eq!(pending.len(), 1, "{pending:?}"),
            // One is in gossip and not yet in the ring, one has left and lingers in gossip.
            "5.0.4/replacing_phase1" => assert_eq!(strangers, ["127.0.0.6", "127.0.0.7"]),
            _ => assert!(pending.is_empty() && replaced.is_empty(), "{folder}"),
        }
    }
}

#[test]
fn every_ring_is_read() {
    for folder in FOLDERS {
        for file in ["ring.txt", "ring_ks.txt"] {
            let Some(text) = sample(folder, file) else { continue };
            let rows = parse::ring(Partitioner::Murmur3, &text)
                .unwrap_or_else(|e| panic!("{folder}/{file}: {e}"));
            let tokens = match folder {
                "5.0.4/2dc" => 6 * 16,
                "5.0.4/joining" | "5.0.4/leaving" => 4 * 4,
                _ => 3 * 4,
            };
            assert_eq!(rows.len(), tokens, "{folder}/{file}");
            for row in &rows {
                let expected = match (folder, row.address.to_string().as_str()) {
                    ("5.0.4/joining", "127.0.0.4") => Mode::Joining,
                    ("5.0.4/leaving", "127.0.0.4") => Mode::Leaving,
                    _ => Mode::Normal,
                };
                assert_eq!(row.mode, expected, "{folder}/{file}");
            }
        }
    }
}

#[test]
fn a_cut_or_shuffled_ring_is_never_read_as_another() {
    let read = |text: &str| parse::ring(Partitioner::Murmur3, text);
    for folder in FOLDERS.into_iter().chain(CHANGING) {
        for file in ["ring.txt", "ring_ks.txt"] {
            let Some(text) = sample(folder, file) else { continue };
            let whole = read(&text).unwrap();
            for at in cuts(&text) {
                if let Ok(rows) = read(&text[..at]) {
                    assert_eq!(rows, whole, "{folder}/{file} cut at {at}");
                }
            }
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            for at in 1..lines.len() {
                let mut shuffled = lines.clone();
                shuffled.swap(at - 1, at);
                if let Ok(rows) = read(&shuffled.concat()) {
                    assert_eq!(rows, whole, "{folder}/{file}: lines {at} and the next");
                }
            }
        }
    }
}

#[test]
fn distinct_replications_of_the_samples_are_few() {
    let cluster =
        parse::describecluster(&sample("5.0.4/2dc", "describecluster.txt").unwrap()).unwrap();
    let rows = parse::status(&sample("5.0.4/2dc", "status.txt").unwrap()).unwrap();
    let names: Vec<String> = Topology::distinct_replications(&cluster, &rows)
        .into_iter()
        .map(|Keyspace { name, .. }| name.to_string())
        .collect();
    assert_eq!(names, ["app_dc1only", "app_rf1", "app_rf2", "app_rf3", "simple_rf2", "simple_rf3"]);
}

/// Places to cut a text at: every one of a short text; of a long one every line's ends and enough others.
fn cuts(text: &str) -> impl Iterator<Item = usize> {
    let near_line_end =
        |at: usize| text.as_bytes()[at.saturating_sub(4)..text.len().min(at + 3)].contains(&b'\n');
    (0..text.len())
        .filter(move |at| text.is_char_boundary(*at))
        .filter(move |at| text.len() < 6_000 || at % 211 == 0 || near_line_end(*at))
}

fn without_line(text: &str, dropped: usize) -> String {
    let kept = text.split_inclusive('\n').enumerate().filter(|(i, _)| *i != dropped);
    kept.map(|(_, line)| line).collect()
}

#[test]
fn a_cut_output_never_makes_another_topology() {
    for folder in FOLDERS {
        let texts = Texts::of(folder);
        let whole = texts.topology(folder).unwrap();
        let check = |what: &str, at: usize, cut: Texts| {
            if let Ok(cut) = cut.topology(folder) {
                assert_eq!(cut, whole, "{folder}: {what} cut at {at}");
            }
        };
        for at in cuts(&texts.status) {
            let status = texts.status[..at].to_owned();
            check("status", at, Texts { status, ..texts.clone() });
        }
        for at in cuts(&texts.cluster) {
            let cluster = texts.cluster[..at].to_owned();
            check("describecluster", at, Texts { cluster, ..texts.clone() });
        }
        for at in cuts(&texts.ring) {
            let ring = texts.ring[..at].to_owned();
            check("ring", at, Texts { ring, ..texts.clone() });
        }
        for at in cuts(&texts.ranges) {
            let cut = ranges("app_rf3", &texts.ranges[..at]);
            assert!(cut.is_err(), "{folder}: describering cut at {at}");
        }
    }
}

#[test]
fn a_lacking_line_of_the_ranges_tokens_or_nodes_is_always_noticed() {
    for folder in FOLDERS {
        let texts = Texts::of(folder);
        for line in 0..texts.ranges.lines().count() {
            let without = without_line(&texts.ranges, line);
            assert!(ranges("app_rf3", &without).is_err(), "{folder}: line {line}");
        }
        let harmless = |text: &str| {
            let text = text.trim_start();
            text.is_empty()
                || ["Note: ", "Warning: ", "To view"].iter().any(|w| text.starts_with(w))
        };
        for (line, text) in texts.status.lines().enumerate() {
            let status = without_line(&texts.status, line);
            let made = Texts { status, ..texts.clone() }.topology(folder);
            assert!(harmless(text) || made.is_err(), "{folder}: line {line} {text}");
        }
        for (line, text) in texts.ring.lines().enumerate() {
            let ring = without_line(&texts.ring, line);
            let made = Texts { ring, ..texts.clone() }.topology(folder);
            assert!(harmless(text) || made.is_err(), "{folder}: line {line} {text}");
        }
    }
}

#[test]
fn no_parser_panics_on_spoilt_text() {
    fn every_parser(text: &str) {
        let _ = parse::status(text);
        let _ = parse::describecluster(text);
        let _ = parse::describering(&KeyspaceName::new("k"), text);
        for partitioner in [Partitioner::Murmur3, Partitioner::Random, Partitioner::ByteOrdered] {
            let _ = parse::ring(partitioner, text);
        }
        let _ = parse::cms(text);
        let _ = parse::info(text);
        let _ = parse::netstats(text);
        let _ = parse::statusbinary(text);
        let _ = parse::version(text);
    }
    for folder in FOLDERS {
        for entry in fs::read_dir(samples().join(folder)).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let end = text.floor_char_boundary(8_000);
            let text = &text[..end];
            every_parser(text);
            for line in 0..text.lines().count().min(60) {
                every_parser(&without_line(text, line));
            }
            // Each character in turn replaced by one of another kind, stepping so that all kinds come.
            for (i, (at, old)) in text.char_indices().enumerate().step_by(23) {
                let new = ['\n', 'é', '[', '\u{1F4A9}', '%', ' ', '\t', '9', ':', '\0'][i % 10];
                let mut spoilt = text.to_owned();
                spoilt.replace_range(at..at + old.len_utf8(), new.encode_utf8(&mut [0; 4]));
                every_parser(&spoilt);
            }
        }
    }
}

#[test]
fn garbage_of_many_megabytes_is_refused_at_once() {
    let row =
        "UN  127.0.0.2  283.93 KiB  4       ?     209c9362-ad56-41c1-b68c-314642ba141f  rack2\n";
    let head = "Datacenter: dc1\n===============\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n--  Address    Load        Tokens  Owns  Host ID                               Rack\n";
    let started = std::time::Instant::now();
    for text in [
        "x".repeat(20_000_000),
        "\n".repeat(2_000_000),
        "\t\n".repeat(1_000_000),
        format!("{head}{}", row.repeat(20_000)),
        format!("{head}UN  {}\n", "9".repeat(1_000_000)),
        format!("Schema Version:{}", "(".repeat(20_000_000)),
        format!(
            "Schema Version:4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76\nTokenRange: \n\tTokenRange(start_token:1, end_token:1, endpoints:[{}], rpc_endpoints:[], endpoint_details:[{}])\n",
            "::1, ".repeat(40_000),
            "EndpointDetails(host:".repeat(20_000),
        ),
    ] {
        assert!(parse::status(&text).is_err());
        assert!(parse::describecluster(&text).is_err());
        assert!(ranges("k", &text).is_err());
        assert!(parse::ring(Partitioner::Murmur3, &text).is_err());
        assert!(parse::cms(&text).is_err());
        assert!(parse::info(&text).is_err());
        assert!(parse::netstats(&text).is_err());
        assert!(parse::statusbinary(&text).is_err());
        assert!(parse::version(&text).is_err());
    }
    // Seconds where time grew with the square of the length; far less than one here.
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
