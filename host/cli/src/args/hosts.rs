//! Which nodes.
use clap::Args;
use std::path::PathBuf;

/// Which cluster, and which of its nodes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Hosts")]
#[group(id = "hosts", required = true, multiple = true)]
pub(crate) struct HostSpec {
    /// A node to ask for the ring, or several: of one cluster, in case one doesn't answer, or of several
    /// clusters. All nodes of these are targets, unless --host or --host-file names some
    #[arg(long, value_name = "HOST", value_delimiter = ',', num_args = 1..)]
    pub(crate) seed_host: Vec<String>,
    /// A node to run on; without --seed-host it is also asked for the ring
    #[arg(long, value_name = "HOST", value_delimiter = ',', num_args = 1..)]
    pub(crate) host: Vec<String>,
    /// A file with a node to run on per line (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    pub(crate) host_file: Option<PathBuf>,
}
