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
mod fault;
mod frames;
mod identity;
mod known_hosts;
mod links;
mod local;
mod login;
mod options;
mod place;
mod query;
mod quote;
mod remote;
mod ssh;
mod sudo;
mod tether;

pub use local::Local;
pub use options::{Notice, SshOptions};
pub use ssh::Ssh;
pub use sudo::Sudo;
