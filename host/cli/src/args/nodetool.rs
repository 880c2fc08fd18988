//! How nodetool is called on the nodes.
use super::duration;
use clap::Args;

/// How nodetool is called on the nodes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Nodetool")]
pub(crate) struct NodetoolArgs {
    /// After this long a nodetool that only reads is given up
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) nodetool_timeout: u64,
}
