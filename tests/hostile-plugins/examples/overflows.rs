//! Calls itself without end.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("overflows")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    Ok(Outcome::done(format!("{}", deeper(node.facts().rack.len() as u64))))
}

quorate_sdk::export_command!(manifest: manifest, run: run);

#[inline(never)]
#[allow(unconditional_recursion)]
fn deeper(n: u64) -> u64 {
    let here = std::hint::black_box([n; 64]);
    deeper(here[3] + 1) + here[5]
}
