//! Allocates without end.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("allocates")
}

fn run<H: Host>(_: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1u8; 1 << 20]));
    }
}

quorate_sdk::export_command!(manifest: manifest, run: run);
