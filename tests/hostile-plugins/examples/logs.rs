//! Logs without end.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("logs")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    loop {
        node.info("another line");
    }
}

quorate_sdk::export_command!(manifest: manifest, run: run);
