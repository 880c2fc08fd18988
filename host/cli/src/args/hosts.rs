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
    /// An Ansible inventory (INI, or what `ansible-inventory --list` prints; `-`: standard input): its hosts are run
    /// on unless other nodes are named, and ansible_host, ansible_port and ansible_user say how they are reached
    #[arg(long, value_name = "FILE")]
    pub(crate) inventory: Option<PathBuf>,
    /// Run on the hosts of this group of the inventory
    #[arg(long, value_name = "GROUP", requires = "inventory")]
    pub(crate) inventory_group: Option<String>,
}

/// How nodes are reached, and called.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Hosts")]
pub(crate) struct ReachArgs {
    /// Nodes that aren't reached by the addresses that gossip shows: lines `NODE HOST`, or a JSON object; NODE is a
    /// host id, an address or a name, HOST what ssh is given: `[USER@]HOST[:PORT]`
    #[arg(long, value_name = "FILE")]
    pub(crate) host_map: Option<PathBuf>,
    /// Call and reach nodes by the names that DNS has for their addresses
    #[arg(short = 'r', long)]
    pub(crate) resolve_hostnames: bool,
}

/// Variables of single nodes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Command")]
pub(crate) struct VariablesArgs {
    /// Variables for the environment on single hosts: a JSON file {"HOST": {"NAME": "value"}}; its values aren't kept,
    /// `continue` wants it again
    #[arg(long, value_name = "FILE")]
    pub(crate) hosts_variables: Option<PathBuf>,
}
