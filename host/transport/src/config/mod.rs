//! The operator's `ssh_config`: what of it decides how a host is reached. The format is that of
//! OpenSSH's ssh_config(5).

mod criteria;
mod destination;
mod directives;
mod expand;
mod lines;
mod pattern;
mod proxy;
mod resolve;
mod route;
mod values;

pub(crate) use criteria::Commands;
pub(crate) use lines::ConfigFile;
pub(crate) use pattern::{glob, list_matches};
pub(crate) use proxy::Proxy;
pub(crate) use resolve::{Agent, HostConfig, HostKeyPolicy, Identity, Method, Resolver};
pub(crate) use route::{Route, name_of};
