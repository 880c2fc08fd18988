//! Asks for actions without end.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome, Shell};

fn manifest() -> Manifest {
    hostile_plugins::manifest("acts")
}

fn run<H: Host + Shell>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    loop {
        node.shell(["true"]).check()?;
    }
}

quorate_sdk::export_command!(manifest: manifest, run: run);
