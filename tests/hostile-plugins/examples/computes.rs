//! Computes in pieces, each followed by a call, until its clock shows a second.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("computes")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    let mut state = 1u64;
    while node.host().now_ms() < 1_000 {
        for _ in 0..2_000_000 {
            state = std::hint::black_box(state.wrapping_mul(6364136223846793005).wrapping_add(1));
        }
    }
    Ok(Outcome::done("computed"))
}

quorate_sdk::export_command!(manifest: manifest, run: run);
