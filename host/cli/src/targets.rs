//! The nodes that a job runs on: named ones or all, and how each is reached.
use crate::{
    args::HostSpec,
    connect::transport_error,
    error::CliError,
    inventory,
    reach::{HostMap, destination, inventory_destination, is_host_id, text_of},
};
use quorate_journal::TargetHost;
use quorate_ports::NodeKey;
use quorate_ring::{DataCenter, NodeId, Topology};
use quorate_transport::Ssh;
use std::{collections::BTreeSet, net::IpAddr};

/// A node as it is called and reached where nothing else was said.
pub(crate) fn by_address(node: &quorate_ring::Node) -> TargetHost {
    let address = node.address.to_string();
    TargetHost { key: NodeKey(address.clone()), host: address }
}

/// The nodes that were named to run on.
pub(crate) fn named_hosts(spec: &HostSpec) -> Result<Vec<String>, CliError> {
    let mut named = Vec::new();
    for host in &spec.host {
        named.push(destination(host).map_err(|what| CliError::usage(format!("--host: {what}")))?);
    }
    if let Some(path) = &spec.host_file {
        let before = named.len();
        for line in text_of("--host-file", path)?.lines() {
            let host = line.split('#').next().unwrap_or_default().trim();
            if !host.is_empty() {
                let wrong = |what| CliError::usage(format!("--host-file: {what}"));
                named.push(destination(host).map_err(wrong)?);
            }
        }
        if named.len() == before {
            let place = path.display();
            return Err(CliError::usage(format!("--host-file: {place} names no host")));
        }
    }
    if let Some(path) = &spec.inventory
        && (spec.inventory_group.is_some() || named.is_empty() && spec.seed_host.is_empty())
    {
        let text = text_of("--inventory", path)?;
        let group = spec.inventory_group.as_deref();
        let hosts = inventory::hosts(&text, &path.display().to_string(), group)?;
        // Where its node is known by another address, the map has it under that.
        let known = |host: &inventory::InventoryHost| {
            host.node.clone().or_else(|| inventory_destination(host))
        };
        named.extend(hosts.iter().filter_map(known));
    }
    Ok(named)
}

/// The hosts to ask for the ring; none: those to run on are asked.
pub(crate) fn seeds(spec: &HostSpec) -> Result<Vec<String>, CliError> {
    let wrong = |what| CliError::usage(format!("--seed-host: {what}"));
    spec.seed_host.iter().map(|seed| destination(seed).map_err(wrong)).collect()
}

/// The nodes that were named, each reached from now on by the name that was given, unless the map says how.
pub(crate) async fn pick(
    transport: &Ssh,
    topology: &Topology,
    named: &[String],
    map: &HostMap,
    hosts: &mut [TargetHost],
) -> Result<BTreeSet<NodeId>, CliError> {
    let mut targets = BTreeSet::new();
    for name in named {
        let known = map.known(transport, name).await?;
        let Some(node) = known.node(topology) else {
            let what = format!("{known} isn't a node of {}", topology.cluster);
            return Err(CliError::not_started(what)
                .hint("name nodes by the addresses that `nodetool status` shows"));
        };
        if known.is_several(topology) && !map.maps(node, hosts) {
            let what = format!("{known} stands for several nodes of {}", topology.cluster);
            return Err(CliError::usage(what)
                .hint("name nodes by the addresses that `nodetool status` shows"));
        }
        if !map.maps(node, hosts) && !is_host_id(name) {
            hosts[node.index()].host.clone_from(name);
        }
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
