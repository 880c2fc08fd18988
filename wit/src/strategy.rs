//! What a strategy's component says of itself, is asked, and answers.
use crate::{Argument, NodeState};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer of a strategy's `describe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StrategyManifest {
    /// The strategy's name, as typed: lower-case letters, digits and dashes.
    pub name: String,
    /// The component's own version.
    pub version: String,
    /// One line for `--help`.
    pub summary: String,
    /// Arguments that the strategy takes, in the order in which `--help` shows them.
    #[serde(default)]
    pub arguments: Vec<Argument>,
    /// Whether it is asked again whenever a node is confirmed, not only when the map of the cluster
    /// changes.
    #[serde(default)]
    pub dynamic: bool,
    /// The oldest host version that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_host: Option<String>,
}

/// What `propose` is called with: the whole of what a strategy knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StrategyView {
    /// The cluster's name.
    pub cluster: String,
    /// The strategy's arguments by name; those not given and without a default are absent.
    pub arguments: BTreeMap<String, Value>,
    /// The targets of the job and no other nodes, in the same order at every call.
    pub nodes: Vec<StrategyNode>,
}

/// A target of the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StrategyNode {
    /// The number by which the answer names it.
    pub id: u32,
    /// The job's own name of the node: stable for as long as the job lives.
    pub key: String,
    /// Data center.
    pub data_center: String,
    /// Rack. Racks of two data centers may have the same name.
    pub rack: String,
    /// State as last seen.
    pub state: NodeState,
    /// Where the job is with it: `waiting`, `running`, `confirming`, `done`, `skipped`, `failed`. A
    /// newer host may have further words.
    pub phase: String,
    /// Milliseconds that the command took on this node the last time, where that is known.
    pub past_duration_ms: Option<u64>,
    /// The least number of further nodes that may go out in any replica set of this node; absent where
    /// no replica set limits it.
    pub slack: Option<u32>,
}

impl StrategyNode {
    /// Whether it hasn't been started: nothing else may be proposed.
    pub fn is_waiting(&self) -> bool {
        self.phase == "waiting"
    }
}

/// The answer of `propose`. Nodes that no group names aren't started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Proposal {
    /// Groups in order: one starts when the one before it is confirmed.
    pub groups: Vec<Group>,
}

/// Nodes that may be out together, as far as the strategy is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Group {
    /// Ids of nodes that wait, the preferred ones first.
    pub nodes: Vec<u32>,
    /// The most nodes of this group that are out at the same time, 1 at least; absent: as many as the
    /// guard admits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_out: Option<u32>,
    /// The job stops after this group, and `continue` goes on with the next.
    #[serde(default)]
    pub pause_after: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};
    use serde_json::json;

    fn view() -> Value {
        json!({
            "cluster": "test",
            "arguments": {"first": "10.0.0.1"},
            "nodes": [{
                "id": 7,
                "key": "10.0.0.1",
                "data-center": "dc1",
                "rack": "r1",
                "state": "UN",
                "phase": "waiting",
                "past-duration-ms": 61_500,
                "slack": 1,
            }],
        })
    }

    #[test]
    fn a_view_is_written_as_it_is_read_and_further_members_are_ignored() {
        let read: StrategyView = serde_json::from_value(view()).unwrap();
        assert!(read.nodes[0].is_waiting());
        assert_eq!(serde_json::to_value(&read).unwrap(), view());
        let mut newer = view();
        newer["dice"] = json!(4);
        newer["nodes"][0]["mood"] = json!("good");
        newer["nodes"][0]["slack"] = Value::Null;
        let read: StrategyView = serde_json::from_value(newer).unwrap();
        assert_eq!(read.nodes[0].slack, None);
    }

    #[test]
    fn a_proposal_is_read_with_its_defaults() {
        let read: Proposal = serde_json::from_value(json!({
            "groups": [{"nodes": [1]}, {"nodes": [2, 3], "max-out": 2, "pause-after": true}],
        }))
        .unwrap();
        assert_eq!(
            read.groups,
            [
                Group { nodes: vec![1], max_out: None, pause_after: false },
                Group { nodes: vec![2, 3], max_out: Some(2), pause_after: true },
            ]
        );
    }

    #[test]
    fn a_wish_that_is_not_known_is_an_error_and_not_ignored() {
        for (wrong, what) in [
            (json!({"groups": [], "after": 1}), "after"),
            (json!({"groups": [{"nodes": [1], "max_out": 2}]}), "max_out"),
            (json!({"groups": [{"max-out": 2}]}), "nodes"),
            (json!({"groups": [{"nodes": [-1]}]}), "-1"),
            (json!({}), "groups"),
        ] {
            let error = serde_json::from_value::<Proposal>(wrong.clone()).unwrap_err();
            assert!(error.to_string().contains(what), "{wrong}: {error}");
        }
        let manifest = json!({"name": "a", "version": "1.0.0", "summary": "s"});
        let read: StrategyManifest = serde_json::from_value(manifest.clone()).unwrap();
        assert!(!read.dynamic && read.arguments.is_empty());
        let mut wrong = manifest;
        wrong["impact"] = json!("down");
        assert!(serde_json::from_value::<StrategyManifest>(wrong).is_err());
    }
}
