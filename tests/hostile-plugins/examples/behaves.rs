//! Does what a command should.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome, Shell};

fn manifest() -> Manifest {
    hostile_plugins::manifest("behaves")
}

fn run<H: Host + Shell>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    node.info("begin");
    node.progress("asking for the time of day");
    let date = node.shell(["date"]).env("TZ", "UTC").stdin("in").check()?;
    println!("it is {}", String::from_utf8_lossy(&date.stdout.head));
    eprint!("no line end");
    node.sleep_ms(7);
    Ok(Outcome::done(format!("asked at {}", node.host().now_ms())))
}

quorate_sdk::export_command!(manifest: manifest, run: run);
