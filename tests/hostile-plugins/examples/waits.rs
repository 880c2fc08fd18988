//! Waits for as long as the host likes.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("waits")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    node.sleep_ms(u64::MAX);
    Ok(Outcome::done("woken"))
}

quorate_sdk::export_command!(manifest: manifest, run: run);
