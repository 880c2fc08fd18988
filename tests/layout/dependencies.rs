//! Who may depend on whom.
use crate::workspace::Graph;
use std::collections::BTreeSet;

/// Each crate and those of ours that it may be built with. Dev-dependencies are free.
const RULES: [(&str, &[&str]); 17] = [
    ("contract", &[]),
    ("ring", &[]),
    ("schedule", &["ring"]),
    ("journal", &["ring", "schedule"]),
    ("views", &["journal", "ring", "schedule"]),
    ("ports", &["contract", "journal", "ring", "schedule"]),
    ("runner", &["contract", "journal", "ports", "ring", "schedule", "views"]),
    ("wasm", EDGE),
    ("transport", EDGE),
    ("store", EDGE),
    // Shares no code with ring or schedule, or one mistake would hide in both.
    ("sim", &["oracle", "ports"]),
    ("bundled", &[]),
    ("xtask", &[]),
    // Everything.
    (
        "cli",
        &[
            "bundled",
            "contract",
            "journal",
            "ports",
            "ring",
            "runner",
            "schedule",
            "sim",
            "store",
            "transport",
            "views",
            "wasm",
        ],
    ),
    ("tests", &[]),
    // Shares nothing with what it is held against.
    ("oracle", &[]),
    ("fixtures", &["journal", "oracle", "ring", "schedule"]),
];

/// An edge: the ports and the words that they use.
const EDGE: &[&str] = &["contract", "journal", "ports", "ring", "schedule"];

#[test]
fn crates_depend_on_each_other_only_as_the_architecture_says() {
    let graph = Graph::load();
    for package in graph.ours() {
        let name = package.name.strip_prefix("quorate-").expect("our packages are named quorate-*");
        let rule = RULES.iter().find(|(known, _)| *known == name);
        let (_, allowed) = rule.unwrap_or_else(|| {
            panic!("{name} has no row in the rules: decide what it may depend on and add it")
        });
        let allowed: BTreeSet<String> = allowed.iter().map(|n| format!("quorate-{n}")).collect();
        for needed in graph.direct(package) {
            assert!(
                allowed.contains(needed),
                "{} depends on {needed}, which the architecture doesn't allow (it may use: {allowed:?})",
                package.name
            );
        }
    }
}

#[test]
fn the_rules_name_only_crates_that_exist_and_make_no_circle() {
    let graph = Graph::load();
    let names: BTreeSet<&str> = graph.ours().map(|package| package.name.as_str()).collect();
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    while placed.len() < RULES.len() {
        let ready = RULES.iter().find(|(name, allowed)| {
            !placed.contains(name) && allowed.iter().all(|needed| placed.contains(needed))
        });
        let (name, _) = ready.expect("the rules allow a circle");
        assert!(names.contains(format!("quorate-{name}").as_str()), "{name} is no crate");
        placed.insert(name);
    }
}

#[test]
fn a_runner_links_no_edge() {
    let graph = Graph::load();
    for name in ["quorate-runner", "quorate-ports", "quorate-views"] {
        let linked = graph.linked(graph.our(name));
        for heavy in ["wasmtime", "russh", "rusqlite", "libsqlite3-sys"] {
            assert!(!linked.contains(heavy), "{name} links {heavy}");
        }
    }
}
