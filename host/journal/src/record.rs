//! The records and their text form.
use crate::{ActionId, Exit};
use quorate_ring::{NodeId, Topology};
use quorate_schedule::{JobId, NodeKey, Policy, Transition};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the records that this crate writes and reads.
pub const FORMAT: u32 = 2;

/// A record with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since 1970.
    pub at: u64,
    /// What happened.
    pub record: Record,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The job was made. Always first, and once.
    Created(Box<Created>),
    /// The job changed.
    Step(Transition),
    /// An action is about to be sent to a node. Written before anything reaches it.
    Intended {
        /// Which action.
        action: ActionId,
        /// The node.
        node: NodeId,
        /// SHA-256 of the action's content, in hexadecimal.
        digest: String,
        /// The program's name, for people.
        summary: String,
    },
    /// An action is over.
    Finished {
        /// Which action.
        action: ActionId,
        /// The node.
        node: NodeId,
        /// How it ended.
        close: ActionClose,
    },
    /// The connection to a node broke or came back.
    Connection {
        /// The node.
        node: NodeId,
        /// For people.
        text: String,
    },
    /// A fact that a component read: a wait's end, a node's facts, the time.
    Observed {
        /// The node whose run read it.
        node: NodeId,
        /// What was asked.
        request: String,
        /// The answer, as the component got it.
        answer: String,
    },
    /// A line that a component wrote.
    Log {
        /// The node whose run wrote it; none: the strategy's component.
        node: Option<NodeId>,
        /// Its level.
        level: Level,
        /// The line.
        text: String,
    },
    /// A component said what it does now.
    Progress {
        /// The node.
        node: NodeId,
        /// A short phrase.
        text: String,
    },
    /// Something that a person should know about the whole job.
    Warning {
        /// One line.
        text: String,
    },
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionClose {
    /// It ran to its end.
    Exited(Exit),
    /// Its time limit, in milliseconds, passed and it was ended.
    TimedOut(u64),
    /// It can't be known whether or how it ended.
    Lost(String),
    /// It never reached the node; why.
    NotStarted(String),
}

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Shown with `-v`.
    Debug,
    /// Shown.
    Info,
    /// Shown, marked.
    Warn,
    /// Shown, marked.
    Error,
}

/// What a job is, once and for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Created {
    /// [`FORMAT`] of all records of this job.
    pub format: u32,
    /// Its id.
    pub job: JobId,
    /// What runs on the nodes.
    pub command: Command,
    /// The cluster as it was read.
    pub topology: Topology,
    /// How each node is called and reached, by [`NodeId`].
    pub hosts: Vec<TargetHost>,
    /// The nodes to run on.
    pub targets: BTreeSet<NodeId>,
    /// What bounds the job.
    pub policy: Policy,
    /// The strategy's component, where the strategy is one.
    pub strategy: Option<Component>,
    /// How long each node took in the newest earlier job of this command, in milliseconds; for strategies.
    pub durations: BTreeMap<NodeId, u64>,
    /// How nodes are logged in to: options as given, paths made absolute. No secrets.
    pub ssh: BTreeMap<String, Vec<String>>,
    /// Where its actions run.
    #[serde(default)]
    pub place: Place,
    /// How nodetool is called: options as given, paths made absolute. No passwords.
    #[serde(default)]
    pub nodetool: BTreeMap<String, Vec<String>>,
    /// The names of variables that single nodes were given. Their values may be secret, and aren't kept.
    #[serde(default)]
    pub variables: BTreeSet<String>,
    /// How nodes are reached that aren't reached by their addresses: by host id or address, as given.
    #[serde(default)]
    pub addresses: BTreeMap<String, String>,
}

/// Where a job's actions run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On the node.
    #[default]
    Node,
    /// On the operator's machine, once for each node.
    Here {
        /// The directory that programs start in.
        directory: String,
        /// nodetool runs there as well, and no node is logged in to.
        nodetool: bool,
    },
}

/// The command of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Command {
    /// Its name.
    pub name: String,
    /// The component's version.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal: `continue` runs no other.
    pub digest: String,
    /// The stage's name.
    pub stage: String,
    /// Arguments by name.
    pub arguments: BTreeMap<String, serde_json::Value>,
    /// Limits of the component that differ from the host's, as `NAME=VALUE`.
    pub limits: Vec<String>,
    /// One line: how the command would be typed.
    pub summary: String,
}

/// A strategy's component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal: `continue` asks no other.
    pub digest: String,
    /// Arguments by name.
    pub arguments: BTreeMap<String, serde_json::Value>,
}

/// How a node is called and reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetHost {
    /// The job's name of it.
    pub key: NodeKey,
    /// Name or address to log in to.
    pub host: String,
}

/// Brings the nodes' hosts up to a later map of the cluster: a node that was reached by its address is
/// reached by its new one, a new node by its address, unless [`Created::addresses`] says otherwise of a host id or an
/// address. How a node with another address was reached otherwise is kept.
pub fn follow(
    hosts: &mut Vec<TargetHost>,
    addresses: &BTreeMap<String, String>,
    before: &Topology,
    now: &Topology,
) {
    for (place, node) in now.nodes.iter().enumerate() {
        let address = node.address.to_string();
        let own = node.host_id.as_ref().and_then(|id| addresses.get(id.as_str()));
        let host = own.or_else(|| addresses.get(&address)).unwrap_or(&address).clone();
        match (hosts.get_mut(place), before.nodes.get(place)) {
            (Some(known), Some(before)) if before.address != node.address => {
                if known.host == before.address.to_string() || host != address {
                    known.host = host;
                }
            }
            (Some(_), _) => {}
            (None, _) => hosts.push(TargetHost { key: NodeKey(address), host }),
        }
    }
}

/// A record that can't be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a journal record can't be {verb}: {cause}")]
pub struct RecordError {
    verb: &'static str,
    cause: String,
}

/// A record as one line of JSON.
///
/// # Errors
/// A value that JSON has no form for.
pub fn encode(record: &Stamped) -> Result<String, RecordError> {
    serde_json::to_string(record).map_err(|e| RecordError { verb: "written", cause: e.to_string() })
}

/// A record from its line.
///
/// # Errors
/// A line that this version doesn't understand.
pub fn decode(line: &str) -> Result<Stamped, RecordError> {
    serde_json::from_str(line).map_err(|e| RecordError { verb: "read", cause: e.to_string() })
}
