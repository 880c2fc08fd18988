//! Prints without end and without a line end.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("prints")
}

fn run<H: Host>(_: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    loop {
        print!("more and more and more");
    }
}

quorate_sdk::export_command!(manifest: manifest, run: run);
