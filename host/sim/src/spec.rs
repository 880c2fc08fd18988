//! What a simulated cluster looks like and how fast it is.
use core::fmt;
use core::str::FromStr;
use std::time::Duration;

use crate::SimError;

/// A whole simulated cluster, as data. The same spec and seed give the same host ids and tokens; addresses differ from run to run,
/// because they must be free on this machine.
#[derive(Clone, Debug)]
pub struct SimSpec {
    /// The name that `describecluster` prints.
    pub cluster_name: String,
    /// The data centers, in the order of their nodes.
    pub data_centers: Vec<DcSpec>,
    /// Tokens per node; with 1 nodetool prints its single-token columns.
    pub vnodes: usize,
    /// All keyspaces, system keyspaces included.
    pub keyspaces: Vec<KeyspaceSpec>,
    /// The release whose output format is printed.
    pub version: Version,
    /// Nodes of another release, by their place in the order of the spec. While releases are mixed each has a schema version of its own.
    pub other_versions: Vec<(usize, Version)>,
    /// Whether the nodes have a `cqlsh` that logs in by itself.
    pub cqlsh: bool,
    /// Decides host ids, tokens, loads and the order of rows.
    pub seed: u64,
    /// How long things take.
    pub timings: Timings,
    /// What a node that has just started shows of the other data centers.
    pub fresh_view: FreshView,
    /// The one user that may log in.
    pub ssh_user: String,
    /// A password that is accepted beside the key of the run.
    pub ssh_password: Option<String>,
    /// Sessions that may be open at once on one connection; 10 as with sshd's `MaxSessions`.
    pub max_sessions: usize,
    /// The user and password that JMX wants; none: anybody may ask.
    pub jmx_login: Option<(String, String)>,
    /// Whether the nodes know each other by other addresses than those that SSH listens on.
    pub inner_addresses: bool,
}

/// One data center.
#[derive(Clone, Debug)]
pub struct DcSpec {
    /// Its name.
    pub name: String,
    /// Its racks.
    pub racks: Vec<RackSpec>,
}

/// One rack.
#[derive(Clone, Debug)]
pub struct RackSpec {
    /// Its name.
    pub name: String,
    /// How many nodes stand in it.
    pub nodes: usize,
}

/// One keyspace.
#[derive(Clone, Debug)]
pub struct KeyspaceSpec {
    /// Its name.
    pub name: String,
    /// Its replication.
    pub replication: Replication,
    /// Whether the judge watches its quorums.
    pub guarded: bool,
}

/// How a keyspace is replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// `NetworkTopologyStrategy`: replicas per data center, which needn't exist.
    NetworkTopology(Vec<(String, usize)>),
    /// `SimpleStrategy`: replicas in all, racks and data centers ignored.
    Simple(usize),
    /// `LocalStrategy`: every node for itself.
    Local,
}

/// Releases whose formats are known: from real nodes, but for 3.11, whose formats were read in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 3.11.17
    V3_11_17,
    /// 4.0.17
    V4_0_17,
    /// 4.1.9
    V4_1_9,
    /// 5.0.4
    V5_0_4,
}

/// What a node that has just started shows of the other data centers for [`Timings::fresh_view`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshView {
    /// Nothing at all.
    Absent,
    /// Their nodes, as down.
    Down,
}

/// How long things take. All are measured from the event that their name tells.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// `nodetool drain`.
    pub drain: Duration,
    /// From the order to stop to the end of the process.
    pub stop: Duration,
    /// From the launch of the process to a node that is up in its own view.
    pub start: Duration,
    /// From the sudden death of a process to DN in the peers' views.
    pub gossip_down: Duration,
    /// From an announced shutdown (drain, stop) to DN in the peers' views.
    pub announced_down: Duration,
    /// From up in its own view to UN in the peers' views.
    pub gossip_up: Duration,
    /// How long a fresh node doesn't see the nodes of the other data centers.
    pub fresh_view: Duration,
    /// From UN in the peers' views to an open native transport.
    pub native_after_up: Duration,
    /// What every nodetool call takes beside its work (a real one starts a JVM).
    pub nodetool: Duration,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Timings {
    /// For a person who watches: a restart takes some two seconds.
    #[must_use]
    pub const fn demo() -> Self {
        Self {
            drain: ms(300),
            stop: ms(200),
            start: ms(1000),
            gossip_down: ms(3000),
            announced_down: ms(200),
            gossip_up: ms(500),
            fresh_view: ms(700),
            native_after_up: ms(300),
            nodetool: ms(0),
        }
    }

    /// For tests: every step takes tens of milliseconds, in the proportions of a real cluster.
    #[must_use]
    pub const fn fast() -> Self {
        Self {
            drain: ms(20),
            stop: ms(20),
            start: ms(40),
            gossip_down: ms(200),
            announced_down: ms(10),
            gossip_up: ms(30),
            fresh_view: ms(60),
            native_after_up: ms(20),
            nodetool: ms(0),
        }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self::demo()
    }
}

impl SimSpec {
    /// `dcs` data centers (`dc1`…) of `racks` racks (`rack1`…) of `nodes_per_rack` nodes, 16 vnodes, the stock keyspaces and a user
    /// keyspace `shop` with three replicas in every data center.
    #[must_use]
    pub fn uniform(dcs: usize, racks: usize, nodes_per_rack: usize) -> Self {
        let rack = |number| RackSpec { name: format!("rack{number}"), nodes: nodes_per_rack };
        let dc =
            |number| DcSpec { name: format!("dc{number}"), racks: (1..=racks).map(rack).collect() };
        let data_centers: Vec<DcSpec> = (1..=dcs).map(dc).collect();
        let mut keyspaces = KeyspaceSpec::stock();
        let three = data_centers.iter().map(|dc| (dc.name.clone(), 3)).collect();
        keyspaces.push(KeyspaceSpec::new("shop", Replication::NetworkTopology(three)));
        Self {
            cluster_name: "Test Cluster".to_owned(),
            data_centers,
            vnodes: 16,
            keyspaces,
            version: Version::V5_0_4,
            other_versions: Vec::new(),
            cqlsh: false,
            seed: 1,
            timings: Timings::default(),
            fresh_view: FreshView::Absent,
            ssh_user: "cassandra".to_owned(),
            ssh_password: None,
            max_sessions: 10,
            jmx_login: None,
            inner_addresses: false,
        }
    }

    /// The release of a node.
    #[must_use]
    pub fn version_of(&self, node: usize) -> Version {
        let other = self.other_versions.iter().find(|(other, _)| *other == node);
        other.map_or(self.version, |(_, version)| *version)
    }

    /// How many nodes the cluster has.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.data_centers.iter().flat_map(|dc| &dc.racks).map(|rack| rack.nodes).sum()
    }

    pub(crate) fn check(&self) -> Result<(), SimError> {
        let wrong = |what: String| Err(SimError::Spec(what));
        for (index, dc) in self.data_centers.iter().enumerate() {
            if self.data_centers.iter().take(index).any(|earlier| earlier.name == dc.name) {
                return wrong(format!("data center {} is listed twice", dc.name));
            }
        }
        for (index, keyspace) in self.keyspaces.iter().enumerate() {
            if self.keyspaces.iter().take(index).any(|earlier| earlier.name == keyspace.name) {
                return wrong(format!("keyspace {} is listed twice", keyspace.name));
            }
        }
        if self.node_count() == 0 {
            return wrong("the cluster has no nodes".to_owned());
        }
        if self.vnodes == 0 {
            return wrong("a node needs at least one token".to_owned());
        }
        if self.ssh_user.is_empty() || self.ssh_user.contains(char::is_whitespace) {
            return wrong(format!("{:?} can't be a user's name", self.ssh_user));
        }
        Ok(())
    }
}

impl Default for SimSpec {
    fn default() -> Self {
        Self::uniform(1, 3, 1)
    }
}

impl KeyspaceSpec {
    /// A keyspace that the judge watches if the product's default guarantee covers it: every replicated one but `system_traces` and
    /// `system_distributed`, and `system_auth` only with three or more replicas per data center.
    #[must_use]
    pub fn new(name: &str, replication: Replication) -> Self {
        let guarded = match (name, &replication) {
            ("system_traces" | "system_distributed", _) | (_, Replication::Local) => false,
            ("system_auth", Replication::NetworkTopology(per_dc)) => {
                per_dc.iter().all(|(_, rf)| *rf >= 3)
            }
            ("system_auth", Replication::Simple(_)) => false,
            _ => true,
        };
        Self { name: name.to_owned(), replication, guarded }
    }

    /// A keyspace with `NetworkTopologyStrategy`.
    #[must_use]
    pub fn network_topology(name: &str, per_dc: &[(&str, usize)]) -> Self {
        let per_dc = per_dc.iter().map(|(dc, rf)| ((*dc).to_owned(), *rf)).collect();
        Self::new(name, Replication::NetworkTopology(per_dc))
    }

    /// A keyspace with `SimpleStrategy`.
    #[must_use]
    pub fn simple(name: &str, rf: usize) -> Self {
        Self::new(name, Replication::Simple(rf))
    }

    /// The keyspaces that a new cluster has by itself, in the order in which 4.1 and 5.0 print them.
    #[must_use]
    pub fn stock() -> Vec<Self> {
        vec![
            Self::simple("system_traces", 2),
            Self::simple("system_distributed", 3),
            Self::simple("system_auth", 1),
            Self::new("system_schema", Replication::Local),
            Self::new("system", Replication::Local),
        ]
    }

    /// Whether Cassandra itself made it (ownership is computed from the others).
    pub(crate) fn is_system(&self) -> bool {
        const OWN: [&str; 5] =
            ["system", "system_schema", "system_auth", "system_distributed", "system_traces"];
        OWN.contains(&self.name.as_str())
    }
}

/// As `describecluster` prints it. Real nodes print the data centers in the order of a hash map; here the last comes first.
impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkTopology(per_dc) => {
                let options: Vec<String> =
                    per_dc.iter().rev().map(|(dc, rf)| format!("{dc}={rf}")).collect();
                write!(f, "NetworkTopologyStrategy {{{}}}", options.join(", "))
            }
            Self::Simple(rf) => write!(f, "SimpleStrategy {{replication_factor={rf}}}"),
            Self::Local => f.write_str("LocalStrategy {}"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_11_17 => "3.11.17",
            Self::V4_0_17 => "4.0.17",
            Self::V4_1_9 => "4.1.9",
            Self::V5_0_4 => "5.0.4",
        })
    }
}

impl FromStr for Version {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        match text {
            "3.11.17" => Ok(Self::V3_11_17),
            "4.0.17" => Ok(Self::V4_0_17),
            "4.1.9" => Ok(Self::V4_1_9),
            "5.0.4" => Ok(Self::V5_0_4),
            _ => Err(SimError::Spec(format!(
                "version {text} is not simulated (3.11.17, 4.0.17, 4.1.9 and 5.0.4 are)"
            ))),
        }
    }
}
