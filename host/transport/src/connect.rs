//! From a host's configuration to a session that is logged in.
use crate::{
    client::{Client, Farewell, HandshakeError},
    config::{HostConfig, name_of},
    dial::{Dialled, TIMED_OUT, dial},
    fault::{Fault, one_line},
    known_hosts::HostKeys,
    links::{Link, Links},
    login::login,
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
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::SemaphorePermit,
    time::{sleep, timeout},
};

/// Silence after which the server is asked for a sign of life; three without an answer end the session.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Tries of a connection that is refused, unreachable or dropped: points that each failure costs some of.
const PATIENCE: u32 = 6;
/// Tries at a server that drops connections while others get through: sshd's `MaxStartups` drops at random, and more often the
/// more there are.
const CROWDED: u32 = 24;

/// A session that is logged in.
pub(crate) struct Session {
    /// russh's.
    pub(crate) handle: Handle<Client>,
    /// Why it ended, when it has.
    pub(crate) farewell: Farewell,
    /// Ends the session's task when dropped.
    pub(crate) _tether: Tether,
}

/// Connects and logs in, through jump hosts where there are some; tries again what may pass: a refusal, no route, a banner that
/// doesn't come (sshd's `MaxStartups` drops connections at random).
///
/// # Errors
/// The last one, when patience ends; at once what won't pass: a refused host key or login, a jump host that can't be reached.
pub(crate) async fn connect(
    links: &Links,
    hops: &[HostConfig],
    config: &HostConfig,
) -> Result<Session, Fault> {
    let mut patience = PATIENCE.max(config.attempts.saturating_mul(3));
    let mut delay = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
    let mut crowded = 0;
    loop {
        // Before the turn for the handshake: the jump host's needs a turn as well.
        let jump = match hops {
            [] => None,
            hops => Some(links.hop(hops).await?),
        };
        let others = links.logins();
        let permit = links.handshakes.acquire().await;
        let fault = match attempt(links, jump, config).await {
            Ok(session) => {
                links.logged_in();
                return Ok(session);
            }
            Err(fault) => fault,
        };
        drop::<Result<SemaphorePermit<'_>, _>>(permit);
        let cost = match fault.kind {
            FaultKind::Unreachable if fault.message.contains(TIMED_OUT) => 3,
            FaultKind::Unreachable => 2,
            FaultKind::Disconnected if links.logins() != others && crowded < CROWDED => {
                crowded += 1;
                0
            }
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

async fn attempt(
    links: &Links,
    jump: Option<Arc<Link>>,
    config: &HostConfig,
) -> Result<Session, Fault> {
    let Dialled { stream, place, said } = dial(config, jump).await?;
    let (tether, stream) = tether(stream);
    let host_keys = HostKeys::new(config);
    let farewell = Farewell::default();
    let (keys, certificates) = host_keys.preferred();
    let ssh = Arc::new(Config {
        preferred: Preferred {
            key: Cow::Owned(keys),
            host_key_certificates: Cow::Owned(certificates),
            ..Preferred::DEFAULT
        },
        keepalive_interval: Some(KEEP_ALIVE),
        keepalive_max: 3,
        ..Config::default()
    });
    let notice = links.options().notice.clone();
    let client = Client { host_keys, notice, farewell: farewell.clone() };
    let handshake = timeout(config.connect_timeout, connect_stream(ssh, stream, client)).await;
    let fault = match handshake {
        Ok(Ok(mut handle)) => {
            login(&mut handle, config, &links.means, &farewell).await?;
            return Ok(Session { handle, farewell, _tether: tether });
        }
        Ok(Err(HandshakeError::HostKey(fault))) => return Err(fault),
        Ok(Err(HandshakeError::Ssh(error))) => handshake_fault(&place, &error),
        Err(_) => Fault::new(
            FaultKind::Unreachable,
            format!("{TIMED_OUT} from the SSH server at {place} within {} s", config.connect_timeout.as_secs()),
        )
        .hint("is that port sshd's? Is the host overloaded? ConnectTimeout in the ssh_config gives it longer"),
    };
    // A command's last words come when it ends.
    drop(tether);
    match said {
        None => Err(fault),
        Some(said) => Err(command_fault(fault, &said.all().await)),
    }
}

/// The fault of a connection through a `ProxyCommand`, which usually says why.
fn command_fault(fault: Fault, said: &str) -> Fault {
    if fault.kind == FaultKind::Configuration {
        return fault;
    }
    let said =
        if said.is_empty() { "it said nothing".to_owned() } else { format!("it said: {said}") };
    Fault { message: format!("{}; {said}", fault.message), ..fault }
        .hint("run the command of ProxyCommand by hand: it must connect its standard input and output to the node's sshd")
}

fn handshake_fault(place: &str, error: &russh::Error) -> Fault {
    match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => Fault::new(
            FaultKind::Configuration,
            format!("no {kind:?} algorithm in common with the SSH server at {place}, which offers {}", theirs.join(", ")),
        )
        .hint("the server only knows algorithms that are too old to be safe: update it"),
        russh::Error::IO(error) if local_fault(error).is_some() => {
            local_fault(error).unwrap_or_else(|| unreachable!("just looked at"))
        }
        error => Fault::new(
            FaultKind::Disconnected,
            format!("the connection to {place} ended in the handshake: {}", ending(error)),
        )
        .hint("sshd's MaxStartups, PerSourcePenalties or a firewall may drop connections; lower --ssh-handshakes"),
    }
}

/// In words. Whether the other end's leaving shows in what is read or in what is written is chance, and the same to a person.
fn ending(error: &russh::Error) -> String {
    let left = match error {
        russh::Error::Disconnect | russh::Error::HUP => true,
        russh::Error::IO(error) => matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::UnexpectedEof
        ),
        _ => false,
    };
    match left {
        true => "the other end closed it".to_owned(),
        false => one_line(&error.to_string()),
    }
}

/// The fault of a jump host, told to one who wanted to get further.
pub(crate) fn jump_fault(fault: Fault, hop: &HostConfig) -> Fault {
    // The hosts before it have told theirs.
    if fault.message.contains("jump host ") {
        return fault;
    }
    let (kind, what) = match fault.kind {
        FaultKind::Unreachable | FaultKind::Disconnected => {
            (FaultKind::Unreachable, "unreachable jump host")
        }
        kind => (kind, "jump host"),
    };
    Fault { kind, message: format!("{what} {}: {}", name_of(hop), fault.message), ..fault }
}

/// The fault of this machine, where an error is one: no descriptor is left.
pub(crate) fn local_fault(error: &io::Error) -> Option<Fault> {
    // EMFILE and ENFILE of Linux.
    let limit = match error.raw_os_error()? {
        24 => "this process may open no more files",
        23 => "this machine may open no more files",
        _ => return None,
    };
    Some(
        Fault::new(FaultKind::Local, format!("{limit}: {error}"))
            .hint("every connection needs a descriptor: `ulimit -n 65536` in the shell, or nofile in /etc/security/limits.conf"),
    )
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

    #[test]
    fn an_end_of_descriptors_is_this_machines_fault_and_names_the_cure() {
        for error in [24, 23] {
            let fault = local_fault(&io::Error::from_raw_os_error(error)).unwrap();
            assert_eq!(fault.kind, FaultKind::Local);
            assert!(fault.hint.contains("ulimit -n"), "{}", fault.hint);
        }
        assert_eq!(local_fault(&io::Error::from_raw_os_error(111)), None);
    }
}
