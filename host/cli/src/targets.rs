//! The nodes that a job runs on: named ones or all, and how each is reached.
use crate::{args::HostSpec, connect::transport_error, error::CliError};
use quorate_journal::TargetHost;
use quorate_ports::NodeKey;
use quorate_ring::{DataCenter, NodeId, Topology};
use quorate_transport::Ssh;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    net::IpAddr,
    path::Path,
};

/// A node as it is called and reached where nothing else was said.
pub(crate) fn by_address(node: &quorate_ring::Node) -> TargetHost {
    let address = node.address.to_string();
    TargetHost { key: NodeKey(address.clone()), host: address }
}

/// The nodes that were named to run on.
pub(crate) fn named_hosts(spec: &HostSpec) -> Result<Vec<String>, CliError> {
    let mut named = spec.host.clone();
    if let Some(path) = &spec.host_file {
        let place = if path == Path::new("-") {
            "standard input".into()
        } else {
            path.display().to_string()
        };
        let fault = |e: std::io::Error| CliError::usage(format!("--host-file: {place}: {e}"));
        let lines: Vec<String> = if path == Path::new("-") {
            std::io::stdin().lock().lines().collect::<Result<_, _>>().map_err(fault)?
        } else {
            let file = std::fs::File::open(path).map_err(fault)?;
            BufReader::new(file).lines().collect::<Result<_, _>>().map_err(fault)?
        };
        let host = |line: &String| line.split('#').next().unwrap_or_default().trim().to_owned();
        named.extend(lines.iter().map(host).filter(|host| !host.is_empty()));
        if named.is_empty() {
            return Err(CliError::usage(format!("--host-file: {place} names no host")));
        }
    }
    Ok(named)
}

/// The nodes that were named, each reached from now on by the name that was given.
pub(crate) async fn pick(
    transport: &Ssh,
    topology: &Topology,
    named: &[String],
    hosts: &mut [TargetHost],
) -> Result<BTreeSet<NodeId>, CliError> {
    let mut targets = BTreeSet::new();
    for name in named {
        let addresses = addresses(transport, name).await?;
        let found = addresses.iter().find_map(|ip| topology.by_address(quorate_ring::Address(*ip)));
        let Some(node) = found else {
            let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let shown = shown.join(", ");
            let shown = if shown == *name { shown } else { format!("{name} ({shown})") };
            let what = format!("{shown} isn't a node of {}", topology.cluster);
            return Err(CliError::not_started(what)
                .hint("name nodes by the addresses that `nodetool status` shows"));
        };
        hosts[node.index()].host.clone_from(name);
        targets.insert(node);
    }
    Ok(targets)
}

/// The addresses that a name stands for, by the SSH configuration and the system's look-up.
pub(crate) async fn addresses(transport: &Ssh, name: &str) -> Result<Vec<IpAddr>, CliError> {
    let wrong = |error| transport_error(&error);
    let host = transport.host_name(name).map_err(wrong)?;
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    match tokio::net::lookup_host((host.as_str(), 0)).await {
        Ok(found) => Ok(found.map(|socket| socket.ip()).collect()),
        Err(error) => Err(CliError::not_started(format!("{name} has no address: {error}"))
            .hint("name nodes by the addresses that `nodetool status` shows")),
    }
}

/// Keeps the targets of the data centers that were named.
pub(crate) fn filter_centers(
    topology: &Topology,
    filter: &[String],
    targets: &mut BTreeSet<NodeId>,
) {
    if !filter.is_empty() {
        let centers: BTreeSet<_> = filter.iter().map(DataCenter::new).collect();
        targets.retain(|id| centers.contains(&topology.node(*id).data_center));
    }
}
