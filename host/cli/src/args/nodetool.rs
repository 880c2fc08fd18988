//! How nodetool is called on the nodes.
use super::duration;
use clap::Args;
use quorate_ports::Secret;
use std::{convert::Infallible, path::PathBuf};

/// How nodetool is called on the nodes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Nodetool")]
pub(crate) struct NodetoolArgs {
    /// After this long a nodetool that only reads is given up
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) nodetool_timeout: u64,
    #[command(flatten)]
    pub(crate) call: CallArgs,
}

/// What comes before nodetool's command. A job that goes on may be given all of it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Nodetool")]
pub(crate) struct CallArgs {
    /// nodetool's name or path on the nodes [default: nodetool]
    #[arg(long, value_name = "PATH")]
    pub(crate) nodetool: Option<String>,
    /// The port that JMX listens on [default: nodetool's own]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jmx_port: Option<u16>,
    /// The JMX user; its password is asked for unless one of the next flags says where it is
    #[arg(long, value_name = "NAME")]
    pub(crate) jmx_username: Option<String>,
    /// A file here with the JMX password; it reaches nodetool in a file that only the login can read
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jmx_passwordfile", "jmx_password"])]
    pub(crate) jmx_password_file: Option<PathBuf>,
    /// A file on every node with JMX users and passwords, for nodetool's -pwf
    #[arg(long, value_name = "PATH", conflicts_with = "jmx_password")]
    pub(crate) jmx_passwordfile: Option<String>,
    /// The JMX password itself: others on this machine see it in the list of processes
    #[arg(long, value_name = "PASSWORD", value_parser = secret)]
    pub(crate) jmx_password: Option<Secret>,
    /// More words for nodetool, before its command, quoted as for a shell: '--ssl -Dname=value'
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true, visible_aliases = ["jmx-addlargs", "addl-jmx-args"])]
    pub(crate) jmx_args: Option<String>,
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}
