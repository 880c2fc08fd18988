//! `topology`: the ring as it is read. Starts nothing.
use crate::{
    args::{TopologyArgs, TopologyOutput},
    connect::connect,
    error::CliError,
    launch::{named_hosts, read_ring},
    policy::guarantee,
    watch::say,
};
use quorate_ring::{Replication, Topology};
use quorate_schedule::{Guard, Policy};
use quorate_views::{TopologyView, ranges_json, ranges_text};
use std::time::Duration;

/// Prints the cluster. Gives the exit code.
pub(crate) async fn topology(args: TopologyArgs) -> Result<u8, CliError> {
    let transport = connect(&args.ssh)?;
    let mut seeds = args.hosts.seed_host.clone();
    if seeds.is_empty() {
        seeds = named_hosts(&args.hosts)?;
    }
    let limit = Duration::from_millis(args.nodetool_timeout);
    let found = read_ring(&transport, &seeds, limit).await?;
    let topology = &found.topology;
    if let Some(name) = &args.ranges {
        return ranges(topology, name, args.output);
    }
    let policy = Policy { guarantee: guarantee(&args.guarantee, topology)?, ..Policy::default() };
    let guard = Guard::new(topology, &policy);
    let view = TopologyView { topology, guard: &guard, policy: &policy };
    match args.output {
        TopologyOutput::Text => say(view.text().trim_end()),
        TopologyOutput::Json => say(&view.json().to_string()),
        TopologyOutput::Svg => say(view.svg().trim_end()),
    }
    Ok(0)
}

fn ranges(topology: &Topology, name: &str, output: TopologyOutput) -> Result<u8, CliError> {
    let keyspace = topology.keyspaces.iter().find(|keyspace| keyspace.name.as_str() == name);
    let keyspace = keyspace.ok_or_else(|| {
        let names: Vec<&str> = topology.keyspaces.iter().map(|ks| ks.name.as_str()).collect();
        CliError::usage(format!("--ranges: there is no keyspace {name}"))
            .hint(format!("there are: {}", names.join(", ")))
    })?;
    if matches!(keyspace.replication, Replication::Local | Replication::Meta(_)) {
        return Err(CliError::usage(format!(
            "--ranges: {name} isn't placed by tokens, it has no ranges"
        )));
    }
    match output {
        TopologyOutput::Text => say(ranges_text(topology, keyspace).trim_end()),
        TopologyOutput::Json => say(&ranges_json(topology, keyspace).to_string()),
        TopologyOutput::Svg => {
            return Err(CliError::usage("--ranges is printed as text or JSON"));
        }
    }
    Ok(0)
}
