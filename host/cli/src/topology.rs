//! `topology`: the ring as it is read. Starts nothing.
use crate::{
    args::{TopologyArgs, TopologyOutput},
    connect::connect,
    error::CliError,
    launch::read_ring,
    policy::guarantee,
    targets::named_hosts,
    watch::{complain, say},
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
    let limit = Duration::from_millis(args.nodetool.nodetool_timeout);
    let found = read_ring(&transport, &seeds, limit).await?;
    for why in &found.passed_over {
        complain(&format!("quorate: a seed was passed over: {why}"));
    }
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
    let elsewhere = match &keyspace.replication {
        Replication::Local => "every node has one of its own (LocalStrategy)",
        Replication::Meta(_) => "the members of the metadata service hold it (MetaStrategy)",
        _ => "",
    };
    if !elsewhere.is_empty() {
        let what = format!("--ranges: {name} isn't placed by tokens, it has no ranges");
        return Err(CliError::usage(format!("{what}: {elsewhere}")));
    }
    match output {
        TopologyOutput::Text => match ranges_text(topology, keyspace).trim_end() {
            "" => complain(&format!("quorate: no node holds a range of {name}")),
            text => say(text),
        },
        TopologyOutput::Json => say(&ranges_json(topology, keyspace)),
        TopologyOutput::Svg => {
            return Err(CliError::usage("--ranges is printed as text or JSON"));
        }
    }
    Ok(0)
}
