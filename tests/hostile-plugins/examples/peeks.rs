//! Logs everything by which two runs could differ, and what it can see of this machine.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("peeks")
}

fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    use std::collections::HashMap;
    let set: HashMap<u32, ()> = (0..50).map(|n| (n, ())).collect();
    node.info(&format!("order {:?}", set.keys().collect::<Vec<_>>()));
    node.info(&format!("random {} {}", node.host().random(), node.host().random()));
    node.info(&format!("clock {:?}", std::time::SystemTime::now()));
    node.info(&format!("instant {:?}", std::time::Instant::now()));
    node.info(&format!("args {:?}", std::env::args().collect::<Vec<_>>()));
    node.info(&format!("env {:?}", std::env::vars().collect::<Vec<_>>()));
    node.info(&format!("root {}", std::fs::read_dir("/").is_ok()));
    node.info(&format!("net {}", std::net::TcpStream::connect("127.0.0.1:22").is_ok()));
    node.info(&format!("nan {:x}", std::hint::black_box(-f32::NAN + 1.0).to_bits()));
    Ok(Outcome::done("looked"))
}

quorate_sdk::export_command!(manifest: manifest, run: run);
