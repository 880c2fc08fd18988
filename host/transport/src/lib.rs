//! Reaching nodes over SSH, running here in their stead, and the remote half of actions.
//!
//! [`Ssh`] is the [`Transport`](quorate_ports::Transport): one connection per host with many channels,
//! host keys checked against `known_hosts`, logins by agent and key files, `~/.ssh/config` honoured.
//! An action is at most once: its claim is a directory made on the node by the supervisor that then runs
//! it, and everything here (redelivery, re-attachment, removal) leans on that. The scripts that run on nodes are
//! `remote/*.sh`. No decision about what runs where, or whether to run it again, belongs here.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod act;
mod channel;
mod client;
mod config;
mod connect;
mod dial;
mod fault;
mod frames;
#[doc(hidden)]
pub mod fuzzing;
mod host_certificate;
mod identity;
mod key_file;
mod keyring;
mod known_hosts;
mod known_lines;
mod linger;
mod links;
mod local;
mod login;
mod options;
mod place;
mod probe;
mod proxied;
mod query;
mod quote;
mod remote;
mod revoked_keys;
mod sign;
mod ssh;
mod sudo;
mod tether;

pub use local::Local;
pub use options::{Ask, Notice, SshOptions};
pub use ssh::Ssh;
pub use sudo::Sudo;
