//! Asks for random numbers without end, which costs the host nothing but time.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("random")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    loop {
        std::hint::black_box(node.host().random());
    }
}

quorate_sdk::export_command!(manifest: manifest, run: run);
