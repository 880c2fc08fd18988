//! Panics in a function with a name.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("traps")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    Ok(Outcome::done(divide_the_ring(node.facts().rack.len() - 2)))
}

quorate_sdk::export_command!(manifest: manifest, run: run);

#[inline(never)]
fn divide_the_ring(by: usize) -> String {
    assert!(by != 0, "there is nothing to divide by");
    format!("{}", 256 / by)
}
