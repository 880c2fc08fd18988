//! How to log in.
use clap::Args;
use std::path::PathBuf;

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
    /// Run everything on the nodes under sudo, as root or as USER; sudo must not ask for a password
    #[arg(long, value_name = "USER", num_args = 0..=1, require_equals = true)]
    pub(crate) sudo: Option<Option<String>>,
    /// More words for sudo, such as '-g cassandra'
    #[arg(long, value_name = "WORDS", requires = "sudo", allow_hyphen_values = true)]
    pub(crate) sudo_args: Option<String>,
}
