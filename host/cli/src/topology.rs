//! `topology`: the ring as it is read. Starts nothing.
use crate::{
    args::{TopologyArgs, TopologyOutput},
    clusters::look,
    error::CliError,
    policy::guarantee,
    watch::{complain, say},
};
use quorate_ring::{Replication, Topology};
use quorate_schedule::{Guard, Policy};
use quorate_views::{TopologyView, ranges_json, ranges_text};

/// Prints the clusters. Gives the exit code.
pub(crate) async fn topology(args: TopologyArgs) -> Result<u8, CliError> {
    let clusters = look(&args.look, "topology").await?.found;
    if clusters.len() > 1 && args.output == TopologyOutput::Svg {
        return Err(CliError::usage("a picture shows one cluster, the hosts belong to several"));
    }
    for (place, found) in clusters.iter().enumerate() {
        for why in &found.discovered.passed_over {
            complain(&format!("quorate: a seed was passed over: {why}"));
        }
        for note in &found.discovered.notes {
            complain(&format!("quorate: {note}"));
        }
        if place > 0 && args.output == TopologyOutput::Text {
            say("");
        }
        print(&args, &found.discovered.topology)?;
    }
    Ok(0)
}

/// One cluster.
fn print(args: &TopologyArgs, topology: &Topology) -> Result<(), CliError> {
    if let Some(name) = &args.ranges {
        return ranges(topology, name, args.output);
    }
    let policy = Policy { guarantee: guarantee(&args.look.kept, topology)?, ..Policy::default() };
    let guard = Guard::new(topology, &policy);
    let view = TopologyView { topology, guard: &guard, policy: &policy };
    match args.output {
        TopologyOutput::Text => say(view.text().trim_end()),
        TopologyOutput::Json => say(&view.json().to_string()),
        TopologyOutput::Svg => say(view.svg().trim_end()),
    }
    Ok(())
}

fn ranges(topology: &Topology, name: &str, output: TopologyOutput) -> Result<(), CliError> {
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
    Ok(())
}
