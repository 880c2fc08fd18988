//! `demo`: a simulated cluster in this process, and a rolling restart of it.
use crate::{
    args::{DemoArgs, Output, ShowArgs},
    error::{CliError, Code},
    signals::Signals,
    watch::{complain, say},
};
use clap::ValueEnum;
use quorate_sim::{KeyspaceSpec, Sim, SimSpec};
use std::ffi::OsString;

/// Runs the demo. Gives the exit code.
pub(crate) async fn demo(args: DemoArgs) -> Result<u8, CliError> {
    if args.rf > args.racks * args.nodes {
        return Err(CliError::usage(format!(
            "--rf {} needs as many nodes in a data center; there are {}",
            args.rf,
            args.racks * args.nodes
        )));
    }
    let mut spec = SimSpec::uniform(args.dcs.into(), args.racks.into(), args.nodes.into());
    spec.cluster_name = args.name.clone();
    spec.seed = args
        .name
        .bytes()
        .fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    spec.vnodes = args.vnodes.into();
    let names: Vec<String> = spec.data_centers.iter().map(|dc| dc.name.clone()).collect();
    let factors: Vec<_> = names.iter().map(|name| (name.as_str(), usize::from(args.rf))).collect();
    spec.keyspaces = KeyspaceSpec::stock();
    spec.keyspaces.push(KeyspaceSpec::network_topology("shop", &factors));
    let sim = Sim::start(spec).await.map_err(CliError::not_started)?;
    let config = sim.ssh_config().to_path_buf();
    // Standard output is the job's where a program reads it.
    let say = if args.show.output == Output::Json { complain } else { say };
    say(&format!(
        "A simulated cluster: {} data centers x {} racks x {} nodes, an SSH server each, in this process.",
        args.dcs, args.racks, args.nodes
    ));
    let mut line = vec!["restart".to_owned(), "--seed-host".into(), sim.seed(), "-F".into()];
    line.extend([
        config.display().to_string(),
        "--dc-parallel".into(),
        "--stable".into(),
        "2s".into(),
    ]);
    say(&format!("$ {} {}", program(), line.join(" ")));
    line.insert(0, "quorate".into());
    line.extend(shown(&args.show));
    // The command line that was printed is the one that runs.
    let code = Box::pin(crate::run(line.into_iter().map(OsString::from).collect())).await?;
    let losses = sim.quorum_losses();
    say(&verdict(&losses));
    if args.keep_running {
        keep(&sim, say).await;
    }
    sim.stop().await.map_err(|error| CliError::new(Code::Lost, error))?;
    match (code, losses.is_empty()) {
        (0, false) => Ok(Code::NodeFailed as u8),
        _ => Ok(code),
    }
}

/// The flags of how to show, passed on.
fn shown(show: &ShowArgs) -> Vec<String> {
    let mut flags = vec!["-v".to_owned(); usize::from(show.verbose)];
    if show.plain {
        flags.push("--plain".into());
    }
    let output = show.output.to_possible_value();
    flags.extend(output.map(|output| format!("--output={}", output.get_name())));
    let color = show.color.to_possible_value();
    flags.extend(color.map(|color| format!("--color={}", color.get_name())));
    flags
}

/// What the simulator itself saw, computed by the oracle that it places replicas with.
fn verdict(losses: &[String]) -> String {
    match losses.first() {
        None => "The simulator watched every token range: none ever lost its LOCAL_QUORUM.".into(),
        Some(first) => format!("The simulator saw {} losses of a quorum: {first}", losses.len()),
    }
}

/// How this program is called from where it stands.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "quorate".into())
}

async fn keep(sim: &Sim, say: fn(&str)) {
    let (seed, config) = (sim.seed(), sim.ssh_config().display().to_string());
    let program = program();
    say("");
    say("The cluster stays up until Ctrl-C. In another terminal, type for example:");
    for words in [
        "run HOSTS -v --impact none --command 'nodetool version'",
        "restart HOSTS --strategy one --stop-after 2",
        "jobs",
    ] {
        let hosts = format!("--seed-host {seed} -F {config}");
        say(&format!("  {program} {}", words.replace("HOSTS", &hosts)));
    }
    say(&format!("  ssh -F {config} {seed} nodetool status"));
    Signals::new().next().await;
}
