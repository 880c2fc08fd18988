//! One connection per host, shared by everything that goes there.
use crate::{
    channel::Remote,
    config::{ConfigFile, HostConfig, Resolver},
    connect::{Session, connect},
    fault::Fault,
    options::SshOptions,
    sudo::{self, Sudo},
};
use quorate_ports::{Exit, FaultKind, TransportError};
use russh::ChannelOpenFailure;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

/// sshd's `MaxSessions` is 10 unless set.
const CHANNELS: usize = 8;
/// Actions last, queries don't: these leave room for queries.
const ATTACHMENTS: usize = 6;
/// A server that answers nothing for this long to a request for a channel is as good as gone.
const OPENS: Duration = Duration::from_secs(30);

/// The connections.
pub(crate) struct Links {
    options: SshOptions,
    config: ConfigFile,
    handshakes: Semaphore,
    /// What the login shells are given.
    loader: Arc<str>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    told: Mutex<HashSet<String>>,
}

/// The place of one host's connection.
#[derive(Default)]
struct Slot {
    /// Attempts that ended, well or not.
    attempts: AtomicU64,
    state: AsyncMutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// How the last attempt failed, for those who waited for it.
    failed: Option<Fault>,
}

/// A connection.
pub(crate) struct Link {
    session: Session,
    config: HostConfig,
    loader: Arc<str>,
    sudo: Option<Sudo>,
    channels: Arc<Semaphore>,
    attachments: Arc<Semaphore>,
    /// Set when it answers nothing: nobody takes it up again, and those who have it see it end.
    given_up: AtomicBool,
}

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Something short.
    Query,
    /// The output of an action.
    Attachment,
}

impl Links {
    /// Reads the configuration; connects to nothing yet.
    pub(crate) fn new(options: SshOptions) -> Result<Self, TransportError> {
        let config = match &options.config_file {
            Some(path) if path.as_os_str() == "none" => Ok(ConfigFile::default()),
            Some(path) => ConfigFile::read(path, &options.home, true),
            None => ConfigFile::read(&options.home.join(".ssh/config"), &options.home, false),
        };
        let config = config.map_err(|fault| fault.at("ssh"))?;
        let handshakes = Semaphore::new(options.handshakes.max(1));
        let loader = sudo::loader(options.sudo.as_ref()).map_err(|fault| fault.at("ssh"))?.into();
        let (slots, told) = (Mutex::default(), Mutex::default());
        Ok(Self { options, config, handshakes, loader, slots, told })
    }

    /// What was set.
    pub(crate) fn options(&self) -> &SshOptions {
        &self.options
    }

    /// How a host is reached.
    pub(crate) fn resolve(&self, host: &str) -> Result<HostConfig, Fault> {
        let config = Resolver { file: &self.config, options: &self.options }.resolve(host)?;
        for text in &config.ignored {
            if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
                (self.options.notice)(text);
            }
        }
        Ok(config)
    }

    /// The connection to a host, made where there is none. Callers that wait for an attempt share its failure.
    pub(crate) async fn link(&self, host: &str) -> Result<Arc<Link>, Fault> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(host.to_owned()).or_default().clone()
        };
        let before = slot.attempts.load(Ordering::Acquire);
        let mut state = slot.state.lock().await;
        if let Some(link) = state.link.as_ref().filter(|link| link.is_usable()) {
            return Ok(link.clone());
        }
        if slot.attempts.load(Ordering::Acquire) != before
            && let Some(fault) = &state.failed
        {
            return Err(fault.clone());
        }
        state.link = None;
        let result = match self.resolve(host) {
            Ok(config) => {
                connect(&config, &self.handshakes, &self.options.notice).await.map(|session| {
                    Arc::new(Link {
                        session,
                        config,
                        loader: self.loader.clone(),
                        sudo: self.options.sudo.clone(),
                        channels: Arc::new(Semaphore::new(CHANNELS)),
                        attachments: Arc::new(Semaphore::new(ATTACHMENTS)),
                        given_up: AtomicBool::new(false),
                    })
                })
            }
            Err(fault) => Err(fault),
        };
        slot.attempts.fetch_add(1, Ordering::Release);
        state.failed = result.as_ref().err().cloned();
        state.link = result.as_ref().ok().cloned();
        result
    }
}

impl Link {
    fn is_usable(&self) -> bool {
        !self.session.handle.is_closed() && !self.given_up.load(Ordering::Acquire)
    }

    /// The user that is logged in.
    pub(crate) fn user(&self) -> &str {
        &self.config.user
    }

    /// What the login shell is given.
    pub(crate) fn loader(&self) -> Arc<str> {
        self.loader.clone()
    }

    /// The fault, where what was printed before the mark comes from sudo.
    pub(crate) fn denial(&self, printed: &str, exit: Option<Exit>) -> Option<Fault> {
        self.sudo.as_ref()?.denial(&self.config.user, printed, exit)
    }

    /// Opens a channel, waiting for its turn.
    pub(crate) async fn open(self: &Arc<Self>, purpose: Purpose) -> Result<Remote, Fault> {
        let mut permits: Vec<OwnedSemaphorePermit> = Vec::with_capacity(2);
        if purpose == Purpose::Attachment {
            permits.extend(self.attachments.clone().acquire_owned().await.ok());
        }
        permits.extend(self.channels.clone().acquire_owned().await.ok());
        let mut refusals = 0;
        loop {
            match timeout(OPENS, self.session.handle.channel_open_session()).await {
                Ok(Ok(channel)) => return Ok(Remote::over_ssh(channel, self.clone(), permits)),
                // A channel that was just closed here may still count there (MaxSessions).
                Ok(Err(russh::Error::ChannelOpenFailure(reason)))
                    if refusals < 5 && transient(&reason) =>
                {
                    refusals += 1;
                    sleep(Duration::from_millis(50 << refusals)).await;
                }
                Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                    return Err(Fault::new(
                        FaultKind::Node,
                        format!("the SSH server opens no session for {}: {}", self.config.user, reason.description()),
                    )
                    .hint("sshd's MaxSessions should be 10 (its default) or more, and the account must be allowed to run commands"));
                }
                Ok(Err(_)) => return Err(self.broken()),
                Err(_) => {
                    self.given_up.store(true, Ordering::Release);
                    return Err(Fault::new(
                        FaultKind::Disconnected,
                        format!("the SSH server opened no session in {} s", OPENS.as_secs()),
                    ));
                }
            }
        }
    }

    /// The fault of a connection that ended.
    pub(crate) fn broken(&self) -> Fault {
        let said = self.session.farewell.text();
        let why = if said.is_empty() { String::new() } else { format!(": {said}") };
        Fault::new(
            FaultKind::Disconnected,
            format!("the connection as {} ended{why}", self.config.user),
        )
    }
}

fn transient(reason: &ChannelOpenFailure) -> bool {
    matches!(
        reason,
        ChannelOpenFailure::ConnectFailed
            | ChannelOpenFailure::ResourceShortage
            | ChannelOpenFailure::AdministrativelyProhibited
    )
}
