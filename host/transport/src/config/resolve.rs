//! What the configuration says of one host. As in OpenSSH the first value wins, but for `IdentityFile`, which adds up.
use super::{
    directives::{Values, collect},
    expand::{Tokens, host_name},
    lines::{ConfigFile, Line},
};
use crate::{fault::Fault, options::SshOptions};
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
    /// Directives that are in effect and do nothing here.
    pub(crate) ignored: Vec<String>,
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
    /// The configuration.
    pub(crate) file: &'a ConfigFile,
    /// What wins over it.
    pub(crate) options: &'a SshOptions,
}

impl Resolver<'_> {
    /// How a host is reached that was given as `[user@]host`.
    ///
    /// # Errors
    /// A directive that applies to the host and can't be honoured or understood.
    pub(crate) fn resolve(&self, given: &str) -> Result<HostConfig, Fault> {
        // The last @: a user's name may hold one, a host's doesn't.
        let (given_user, original) = match given.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, given),
        };
        let mut values = Values::default();
        collect(self.file, original, true, &mut values)?;
        let host_name = match values.first.get("hostname") {
            Some(line) => {
                host_name(&line.arguments[0], original).map_err(|message| line.fault(message))?
            }
            None => original.to_owned(),
        };
        let port = match (self.options.port, values.first.get("port")) {
            (Some(port), _) => port,
            (None, Some(line)) => number(line)?,
            (None, None) => 22,
        };
        let user = (self.options.user.clone())
            .or_else(|| given_user.map(str::to_owned))
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
            identities: self.identities(&values, &tokens, &ssh)?,
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
            ignored: values.ignored(),
            host_name,
            port,
            user,
            key_alias,
        })
    }

    fn identities(
        &self,
        values: &Values<'_>,
        tokens: &Tokens<'_>,
        ssh: &Path,
    ) -> Result<Vec<Identity>, Fault> {
        let mut identities: Vec<Identity> = Vec::new();
        let mut add = |path: PathBuf, named| {
            if !identities.iter().any(|identity| identity.path == path) {
                identities.push(Identity { path, named });
            }
        };
        for path in &self.options.identity_files {
            add(path.clone(), true);
        }
        for line in &values.identity_files {
            if line.arguments[0] != "none" {
                add(tokens.path(&line.arguments[0]).map_err(|message| line.fault(message))?, true);
            }
        }
        if values.identity_files.is_empty() && self.options.identity_files.is_empty() {
            for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
                add(ssh.join(name), false);
            }
        }
        Ok(identities)
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

fn number<T: std::str::FromStr>(line: &Line) -> Result<T, Fault> {
    line.arguments[0].parse().map_err(|_| {
        line.fault(format!("{} {:?} is not a number in range", line.keyword, line.arguments[0]))
    })
}

impl Values<'_> {
    fn text(&self, keyword: &str) -> Option<&str> {
        self.first.get(keyword).map(|line| line.arguments[0].as_str())
    }

    fn flag(&self, keyword: &str) -> Result<Option<bool>, Fault> {
        let Some(line) = self.first.get(keyword) else { return Ok(None) };
        match line.arguments[0].to_lowercase().as_str() {
            "yes" | "true" => Ok(Some(true)),
            "no" | "false" => Ok(Some(false)),
            other => Err(line.fault(format!("{keyword} {other:?} is neither yes nor no"))),
        }
    }

    fn policy(&self) -> Result<HostKeyPolicy, Fault> {
        let Some(line) = self.first.get("stricthostkeychecking") else {
            return Ok(HostKeyPolicy::AcceptNew);
        };
        match line.arguments[0].to_lowercase().as_str() {
            "yes" | "true" => Ok(HostKeyPolicy::Strict),
            // There is nobody to ask in the middle of a job.
            "accept-new" | "ask" => Ok(HostKeyPolicy::AcceptNew),
            "no" | "off" | "false" => Ok(HostKeyPolicy::Off),
            other => Err(line.fault(format!("StrictHostKeyChecking {other:?} is not known"))),
        }
    }

    fn known_hosts(
        &self,
        keyword: &str,
        tokens: &Tokens<'_>,
    ) -> Result<Option<Vec<PathBuf>>, Fault> {
        let Some(line) = self.first.get(keyword) else { return Ok(None) };
        let paths = line.arguments.iter().filter(|argument| *argument != "none");
        paths
            .map(|argument| tokens.path(argument).map_err(|message| line.fault(message)))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn connect_timeout(&self) -> Result<Duration, Fault> {
        match self.first.get("connecttimeout") {
            Some(line) if !matches!(line.arguments[0].as_str(), "none" | "0") => {
                number(line).map(Duration::from_secs)
            }
            _ => Ok(Duration::from_secs(10)),
        }
    }

    fn family(&self) -> Result<Option<Family>, Fault> {
        let Some(line) = self.first.get("addressfamily") else { return Ok(None) };
        match line.arguments[0].to_lowercase().as_str() {
            "any" => Ok(None),
            "inet" => Ok(Some(Family::V4)),
            "inet6" => Ok(Some(Family::V6)),
            other => Err(line.fault(format!("AddressFamily {other:?} is not known"))),
        }
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
