//! The SSH transport against OpenSSH's own server: `cargo test -p quorate-tests --features sshd`.
//!
//! Every test has an sshd, an agent where it needs one, and home directories of its own, all on the loopback.
#![allow(clippy::unwrap_used)]

mod actions;
mod breaks;
mod certificates;
mod connections;
mod errors;
mod host_keys;
mod jumps;
mod kinds;
mod logins;
mod passwords;
mod preflight;
mod queries;
mod server;
mod sudo;
