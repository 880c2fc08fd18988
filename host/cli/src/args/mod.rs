//! The command line, but for what commands bring themselves.
mod cstar;
mod hosts;
mod job;
mod nodetool;
mod order;
mod shorthand;
mod show;
mod ssh;
mod verbs;

pub(crate) use cstar::{CstarArgs, RememberedArgs};
pub(crate) use hosts::{HostSpec, ReachArgs, VariablesArgs};
pub(crate) use job::JobArgs;
pub(crate) use nodetool::{CallArgs, NodetoolArgs};
pub(crate) use order::{GateName, ImpactName, KeepArgs, OrderArgs};
pub(crate) use shorthand::Shorthand;
pub(crate) use show::{Colour, Output, ShowArgs};
pub(crate) use ssh::{PasswordArgs, SshArgs};
pub(crate) use verbs::{
    CleanupArgs, CompletionsArgs, ContinueArgs, DemoArgs, DoctorArgs, ExplainArgs, LogsArgs,
    LookArgs, ManArgs, ShellName, TopologyArgs, TopologyOutput,
};

use clap::{Args, Parser, Subcommand};

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
    Jobs {
        /// In which form
        #[arg(long, value_enum, value_name = "FORM", default_value_t = Output::Text)]
        output: Output,
    },
    /// Shows a job: where each of its nodes is
    Show {
        /// The job's id, or how it begins
        job: String,
        /// In which form
        #[arg(long, value_enum, value_name = "FORM", default_value_t = Output::Text)]
        output: Output,
    },
    /// Prints what nodes printed
    Logs(LogsArgs),
    /// Says why a node of a job waits, or where it is
    Explain(ExplainArgs),
    /// Shows the ring: nodes, keyspaces, how many more nodes may go out; starts nothing
    Topology(Box<TopologyArgs>),
    /// Looks at every node and says what would be in the way of a job, with the cure; starts nothing
    Doctor(Box<DoctorArgs>),
    /// Goes on with a job: runs what wasn't started
    Continue(ContinueArgs),
    /// Removes what is kept of old jobs that have ended
    CleanupJobs(CleanupArgs),
    /// Prints a script that completes command lines, for a shell
    Completions(CompletionsArgs),
    /// Prints the manual page, or writes one for each command
    Man(ManArgs),
}

/// How far a component may go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Command")]
pub(crate) struct LimitArgs {
    /// A limit of the command's component, such as cpu-ms=5000
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) plugin_limit: Vec<String>,
}

const YEAR_MS: u64 = 365 * 86_400_000;

/// A duration with its unit: `500ms`, `90s`, `1.5m`, `1h`; in milliseconds. Without a unit: seconds, as cstar has them.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a duration is a number with ms, s, m or h, such as 90s".into()),
    };
    let wrong = |_| "a duration begins with a number, such as 90s".to_owned();
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let number: u64 = whole.parse().map_err(wrong)?;
    // More than nanoseconds of a day aren't told apart.
    let part = &part[..part.len().min(9)];
    let more = match part.is_empty() {
        true => 0,
        false => part.parse::<u64>().map_err(wrong)? * factor / 10_u64.pow(part.len() as u32),
    };
    match number.checked_mul(factor).and_then(|ms| ms.checked_add(more)) {
        Some(ms) if ms <= YEAR_MS => Ok(ms),
        _ => Err("a year is the most".into()),
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
        assert_eq!(duration("0.5"), Ok(500));
        assert_eq!(duration("1.25m"), Ok(75_000));
        assert_eq!(duration("2.s"), Ok(2_000));
        assert!(duration(".5s").is_err());
        assert!(duration("1.2.3s").is_err());
        assert!(duration("1d").is_err());
        assert!(duration("s").is_err());
        assert!(duration("99999999999999999h").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
