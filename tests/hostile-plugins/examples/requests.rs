//! Makes a request of 9 MiB.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome, Shell};

fn manifest() -> Manifest {
    hostile_plugins::manifest("requests")
}

fn run<H: Host + Shell>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    node.shell(["cat"]).stdin(vec![0; 9 << 20]).check()?;
    Ok(Outcome::done("sent"))
}

quorate_sdk::export_command!(manifest: manifest, run: run);
