//! What a component says of itself.
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// The answer of `describe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The command's name, as typed: lower-case letters, digits and dashes.
    pub name: String,
    /// The component's own version.
    pub version: String,
    /// One line for `--help`.
    pub summary: String,
    /// Arguments that the command takes, in the order in which `--help` shows them.
    #[serde(default)]
    pub arguments: Vec<Argument>,
    /// The strategy used where none is given; the host's default (`topology`) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Whether data centers run at the same time where nothing is said.
    #[serde(default)]
    pub dc_parallel: bool,
    /// What the command does to the node that it runs on.
    pub impact: Impact,
    /// Conditions beyond the host's own that must hold before a node counts as back.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// Programs that it runs on nodes, shown to the person who installs it.
    #[serde(default)]
    pub programs: Vec<String>,
    /// The oldest host version that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_host: Option<String>,
}

/// What a command does to its node, and with that how it is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// The node serves as before; the strategy alone decides.
    None,
    /// The node serves, slower; guarded as `down`.
    Load,
    /// The node stops serving for a while.
    Down,
}

/// A gate that a manifest can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The Cassandra process is another one than before the command. Waived by `skipped`.
    NewProcess,
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Argument {
    /// Its name: `--NAME` on the command line and the key in `RunContext::arguments`.
    pub name: String,
    /// What it takes.
    pub kind: ArgumentKind,
    /// Must be given.
    #[serde(default)]
    pub required: bool,
    /// Value used where it isn't given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// One line for `--help`.
    pub help: String,
    /// May be given more than once; its value is a list.
    #[serde(default)]
    pub repeated: bool,
    /// Taken without `--NAME`, and takes all that follows `--`.
    #[serde(default)]
    pub trailing: bool,
    /// The value never appears in a log, a journal, an event or an error.
    #[serde(default)]
    pub secret: bool,
    /// Names of arguments that can't be given beside this one.
    #[serde(default)]
    pub conflicts: Vec<String>,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// Given or not; its value is a boolean.
    Flag,
    /// A duration such as `90s` or `10m`; its value is milliseconds.
    Duration,
    /// A file on the operator's machine: the host reads it, the value is its text.
    File,
}
