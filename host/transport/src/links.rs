//! One connection per host, shared by everything that goes there.
use crate::{
    channel::Remote,
    config::{Commands, ConfigFile, HostConfig, Resolver, Route, name_of},
    connect::{Session, connect, jump_fault},
    dial::TIMED_OUT,
    fault::{Fault, one_line},
    key_file::is_locked,
    keyring::Keyring,
    linger::Lingering,
    login::Means,
    options::SshOptions,
    proxied::Through,
    sudo::{self, Sudo},
};
use quorate_ports::{BoxFuture, Exit, FaultKind, TransportError};
use russh::ChannelOpenFailure;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
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
    ways: Arc<Ways>,
    /// What logins are made with.
    pub(crate) means: Means,
    /// Turns for handshakes.
    pub(crate) handshakes: Semaphore,
    /// Logins that succeeded so far.
    logins: AtomicU64,
    /// What the login shells are given.
    loader: Arc<str>,
    /// Nodes' by the host as it was given; jump hosts' by the way there. A node that others are reached through has both.
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    lingering: Lingering,
}

/// What is known of the ways to hosts.
struct Ways {
    options: SshOptions,
    files: Vec<ConfigFile>,
    commands: Commands,
    told: Mutex<HashSet<String>>,
}

impl Ways {
    /// The whole way to a host.
    fn route(&self, host: &str) -> Result<Route, Fault> {
        let resolver =
            Resolver { files: &self.files, options: &self.options, commands: &self.commands };
        let route = resolver.route(host)?;
        for text in route.hops.iter().chain([&route.end]).flat_map(|host| &host.ignored) {
            if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
                (self.options.notice)(text);
            }
        }
        Ok(route)
    }
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
        let files = files(&options).map_err(|fault| fault.at("ssh"))?;
        let handshakes = Semaphore::new(options.handshakes.max(1));
        let means = Means {
            keyring: Keyring::new(options.ask.clone()),
            password: options.password.clone(),
        };
        let loader = sudo::loader(options.sudo.as_ref()).map_err(|fault| fault.at("ssh"))?.into();
        let ways = Ways { options, files, commands: Commands::default(), told: Mutex::default() };
        Ok(Self {
            ways: Arc::new(ways),
            means,
            handshakes,
            loader,
            logins: AtomicU64::new(0),
            slots: Mutex::default(),
            lingering: Lingering::default(),
        })
    }

    /// Attachments to actions that have ended.
    pub(crate) fn lingering(&self) -> &Lingering {
        &self.lingering
    }

    /// What was set.
    pub(crate) fn options(&self) -> &SshOptions {
        &self.ways.options
    }

    /// How a host is reached.
    pub(crate) fn route(&self, host: &str) -> Result<Route, Fault> {
        self.ways.route(host)
    }

    /// How many logins have succeeded.
    pub(crate) fn logins(&self) -> u64 {
        self.logins.load(Ordering::Relaxed)
    }

    /// Counts one more.
    pub(crate) fn logged_in(&self) {
        self.logins.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection to a host, made where there is none. Callers that wait for an attempt share its failure.
    pub(crate) async fn link(&self, host: &str) -> Result<Arc<Link>, Fault> {
        self.shared(host.to_owned(), async {
            let (ways, name) = (self.ways.clone(), host.to_owned());
            // `Match exec` runs commands.
            let route = tokio::task::spawn_blocking(move || ways.route(&name)).await;
            let route =
                route.map_err(|error| Fault::new(FaultKind::Local, error.to_string()))??;
            let session = connect(self, &route.hops, &route.end).await?;
            Ok(Link::new(self, session, route.end))
        })
        .await
    }

    /// The connection to a jump host, the last of these: one for all that are reached through it, made again once where it broke.
    pub(crate) fn hop<'a>(
        &'a self,
        hops: &'a [HostConfig],
    ) -> BoxFuture<'a, Result<Arc<Link>, Fault>> {
        Box::pin(async move {
            let [before @ .., hop] = hops else { unreachable!("a way has a host") };
            let names: Vec<_> = hops.iter().map(name_of).collect();
            // No host's name has a space in it.
            let made = self.shared(format!("jump {}", names.join(" ")), async {
                Ok(Link::new(self, connect(self, before, hop).await?, hop.clone()))
            });
            made.await.map_err(|fault| jump_fault(fault, hop))
        })
    }

    /// Logs in to one host of each set of encrypted keys, so that their passphrases are asked for.
    pub(crate) async fn unlock(&self, hosts: &[String]) {
        if self.options().ask.is_none() {
            return;
        }
        let mut locked: HashMap<PathBuf, bool> = HashMap::new();
        let mut sets: BTreeMap<BTreeSet<PathBuf>, Vec<&str>> = BTreeMap::new();
        for host in hosts {
            let Ok(route) = self.route(host) else { continue };
            let mut set = BTreeSet::new();
            for identity in route.hops.iter().chain([&route.end]).flat_map(|host| &host.identities)
            {
                let known = locked.entry(identity.path.clone());
                if *known.or_insert_with(|| is_locked(identity, &self.means.keyring)) {
                    set.insert(identity.path.clone());
                }
            }
            if !set.is_empty() {
                sets.entry(set).or_default().push(host);
            }
        }
        for hosts in sets.values() {
            // The first that can be logged in to; where none of these can, the others say so themselves.
            for host in hosts.iter().take(3) {
                if self.link(host).await.is_ok() {
                    break;
                }
            }
        }
    }

    async fn shared(
        &self,
        key: String,
        make: impl Future<Output = Result<Link, Fault>>,
    ) -> Result<Arc<Link>, Fault> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key).or_default().clone()
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
        let result = make.await.map(Arc::new);
        slot.attempts.fetch_add(1, Ordering::Release);
        state.failed = result.as_ref().err().cloned();
        state.link = result.as_ref().ok().cloned();
        result
    }
}

/// The operator's configuration and the system's; or the one that was named.
fn files(options: &SshOptions) -> Result<Vec<ConfigFile>, Fault> {
    let home = &options.home;
    match &options.config_file {
        Some(path) if path.as_os_str() == "none" => Ok(Vec::new()),
        Some(path) => Ok(vec![ConfigFile::read(path, home, true)?]),
        None => {
            let mut files = vec![ConfigFile::read(&home.join(".ssh/config"), home, false)?];
            if let Some(path) = &options.system_config {
                files.push(ConfigFile::read_system(path, home)?);
            }
            Ok(files)
        }
    }
}

impl Links {
    /// Lets go of a connection: the next one who asks for the host gets a new one, and it ends with its last user.
    pub(crate) async fn let_go(&self, link: Arc<Link>, host: &str) {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(host.to_owned()).or_default().clone()
        };
        let mut state = slot.state.lock().await;
        if state.link.as_ref().is_some_and(|known| Arc::ptr_eq(known, &link)) {
            state.link = None;
        }
    }
}

impl Link {
    fn new(links: &Links, session: Session, config: HostConfig) -> Self {
        Self {
            session,
            config,
            loader: links.loader.clone(),
            sudo: links.options().sudo.clone(),
            channels: Arc::new(Semaphore::new(CHANNELS)),
            attachments: Arc::new(Semaphore::new(ATTACHMENTS)),
            given_up: AtomicBool::new(false),
        }
    }

    /// The host's name in errors.
    pub(crate) fn name(&self) -> String {
        name_of(&self.config)
    }

    /// A connection from this host to another one. sshd's `MaxSessions` doesn't count these.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Through, Fault> {
        let open = self.session.handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0);
        let unreachable = |message| Fault::new(FaultKind::Unreachable, message);
        let jump = self.name();
        match timeout(within, open).await {
            Ok(Ok(channel)) => Ok(Through::new(channel, self.clone())),
            Ok(Err(russh::Error::ChannelOpenFailure(
                reason @ ChannelOpenFailure::AdministrativelyProhibited,
            ))) => Err(Fault::new(
                FaultKind::Configuration,
                format!(
                    "the jump host {jump} does not forward to {host}:{port}: {}",
                    reason.description()
                ),
            )
            .hint("its sshd needs AllowTcpForwarding yes, and PermitOpen must allow the node")),
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(unreachable(format!(
                "the jump host {jump} can't connect to {host}:{port}: {}",
                one_line(reason.description())
            ))
            .hint(
                "the name is looked up by the jump host, and its firewall counts: try ssh there",
            )),
            Ok(Err(_)) => Err(self.broken()),
            Err(_) => Err(unreachable(format!(
                "{TIMED_OUT} through the jump host {jump} from {host}:{port} within {} s",
                within.as_secs()
            ))
            .hint("is the host up, and does a firewall between the two let the port through?")),
        }
    }

    /// How many sessions the server opens at a time, counted up to as many as are used.
    pub(crate) async fn sessions(&self) -> Result<u32, Fault> {
        let (mut open, mut refused) = (Vec::new(), false);
        while open.len() < CHANNELS {
            match timeout(OPENS, self.session.handle.channel_open_session()).await {
                Ok(Ok(channel)) => open.push(channel),
                // A channel that was just closed here may still count there.
                Ok(Err(russh::Error::ChannelOpenFailure(_))) if !refused => {
                    refused = true;
                    sleep(Duration::from_millis(100)).await;
                }
                Ok(Err(russh::Error::ChannelOpenFailure(_))) => break,
                Ok(Err(_)) | Err(_) => return Err(self.broken()),
            }
        }
        let count = open.len();
        for channel in open {
            // An error means that the session has ended, and the channel with it.
            let _ = channel.close().await;
        }
        Ok(count as u32)
    }

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
