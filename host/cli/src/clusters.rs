//! Which clusters the given hosts belong to. Each has a ring of its own; nothing of one is ever used for another.
use crate::{
    args::LookArgs,
    connect::connect,
    error::CliError,
    jmx,
    launch::nodetool,
    reach::{HostMap, Known},
    targets::{named_hosts, seeds},
    watch::complain,
};
use quorate_ports::{NodeKey, Target};
use quorate_ring::HostId;
use quorate_runner::{DiscoverError, Discovered, GivenReplications, Nodetool, discover};
use quorate_transport::Ssh;
use std::{collections::BTreeSet, sync::Arc};

/// A cluster as it was read, and which of the hosts given to run on are its.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) discovered: Discovered,
    /// Empty: all of its nodes.
    pub(crate) named: Vec<String>,
}

impl Found {
    fn name(&self) -> String {
        self.discovered.topology.cluster.to_string()
    }

    fn has(&self, known: &Known) -> bool {
        known.node(&self.discovered.topology).is_some()
    }

    fn hosts(&self) -> BTreeSet<&HostId> {
        self.discovered.topology.nodes.iter().filter_map(|node| node.host_id.as_ref()).collect()
    }
}

/// Reads every cluster that a seed belongs to, each once. Where no seed is given, the hosts to run on are asked.
/// What was `given` (`--rf`) is said of all of them.
///
/// # Errors
/// A seed that can't be read and is no node of a cluster that was; a ring that can't be understood; two rings that share
/// some nodes and not all.
pub(crate) async fn read_clusters(
    transport: &Ssh,
    nodetool: &Nodetool,
    seeds: &[String],
    named: &[String],
    given: &GivenReplications,
    map: &HostMap,
) -> Result<Vec<Found>, CliError> {
    let asked = if seeds.is_empty() { named } else { seeds };
    let names: Vec<_> = asked.iter().take(3).map(String::as_str).collect();
    complain(&format!("quorate: reading the ring from {}", names.join(", ")));
    let mut found: Vec<Found> = Vec::new();
    let mut failed: Vec<(&String, Known, DiscoverError)> = Vec::new();
    for seed in asked {
        // A name without an address can't be reached either, which the look at it tells.
        let known = map.known(transport, seed).await.unwrap_or_default();
        if found.iter().any(|cluster| cluster.has(&known)) {
            continue;
        }
        let target =
            Target { node: NodeKey(seed.clone()), host: map.host(seed, &known).to_owned() };
        match discover(nodetool, &[target], given).await {
            Ok(discovered) => add(&mut found, discovered)?,
            Err(error @ DiscoverError::NoSeed(_)) => failed.push((seed, known, error)),
            Err(error) => return Err(CliError::not_started(&error).hint(error.hint())),
        }
    }
    for (seed, known, error) in failed {
        match found.iter_mut().find(|cluster| cluster.has(&known)) {
            Some(cluster) => cluster.discovered.passed_over.push(error.to_string()),
            None => return Err(unreadable(seed, &found, &error)),
        }
    }
    if !seeds.is_empty() || found.len() > 1 {
        share_out(transport, &mut found, named, map).await?;
    } else if let Some(only) = found.first_mut() {
        only.named = named.to_vec();
    }
    Ok(found)
}

/// Adds a ring, unless it is one that was read already by another way to its nodes.
fn add(found: &mut Vec<Found>, discovered: Discovered) -> Result<(), CliError> {
    let new = Found { discovered, named: Vec::new() };
    let hosts = new.hosts();
    for other in found.iter() {
        let known = other.hosts();
        let shared: Vec<_> = hosts.intersection(&known).collect();
        if shared.is_empty() {
            continue;
        }
        if known == hosts {
            return Ok(());
        }
        let (one, another) = (&other.discovered.seed.host, &new.discovered.seed.host);
        let what = format!(
            "{one} and {another} show different rings, {} and {}, which share the node {}",
            other.name(),
            new.name(),
            shared[0]
        );
        return Err(CliError::not_started(what).hint(format!(
            "look at both: ssh {one} nodetool status; ssh {another} nodetool status"
        )));
    }
    found.push(new);
    Ok(())
}

fn unreadable(seed: &str, found: &[Found], error: &DiscoverError) -> CliError {
    if found.is_empty() {
        return CliError::not_started(error).hint(error.hint());
    }
    let names: Vec<_> = found.iter().map(Found::name).collect();
    let what = format!("{error}; and {seed} is no node of {}", names.join(" or "));
    CliError::not_started(what).hint(format!("leave {seed} out, or see to it first"))
}

/// What a look at clusters needs and finds.
pub(crate) struct Looked {
    pub(crate) transport: Arc<Ssh>,
    pub(crate) nodetool: Nodetool,
    pub(crate) map: HostMap,
    pub(crate) found: Vec<Found>,
}

/// Reads the clusters that somebody wants to look at; what is `shown` is for errors.
///
/// # Errors
/// Those of [`read_clusters`]; flags that mean something for jobs only.
pub(crate) async fn look(args: &LookArgs, shown: &str) -> Result<Looked, CliError> {
    let transport = connect(&args.ssh)?;
    if args.reach.resolve_hostnames {
        let what = format!(
            "--resolve-hostnames is for jobs: the {shown} shows addresses, as nodetool does"
        );
        return Err(CliError::usage(what).hint("leave it out"));
    }
    let (seeds, named) = (seeds(&args.hosts)?, named_hosts(&args.hosts)?);
    let map = HostMap::read(&args.hosts, &args.reach)?;
    let given = args.kept.replications()?;
    let nodetool = nodetool(transport.clone(), &args.nodetool, &jmx::call(&args.nodetool.call)?);
    let found = read_clusters(&transport, &nodetool, &seeds, &named, &given, &map).await?;
    Ok(Looked { transport, nodetool, map, found })
}

/// Gives each host to run on to its cluster; clusters without one are left out.
async fn share_out(
    transport: &Ssh,
    found: &mut Vec<Found>,
    named: &[String],
    map: &HostMap,
) -> Result<(), CliError> {
    for host in named {
        let known = map.known(transport, host).await?;
        let Some(cluster) = found.iter_mut().find(|cluster| cluster.has(&known)) else {
            let clusters: Vec<_> = found.iter().map(Found::name).collect();
            let what = format!("{host} isn't a node of {}", clusters.join(" or "));
            return Err(CliError::not_started(what)
                .hint("name nodes by the addresses that `nodetool status` shows"));
        };
        cluster.named.push(host.clone());
    }
    if !named.is_empty() {
        found.retain(|cluster| !cluster.named.is_empty());
    }
    Ok(())
}

/// Every data center that is named must be one of some cluster.
pub(crate) fn known_centers(found: &[Found], filter: &[String]) -> Result<(), CliError> {
    let rings = found.iter().map(|cluster| &cluster.discovered.topology);
    let known: BTreeSet<_> =
        rings.flat_map(|ring| ring.data_centers()).map(|dc| dc.as_str().to_owned()).collect();
    match filter.iter().find(|name| !known.contains(*name)) {
        None => Ok(()),
        Some(name) => {
            let names: Vec<_> = known.iter().map(String::as_str).collect();
            Err(CliError::not_started(format!("there is no data center {name}"))
                .hint(format!("there are: {}", names.join(", "))))
        }
    }
}
