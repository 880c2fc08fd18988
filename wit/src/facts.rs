//! What the host tells a component about the cluster, and what a component can wait for.
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A node as the cluster shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeFacts {
    /// The job's own name of the node: stable for as long as the job lives.
    pub key: String,
    /// Cassandra's host id, where the cluster knows one.
    pub host_id: Option<String>,
    /// The address that gossip shows.
    pub address: String,
    /// Data center.
    pub data_center: String,
    /// Rack.
    pub rack: String,
    /// State when these facts were read.
    pub state: NodeState,
    /// Cassandra's release version, where it is known: `5.0.4`.
    pub version: Option<String>,
}

/// Status and state as `nodetool status` prints them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeState(
    /// Two letters: `UN`, `DN`, `UJ`, …
    pub String,
);

/// Every node of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Topology {
    /// The cluster's name.
    pub cluster: String,
    /// Its nodes, in ring order.
    pub nodes: Vec<NodeFacts>,
}

/// What `run` is called with beside the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunContext {
    /// The job's id.
    pub job: String,
    /// The stage's name.
    pub stage: String,
    /// 1 for the first attempt on this node.
    pub attempt: u32,
    /// The cluster's name.
    pub cluster: String,
    /// The command's arguments by name; those not given and without a default are absent.
    pub arguments: BTreeMap<String, Value>,
    /// The time limit of a node in milliseconds, where the operator set one.
    pub timeout_ms: Option<u64>,
}

/// What `cluster.wait` waits for on the current node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "condition", rename_all = "kebab-case")]
pub enum Condition {
    /// Every gate of the node holds in one observation round.
    Healthy {},
}

/// How a wait ended well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitResult {
    /// Milliseconds waited.
    pub waited_ms: u64,
    /// The node as it is now.
    pub node: NodeFacts,
}
