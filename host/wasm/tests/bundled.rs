//! The bundled commands, as components, against effects that only write down.
#![allow(clippy::unwrap_used)]

mod support;

use quorate_contract::{Gate, Impact, PlanContext, PlanDocument};
use quorate_ports::{CommandHost, EffectError, RunEnd};
use quorate_wasm::{Capability, Command, Limits};
use serde_json::json;
use std::sync::Arc;
use support::{Fake, bundled, engine, exited, input, run};

async fn command(name: &str) -> Arc<Command> {
    engine(Limits::default()).load(name, bundled(name)).await.unwrap()
}

fn failed(code: &str, message: &str) -> RunEnd {
    RunEnd::Failed { code: code.into(), message: message.into() }
}

#[tokio::test]
async fn commands_may_do_what_their_code_calls_and_no_more() {
    assert_eq!(command("run").await.capabilities(), [Capability::Shell, Capability::Script]);
    assert_eq!(command("restart").await.capabilities(), [Capability::Nodetool, Capability::Shell]);
    let behaves = engine(Limits::default()).load("waits", support::hostile("waits")).await.unwrap();
    assert_eq!(behaves.capabilities(), []);
}

#[tokio::test]
async fn manifests_say_how_commands_are_guarded() {
    let restart = command("restart").await;
    assert_eq!(restart.manifest().impact, Impact::Down);
    assert_eq!(restart.manifest().gates, [Gate::NewProcess]);
    assert!(!restart.manifest().dc_parallel);
    let run = command("run").await;
    assert_eq!(run.manifest().impact, Impact::Down);
    assert_eq!(run.manifest().gates, []);
    assert!(run.manifest().arguments.iter().any(|argument| argument.trailing));
    for command in [restart, run] {
        let all = quorate_bundled::commands();
        assert!(all.iter().any(|one| one.name == command.manifest().name));
        assert_eq!(command.digest().len(), 64);
    }
}

#[tokio::test]
async fn restart_drains_stops_starts_and_waits() {
    let effects = Fake::new();
    let arguments = json!({"service": "service cassandra {verb}", "wait-timeout": 90_000});
    let end = run(&command("restart").await, input("UN", arguments), &effects).await;
    assert_eq!(end, RunEnd::Done("restarted, healthy after 62 s, 5.0.4".into()));
    assert_eq!(
        effects.lines(),
        [
            "> draining",
            r#"nodetool ["drain"] lost=Fail"#,
            "> stopping",
            r#"shell ["service", "cassandra", "stop"] lost=Again"#,
            "> starting",
            r#"shell ["service", "cassandra", "start"] lost=Again"#,
            "> waiting until healthy",
            "wait Healthy Some(90000)",
        ]
    );
}

#[tokio::test]
async fn restart_stops_at_the_step_that_fails() {
    let restart = command("restart").await;
    let effects = Fake::answering([exited(0, "", ""), exited(1, "", "one\nstill running\n")]);
    let end = run(&restart, input("UN", json!({})), &effects).await;
    let message = "service cassandra stop: exit status 1: still running";
    assert_eq!(end, failed("exit", message));
    assert_eq!(effects.effects().len(), 2);

    let effects = Fake::answering([Err(EffectError::TimedOut(30_000))]);
    let end = run(&restart, input("UN", json!({})), &effects).await;
    assert_eq!(end, failed("timed-out", "nodetool drain: timed out after 30 s"));
}

#[tokio::test]
async fn restart_starts_a_node_that_is_down() {
    let effects = Fake::answering([exited(3, "", "not running")]);
    let end = run(&command("restart").await, input("DN", json!({})), &effects).await;
    assert!(matches!(end, RunEnd::Done(_)), "{end:?}");
    assert_eq!(
        effects.effects(),
        [
            r#"shell ["service", "cassandra", "stop"] lost=Again"#,
            r#"shell ["service", "cassandra", "start"] lost=Again"#,
            "wait Healthy None",
        ]
    );
}

#[tokio::test]
async fn run_runs_a_command_line_a_program_or_a_script() {
    let run_command = command("run").await;
    for (arguments, effect) in [
        (json!({"command": "uptime; id"}), r#"shell ["sh", "-c", "uptime; id"] lost=Fail"#),
        (json!({"argv": ["echo", "a b"]}), r#"shell ["echo", "a b"] lost=Fail"#),
        (
            json!({"script": "print(1)", "interpreter": "python3", "argv": ["x"]}),
            r#"script "print(1)" "python3" ["x"] lost=Fail"#,
        ),
    ] {
        let effects = Fake::new();
        let end = run(&run_command, input("UN", arguments), &effects).await;
        assert_eq!(end, RunEnd::Done("exit status 0".into()));
        assert_eq!(effects.effects(), [effect]);
    }
}

#[tokio::test]
async fn run_fails_as_what_it_runs_does() {
    let run_command = command("run").await;
    for (answer, end) in [
        (exited(3, "out", "one\nno such host\n"), failed("exit", "exit status 3: no such host")),
        (exited(1, "out", ""), failed("exit", "exit status 1")),
        (
            Err(EffectError::Other { code: "unreachable".into(), message: "no route".into() }),
            failed("unreachable", "run: no route"),
        ),
    ] {
        let effects = Fake::answering([answer]);
        assert_eq!(run(&run_command, input("UN", json!({"command": "x"})), &effects).await, end);
    }
}

#[tokio::test]
async fn wrong_arguments_are_refused_when_planning() {
    let plan = |arguments| PlanContext {
        cluster: "test".into(),
        arguments: serde_json::from_value(arguments).unwrap(),
    };
    let run_command = command("run").await;
    let error = run_command.plan(plan(json!({}))).await.unwrap_err();
    assert!(error.to_string().starts_with("command run: nothing to run"), "{error}");
    let document = run_command.plan(plan(json!({"command": "x"}))).await.unwrap();
    assert_eq!(document, PlanDocument::default());
    let restart = command("restart").await;
    let error = restart.plan(plan(json!({"service": "reboot"}))).await.unwrap_err();
    assert!(error.message.contains("{verb}"), "{error}");
}
