//! Sleeps by the standard library, unseen by the journal.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("sleeps-by-wasi")
}

fn run<H: Host>(_: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    std::thread::sleep(std::time::Duration::from_secs(3600));
    Ok(Outcome::done("slept"))
}

quorate_sdk::export_command!(manifest: manifest, run: run);
