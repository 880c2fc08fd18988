//! Leaves by exit.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("exits")
}

fn run<H: Host>(_: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    std::process::exit(3)
}

quorate_sdk::export_command!(manifest: manifest, run: run);
