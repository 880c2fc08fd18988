//! The operator's `ssh_config`: what of it decides how a host is reached. The format is that of
//! OpenSSH's ssh_config(5).

mod directives;
mod expand;
mod lines;
mod pattern;
mod resolve;

pub(crate) use lines::ConfigFile;
pub(crate) use pattern::list_matches;
pub(crate) use resolve::{Agent, HostConfig, HostKeyPolicy, Identity, Resolver};
