//! What the verbs beside commands take.
use super::{
    CallArgs, HostSpec, KeepArgs, NodetoolArgs, Output, PasswordArgs, ReachArgs, RememberedArgs,
    ShowArgs, SshArgs, VariablesArgs,
};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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

/// Which clusters to look at, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct LookArgs {
    #[command(flatten)]
    pub(crate) hosts: HostSpec,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    #[command(flatten)]
    pub(crate) kept: KeepArgs,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
    #[command(flatten)]
    pub(crate) nodetool: NodetoolArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TopologyArgs {
    /// In which form
    #[arg(long, value_enum, default_value_t = TopologyOutput::Text)]
    pub(crate) output: TopologyOutput,
    /// The ranges of this keyspace instead, each with its replicas
    #[arg(long, value_name = "KEYSPACE")]
    pub(crate) ranges: Option<String>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
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
    /// In which form
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) look: LookArgs,
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
    /// Run nodes that failed again, each as any other: when the guard lets it
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Refuse a job that was made longer ago: days, or a number with d or h
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) max_job_age: Option<u64>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(flatten)]
    pub(crate) call: CallArgs,
    #[command(flatten)]
    pub(crate) variables: VariablesArgs,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    #[command(flatten)]
    pub(crate) remembered: RememberedArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CleanupArgs {
    /// Jobs made longer ago are removed: days, or a number with d or h
    #[arg(long, value_name = "AGE", default_value = "7", value_parser = age)]
    pub(crate) max_job_age: u64,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave the nodes alone: remove only what is kept here
    #[arg(long)]
    pub(crate) local: bool,
    /// cstar takes it, and it counts nothing here either.
    #[arg(long, hide = true, value_name = "N")]
    stop_after: Option<u32>,
    /// No nodetool is called.
    #[arg(long, hide = true)]
    jmx_username: Option<String>,
    #[arg(long, hide = true)]
    jmx_passwordfile: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    jmx_addlargs: Option<String>,
    /// Name each node that couldn't be reached
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(flatten)]
    pub(crate) remembered: RememberedArgs,
}

/// An age: days, or a number with `d` or `h`; in milliseconds.
fn age(text: &str) -> Result<u64, String> {
    let (digits, hours) = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(days), _) => (days, 24),
        (None, Some(hours)) => (hours, 1),
        (None, None) => (text, 24),
    };
    match digits.parse::<u64>() {
        // A thousand years.
        Ok(number @ 0..=9_000_000) => Ok(number * hours * 3_600_000),
        _ => Err("an age is a number of days, or a number with d or h, such as 12h".into()),
    }
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: ShellName,
}

/// A shell that completions can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellName {
    Bash,
    Zsh,
    Fish,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// Write the page of each command into this directory; without it, the first page is printed
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_days_unless_it_says_otherwise() {
        assert_eq!(age("7"), Ok(7 * 86_400_000));
        assert_eq!(age("7d"), Ok(7 * 86_400_000));
        assert_eq!(age("12h"), Ok(12 * 3_600_000));
        assert!(age("7w").is_err() && age("").is_err() && age("-1").is_err());
    }
}
