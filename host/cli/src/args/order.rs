//! In which order, how many at a time, and what must go on working.
use super::{Shorthand, duration};
use crate::error::CliError;
use clap::{Args, ValueEnum};
use quorate_ring::{Keyspace, KeyspaceName, Replication};
use quorate_schedule::{FailureBudget, Level, MaxOut, UnknownLevel};
use std::collections::BTreeMap;

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
    /// Clusters at the same time, where the hosts belong to several
    #[arg(long, conflicts_with = "cluster_serial")]
    pub(crate) cluster_parallel: bool,
    /// Clusters one after the other; the first that doesn't end well is the last (default)
    #[arg(long)]
    pub(crate) cluster_serial: bool,
    /// Data centers at the same time
    #[arg(long, conflicts_with = "dc_serial")]
    pub(crate) dc_parallel: bool,
    /// Data centers one after the other
    #[arg(long)]
    pub(crate) dc_serial: bool,
    #[command(flatten)]
    pub(crate) shorthand: Shorthand,
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
    /// What else must hold before a node counts as back
    #[arg(long, value_enum, value_name = "GATE")]
    pub(crate) gate: Vec<GateName>,
    /// Time for a node from its start to its confirmation; then it has failed and stays out
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<u64>,
    /// How long a node must be healthy before it counts as back
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) stable: u64,
    /// Pause between two looks at the cluster while a node is waited for
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) round_pause: u64,
    /// Allow what would otherwise be refused: strategy `all`, or a lower --impact, for a command that
    /// takes nodes down
    #[arg(long)]
    pub(crate) force: bool,
}

/// What must go on working meanwhile.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Guarantee")]
pub(crate) struct GuaranteeArgs {
    #[command(flatten)]
    pub(crate) kept: KeepArgs,
    /// Refuse to start where a keyspace bears no node out in any order
    #[arg(long)]
    pub(crate) strict: bool,
    /// Most nodes of a data center out at a time, whatever the cause [default: its largest rack, or 40%
    /// of it]
    #[arg(long, value_name = "N|N%", value_parser = max_out)]
    pub(crate) max_out: Option<MaxOut>,
    /// Go on beside a node that joins, leaves or moves where it isn't known which ranges it takes
    #[arg(long)]
    pub(crate) allow_topology_change: bool,
}

/// At which level, for which keyspaces.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Guarantee")]
pub(crate) struct KeepArgs {
    /// The consistency level that requests must go on succeeding at: ONE, LOCAL_ONE, LOCAL_QUORUM or
    /// QUORUM; KEYSPACE=LEVEL for one keyspace, which is guarded then whatever it is
    /// [default: LOCAL_QUORUM]
    #[arg(long, value_name = "[KEYSPACE=]LEVEL", value_delimiter = ',', value_parser = keep)]
    pub(crate) keep: Vec<Keep>,
    /// Guard only this keyspace; may be repeated
    #[arg(long, visible_alias = "key-space", value_name = "KEYSPACE", value_delimiter = ',')]
    pub(crate) keyspace: Vec<String>,
    /// How a keyspace is replicated, where Cassandra before 4.0 doesn't tell it: KEYSPACE:DC=N[,DC=N], or
    /// KEYSPACE=N for SimpleStrategy; may be repeated
    #[arg(long, value_name = "KEYSPACE:DC=N,…", value_parser = rf)]
    pub(crate) rf: Vec<Keyspace>,
    /// Say nothing of a keyspace that bears no node out; may be repeated
    #[arg(long, value_name = "KEYSPACE", value_delimiter = ',')]
    pub(crate) accept_outage: Vec<String>,
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

fn rf(text: &str) -> Result<Keyspace, String> {
    quorate_ring::parse::replication_by_hand(text)
}

impl KeepArgs {
    /// What was said with `--rf`.
    pub(crate) fn replications(&self) -> Result<BTreeMap<KeyspaceName, Replication>, CliError> {
        let mut given = BTreeMap::new();
        for Keyspace { name, replication } in &self.rf {
            if given.insert(name.clone(), replication.clone()).is_some() {
                return Err(CliError::usage(format!("--rf: keyspace {name} is given twice"))
                    .hint("all its data centers go into one: --rf KEYSPACE:DC=N,DC=N"));
            }
        }
        Ok(given)
    }
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

/// Gates that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GateName {
    /// Its Cassandra process is another one than before the command
    NewProcess,
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
    fn failures_are_a_number_or_a_percentage() {
        assert_eq!(failures("3"), Ok(FailureBudget::Nodes(3)));
        assert_eq!(failures("10%"), Ok(FailureBudget::Percent(10)));
        assert!(failures("101%").is_err());
        assert!(failures("many").is_err());
    }
}
