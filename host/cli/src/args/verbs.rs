//! What the verbs beside commands take.
use super::{GuaranteeArgs, HostSpec, NodetoolArgs, Output, PasswordArgs, ShowArgs, SshArgs};
use clap::{Args, ValueEnum};

/// The demo cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// The cluster's name; clusters of different names have different nodes, so that one run can take several
    #[arg(long, default_value = "demo")]
    pub(crate) name: String,
    /// Data centers
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(crate) dcs: u16,
    /// Racks of each data center
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=20))]
    pub(crate) racks: u16,
    /// Nodes of each rack
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) nodes: u16,
    /// Replicas in each data center
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=7))]
    pub(crate) rf: u16,
    /// Tokens of each node
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) vnodes: u16,
    /// Leave the cluster up and say what to type next
    #[arg(long)]
    pub(crate) keep_running: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LogsArgs {
    /// The job's id, or how it begins
    pub(crate) job: String,
    /// Only this node
    pub(crate) node: Option<String>,
    /// Go on as long as the job runs
    #[arg(short, long, requires = "node")]
    pub(crate) follow: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TopologyArgs {
    #[command(flatten)]
    pub(crate) hosts: HostSpec,
    /// In which form
    #[arg(long, value_enum, default_value_t = TopologyOutput::Text)]
    pub(crate) output: TopologyOutput,
    /// The ranges of this keyspace instead, each with its replicas
    #[arg(long, value_name = "KEYSPACE")]
    pub(crate) ranges: Option<String>,
    #[command(flatten)]
    pub(crate) guarantee: GuaranteeArgs,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
    #[command(flatten)]
    pub(crate) nodetool: NodetoolArgs,
}

/// The form of a topology.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopologyOutput {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// A picture of the ring
    Svg,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) hosts: HostSpec,
    /// In which form
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
    #[command(flatten)]
    pub(crate) nodetool: NodetoolArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The job's id, or how it begins
    pub(crate) job: String,
    /// The node
    pub(crate) node: String,
    /// In which form
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ContinueArgs {
    /// The job's id, or how it begins
    pub(crate) job: String,
    /// Start no more than so many nodes this time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stop_after: Option<u32>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}
