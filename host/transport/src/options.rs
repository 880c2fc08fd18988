//! What the operator sets for all connections.
use crate::sudo::Sudo;
use quorate_ports::{FaultKind, Secret, TransportError};
use std::{env, fmt, path::PathBuf, sync::Arc, time::Duration};

/// Told one line at a time what a person should see once: fingerprints accepted, directives ignored.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Asks the person a question whose answer isn't shown; `None`: nobody is there to be asked, or nobody answers.
pub type Ask = Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>;

/// How to reach hosts. What is set here wins over `~/.ssh/config`.
#[derive(Clone)]
pub struct SshOptions {
    /// Read instead of `~/.ssh/config` and the system's file; `none` reads no file.
    pub config_file: Option<PathBuf>,
    /// Read after `~/.ssh/config`: the system's file.
    pub system_config: Option<PathBuf>,
    /// Jump hosts for all nodes, as `ssh -J` takes them; `none`: no node is reached through one.
    pub jump: Option<String>,
    /// Logs in as this user everywhere.
    pub user: Option<String>,
    /// Connects to this port everywhere.
    pub port: Option<u16>,
    /// Offered first, before what the configuration names and the agent holds.
    pub identity_files: Vec<PathBuf>,
    /// Tried where the keys don't lead in.
    pub password: Option<Secret>,
    /// Asked for the passphrases of encrypted keys, each once and only if a host takes the key. `None`: nobody is asked.
    pub ask: Option<Ask>,
    /// Handshakes at the same time.
    pub handshakes: usize,
    /// State of actions on nodes: absolute, or below the home directory there. `~/.quorate` when absent.
    pub remote_dir: Option<String>,
    /// Becomes another user there, for everything.
    pub sudo: Option<Sudo>,
    /// The operator's home directory: `~` in the configuration, and where `.ssh` is.
    pub home: PathBuf,
    /// The operator's user name, where nothing names another.
    pub local_user: String,
    /// The agent's socket, where `IdentityAgent` names no other.
    pub agent_socket: Option<PathBuf>,
    /// Between SIGTERM and SIGKILL when an action's time limit has passed.
    pub kill_grace: Duration,
    /// Takes the lines for people.
    pub notice: Notice,
}

impl SshOptions {
    /// Defaults for a home directory and user name: no overrides, no system's file, no agent, 64 handshakes, a grace of 10 s.
    pub fn new(home: impl Into<PathBuf>, local_user: impl Into<String>) -> Self {
        Self {
            config_file: None,
            system_config: None,
            jump: None,
            user: None,
            port: None,
            identity_files: Vec::new(),
            password: None,
            ask: None,
            handshakes: 64,
            remote_dir: None,
            sudo: None,
            home: home.into(),
            local_user: local_user.into(),
            agent_socket: None,
            kill_grace: Duration::from_secs(10),
            notice: Arc::new(|_| {}),
        }
    }

    /// Defaults from the environment: `HOME`, `USER` or `LOGNAME` (else `/etc/passwd`), `SSH_AUTH_SOCK`.
    ///
    /// # Errors
    /// When the environment names no home directory or no user.
    pub fn from_env() -> Result<Self, TransportError> {
        let missing = |message: &str, hint: &str| TransportError {
            host: "ssh".into(),
            kind: FaultKind::Configuration,
            message: message.into(),
            hint: hint.into(),
        };
        let home =
            env::home_dir().filter(|home| !home.as_os_str().is_empty()).ok_or_else(|| {
                missing(
                    "no home directory is known, so neither ~/.ssh nor its keys are",
                    "set HOME",
                )
            })?;
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
            .or_else(account_name)
            .ok_or_else(|| {
                missing("neither USER, LOGNAME nor /etc/passwd names the user", "set USER")
            })?;
        let mut options = Self::new(home, user);
        options.system_config = Some("/etc/ssh/ssh_config".into());
        options.agent_socket =
            env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok(options)
    }
}

/// The name of this process's account in `/etc/passwd`: services and containers often set no USER.
fn account_name() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == uid && !name.is_empty()).then(|| name.to_owned())
    })
}

impl fmt::Debug for SshOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshOptions")
            .field("config_file", &self.config_file)
            .field("user", &self.user)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}
