//! A strategy that misbehaves as its argument `how` says.
#![cfg(target_family = "wasm")]
use quorate_sdk::{
    ArgumentKind, StrategyView, argument,
    guest::{
        bindings::quorate::plugin::log,
        strategy_bindings::{self, exports::quorate::plugin::strategy_plugin::Guest},
    },
};
use std::sync::atomic::{AtomicU32, Ordering};

struct Component;

impl Guest for Component {
    fn describe() -> String {
        let mut manifest =
            quorate_sdk::strategy_manifest("misbehaves", "0.1.0", "A strategy for tests");
        manifest.arguments = vec![argument("how", ArgumentKind::Text, "How it misbehaves")];
        quorate_sdk::guest::describe(&manifest)
    }

    fn propose(view: String) -> Result<String, String> {
        let view: StrategyView = serde_json::from_str(&view).unwrap();
        let how = view.arguments["how"].as_str().unwrap();
        match how {
            "loop" => loop {
                std::hint::black_box(how);
            },
            "allocate" => {
                let mut all = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![1u8; 1 << 20]));
                }
            }
            "log" => loop {
                log::line(log::Level::Info, "more");
            },
            "print" => loop {
                println!("more");
            },
            "trap" => divide_the_ring(view.nodes.len() as u32),
            "exit" => std::process::exit(0),
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_millis(1));
                Ok(String::new())
            }
            "peek" => Err(peek()),
            "large" => Ok(" ".repeat(9 << 20)),
            "large-refusal" => Err(" ".repeat(9 << 20)),
            "refuse" => Err("\u{1b}[2Jnot today".into()),
            answer => Ok(answer.into()),
        }
    }
}

#[inline(never)]
fn divide_the_ring(nodes: u32) -> Result<String, String> {
    let racks: u32 = std::hint::black_box(0);
    Ok((nodes / racks).to_string())
}

/// Everything by which two calls could differ, and what shows of this machine.
fn peek() -> String {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let set: std::collections::HashSet<u32> = (0..50).collect();
    [
        format!("{:?}", set.iter().collect::<Vec<_>>()),
        format!("{:?}", std::time::SystemTime::now()),
        format!("{:?}", std::time::Instant::now()),
        format!("args {:?}", std::env::args().collect::<Vec<_>>()),
        format!("env {:?}", std::env::vars().collect::<Vec<_>>()),
        format!("root {}", std::fs::read_dir("/").is_ok()),
        format!("calls {}", CALLS.fetch_add(1, Ordering::Relaxed)),
    ]
    .join("\t")
}

strategy_bindings::export!(Component with_types_in strategy_bindings);
