//! Two runs with the same seed are the same run.
#![allow(clippy::unwrap_used)]

mod support;

use quorate_ports::{CommandHost, RunEnd};
use quorate_wasm::Limits;
use std::sync::Arc;
use support::{Fake, engine, exited, load, plain, run};

#[tokio::test]
async fn everything_by_which_runs_could_differ_repeats_with_the_seed() {
    let engine = engine(Limits::default());
    let command = load(&engine, "peeks").await;
    let mut seen = Vec::new();
    for seed in [42, 42, 43] {
        let effects = Fake::new();
        let mut input = plain();
        input.seed = seed;
        assert_eq!(run(&command, input, &effects).await, RunEnd::Done("looked".into()));
        seen.push(effects.lines());
    }
    assert_eq!(seen[0], seen[1]);
    let differ: Vec<bool> = (0..seen[0].len()).map(|line| seen[0][line] != seen[2][line]).collect();
    // The order of a HashMap and the random numbers hang on the seed, and nothing else does.
    assert_eq!(differ, [true, true, false, false, false, false, false, false, false], "{seen:?}");
}

#[tokio::test]
async fn a_guest_sees_nothing_of_this_machine() {
    let engine = engine(Limits::default());
    let (command, effects) = (load(&engine, "peeks").await, Fake::new());
    run(&command, plain(), &effects).await;
    let lines = effects.lines();
    assert!(lines[2].contains("1700000000"), "{}", lines[2]);
    assert_eq!(
        lines[4..],
        [
            "log Info args []",
            "log Info env []",
            "log Info root false",
            "log Info net false",
            "log Info nan 7fc00000",
        ]
    );
}

#[tokio::test]
async fn a_run_asks_in_order_and_what_it_prints_is_logged_by_the_line() {
    let engine = engine(Limits::default());
    let command = load(&engine, "behaves").await;
    let effects = Fake::answering([exited(0, "noon\nor later\n", "")]);
    assert!(matches!(run(&command, plain(), &effects).await, RunEnd::Done(_)));
    assert_eq!(
        effects.lines(),
        [
            "log Info begin",
            "> asking for the time of day",
            r#"shell ["date"] stdin="in" env=[("TZ", "UTC")] lost=Fail"#,
            "log Info it is noon",
            "log Info or later",
            "sleep 7",
            "log Warn no line end",
        ]
    );
}

#[tokio::test]
async fn a_dropped_run_ends_its_guest() {
    let engine = engine(Limits::default());
    let (command, effects) = (load(&engine, "waits").await, Fake::sleeping());
    let task = {
        let (command, effects) = (Arc::clone(&command), Arc::<Fake>::clone(&effects));
        tokio::spawn(async move { command.run(plain(), effects).await })
    };
    effects.until_asleep(1).await;
    assert!(Arc::strong_count(&effects) > 1, "a waiting guest holds its effects");
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&effects), 1);
    assert_eq!(effects.asleep.load(std::sync::atomic::Ordering::SeqCst), 0);
    // The command serves the next run.
    effects.wake.add_permits(1);
    assert_eq!(run(&command, plain(), &effects).await, RunEnd::Done("woken".into()));
}
