//! What the configuration says of one host. As in OpenSSH the first value wins, but for `IdentityFile`, which adds up.
use super::{
    criteria::{Circumstances, Commands},
    destination::Destination,
    directives::{Values, collect},
    expand::{Tokens, host_name, plain_words},
    lines::{ConfigFile, Line},
    proxy::{Jump, Proxy, jumps},
};
use crate::{fault::Fault, options::SshOptions};
use quorate_ports::FaultKind;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// How a host is reached.
#[derive(Clone, Debug)]
pub(crate) struct HostConfig {
    /// Name or address to connect to.
    pub(crate) host_name: String,
    /// Its port.
    pub(crate) port: u16,
    /// The user there.
    pub(crate) user: String,
    /// Key files in the order in which they are offered.
    pub(crate) identities: Vec<Identity>,
    /// Keys of the agent that belong to none of the files are not offered.
    pub(crate) identities_only: bool,
    /// The agent.
    pub(crate) agent: Agent,
    /// What to do with host keys.
    pub(crate) policy: HostKeyPolicy,
    /// `HostKeyAlias`: looked up instead of name and port.
    pub(crate) key_alias: Option<String>,
    /// Read and, the first one, written.
    pub(crate) user_known_hosts: Vec<PathBuf>,
    /// Read.
    pub(crate) global_known_hosts: Vec<PathBuf>,
    /// Whether names are written hashed.
    pub(crate) hash_known_hosts: bool,
    /// For TCP, and again for the key exchange.
    pub(crate) connect_timeout: Duration,
    /// Which addresses of a name are used.
    pub(crate) family: Option<Family>,
    /// The way there.
    pub(crate) proxy: Proxy,
    /// `CertificateFile`: certificates of the user's keys, beside those that lie by the keys.
    pub(crate) certificates: Vec<PathBuf>,
    /// Ways to log in, in the order in which they are tried.
    pub(crate) methods: Vec<Method>,
    /// The address here that connections come from.
    pub(crate) bind: Option<IpAddr>,
    /// `ConnectionAttempts`, where more than our own patience is wanted.
    pub(crate) attempts: u32,
    /// `RevokedHostKeys`: keys that no host may show.
    pub(crate) revoked: Option<PathBuf>,
    /// Directives that are in effect and do nothing here.
    pub(crate) ignored: Vec<String>,
}

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// With a key, or a certificate of one.
    PublicKey,
    /// With the password, as the answer to the server's only question.
    KeyboardInteractive,
    /// With the password.
    Password,
}

/// A key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Named by somebody, so that its absence is worth telling.
    pub(crate) named: bool,
}

/// Where keys are held for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    /// Nowhere.
    None,
    /// Behind a socket.
    Socket(PathBuf),
}

/// `StrictHostKeyChecking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostKeyPolicy {
    /// Only known keys.
    Strict,
    /// Unknown hosts are learnt, changed keys refused.
    AcceptNew,
    /// Changed keys are accepted too.
    Off,
}

/// `AddressFamily`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether an address is of this family.
    pub(crate) fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// Answers for hosts from one configuration.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    /// The configuration: the operator's file, then the system's.
    pub(crate) files: &'a [ConfigFile],
    /// What wins over it.
    pub(crate) options: &'a SshOptions,
    /// `Match exec`
    pub(crate) commands: &'a Commands,
}

/// What wins over the files for one host.
struct Wins<'a> {
    user: Option<&'a str>,
    port: Option<u16>,
    identity_files: &'a [PathBuf],
    proxy: Option<Proxy>,
}

impl Resolver<'_> {
    /// How a node is reached that was given as `[user@]host`.
    ///
    /// # Errors
    /// A directive that applies to the host and can't be honoured or understood.
    pub(crate) fn resolve(&self, given: &str) -> Result<HostConfig, Fault> {
        let wrong = |message| Fault::new(FaultKind::Configuration, message);
        let Destination { user: given_user, host: original, port: given_port } =
            Destination::parse(given).map_err(wrong)?;
        let proxy = match &self.options.jump {
            Some(text) => Some(way(jumps(text).map_err(|message| {
                Fault::new(FaultKind::Configuration, format!("--ssh-jump: {message}"))
            })?)),
            None => None,
        };
        let wins = Wins {
            user: self.options.user.as_deref().or(given_user),
            port: self.options.port.or(given_port),
            identity_files: &self.options.identity_files,
            proxy,
        };
        self.host(original, wins)
    }

    /// How a jump host is reached. As with `ssh`, nothing of the command line is about it. `reached`: the one before it in a
    /// list is the way to it, whatever the files say.
    ///
    /// # Errors
    /// As for a node.
    pub(crate) fn resolve_jump(&self, jump: &Jump, reached: bool) -> Result<HostConfig, Fault> {
        let wins = Wins {
            user: jump.user.as_deref(),
            port: jump.port,
            identity_files: &[],
            proxy: reached.then_some(Proxy::None),
        };
        self.host(&jump.host, wins)
    }

    /// The lines that apply to a host, and the name that it is connected to.
    fn values<'v>(
        &'v self,
        original: &str,
        wins: &Wins<'_>,
    ) -> Result<(Values<'v>, String), Fault> {
        let mut values = Values::default();
        let at = Circumstances {
            original,
            host: original,
            last: false,
            user: wins.user,
            port: wins.port,
            local_user: &self.options.local_user,
            home: &self.options.home,
            commands: self.commands,
        };
        for file in self.files {
            collect(file, &at, true, &mut values)?;
        }
        let host_name = match values.first.get("hostname") {
            Some(line) => {
                host_name(&line.arguments[0], original).map_err(|message| line.fault(message))?
            }
            None => original.to_owned(),
        };
        if values.wants_last_pass {
            for file in self.files {
                collect(
                    file,
                    &Circumstances { host: &host_name, last: true, ..at },
                    true,
                    &mut values,
                )?;
            }
        }
        Ok((values, host_name))
    }

    fn host(&self, original: &str, wins: Wins<'_>) -> Result<HostConfig, Fault> {
        let (values, host_name) = self.values(original, &wins)?;
        let port = match (wins.port, values.first.get("port")) {
            (Some(port), _) => port,
            (None, Some(line)) => line.number()?,
            (None, None) => 22,
        };
        let user = (wins.user.map(str::to_owned))
            .or_else(|| values.text("user").map(str::to_owned))
            .unwrap_or_else(|| self.options.local_user.clone());
        let key_alias = values.text("hostkeyalias").map(str::to_owned);
        let tokens = Tokens {
            host: &host_name,
            original,
            port,
            user: &user,
            local_user: &self.options.local_user,
            home: &self.options.home,
            key_alias: key_alias.as_deref().unwrap_or(&host_name),
        };
        let ssh = self.options.home.join(".ssh");
        Ok(HostConfig {
            identities: identities(&values, wins.identity_files, &tokens, &ssh)?,
            identities_only: values.flag("identitiesonly")?.unwrap_or(false),
            agent: self.agent(&values, &tokens)?,
            policy: values.policy()?,
            user_known_hosts: values
                .known_hosts("userknownhostsfile", &tokens)?
                .unwrap_or_else(|| vec![ssh.join("known_hosts"), ssh.join("known_hosts2")]),
            global_known_hosts: values
                .known_hosts("globalknownhostsfile", &tokens)?
                .unwrap_or_else(|| {
                    ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
                        .map(PathBuf::from)
                        .to_vec()
                }),
            hash_known_hosts: values.flag("hashknownhosts")?.unwrap_or(false),
            connect_timeout: values.connect_timeout()?,
            family: values.family()?,
            proxy: match wins.proxy {
                Some(proxy) => proxy,
                None => proxy(&values, &tokens)?,
            },
            certificates: paths(&values.certificate_files, &tokens)?,
            methods: values.methods()?,
            bind: values.bind()?,
            attempts: values.first.get("connectionattempts").map_or(Ok(1), |line| line.number())?,
            revoked: values.path("revokedhostkeys", &tokens)?,
            ignored: values.ignored(),
            host_name,
            port,
            user,
            key_alias,
        })
    }

    fn agent(&self, values: &Values<'_>, tokens: &Tokens<'_>) -> Result<Agent, Fault> {
        let from_environment =
            || self.options.agent_socket.clone().map_or(Agent::None, Agent::Socket);
        let Some(line) = values.first.get("identityagent") else { return Ok(from_environment()) };
        let value = line.arguments[0].as_str();
        match value.strip_prefix('$') {
            _ if value == "none" => Ok(Agent::None),
            _ if value == "SSH_AUTH_SOCK" => Ok(from_environment()),
            Some(name) if !name.starts_with('{') => match std::env::var_os(name) {
                Some(path) => Ok(Agent::Socket(path.into())),
                None => Err(line.fault(format!("IdentityAgent: the variable {name} is not set"))),
            },
            _ => tokens.path(value).map(Agent::Socket).map_err(|message| line.fault(message)),
        }
    }
}

fn way(jumps: Vec<Jump>) -> Proxy {
    if jumps.is_empty() { Proxy::None } else { Proxy::Jump(jumps) }
}

fn proxy(values: &Values<'_>, tokens: &Tokens<'_>) -> Result<Proxy, Fault> {
    if let Some(line) = values.first.get("proxyjump") {
        let read = || tokens.command(&line.arguments.concat()).and_then(|text| jumps(&text));
        return read().map(way).map_err(|message| line.fault(message));
    }
    match values.first.get("proxycommand") {
        Some(line) if !line.rest.eq_ignore_ascii_case("none") => {
            plain_words(tokens).map_err(|message| line.fault(message))?;
            tokens.command(&line.rest).map(Proxy::Command).map_err(|message| line.fault(message))
        }
        _ => Ok(Proxy::None),
    }
}

fn paths(lines: &[&Line], tokens: &Tokens<'_>) -> Result<Vec<PathBuf>, Fault> {
    (lines.iter())
        .filter(|line| line.arguments[0] != "none")
        .map(|line| tokens.path(&line.arguments[0]).map_err(|message| line.fault(message)))
        .collect()
}

fn identities(
    values: &Values<'_>,
    given: &[PathBuf],
    tokens: &Tokens<'_>,
    ssh: &Path,
) -> Result<Vec<Identity>, Fault> {
    let mut identities: Vec<Identity> = Vec::new();
    let mut add = |path: PathBuf, named| {
        if !identities.iter().any(|identity| identity.path == path) {
            identities.push(Identity { path, named });
        }
    };
    given.iter().for_each(|path| add(path.clone(), true));
    paths(&values.identity_files, tokens)?.into_iter().for_each(|path| add(path, true));
    if values.identity_files.is_empty() && given.is_empty() {
        for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
            add(ssh.join(name), false);
        }
    }
    Ok(identities)
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
