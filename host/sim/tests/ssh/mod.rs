//! A small SSH client for these tests, and a simulation that they can drive with it.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use quorate_sim::{Sim, SimSpec, Timings};
use russh::client::{self, Handle, Msg};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, ChannelMsg};

pub const LIMIT: Duration = Duration::from_secs(20);

/// Accepts the host key that `known_hosts` has, and no other.
pub struct Verifier {
    sim_port: u16,
    address: Ipv4Addr,
    known_hosts: std::path::PathBuf,
}

impl client::Handler for Verifier {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Ok(false);
        };
        let host = self.address.to_string();
        Ok(russh::keys::check_known_hosts_path(&host, self.sim_port, key, &self.known_hosts)
            .unwrap_or(false))
    }
}

pub struct Node {
    pub handle: Handle<Verifier>,
}

#[derive(Debug, Default)]
pub struct Ran {
    pub code: Option<u32>,
    /// Its name.
    pub signal: Option<String>,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl Ran {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }
}

pub fn fast(spec: SimSpec) -> SimSpec {
    SimSpec { timings: Timings::fast(), ..spec }
}

async fn reach(sim: &Sim, node: usize) -> Result<Handle<Verifier>, russh::Error> {
    let address = sim.nodes()[node].address;
    let known_hosts = sim.ssh_config().with_file_name("known_hosts");
    let verifier = Verifier { sim_port: sim.port(), address, known_hosts };
    client::connect(Arc::new(client::Config::default()), (address, sim.port()), verifier).await
}

pub async fn password_accepted(sim: &Sim, node: usize, user: &str, password: &str) -> bool {
    let mut handle = reach(sim, node).await.unwrap();
    handle.authenticate_password(user, password).await.unwrap().success()
}

pub async fn connect(sim: &Sim, node: usize) -> Result<Node, russh::Error> {
    let mut handle = reach(sim, node).await?;
    let key = load_secret_key(sim.identity_file(), None).unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    let accepted = handle.authenticate_publickey(sim.spec().ssh_user.clone(), key).await?;
    assert!(accepted.success(), "the client's key is accepted");
    Ok(Node { handle })
}

impl Node {
    pub async fn start(&self, command: &str) -> Channel<Msg> {
        let channel = self.handle.channel_open_session().await.unwrap();
        channel.exec(true, command).await.unwrap();
        channel
    }

    pub async fn run(&self, command: &str) -> Ran {
        let channel = self.start(command).await;
        channel.eof().await.unwrap();
        tokio::time::timeout(LIMIT, collect(channel)).await.expect(command)
    }
}

pub async fn collect(mut channel: Channel<Msg>) -> Ran {
    let mut ran = Ran::default();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => ran.out.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => ran.err.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => ran.code = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                ran.signal = Some(format!("{signal_name:?}"))
            }
            _ => {}
        }
    }
    ran
}

/// Runs one command on a node over a connection of its own.
pub async fn run(sim: &Sim, node: usize, command: &str) -> Ran {
    connect(sim, node).await.unwrap().run(command).await
}

/// Waits for the first output of a channel.
pub async fn first_output(channel: &mut Channel<Msg>) -> Vec<u8> {
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Data { data }) => return data.to_vec(),
            Some(_) => {}
            None => panic!("the channel closed without output"),
        }
    }
}
