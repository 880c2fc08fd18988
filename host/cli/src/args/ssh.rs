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
    /// Reach the nodes through these jump hosts, one after the other: `[USER@]HOST[:PORT],…`; `none`: through no one, whatever the
    /// ssh_config says
    #[arg(short = 'J', long, value_name = "HOSTS")]
    pub(crate) ssh_jump: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// Most SSH handshakes at a time
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) ssh_handshakes: usize,
    /// Where actions keep their state on the nodes [default: ~/.quorate]
    #[arg(long, value_name = "DIR")]
    pub(crate) remote_dir: Option<String>,
    /// Run everything on the nodes under sudo, as root or as USER; sudo must not ask for a password
    #[arg(long, value_name = "USER", num_args = 0..=1, require_equals = true, alias = "use-sudo")]
    pub(crate) sudo: Option<Option<String>>,
    /// More words for sudo, such as '-g cassandra'
    #[arg(long, value_name = "WORDS", requires = "sudo", allow_hyphen_values = true)]
    pub(crate) sudo_args: Option<String>,
}

/// Where the password comes from. It is tried behind the keys, and never written down.
#[derive(Clone, Default, Args)]
#[command(next_help_heading = "SSH")]
#[group(id = "password", multiple = false)]
pub(crate) struct PasswordArgs {
    /// Log in with this password where keys don't lead in; others can see it in the list of processes
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) ssh_password: Option<String>,
    /// Log in with the password in the first line of this file, which must be for you alone
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_password_file: Option<PathBuf>,
    /// Ask for the password to log in with
    #[arg(long)]
    pub(crate) ask_ssh_password: bool,
    /// The job that goes on logged in with one.
    #[arg(skip)]
    pub(crate) needed: bool,
}

impl PasswordArgs {
    /// Whether one is given, or will be asked for.
    pub(crate) fn wanted(&self) -> bool {
        self.ssh_password.is_some()
            || self.ssh_password_file.is_some()
            || self.ask_ssh_password
            || self.needed
    }
}

/// Without the password.
impl std::fmt::Debug for PasswordArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordArgs")
            .field("file", &self.ssh_password_file)
            .finish_non_exhaustive()
    }
}
