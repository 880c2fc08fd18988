//! Tells of progress without end.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("progresses")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    loop {
        node.progress("onwards");
    }
}

quorate_sdk::export_command!(manifest: manifest, run: run);
