//! Strategies: the bundled ones as components, and one that misbehaves.
#![allow(clippy::unwrap_used)]

mod support;

use quorate_contract::{Group, NodeState, Proposal, StrategyNode, StrategyView};
use quorate_ports::{CommandError, ComponentKind, LogLevel, StrategyHost};
use quorate_wasm::{CacheUse, Engine, EngineOptions, Limits, Strategy};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path, sync::Arc};
use support::{Fake, bundled, engine, hostile, plain, run};

fn bundled_strategy(name: &str) -> &'static [u8] {
    let strategies = quorate_bundled::strategies();
    strategies.iter().find(|strategy| strategy.name == name).unwrap().bytes
}

async fn strategy(name: &str) -> Arc<Strategy> {
    let engine = engine(Limits::default());
    engine.load_strategy(name, bundled_strategy(name)).await.unwrap()
}

/// So many targets: five racks in each of two data centers, the later ones the slower ones.
fn view(count: u32, arguments: Value) -> StrategyView {
    let node = |id: u32| StrategyNode {
        id,
        key: format!("n{id}"),
        data_center: format!("dc{}", id % 2 + 1),
        rack: format!("r{}", id / 2 % 5 + 1),
        state: NodeState("UN".into()),
        phase: "waiting".into(),
        past_duration_ms: Some(1_000 + u64::from(id)),
        slack: Some(1),
    };
    StrategyView {
        cluster: "test".into(),
        arguments: serde_json::from_value(arguments).unwrap(),
        nodes: (0..count).map(node).collect(),
    }
}

fn nodes(proposal: &Proposal) -> Vec<&[u32]> {
    proposal.groups.iter().map(|group| group.nodes.as_slice()).collect()
}

async fn misbehaving(limits: Limits) -> Arc<Strategy> {
    engine(limits).load_strategy("file.wasm", hostile("strategy")).await.unwrap()
}

/// Why the strategy that misbehaves in this manner proposed nothing.
async fn misbehaves(how: &str) -> String {
    // On a busy machine anything else may take its time.
    let cpu_ms = if how == "loop" { 300 } else { 60_000 };
    let limits = Limits { cpu_ms, log_lines: 100, log_bytes: 10_000, ..Limits::default() };
    let strategy = misbehaving(limits).await;
    let error = strategy.propose(view(3, json!({"how": how}))).await.proposal.unwrap_err();
    let CommandError { kind, command, .. } = &error;
    assert_eq!((*kind, command.as_str()), (ComponentKind::Strategy, "misbehaves"));
    let text = error.to_string();
    assert!(text.starts_with("strategy misbehaves: "), "{text}");
    assert!(!text.contains(['\n', '\u{1b}']) && !text.contains("command"), "{text}");
    text
}

#[tokio::test]
async fn bundled_strategies_say_who_they_are() {
    for bundled in quorate_bundled::strategies() {
        let strategy = strategy(bundled.name).await;
        assert_eq!(strategy.manifest().name, bundled.name);
        assert_eq!(strategy.digest().len(), 64);
        assert!(!strategy.manifest().dynamic);
    }
    let canary = strategy("canary").await;
    let names: Vec<_> = canary.manifest().arguments.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["first", "pause"]);
}

#[tokio::test]
async fn bundled_strategies_propose_their_orders() {
    let rack = strategy("rack").await.propose(view(12, json!({}))).await.proposal.unwrap();
    let racks: [&[u32]; 10] = [&[0, 10], &[2], &[4], &[6], &[8], &[1, 11], &[3], &[5], &[7], &[9]];
    assert_eq!(nodes(&rack), racks);

    let arguments = json!({"first": "n11", "pause": true});
    let canary = strategy("canary").await.propose(view(12, arguments)).await.proposal.unwrap();
    assert_eq!(nodes(&canary), [&[11][..], &[1], &[0, 2, 3, 4, 5, 6, 7, 8, 9, 10]]);
    let pauses: Vec<bool> = canary.groups.iter().map(|group| group.pause_after).collect();
    assert_eq!(pauses, [true, false, false]);

    let mut unknown = view(4, json!({}));
    unknown.nodes[1].past_duration_ms = None;
    unknown.nodes[2].phase = "done".into();
    let longest = strategy("longest-first").await.propose(unknown).await.proposal.unwrap();
    assert_eq!(nodes(&longest), [[1, 3, 0]]);
}

#[tokio::test]
async fn a_bundled_strategy_refuses_with_a_reason() {
    let canary = strategy("canary").await;
    let error = canary.propose(view(2, json!({"first": "n7"}))).await.proposal.unwrap_err();
    let text = "strategy canary: --first n7: the job has no such target";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_thousand_nodes_are_proposed_each_once() {
    for bundled in quorate_bundled::strategies() {
        let strategy = strategy(bundled.name).await;
        let proposal = strategy.propose(view(1_000, json!({}))).await.proposal.unwrap();
        let named: Vec<u32> = nodes(&proposal).concat();
        assert_eq!(named.len(), 1_000, "{}", bundled.name);
        let each: BTreeSet<u32> = named.into_iter().collect();
        assert_eq!(each, (0..1_000).collect(), "{}", bundled.name);
    }
}

#[tokio::test]
async fn an_answer_is_taken_as_it_is() {
    let strategy = misbehaving(Limits::default()).await;
    // Nodes that don't exist, or are named twice, are for the job to judge.
    let answer = r#"{"groups": [{"nodes": [9, 9]}, {"nodes": [], "max-out": 3}]}"#;
    let proposal = strategy.propose(view(1, json!({"how": answer}))).await.proposal.unwrap();
    let group = |nodes, max_out| Group { nodes, max_out, pause_after: false };
    assert_eq!(proposal.groups, [group(vec![9, 9], None), group(vec![], Some(3))]);
}

#[tokio::test]
async fn what_a_strategy_logs_comes_with_its_answer() {
    let limits = Limits { cpu_ms: 60_000, log_lines: 100, log_bytes: 10_000, ..Limits::default() };
    for how in ["log", "print"] {
        let answer = misbehaving(limits).await.propose(view(3, json!({"how": how}))).await;
        // The hundred and first line ends it.
        assert!(answer.proposal.is_err());
        assert_eq!(answer.lines, vec![(LogLevel::Info, "more".to_owned()); 100], "{how}");
    }
    let answer = r#"{"groups": []}"#;
    let quiet = misbehaving(limits).await.propose(view(3, json!({"how": answer}))).await;
    assert_eq!(quiet.lines, []);
}

#[tokio::test]
async fn an_answer_that_can_not_be_used_is_an_error() {
    for (answer, what) in [
        ("", "its proposal can't be read"),
        ("\u{1b}[2J", "its proposal can't be read"),
        (r#"[{"nodes": [1]}]"#, "its proposal can't be read"),
        (r#"{"groups": [{"nodes": ["n1"]}]}"#, "its proposal can't be read"),
        (r#"{"groups": [{"nodes": [4294967296]}]}"#, "its proposal can't be read"),
        (r#"{"groups": [{"nodes": [1], "mx-out": 1}]}"#, "mx-out"),
        (r#"{"groups": [], "guard": "off\u001b[2J"}"#, "guard"),
        (
            r#"{"groups": [{"nodes": [1]}, {"nodes": [2], "max-out": 0}]}"#,
            "max-out of group 2 is 0",
        ),
        ("refuse", "not today"),
    ] {
        let why = misbehaves(answer).await;
        assert!(why.contains(what), "{answer}: {why}");
    }
}

#[tokio::test]
async fn limits_end_a_strategy_and_say_which() {
    for (how, limit) in [
        ("loop", "cpu-ms is 300 ms"),
        ("allocate", "memory-bytes is 67108864 bytes"),
        ("log", "log-lines is 100 lines"),
        ("print", "log-lines is 100 lines"),
        ("large", "request-bytes is 8388608 bytes"),
        ("large-refusal", "request-bytes is 8388608 bytes"),
    ] {
        let why = misbehaves(how).await;
        assert!(why.contains(limit), "{how}: {why}");
        let field = limit.split(' ').next().unwrap();
        assert!(why.contains(&format!("--plugin-limit {field}=VALUE")), "{how}: {why}");
    }
}

#[tokio::test]
async fn a_strategy_that_does_not_return_is_an_error() {
    let why = misbehaves("trap").await;
    assert!(why.contains("trapped in strategy::divide_the_ring"), "{why}");
    let why = misbehaves("exit").await;
    assert!(why.contains("called exit(0) where it should have returned"), "{why}");
    let why = misbehaves("sleep").await;
    assert!(why.contains("waits by WASI's clock"), "{why}");
}

#[tokio::test]
async fn a_strategy_is_not_spoilt_by_what_it_did_before() {
    let limits = Limits { cpu_ms: 300, ..Limits::default() };
    let strategy = misbehaving(limits).await;
    for how in ["trap", "loop", "allocate"] {
        strategy.propose(view(1, json!({"how": how}))).await.proposal.unwrap_err();
        let good = strategy.propose(view(1, json!({"how": r#"{"groups": []}"#}))).await;
        assert_eq!(good.proposal, Ok(Proposal::default()));
    }
}

#[tokio::test]
async fn equal_views_get_equal_answers_and_show_nothing_of_this_machine() {
    let first = misbehaving(Limits::default()).await;
    let other = misbehaving(Limits::default()).await;
    let mut seen = BTreeSet::new();
    for strategy in [&first, &first, &other] {
        let peeked = strategy.propose(view(1, json!({"how": "peek"}))).await.proposal.unwrap_err();
        seen.insert(peeked.message);
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    let seen = seen.pop_first().unwrap();
    // `calls 0`: an instance of its own each time.
    assert!(seen.ends_with("\targs []\tenv []\troot false\tcalls 0"), "{seen}");
}

#[tokio::test]
async fn what_a_strategy_may_not_import_is_named() {
    let engine = engine(Limits::default());
    for (name, import) in [
        ("strategy_acts", "it imports quorate:plugin/shell@0.1.0"),
        ("strategy_waits", "it imports quorate:plugin/flow@0.1.0"),
        ("strategy_connects", "it imports wasi:sockets/"),
    ] {
        let error = engine.load_strategy(name, hostile(name)).await.err().unwrap();
        let text = error.to_string();
        assert!(text.starts_with(&format!("strategy {name}: ")), "{text}");
        assert!(text.contains(import) && text.contains("a strategy may import"), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_strategy_is_refused() {
    let engine = engine(Limits::default());
    let name = "strategy_describes_a_command";
    let error = engine.load_strategy(name, hostile(name)).await.err().unwrap();
    assert!(error.to_string().contains("answers no manifest"), "{error}");
    let error = engine.load_strategy("x", b"\0asm\x0d\0\x01\0").await.err().unwrap();
    assert!(error.to_string().starts_with("strategy x: it is no strategy"), "{error}");
}

fn cached(path: &Path) -> Engine {
    let options = EngineOptions { cache_dir: Some(path.to_owned()), limits: Limits::default() };
    Engine::new(options).unwrap()
}

#[tokio::test]
async fn strategies_are_compiled_and_asked_once() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cache");
    for expected in [CacheUse::Stored, CacheUse::Hit] {
        let rack = cached(&path).load_strategy("rack", bundled_strategy("rack")).await.unwrap();
        assert_eq!(*rack.cache(), expected);
        assert_eq!(rack.manifest().name, "rack");
        assert_eq!(rack.propose(view(10, json!({}))).await.proposal.unwrap().groups.len(), 10);
    }
}

/// Commands and strategies don't pass for each other, whatever of them is in the cache.
#[tokio::test]
async fn a_command_is_no_strategy_and_a_strategy_no_command() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cache");
    let (command, strategy) = (hostile("behaves"), bundled_strategy("rack"));
    for round in 0..2 {
        let engine = cached(&path);
        let error = engine.load_strategy("behaves", command.clone()).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "strategy behaves: it is a command and no strategy: it exports \
             quorate:plugin/command-plugin@0.1.0"
        );
        let error = engine.load("rack", strategy).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "command rack: it is a strategy and no command: it exports \
             quorate:plugin/strategy-plugin@0.1.0"
        );
        let (behaves, rack) = (
            engine.load("behaves", command.clone()).await.unwrap(),
            engine.load_strategy("rack", strategy).await.unwrap(),
        );
        let expected = if round == 0 { CacheUse::Stored } else { CacheUse::Hit };
        assert_eq!((behaves.cache(), rack.cache()), (&expected, &expected));
        let effects = Fake::new();
        run(&behaves, plain(), &effects).await;
        assert_eq!(effects.lines()[0], "log Info begin");
    }
    // The bundled commands as well: none of them imports only what a strategy may.
    for name in ["run", "restart"] {
        let error = cached(&path).load_strategy(name, bundled(name)).await.err().unwrap();
        assert!(error.message.starts_with("it is a command and no strategy"), "{error}");
    }
}
