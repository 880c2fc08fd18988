//! The command line, but for what commands bring themselves.
use clap::{Args, Parser, Subcommand, ValueEnum};
use quorate_schedule::{FailureBudget, Level, MaxOut, UnknownLevel};
use std::path::PathBuf;

/// Runs operations on Apache Cassandra clusters: one node to ask, the whole ring discovered, and no two
/// nodes that share a range taken at a time.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What quorate does beside running commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// A simulated cluster in this process, and a rolling restart of it
    Demo(DemoArgs),
    /// Lists jobs
    Jobs,
    /// Shows a job: where each of its nodes is
    Show {
        /// The job's id, or how it begins
        job: String,
    },
    /// Prints what nodes printed
    Logs(LogsArgs),
    /// Says why a node of a job waits, or where it is
    Explain(ExplainArgs),
    /// Shows the ring: nodes, keyspaces, how many more nodes may go out; starts nothing
    Topology(Box<TopologyArgs>),
    /// Goes on with a job: runs what wasn't started
    Continue(ContinueArgs),
}

/// Which cluster, and which of its nodes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Hosts")]
#[group(id = "hosts", required = true, multiple = true)]
pub(crate) struct HostSpec {
    /// A node to ask for the ring; several: the first that answers. All nodes of its cluster are
    /// targets, unless --host or --host-file names some
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(crate) seed_host: Vec<String>,
    /// A node to run on; without --seed-host it is also asked for the ring
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(crate) host: Vec<String>,
    /// A file with a node to run on per line (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    pub(crate) host_file: Option<PathBuf>,
}

/// How to log in.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "SSH")]
pub(crate) struct SshArgs {
    /// An ssh_config to read instead of ~/.ssh/config
    #[arg(short = 'F', long = "ssh-config", value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// Log in as this user
    #[arg(long, value_name = "USER")]
    pub(crate) ssh_username: Option<String>,
    /// A private key to log in with
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_identity_file: Vec<PathBuf>,
    /// Most SSH handshakes at a time
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) ssh_handshakes: usize,
    /// Where actions keep their state on the nodes [default: ~/.quorate]
    #[arg(long, value_name = "DIR")]
    pub(crate) remote_dir: Option<String>,
}

/// How far a component may go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Command")]
pub(crate) struct LimitArgs {
    /// A limit of the command's component, such as cpu-ms=5000
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) plugin_limit: Vec<String>,
}

/// How to show what happens.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ShowArgs {
    /// Say more; twice: everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// One plain line per event, also on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Yes
    Always,
    /// No
    Never,
}

/// In which order, and how many at a time.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Order")]
pub(crate) struct OrderArgs {
    /// Who may run together: one, topology, quorum, all, or a component (rack, canary, longest-first)
    /// [default: topology]
    #[arg(long, value_name = "STRATEGY")]
    pub(crate) strategy: Option<String>,
    /// An argument of the strategy's component; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) strategy_arg: Vec<String>,
    /// Data centers at the same time
    #[arg(long, conflicts_with = "dc_serial")]
    pub(crate) dc_parallel: bool,
    /// Data centers one after the other
    #[arg(long)]
    pub(crate) dc_serial: bool,
    /// Only this data center; may be repeated
    #[arg(long, value_name = "DC", value_delimiter = ',')]
    pub(crate) dc_filter: Vec<String>,
    /// Most nodes at a time
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_concurrency: Option<u32>,
    /// Start no more than so many nodes; `continue` runs the rest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stop_after: Option<u32>,
    /// Go on after so many failures (`3` or `10%`)
    #[arg(long, value_name = "N|N%", default_value = "0", value_parser = failures)]
    pub(crate) max_failures: FailureBudget,
    /// Pause between a node and its successor
    #[arg(long, value_name = "TIME", visible_alias = "node-done-pause-time", default_value = "0s", value_parser = duration)]
    pub(crate) node_done_pause: u64,
    /// Skip targets that are down; they still count as out
    #[arg(long)]
    pub(crate) ignore_down_nodes: bool,
    #[command(flatten)]
    pub(crate) guarantee: GuaranteeArgs,
    /// What the command does to its node [default: as the command says]
    #[arg(long, value_enum)]
    pub(crate) impact: Option<ImpactName>,
    /// Time for a node from its start to its confirmation; then it has failed and stays out
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<u64>,
    /// How long a node must be healthy before it counts as back
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) stable: u64,
    /// Pause between two looks at the cluster while a node is waited for
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) round_pause: u64,
    /// After this long a nodetool that only reads is given up
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) nodetool_timeout: u64,
    /// Allow what would otherwise be refused: strategy `all`, or a lower --impact, for a command that
    /// takes nodes down
    #[arg(long)]
    pub(crate) force: bool,
}

/// What must go on working meanwhile.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Guarantee")]
pub(crate) struct GuaranteeArgs {
    /// The consistency level that requests must go on succeeding at: ONE, LOCAL_ONE, LOCAL_QUORUM or
    /// QUORUM; KEYSPACE=LEVEL for one keyspace, which is guarded then whatever it is
    /// [default: LOCAL_QUORUM]
    #[arg(long, value_name = "[KEYSPACE=]LEVEL", value_delimiter = ',', value_parser = keep)]
    pub(crate) keep: Vec<Keep>,
    /// Guard only this keyspace; may be repeated
    #[arg(long, visible_alias = "key-space", value_name = "KEYSPACE", value_delimiter = ',')]
    pub(crate) keyspace: Vec<String>,
    /// Refuse to start where a keyspace bears no node out in any order
    #[arg(long)]
    pub(crate) strict: bool,
    /// Say nothing of a keyspace that bears no node out; may be repeated
    #[arg(long, value_name = "KEYSPACE", value_delimiter = ',')]
    pub(crate) accept_outage: Vec<String>,
    /// Most nodes of a data center out at a time, whatever the cause [default: its largest rack, or 40%
    /// of it]
    #[arg(long, value_name = "N|N%", value_parser = max_out)]
    pub(crate) max_out: Option<MaxOut>,
    /// Go on beside a node that joins, leaves or moves where it isn't known which ranges it takes
    #[arg(long)]
    pub(crate) allow_topology_change: bool,
}

/// A level for everything, or for one keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) keyspace: Option<String>,
    pub(crate) level: Level,
}

fn keep(text: &str) -> Result<Keep, String> {
    let (keyspace, level) = match text.rsplit_once('=') {
        Some((keyspace, level)) => (Some(keyspace.to_owned()), level),
        None => (None, text),
    };
    let level = level.parse().map_err(|error: UnknownLevel| error.to_string())?;
    Ok(Keep { keyspace, level })
}

fn max_out(text: &str) -> Result<MaxOut, String> {
    let wrong = "a number of nodes, 1 at least, or a percentage such as 40%";
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse() {
            Ok(percent @ 1..=100) => Ok(MaxOut::Percent(percent)),
            _ => Err(wrong.into()),
        },
        None => match text.parse() {
            Ok(nodes @ 1..) => Ok(MaxOut::Nodes(nodes)),
            _ => Err(wrong.into()),
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImpactName {
    /// The node serves as before
    None,
    /// The node serves, slower
    Load,
    /// The node stops serving
    Down,
}

/// The demo cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
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
    /// After this long a nodetool is given up
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) nodetool_timeout: u64,
    #[command(flatten)]
    pub(crate) guarantee: GuaranteeArgs,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
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
pub(crate) struct ExplainArgs {
    /// The job's id, or how it begins
    pub(crate) job: String,
    /// The node
    pub(crate) node: String,
    /// In which form
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// How to print a plan.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Plan")]
pub(crate) struct PlanArgs {
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
    pub(crate) show: ShowArgs,
}

const YEAR_MS: u64 = 365 * 86_400_000;

/// A duration with its unit: `500ms`, `90s`, `10m`, `1h`; in milliseconds.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a duration is a number with ms, s, m or h, such as 90s".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "a duration begins with a number, such as 90s")?;
    match number.checked_mul(factor) {
        Some(ms) if ms <= YEAR_MS => Ok(ms),
        _ => Err("a year is the most".into()),
    }
}

fn failures(text: &str) -> Result<FailureBudget, String> {
    let wrong = |_| "a number of nodes, or a percentage such as 10%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse().map_err(wrong)? {
            percent @ 0..=100 => Ok(FailureBudget::Percent(percent)),
            _ => Err("at most 100%".into()),
        },
        None => text.parse().map(FailureBudget::Nodes).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(500));
        assert_eq!(duration("90"), Ok(90_000));
        assert_eq!(duration("10m"), Ok(600_000));
        assert!(duration("1d").is_err());
        assert!(duration("s").is_err());
        assert!(duration("99999999999999999h").is_err());
    }

    #[test]
    fn failures_are_a_number_or_a_percentage() {
        assert_eq!(failures("3"), Ok(FailureBudget::Nodes(3)));
        assert_eq!(failures("10%"), Ok(FailureBudget::Percent(10)));
        assert!(failures("101%").is_err());
        assert!(failures("many").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
