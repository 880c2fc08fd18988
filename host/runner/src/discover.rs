//! Reading the ring from one node.
use crate::{
    Nodetool, NodetoolError,
    older::{Older, all_ranges, older},
};
use quorate_ports::Target;
use quorate_ring::{
    Address, Keyspace, KeyspaceName, Mode, Partitioner, Replication, Topology, TopologyError,
    parse::{self, ClusterAnswer, ClusterDescription, Described, RingRow, StatusRow},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::Semaphore, task::JoinSet};

/// How many nodetools run at a time on the node that is asked: each is a JVM.
const PARALLEL: usize = 4;

/// Most ranges that are read to compare them with the tokens, over all keyspaces. One keyspace of a thousand
/// nodes with 256 tokens each describes itself in some 100 MB.
const COMPARED_RANGES: usize = 100_000;

/// How keyspaces are replicated, as a person said it (`--rf`).
pub type GivenReplications = BTreeMap<KeyspaceName, Replication>;

/// The ranges of keyspaces, each with what was known of the keyspace.
pub(crate) type Ranges<T> = Vec<(T, Described)>;

/// The cluster and who described it.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// The cluster.
    pub topology: Topology,
    /// The seed that answered.
    pub seed: Target,
    /// Seeds that were tried before and why they didn't answer.
    pub passed_over: Vec<String>,
    /// What a person should know of how it was read.
    pub notes: Vec<String>,
}

/// A cluster that can't be read. Nothing was touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverError {
    /// No seed answered; one line each, and the first one's cure.
    #[error("no seed host answered: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NoSeed(Vec<NodetoolError>),
    /// A seed was reached and what it printed can't be used.
    #[error(transparent)]
    Nodetool(NodetoolError),
    /// Its answers don't fit together.
    #[error("{host}: {error}")]
    Topology {
        /// The seed.
        host: String,
        /// What doesn't fit.
        error: TopologyError,
    },
}

impl DiscoverError {
    /// What to do about it; empty where the message says it all.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSeed(errors) => errors.first().map(NodetoolError::hint).unwrap_or_default(),
            Self::Nodetool(error) => error.hint(),
            Self::Topology { error: TopologyError::UnknownReplication(keyspace), .. } => {
                format!("say it: --rf {keyspace}:DC=N,DC=N")
            }
            Self::Topology {
                error: TopologyError::OtherFactor { .. } | TopologyError::ToldOtherwise { .. },
                ..
            } => "correct --rf, or leave it out".into(),
            Self::Topology { host, .. } => {
                format!("look at it: ssh {host} 'nodetool status; nodetool describecluster'")
            }
        }
    }
}

/// Reads the cluster from the first seed that answers, versions before 4.0 with what was `given`. A seed that
/// can't be reached, or whose nodetool doesn't run, is passed over; one that prints what can't be understood
/// ends the search, because another might be misread in the same way.
///
/// # Errors
/// What can't be read, and where.
pub async fn discover(
    nodetool: &Nodetool,
    seeds: &[Target],
    given: &GivenReplications,
) -> Result<Discovered, DiscoverError> {
    let mut failures = Vec::new();
    for seed in seeds {
        match read(nodetool, seed, given).await {
            Ok(Read { topology, notes }) => {
                let passed_over = failures.iter().map(ToString::to_string).collect();
                return Ok(Discovered { topology, seed: seed.clone(), passed_over, notes });
            }
            Err(DiscoverError::Nodetool(
                error @ (NodetoolError::Transport(_)
                | NodetoolError::NotFound { .. }
                | NodetoolError::Failed { .. }),
            )) => failures.push(error),
            Err(error) => return Err(error),
        }
    }
    Err(DiscoverError::NoSeed(failures))
}

/// Reads the cluster anew from the first of these nodes that answers, whatever keeps the others.
///
/// # Errors
/// In words: what the last of them said.
pub(crate) async fn read_anew(
    nodetool: &Nodetool,
    nodes: &[Target],
    given: &GivenReplications,
) -> Result<Topology, String> {
    let mut why = "no node is left to ask".to_owned();
    for node in nodes {
        match read(nodetool, node, given).await {
            Ok(read) => return Ok(read.topology),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

struct Read {
    topology: Topology,
    notes: Vec<String>,
}

/// Reads one node's answers. Where what it describes isn't what follows from its tokens, they may be of two
/// moments: all are read once more.
async fn read(
    nodetool: &Nodetool,
    seed: &Target,
    given: &GivenReplications,
) -> Result<Read, DiscoverError> {
    let first = read_once(nodetool, seed, given).await;
    match &first {
        Ok(read) if read.topology.doubts.is_empty() => first,
        Ok(_) | Err(DiscoverError::Topology { .. }) => read_once(nodetool, seed, given).await,
        Err(_) => first,
    }
}

async fn read_once(
    nodetool: &Nodetool,
    seed: &Target,
    given: &GivenReplications,
) -> Result<Read, DiscoverError> {
    let (rows, answer) = tokio::try_join!(
        nodetool.ask(seed, &["status"], parse::status),
        nodetool.ask(seed, &["describecluster"], parse::describecluster_of_any_version),
    )
    .map_err(DiscoverError::Nodetool)?;
    let misfit = |error| DiscoverError::Topology { host: seed.host.clone(), error };
    let class = match &answer {
        ClusterAnswer::Whole(description) => &description.partitioner,
        ClusterAnswer::SchemaOnly(schema) => &schema.partitioner,
    };
    let partitioner = Partitioner::from_class(class)
        .ok_or_else(|| misfit(TopologyError::UnknownPartitioner(class.clone())))?;
    let ring = nodetool.ask(seed, &["ring"], |text| parse::ring(partitioner, text));
    let ring = ring.await.map_err(DiscoverError::Nodetool)?;
    let (cluster, unknown, notes) = match answer {
        ClusterAnswer::Whole(description) => (description, Vec::new(), Vec::new()),
        ClusterAnswer::SchemaOnly(schema) => {
            let Older { cluster, unknown, notes } =
                older(nodetool, seed, schema, &rows, given).await?;
            (cluster, unknown, notes)
        }
    };
    if !unknown.is_empty() {
        let ranges = all_ranges(nodetool, seed, unknown).await?;
        let topology = Topology::from_ranges(rows, cluster, ring, ranges, given).map_err(misfit)?;
        return Ok(Read { topology, notes });
    }
    Topology::check_by_hand(&cluster.keyspaces, given).map_err(misfit)?;
    let compared = worth_comparing(&cluster, &rows, &ring);
    let named = compared.into_iter().map(|ks| (ks.name.clone(), ks)).collect();
    let ranges = describe(nodetool, seed, named).await?;
    let metadata = metadata_service(nodetool, seed, &cluster).await?;
    let mut topology = Topology::from_parts(rows, cluster, ring, &ranges).map_err(misfit)?;
    for address in metadata {
        let unknown = || TopologyError::UnknownOwner(address);
        let id = topology.by_address(address).ok_or_else(unknown).map_err(misfit)?;
        topology.metadata_service.push(id);
    }
    Ok(Read { topology, notes })
}

/// Keyspaces whose ranges are held against the tokens: as many as are worth their time, one at least; all where
/// a node joins: it may be replacing one that is shown nowhere else.
fn worth_comparing(
    cluster: &ClusterDescription,
    rows: &[StatusRow],
    ring: &[RingRow],
) -> Vec<Keyspace> {
    let mut keyspaces = Topology::distinct_replications(cluster, rows);
    if !rows.iter().any(|row| row.status.mode == Mode::Joining) {
        keyspaces.truncate((COMPARED_RANGES / ring.len().max(1)).max(1));
    }
    keyspaces
}

/// `describering` for each of these keyspaces.
pub(crate) async fn describe<T: Send + 'static>(
    nodetool: &Nodetool,
    seed: &Target,
    keyspaces: Vec<(KeyspaceName, T)>,
) -> Result<Ranges<T>, DiscoverError> {
    let limit = Arc::new(Semaphore::new(PARALLEL));
    let mut asked = JoinSet::new();
    for (name, known) in keyspaces {
        let (nodetool, seed, limit) = (nodetool.clone(), seed.clone(), limit.clone());
        asked.spawn(async move {
            let _permit = limit.acquire_owned().await;
            let parse = |text: &str| parse::describering(&name, text);
            let ranges = nodetool.ask(&seed, &["describering", name.as_str()], parse).await?;
            Ok((known, ranges))
        });
    }
    let mut ranges = Vec::new();
    while let Some(joined) = asked.join_next().await {
        match joined {
            Ok(answer) => ranges.push(answer.map_err(DiscoverError::Nodetool)?),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    Ok(ranges)
}

/// The members of the cluster metadata service, where there is one: from Cassandra 6 on, which shows its
/// keyspace.
async fn metadata_service(
    nodetool: &Nodetool,
    seed: &Target,
    description: &ClusterDescription,
) -> Result<Vec<Address>, DiscoverError> {
    let is_meta = |keyspace: &Keyspace| matches!(keyspace.replication, Replication::Meta(_));
    if !description.keyspaces.iter().any(is_meta) {
        return Ok(Vec::new());
    }
    let asked = nodetool.ask(seed, &["cms", "describe"], parse::cms);
    Ok(asked.await.map_err(DiscoverError::Nodetool)?.members)
}
