//! What waiting guests cost. Alone in its process: it counts threads and memory.
#![allow(clippy::unwrap_used)]

mod support;

use quorate_ports::CommandHost;
use quorate_wasm::Limits;
use std::sync::Arc;
use support::{Fake, engine, load, plain};

const GUESTS: usize = 1_000;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_guests_wait_without_a_thread_and_little_memory() {
    let engine = engine(Limits::default());
    let command = load(&engine, "waits").await;
    let effects = Fake::sleeping();
    let start = |count: usize| {
        (0..count)
            .map(|_| {
                let (command, effects) = (Arc::clone(&command), Arc::<Fake>::clone(&effects));
                tokio::spawn(async move { command.run(plain(), effects).await })
            })
            .collect::<Vec<_>>()
    };
    let mut tasks = start(1);
    effects.until_asleep(1).await;
    let (threads_before, bytes_before) = (threads(), resident_bytes());

    tasks.extend(start(GUESTS));
    effects.until_asleep(GUESTS + 1).await;
    let per_guest = (resident_bytes() - bytes_before) / GUESTS;
    println!("{per_guest} bytes per waiting guest, {} threads", threads());
    assert!(threads() <= threads_before, "{} threads, {threads_before} before", threads());
    assert!(per_guest < 256 << 10, "{per_guest} bytes per waiting guest");

    // Half of them wake and end; the others are dropped where they wait.
    effects.wake.add_permits(GUESTS / 2);
    let mut ended = 0;
    for task in tasks.drain(..GUESTS / 2 + 1) {
        task.abort();
        ended += usize::from(task.await.is_ok());
    }
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        ended += usize::from(task.await.is_ok());
    }
    assert!(ended <= GUESTS / 2, "{ended} ended");
    // Nothing of a guest is left: its store held the effects.
    assert_eq!(Arc::strong_count(&effects), 1);
    assert_eq!(effects.asleep.load(std::sync::atomic::Ordering::SeqCst), 0);
}
