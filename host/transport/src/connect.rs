//! From a host's configuration to a session that is logged in.
use crate::{
    client::{Client, Farewell, HandshakeError},
    config::HostConfig,
    fault::{Fault, one_line},
    known_hosts::HostKeys,
    login::login,
    options::Notice,
    tether::{Tether, tether},
};
use quorate_ports::FaultKind;
use russh::{
    Preferred,
    client::{Config, Handle, connect_stream},
};
use std::{
    borrow::Cow,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpStream, lookup_host},
    sync::{Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};

/// A person may have to touch a token or confirm in a dialog.
const LOGIN: Duration = Duration::from_secs(60);
/// Silence after which the server is asked for a sign of life; three without an answer end the session.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Tries of a connection that is refused, unreachable or dropped: points that each failure costs some of.
const PATIENCE: u32 = 6;

/// A session that is logged in.
pub(crate) struct Session {
    /// russh's.
    pub(crate) handle: Handle<Client>,
    /// Why it ended, when it has.
    pub(crate) farewell: Farewell,
    /// Ends the session's task when dropped.
    pub(crate) _tether: Tether,
}

/// Connects and logs in; tries again what may pass: a refusal, no route, a banner that doesn't come (sshd's
/// `MaxStartups` drops connections at random).
///
/// # Errors
/// The last one, when patience ends; at once what won't pass: a refused host key or login.
pub(crate) async fn connect(
    config: &HostConfig,
    handshakes: &Semaphore,
    notice: &Notice,
) -> Result<Session, Fault> {
    let mut patience = PATIENCE;
    let mut delay = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
    loop {
        let permit = handshakes.acquire().await;
        let fault = match attempt(config, notice).await {
            Ok(session) => return Ok(session),
            Err(fault) => fault,
        };
        drop::<Result<SemaphorePermit<'_>, _>>(permit);
        let cost = match fault.kind {
            FaultKind::Unreachable if fault.message.contains(TIMED_OUT) => 3,
            FaultKind::Unreachable => 2,
            // Dropped before the login: likely chance, and quick to try again.
            FaultKind::Disconnected => 1,
            _ => return Err(fault),
        };
        patience = patience.saturating_sub(cost);
        if patience == 0 {
            return Err(fault);
        }
        sleep(delay.next()).await;
    }
}

/// Delays that grow, with chance in them, so that many connections that broke together don't return together.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// Starts at about `first` and doubles up to `most`.
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// The next delay: between half and one and a half of the nominal one.
    pub(crate) fn next(&mut self) -> Duration {
        let nominal = self.next;
        self.next = (nominal * 2).min(self.most);
        // The standard library seeds hash maps at random; nothing here needs better.
        let chance = RandomState::new().build_hasher().finish() % 1000;
        nominal / 2 + nominal.mul_f64(chance as f64 / 1000.0)
    }
}

const TIMED_OUT: &str = "no answer";

async fn attempt(config: &HostConfig, notice: &Notice) -> Result<Session, Fault> {
    let stream = tcp(config).await?;
    let address = stream.peer_addr().ok();
    let where_to = address.map_or_else(|| config.host_name.clone(), |address| address.to_string());
    let (tether, stream) = tether(stream);
    let host_keys = HostKeys::new(config);
    let farewell = Farewell::default();
    let ssh = Arc::new(Config {
        preferred: Preferred { key: Cow::Owned(host_keys.preferred()), ..Preferred::DEFAULT },
        keepalive_interval: Some(KEEP_ALIVE),
        keepalive_max: 3,
        ..Config::default()
    });
    let client = Client { host_keys, notice: notice.clone(), farewell: farewell.clone() };
    let mut handle = match timeout(config.connect_timeout, connect_stream(ssh, stream, client))
        .await
    {
        Ok(Ok(handle)) => handle,
        Ok(Err(HandshakeError::HostKey(fault))) => return Err(fault),
        Ok(Err(HandshakeError::Ssh(error))) => return Err(handshake_fault(&where_to, &error)),
        Err(_) => {
            return Err(Fault::new(
                FaultKind::Unreachable,
                format!("{TIMED_OUT} from the SSH server at {where_to} within {} s", config.connect_timeout.as_secs()),
            )
            .hint("is that port sshd's? Is the host overloaded? ConnectTimeout in the ssh_config gives it longer"));
        }
    };
    match timeout(LOGIN, login(&mut handle, config, &farewell)).await {
        Ok(Ok(())) => Ok(Session { handle, farewell, _tether: tether }),
        Ok(Err(fault)) => Err(fault),
        Err(_) => Err(Fault::new(
            FaultKind::Authentication,
            format!("the login as {} took longer than {} s", config.user, LOGIN.as_secs()),
        )
        .hint("does an agent wait for a confirmation or a touch?")),
    }
}

fn handshake_fault(where_to: &str, error: &russh::Error) -> Fault {
    match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => Fault::new(
            FaultKind::Configuration,
            format!("no {kind:?} algorithm in common with the SSH server at {where_to}, which offers {}", theirs.join(", ")),
        )
        .hint("the server only knows algorithms that are too old to be safe: update it"),
        error => Fault::new(
            FaultKind::Disconnected,
            format!("the connection to {where_to} ended in the handshake: {}", one_line(&error.to_string())),
        )
        .hint("sshd's MaxStartups, PerSourcePenalties or a firewall may drop connections; lower --ssh-handshakes"),
    }
}

async fn tcp(config: &HostConfig) -> Result<TcpStream, Fault> {
    let (host, port) = (config.host_name.as_str(), config.port);
    let unreachable = |message: String| Fault::new(FaultKind::Unreachable, message);
    let looked_up = timeout(config.connect_timeout, lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match looked_up {
        Ok(Ok(addresses)) => addresses
            .filter(|address| config.family.is_none_or(|family| family.has(address.ip())))
            .collect(),
        Ok(Err(error)) => {
            return Err(unreachable(format!("the name {host} can't be looked up: {error}"))
                .hint("give the node's address, or a HostName for it in the ssh_config"));
        }
        Err(_) => {
            return Err(unreachable(format!("{TIMED_OUT} to the look-up of the name {host}")));
        }
    };
    let mut last = unreachable(format!("the name {host} has no address of the configured family"));
    for address in addresses {
        last = match timeout(config.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Frames are small and wanted at once. Failing this would cost time, nothing else.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => tcp_fault(address, &error),
            Err(_) => unreachable(format!(
                "{TIMED_OUT} from {address} within {} s",
                config.connect_timeout.as_secs()
            ))
            .hint("is the host up, and does a firewall let the port through?"),
        };
    }
    Err(last)
}

fn tcp_fault(address: SocketAddr, error: &io::Error) -> Fault {
    let fault = Fault::new(FaultKind::Unreachable, format!("{address}: {error}"));
    match error.kind() {
        io::ErrorKind::ConnectionRefused => fault
            .hint("does sshd run there, and on this port? Port in the ssh_config names another"),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_bound_and_differ() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let delays: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        for (delay, nominal) in delays.iter().zip([100, 200, 400, 800, 1000, 1000]) {
            let nominal = Duration::from_millis(nominal);
            assert!(
                *delay >= nominal / 2 && *delay <= nominal * 3 / 2,
                "{delay:?} for {nominal:?}"
            );
        }
        let late: std::collections::BTreeSet<_> = delays[5..].iter().collect();
        assert!(late.len() > 5, "no chance in {late:?}");
    }
}
