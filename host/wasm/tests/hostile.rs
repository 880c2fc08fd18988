//! Guests that misbehave end with the right code, and harm nobody else.
#![allow(clippy::unwrap_used)]

mod support;

use quorate_ports::RunEnd;
use quorate_wasm::Limits;
use support::{Fake, engine, hostile, load, plain, run};

fn limits() -> Limits {
    Limits { cpu_ms: 300, actions: 50, log_lines: 100, log_bytes: 10_000, ..Limits::default() }
}

/// Runs a hostile component beside one that behaves, on one thread, and gives the hostile one's end.
async fn beside_a_good_one(name: &str) -> (String, String) {
    let engine = engine(limits());
    let (bad, good) = (load(&engine, name).await, load(&engine, "behaves").await);
    let (for_bad, for_good) = (Fake::new(), Fake::new());
    let (bad_end, good_end) =
        tokio::join!(run(&bad, plain(), &for_bad), run(&good, plain(), &for_good));
    let RunEnd::Done(done) = good_end else { panic!("the good one: {good_end:?}") };
    assert!(done.starts_with("asked at "), "{done}");
    let RunEnd::Failed { code, message } = bad_end else { panic!("{name}: {bad_end:?}") };
    assert!(message.contains(&format!("command {}", name.replace('_', "-"))), "{message}");
    assert!(!message.contains('\n'), "{message}");
    (code, message)
}

async fn assert_limit(name: &str, code: &str, limit: &str) {
    let (got, message) = beside_a_good_one(name).await;
    assert_eq!(got, code, "{message}");
    assert!(message.contains(limit), "{message}");
    let field = limit.split(' ').next().unwrap();
    assert!(message.contains(&format!("--plugin-limit {field}=VALUE")), "{message}");
}

#[tokio::test]
async fn a_guest_that_loops_is_ended_by_the_cpu_limit() {
    assert_limit("loops", "cpu-limit", "cpu-ms is 300 ms").await;
}

#[tokio::test]
async fn calls_that_are_not_journalled_do_not_prolong_a_loop() {
    assert_limit("random", "cpu-limit", "cpu-ms is 300 ms").await;
}

#[tokio::test]
async fn a_guest_that_allocates_is_ended_by_the_memory_limit() {
    assert_limit("allocates", "memory-limit", "memory-bytes is 67108864 bytes").await;
}

#[tokio::test]
async fn a_guest_that_logs_is_ended_by_the_log_limit() {
    assert_limit("logs", "log-limit", "log-lines is 100 lines").await;
    assert_limit("progresses", "log-limit", "log-lines is 100 lines").await;
}

#[tokio::test]
async fn a_guest_that_prints_is_ended_by_the_log_limit() {
    assert_limit("prints", "log-limit", "log-bytes is 10000 bytes").await;
}

#[tokio::test]
async fn a_guest_that_acts_without_end_is_ended_by_the_action_limit() {
    let engine = engine(limits());
    let (command, effects) = (load(&engine, "acts").await, Fake::new());
    let end = run(&command, plain(), &effects).await;
    assert!(matches!(&end, RunEnd::Failed { code, .. } if code == "action-limit"), "{end:?}");
    assert_eq!(effects.effects().len(), 50, "no more actions than the limit came about");
    assert_limit("acts", "action-limit", "actions is 50 actions").await;
}

#[tokio::test]
async fn a_request_that_is_too_large_never_comes_about() {
    assert_limit("requests", "action-limit", "request-bytes is 8388608 bytes").await;
    let engine = engine(limits());
    let (command, effects) = (load(&engine, "requests").await, Fake::new());
    run(&command, plain(), &effects).await;
    assert_eq!(effects.effects(), [""; 0]);
}

#[tokio::test]
async fn a_trap_names_its_reason_and_its_function() {
    let (code, message) = beside_a_good_one("traps").await;
    assert_eq!(code, "trap");
    assert!(message.contains("divide_the_ring"), "{message}");
    assert!(message.contains("unreachable"), "{message}");
    let (code, message) = beside_a_good_one("overflows").await;
    assert_eq!(code, "trap");
    assert!(message.contains("trapped in overflows::deeper: "), "{message}");
}

#[tokio::test]
async fn the_words_of_a_panic_are_logged() {
    let engine = engine(limits());
    let (command, effects) = (load(&engine, "traps").await, Fake::new());
    run(&command, plain(), &effects).await;
    let lines = effects.lines().join("\n");
    assert!(lines.contains("log Warn there is nothing to divide by"), "{lines}");
}

#[tokio::test]
async fn a_guest_can_not_leave_by_exit_nor_sleep_unseen() {
    let (code, message) = beside_a_good_one("exits").await;
    assert_eq!(code, "plugin", "{message}");
    let (code, message) = beside_a_good_one("sleeps_by_wasi").await;
    assert_eq!(code, "plugin");
    assert!(message.contains("flow.sleep"), "{message}");
}

#[tokio::test]
async fn time_between_calls_counts_and_time_over_all_does_not() {
    let engine = engine(Limits { cpu_ms: 400, actions: u64::MAX, ..Limits::default() });
    let (command, effects) = (load(&engine, "computes").await, Fake::new());
    assert_eq!(run(&command, plain(), &effects).await, RunEnd::Done("computed".into()));
}

#[tokio::test]
async fn time_in_which_a_guest_waits_does_not_count() {
    let engine = engine(Limits { cpu_ms: 200, ..Limits::default() });
    let (waits, loops) = (load(&engine, "waits").await, load(&engine, "loops").await);
    let effects = Fake::sleeping();
    let looping = async {
        effects.until_asleep(1).await;
        // Ticks for longer than the limit of the one that waits, and wakes it then.
        for _ in 0..2 {
            run(&loops, plain(), &Fake::new()).await;
        }
        effects.wake.add_permits(1);
    };
    let (end, ()) = tokio::join!(run(&waits, plain(), &effects), looping);
    assert_eq!(end, RunEnd::Done("woken".into()));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_answered() {
    let engine = engine(limits());
    let (command, effects) = (load(&engine, "asks_wrongly").await, Fake::new());
    assert_eq!(run(&command, plain(), &effects).await, RunEnd::Skipped("asked".into()));
    let lines = effects.lines();
    for (line, (case, what)) in lines.iter().zip([
        ("Error::Invalid", "condition"),
        ("Error::Invalid", "argv is empty"),
        ("Error::Denied", "secrets aren't supported by this version"),
        ("Error::Invalid", "'nice'"),
        ("Error::Invalid", "nodetool needs a command"),
    ]) {
        assert!(line.contains(case) && line.contains(what), "{line}");
    }
    assert_eq!(lines.len(), 5, "{lines:?}");
}

#[tokio::test]
async fn a_component_that_describes_itself_wrongly_is_refused() {
    let engine = engine(limits());
    for (name, what) in [
        ("describes_garbage", "answers no manifest"),
        ("describes_slowly", "cpu-ms is 300 ms"),
        ("describes_the_cluster", "called cluster.topology in its describe"),
    ] {
        let error = engine.load(name, hostile(name)).await.err().unwrap();
        assert_eq!(error.command, name);
        assert!(error.message.contains(what), "{error}");
        assert!(!error.message.contains('\u{1b}'), "{error}");
    }
}

#[tokio::test]
async fn what_this_host_does_not_offer_is_refused_by_its_name() {
    let engine = engine(limits());
    for (name, what) in [
        ("unknown_import", "quorate:plugin/oracle@0.1.0"),
        ("newer", "quorate:plugin/command-plugin@0.2.0"),
        ("another_shape", "doesn't fit the contract"),
    ] {
        let error = engine.load(name, hostile(name)).await.err().unwrap();
        assert!(error.message.contains(what), "{error}");
    }
    for bytes in [b"".as_slice(), b"(component)", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"] {
        let error = engine.load("file.wasm", bytes).await.err().unwrap();
        assert!(error.to_string().starts_with("command file.wasm: it is no "), "{error}");
    }
}
