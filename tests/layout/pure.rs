//! Pure crates: every decision is in one, and none does input, output or asks a clock.
use crate::workspace::{Graph, root};
use std::fs;

const PURE: [&str; 6] = [
    "quorate-contract",
    "quorate-ring",
    "quorate-schedule",
    "quorate-journal",
    "quorate-views",
    "quorate-ports",
];

/// Other people's crates that may be linked into a pure one: data in, data out. Read a crate before
/// you add it: no files, no sockets, no threads, no clock, no environment.
const DATA_ONLY: [&str; 8] =
    ["itoa", "memchr", "serde", "serde_core", "serde_json", "thiserror", "zeroize", "zmij"];

#[test]
fn pure_crates_link_nothing_that_does_input_or_output() {
    let graph = Graph::load();
    for name in PURE {
        for linked in graph.linked(graph.our(name)) {
            assert!(
                DATA_ONLY.contains(&linked),
                "{name} links {linked}, which is not among the crates known to be data only"
            );
        }
    }
}

#[test]
fn pure_crates_are_without_std_or_ban_what_it_offers() {
    let graph = Graph::load();
    let ban = fs::read_to_string(root().join("host/journal/clippy.toml")).unwrap();
    for needed in ["std::fs::File", "std::env::var", "std::net::TcpStream", "std::process::Command"]
    {
        assert!(ban.contains(&format!("\"{needed}\"")), "the ban lacks {needed}");
    }
    for name in PURE {
        let folder = graph.our(name).manifest.parent().unwrap().to_path_buf();
        let lib = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        if lib.lines().any(|line| line == "#![no_std]") {
            continue;
        }
        let own = fs::read_to_string(folder.join("clippy.toml")).unwrap_or_default();
        assert!(
            own == ban,
            "{name} is neither #![no_std] nor has the clippy.toml of host/journal, which bans files, \
             environment, sockets, processes and clocks"
        );
    }
}
