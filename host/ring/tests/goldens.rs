//! Every sample of what nodes print, read by its parser: what came of it, beside what came of it before
//! (`tests/cassandra/samples/read.txt`). `QUORATE_UPDATE=1 cargo test -p quorate-ring --test goldens` writes it anew;
//! look at the difference.
#![allow(clippy::unwrap_used)]
use quorate_ring::{
    Address, KeyspaceName, Partitioner,
    parse::{self, ClusterAnswer, ParseError},
};
use std::{collections::BTreeMap, fs, path::Path};

fn samples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cassandra/samples")
}

/// Every sample by its path below the folder of all.
fn files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![samples()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "txt") {
                let name = path.strip_prefix(samples()).unwrap().to_str().unwrap().to_owned();
                if let Ok(text) = fs::read_to_string(&path) {
                    found.insert(name, text);
                }
            }
        }
    }
    found
}

/// What a parser made of a text, in a line; none where no parser reads such files.
type Summary = Option<Result<String, ParseError>>;

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn status(text: &str) -> Result<String, ParseError> {
    let rows = parse::status(text)?;
    let row = |row: &parse::StatusRow| {
        let tokens = row.tokens.map(|n| n.to_string()).or(row.token.clone()).unwrap();
        let host = row.host_id.as_ref().map_or("no id", |host| &host.as_str()[..8]);
        let parts = [
            row.status.to_string(),
            row.address.to_string(),
            format!("[{}]", row.load),
            tokens,
            row.owns.clone(),
            host.to_owned(),
            format!("[{}] [{}]", row.data_center, row.rack),
        ];
        parts.join(" ")
    };
    Ok(rows.iter().map(row).collect::<Vec<_>>().join("; "))
}

fn ring(text: &str) -> Result<String, ParseError> {
    let rows = parse::ring(Partitioner::Murmur3, text)?;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for row in &rows {
        *counts.entry(format!("{} {:?}", row.address, row.mode)).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(who, n)| format!("{who} {n}")).collect();
    Ok(format!("{} tokens: {}", rows.len(), counts.join("; ")))
}

fn describecluster(text: &str) -> Result<String, ParseError> {
    let versions = |versions: &BTreeMap<String, Vec<Address>>| {
        let one = |(version, nodes): (&String, &Vec<Address>)| {
            format!("{}: {}", &version[..version.len().min(8)], list(nodes))
        };
        versions.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    Ok(match parse::describecluster_of_any_version(text)? {
        ClusterAnswer::SchemaOnly(told) => format!(
            "before 4.0: {} {} | {} | unreachable: {}",
            told.name,
            told.partitioner,
            versions(&told.schema_versions),
            list(&told.unreachable)
        ),
        ClusterAnswer::Whole(told) => {
            let keyspaces: Vec<String> =
                told.keyspaces.iter().map(|ks| format!("{} {}", ks.name, ks.replication)).collect();
            format!(
                "{} {} | {} | unreachable: {} | {:?} | {} | {}",
                told.name,
                told.partitioner,
                versions(&told.schema_versions),
                list(&told.unreachable),
                told.data_centers.iter().map(|(dc, n)| format!("{dc} {n}")).collect::<Vec<_>>(),
                versions(&told.versions),
                keyspaces.join(", ")
            )
        }
    })
}

fn describering(name: &str, text: &str) -> Result<String, ParseError> {
    let keyspace = name.trim_start_matches("describering").trim_start_matches('_');
    let described = parse::describering(&KeyspaceName::new(keyspace), text)?;
    let mut sets: BTreeMap<String, u32> = BTreeMap::new();
    for range in &described.ranges {
        let mut endpoints = range.endpoints.clone();
        endpoints.sort();
        *sets.entry(list(&endpoints)).or_default() += 1;
    }
    let sets: Vec<String> = sets.iter().map(|(set, n)| format!("{n} on [{set}]")).collect();
    let place = |(address, (dc, rack)): (&Address, &(_, _))| format!("{address} [{dc}] [{rack}]");
    let places: Vec<String> = described.places.iter().map(place).collect();
    Ok(format!("{} | {}", sets.join(", "), places.join(", ")))
}

fn gossipinfo(text: &str) -> Result<String, ParseError> {
    let told = parse::gossipinfo(text)?;
    let one = |(address, state): (&Address, &parse::GossipEndpoint)| {
        let rpc = state.rpc_address.map_or("no rpc".into(), |address| address.to_string());
        let release = state.release.as_deref().unwrap_or("no release");
        format!("{address} {} {release} {rpc}", state.generation)
    };
    Ok(told.iter().map(one).collect::<Vec<_>>().join("; "))
}

fn netstats(text: &str) -> Result<String, ParseError> {
    let told = parse::netstats(text)?;
    let streams: Vec<_> = told.streams.iter().map(|s| s.operation.description()).collect();
    Ok(format!("{} [{}]", told.mode, streams.join(", ")))
}

fn info(text: &str) -> Result<String, ParseError> {
    let told = parse::info(text)?;
    Ok(format!(
        "{} gossip {} native {} generation {} up {} s [{}] [{}]",
        &told.host_id.as_str()[..8],
        told.gossip_active,
        told.native_transport_active,
        told.generation,
        told.uptime_seconds,
        told.data_center,
        told.rack
    ))
}

fn cqlsh(text: &str) -> Result<String, ParseError> {
    let told = parse::cql_keyspaces(text)?;
    let keyspaces = told.keyspaces.iter().map(|ks| format!("{} {}", ks.name, ks.replication));
    let keyspaces = keyspaces.collect::<Vec<_>>().join(", ");
    Ok(format!("{} {} | {keyspaces}", &told.host_id.as_str()[..8], &told.schema_version[..8]))
}

/// Reads a sample by what its name says it is.
fn read(path: &str, text: &str) -> Summary {
    let name = path.rsplit('/').next().unwrap().trim_end_matches(".txt");
    // Tables of CQL as a driver gives them.
    if path.contains("/cql/") {
        return None;
    }
    let kind = name.split('_').next().unwrap();
    Some(match kind {
        "status" => status(text),
        "ring" => ring(text),
        "describecluster" => describecluster(text),
        "describering" => describering(name, text),
        "gossipinfo" => gossipinfo(text),
        "netstats" => netstats(text),
        "info" => info(text),
        "cqlsh" => cqlsh(text),
        "version" => parse::version(text),
        "statusbinary" => parse::statusbinary(text).map(|yes| format!("running: {yes}")),
        // Beside it lie files with the lines that cstar greps for.
        "tablestats" if name != "tablestats_keyspaces" => parse::keyspaces_of_tablestats(text)
            .map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        _ => return None,
    })
}

#[test]
fn every_sample_is_read_as_before() {
    let mut now = String::new();
    let mut count = 0;
    for (path, text) in files() {
        match read(&path, &text) {
            None => continue,
            Some(Ok(summary)) => now += &format!("{path}: {summary}\n"),
            Some(Err(error)) => now += &format!("{path}: refused: {error}\n"),
        }
        count += 1;
    }
    assert!(count > 300, "{count} samples");
    let place = samples().join("read.txt");
    if std::env::var_os("QUORATE_UPDATE").is_some() {
        fs::write(&place, &now).unwrap();
    }
    let before = fs::read_to_string(&place).unwrap();
    for (now, before) in now.lines().zip(before.lines()) {
        assert_eq!(now, before);
    }
    assert_eq!(now.lines().count(), before.lines().count());
}

/// Files that a node of no version prints are called so; no other is refused.
#[test]
fn only_what_should_be_is_refused() {
    for (path, text) in files() {
        let Some(read) = read(&path, &text) else { continue };
        let should = ["refused", "cut", "edited", "status_r.txt", "ring_r.txt", "nosuchks"];
        let should = should.iter().any(|part| path.contains(part));
        // Nodes that have no name are shown by their addresses.
        let has_names = !path.contains("_r.txt") || text.contains("localhost");
        assert_eq!(read.is_err(), should && has_names, "{path}: {read:?}");
    }
}

/// What is cut on its way is refused, or says the same.
#[test]
fn a_cut_sample_is_never_read_as_another() {
    for (path, text) in files() {
        let Some(Ok(whole)) = read(&path, &text) else { continue };
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let step = (text.len() / 80).max(1);
        let cuts = lines.iter().copied().step_by((lines.len() / 25).max(1));
        for at in cuts.chain((0..text.len()).step_by(step)) {
            let at = text.floor_char_boundary(at);
            // Rightly so: the whole of what 3.x prints. Who reads it asks for the version as well.
            let older = path.contains("describecluster") && text[..at].ends_with("]\n\n");
            // 4.0 lists `system` and `system_schema` first.
            let listed = text[..at].contains("Keyspaces:\n") && text[..at].ends_with('\n');
            // 3.0 tells no number of tables: between two keyspaces nothing shows that more should follow.
            let uncounted = path.contains("tablestats")
                && !text.starts_with("Total")
                && text[..at].ends_with("----------------\n");
            if older || uncounted || path.contains("describecluster") && listed || at == text.len()
            {
                continue;
            }
            // Before 4.0 a block of `status` ends where the next begins; in the tables of `cqlsh` and in `info` what
            // follows the last thing that is read doesn't matter.
            let loose = ["status"].iter().any(|kind| {
                path.rsplit('/').next().unwrap().starts_with(kind) && text[..at].ends_with('\n')
            });
            if let Some(Ok(cut)) = read(&path, &text[..at]) {
                assert!(
                    cut == whole || loose && whole.starts_with(cut.as_str()),
                    "{path} cut at {at}: {cut}"
                );
            }
        }
    }
}
