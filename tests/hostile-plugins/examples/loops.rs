//! Computes for ever and asks for nothing.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("loops")
}

fn run<H: Host>(_: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    let mut state = 1u64;
    loop {
        state = std::hint::black_box(state.wrapping_mul(6364136223846793005).wrapping_add(1));
    }
}

quorate_sdk::export_command!(manifest: manifest, run: run);
