//! The stages of a command.
use crate::Impact;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `plan` is called with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlanContext {
    /// The cluster's name.
    pub cluster: String,
    /// The command's arguments by name.
    pub arguments: BTreeMap<String, Value>,
}

/// The answer of `plan`. This version of the host runs exactly one stage over all targets and
/// refuses more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlanDocument {
    /// Stages in order; empty: one stage named `main` over all targets.
    #[serde(default)]
    pub stages: Vec<Stage>,
}

/// One pass over nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stage {
    /// Its name: a part of every action's id.
    pub name: String,
    /// Replaces the manifest's impact for this stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
}
