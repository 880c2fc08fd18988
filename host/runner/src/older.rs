//! Reading the ring where `describecluster` tells no keyspaces: from a node before 4.0.
//!
//! How keyspaces are replicated is taken from what a person said (`--rf`); else from `cqlsh`, where it works on
//! the node; else it is read off the ranges of every keyspace.
use crate::{
    Nodetool, NodetoolError,
    discover::{DiscoverError, GivenReplications, Ranges, describe},
};
use quorate_ports::Target;
use quorate_ring::{
    Address, DataCenter, HostId, Keyspace, KeyspaceName, Replication,
    parse::{
        self, CQL_KEYSPACES, ClusterDescription, CqlKeyspaces, GossipEndpoint, ParseError,
        SchemaDescription, StatusRow,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What such a node tells of its cluster, put together from several commands.
pub(crate) struct Older {
    /// Without the keyspaces of `unknown`.
    pub(crate) cluster: ClusterDescription,
    /// Keyspaces whose replication nobody told, or a person.
    pub(crate) unknown: Vec<KeyspaceName>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
}

/// Every node has these two for itself, in every version that doesn't tell it.
const LOCAL: [&str; 2] = ["system", "system_schema"];

/// Asks for the rest.
pub(crate) async fn older(
    nodetool: &Nodetool,
    seed: &Target,
    schema: SchemaDescription,
    rows: &[StatusRow],
    given: &GivenReplications,
) -> Result<Older, DiscoverError> {
    let release = nodetool.ask(seed, &["version"], parse::version);
    let gossip = nodetool.ask(seed, &["gossipinfo"], parse::gossipinfo);
    let names = nodetool.ask(seed, &["tablestats"], parse::keyspaces_of_tablestats);
    let (release, gossip, names) =
        tokio::try_join!(release, gossip, names).map_err(DiscoverError::Nodetool)?;
    whole_for(&seed.host, &release).map_err(DiscoverError::Nodetool)?;
    let mut older = Older {
        cluster: description(schema, rows, &gossip),
        unknown: names.into_iter().filter(|name| !LOCAL.contains(&name.as_str())).collect(),
        notes: Vec::new(),
    };
    if older.unknown.iter().any(|name| !given.contains_key(name)) {
        match cql(nodetool, seed, rows, &older.cluster, &gossip).await {
            Ok(keyspaces) => {
                older.cluster.keyspaces = keyspaces;
                older.unknown.clear();
            }
            Err(why) => older.notes.push(format!(
                "{release} doesn't tell how keyspaces are replicated, and cqlsh doesn't either ({why}): it is \
                 read off their ranges, one keyspace after the other"
            )),
        }
    }
    Ok(older)
}

/// The ranges of every keyspace of which no replication is known.
pub(crate) async fn all_ranges(
    nodetool: &Nodetool,
    seed: &Target,
    names: Vec<KeyspaceName>,
) -> Result<Ranges<KeyspaceName>, DiscoverError> {
    let named = names.into_iter().map(|name| (name.clone(), name)).collect();
    describe(nodetool, seed, named).await
}

/// Schema versions are the whole of what `describecluster` tells before 4.0. Of a later release they are what is
/// left of an output that was cut.
pub(crate) fn whole_for(host: &str, release: &str) -> Result<(), NodetoolError> {
    let major = release.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < 4) {
        return Ok(());
    }
    let error = ParseError {
        command: "nodetool describecluster".into(),
        line_number: 0,
        line: None,
        expected: format!("the keyspaces, which {release} prints (is the output cut?)"),
    };
    Err(NodetoolError::Unreadable { host: host.to_owned(), error })
}

/// The nodes that gossip knows, by their release.
pub(crate) fn releases(
    gossip: &BTreeMap<Address, GossipEndpoint>,
) -> BTreeMap<String, Vec<Address>> {
    let mut releases: BTreeMap<String, Vec<Address>> = BTreeMap::new();
    for (address, endpoint) in gossip {
        if let Some(release) = &endpoint.release {
            releases.entry(release.clone()).or_default().push(*address);
        }
    }
    releases
}

fn description(
    schema: SchemaDescription,
    rows: &[StatusRow],
    gossip: &BTreeMap<Address, GossipEndpoint>,
) -> ClusterDescription {
    // Nothing counts the nodes but the rows themselves.
    let mut data_centers: BTreeMap<DataCenter, u32> = BTreeMap::new();
    for row in rows {
        *data_centers.entry(row.data_center.clone()).or_default() += 1;
    }
    let local = |name| Keyspace { name: KeyspaceName::new(name), replication: Replication::Local };
    ClusterDescription {
        name: schema.name,
        partitioner: schema.partitioner,
        schema_versions: schema.schema_versions,
        unreachable: schema.unreachable,
        data_centers,
        versions: releases(gossip),
        keyspaces: LOCAL.map(local).into(),
    }
}

/// The keyspaces as the node's `cqlsh` tells them. The error says in words why it doesn't.
async fn cql(
    nodetool: &Nodetool,
    seed: &Target,
    rows: &[StatusRow],
    cluster: &ClusterDescription,
    gossip: &BTreeMap<Address, GossipEndpoint>,
) -> Result<Vec<Keyspace>, String> {
    let told = match ask_cqlsh(nodetool, seed, None).await {
        Err(NodetoolError::Failed { .. }) => {
            // Left alone it asks 127.0.0.1, where many nodes don't listen.
            let info = nodetool.ask(seed, &["info"], parse::info).await;
            let info = info.map_err(|error| error.to_string())?;
            let own = gossip.values().find(|node| node.host_id.as_ref() == Some(&info.host_id));
            let address = own.and_then(|node| node.rpc_address).ok_or("no RPC address is known")?;
            ask_cqlsh(nodetool, seed, Some(address)).await
        }
        first => first,
    }
    .map_err(|error| error.to_string())?;
    let known: BTreeSet<&HostId> = rows.iter().filter_map(|row| row.host_id.as_ref()).collect();
    if !known.contains(&told.host_id) {
        return Err(format!("it asked {}, a node of another cluster", told.host_id));
    }
    if !cluster.schema_versions.contains_key(&told.schema_version) {
        return Err("it tells of another schema version".into());
    }
    Ok(told.keyspaces)
}

async fn ask_cqlsh(
    nodetool: &Nodetool,
    seed: &Target,
    address: Option<Address>,
) -> Result<CqlKeyspaces, NodetoolError> {
    let mut argv = vec!["cqlsh".to_owned(), "--no-color".into(), "-e".into(), CQL_KEYSPACES.into()];
    argv.extend(address.map(|address| address.to_string()));
    nodetool.ask_program(seed, argv, parse::cql_keyspaces).await
}
