//! Asking a node through its nodetool.
use quorate_ports::{
    Exit, FaultKind, PrivateFile, Query, Secret, Target, Transport, TransportError,
};
use quorate_ring::parse::ParseError;
use std::{sync::Arc, time::Duration};

/// Most bytes that a command may print. `describering` of 1,000 nodes with 256 tokens is some 100 MB, `ring` 30;
/// `tablestats` has 2 KB for each table; of all else a cluster of 3,000 nodes prints 4 MB at most (`gossipinfo`).
fn max_output(command: &str) -> usize {
    match command.split_whitespace().nth(1) {
        Some("describering" | "ring") => 256 << 20,
        Some("tablestats") => 64 << 20,
        _ => 16 << 20,
    }
}

/// How nodetool is called on every node, and through what.
#[derive(Clone)]
pub struct Nodetool {
    transport: Arc<dyn Transport>,
    call: NodetoolCall,
    timeout: Duration,
}

/// What comes before nodetool's command, the same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodetoolCall {
    /// The program's name or path there.
    pub program: String,
    /// Words that come first, whatever they mean to nodetool: `--ssl`, `-Dcom.sun.jndi.rmiURLParsing=legacy`.
    pub extra: Vec<String>,
    /// The port of JMX; nodetool's own choice where it isn't given.
    pub port: Option<u16>,
    /// Who asks; nobody in particular where JMX wants no login.
    pub user: Option<JmxUser>,
    /// It runs on the operator's machine, and is told with `-h` which host to connect to.
    pub from_here: bool,
}

/// A login for JMX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JmxUser {
    /// The role's name. Neither it nor the password may hold white space: nodetool's password files can't.
    pub name: String,
    /// Its password.
    pub password: JmxPassword,
}

/// Where nodetool finds a password. It is never an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JmxPassword {
    /// In this file, which is on every node already.
    OnNode(String),
    /// In a private file of each call.
    Given(Secret),
}

impl Default for NodetoolCall {
    fn default() -> Self {
        Self {
            program: "nodetool".into(),
            extra: Vec::new(),
            port: None,
            user: None,
            from_here: false,
        }
    }
}

impl NodetoolCall {
    /// The whole command line for a nodetool command on a host, and the private files that it needs.
    pub fn command(&self, host: &str, args: &[String]) -> (Vec<String>, Vec<PrivateFile>) {
        let (mut argv, mut private) = (vec![self.program.clone()], Vec::new());
        argv.extend(self.extra.iter().cloned());
        if self.from_here {
            argv.extend(["-h".to_owned(), host.to_owned()]);
        }
        if let Some(port) = self.port {
            argv.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(JmxUser { name, password }) = &self.user {
            let file = match password {
                JmxPassword::OnNode(path) => path.clone(),
                JmxPassword::Given(secret) => {
                    // As `jmxremote.password` has it: a line for each role.
                    let line = [name.as_bytes(), b" ", secret.expose(), b"\n"].concat();
                    let file = PrivateFile { name: "jmx-password", bytes: Secret::new(line) };
                    let word = file.word();
                    private.push(file);
                    word
                }
            };
            argv.extend(["-u".to_owned(), name.clone(), "-pwf".to_owned(), file]);
        }
        argv.extend(args.iter().cloned());
        (argv, private)
    }
}

/// A nodetool that gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodetoolError {
    /// The node wasn't reached.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It isn't there, or isn't executable.
    #[error("{host}: {program} wasn't found")]
    NotFound {
        /// The node.
        host: String,
        /// What was called.
        program: String,
    },
    /// It ran and failed.
    #[error("{host}: {command} ended with {exit}: {message}")]
    Failed {
        /// The node.
        host: String,
        /// The command: `nodetool status`.
        command: String,
        /// How it ended.
        exit: Exit,
        /// The line of its output that says most.
        message: String,
        /// The JMX user that was given.
        user: Option<String>,
    },
    /// It printed something else than this command prints.
    #[error("{host}: {error}")]
    Unreadable {
        /// The node.
        host: String,
        /// What was expected, and what came.
        error: ParseError,
    },
    /// Not even text.
    #[error("{host}: {command} printed bytes that aren't UTF-8")]
    NotText {
        /// The node.
        host: String,
        /// The command: `nodetool status`.
        command: String,
    },
}

impl NodetoolError {
    /// What to do about it; empty where the message says it all.
    pub fn hint(&self) -> String {
        match self {
            Self::Transport(error) if error.kind == FaultKind::TimedOut => {
                let host = &error.host;
                format!(
                    "see what keeps it: ssh {host} 'nodetool status'; --nodetool-timeout gives it longer"
                )
            }
            Self::Transport(error) => error.hint.clone(),
            Self::NotFound { host, program } if program == "cqlsh" => format!(
                "make it findable for a login that isn't interactive: `ssh {host} '{program} --version'` must work"
            ),
            Self::NotFound { host, program } => format!(
                "name it with --nodetool PATH, or make it findable for a login that isn't interactive: `ssh {host} '{program} version'` must work"
            ),
            Self::Failed { host, command, user, .. } => match self.trouble() {
                Some(Trouble::Login) => match user {
                    None => "its JMX wants a login: --jmx-username NAME asks for the password, \
                             --jmx-password-file FILE reads it"
                        .into(),
                    Some(user) => format!(
                        "is {user} right, and its password? --jmx-username, --jmx-password-file (a file here), \
                         --jmx-passwordfile (one on the nodes)"
                    ),
                },
                Some(Trouble::Rights) => {
                    "give the role readwrite in the node's jmxremote.access, or \
                                          another one in --jmx-username"
                        .into()
                }
                Some(Trouble::Refused) => {
                    "Cassandra isn't running there, or its JMX listens elsewhere: --jmx-port PORT, \
                     --jmx-args '-h ADDRESS'"
                        .into()
                }
                Some(Trouble::Starting) => {
                    "Cassandra is still starting there: try again in a moment".into()
                }
                None => format!("see what it says: ssh {host} '{command}'"),
            },
            Self::Unreadable { host, .. } | Self::NotText { host, .. } => {
                format!("this version reads Cassandra 3.0 to 5.0: ssh {host} 'nodetool version'")
            }
        }
    }
}

/// What a nodetool that failed says it failed for. The texts are those of Cassandra's `NodeTool`, 3.0 to 5.0, and of
/// Java's JMX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// JMX refuses the login, or wants one.
    Login,
    /// The role may not do this.
    Rights,
    /// Nothing listens for JMX there.
    Refused,
    /// JMX listens and Cassandra isn't ready.
    Starting,
}

impl NodetoolError {
    /// What it failed for, where that is known.
    pub fn trouble(&self) -> Option<Trouble> {
        let Self::Failed { message, command, .. } = self else { return None };
        if !command.starts_with("nodetool ") {
            return None;
        }
        let says = |text: &str| message.contains(text);
        if says("Access denied!") {
            return Some(Trouble::Rights);
        }
        // "Authentication failed! Credentials required", "… Invalid username or password"; "Authentication error" and the login
        // module's own exceptions where Cassandra's roles are asked.
        if says("SecurityException") || says("LoginException") || says("Authentication") {
            return Some(Trouble::Login);
        }
        if says("Server is not initialized yet") {
            return Some(Trouble::Starting);
        }
        says("Connection refused").then_some(Trouble::Refused)
    }
}

impl Nodetool {
    /// Called like this, and given up after `timeout` where it only reads.
    pub fn new(transport: Arc<dyn Transport>, call: NodetoolCall, timeout: Duration) -> Self {
        Self { transport, call, timeout }
    }

    /// The program that is called.
    pub fn program(&self) -> &str {
        &self.call.program
    }

    /// How it is called.
    pub fn call(&self) -> &NodetoolCall {
        &self.call
    }

    /// Runs a command that only reads and parses what it prints.
    ///
    /// # Errors
    /// The node isn't reached, or its nodetool gives no usable answer.
    pub async fn ask<T>(
        &self,
        target: &Target,
        args: &[&str],
        parse: impl FnOnce(&str) -> Result<T, ParseError>,
    ) -> Result<T, NodetoolError> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let command = format!("nodetool {}", args.join(" "));
        let (argv, private) = self.call.command(&target.host, &args);
        self.read(target, argv, private, command, parse).await
    }

    /// Runs another program that only reads, and parses what it prints.
    ///
    /// # Errors
    /// As with [`Nodetool::ask`].
    pub(crate) async fn ask_program<T>(
        &self,
        target: &Target,
        argv: Vec<String>,
        parse: impl FnOnce(&str) -> Result<T, ParseError>,
    ) -> Result<T, NodetoolError> {
        let command = argv[0].clone();
        self.read(target, argv, Vec::new(), command, parse).await
    }

    async fn read<T>(
        &self,
        target: &Target,
        argv: Vec<String>,
        private: Vec<PrivateFile>,
        command: String,
        parse: impl FnOnce(&str) -> Result<T, ParseError>,
    ) -> Result<T, NodetoolError> {
        let program = argv[0].clone();
        let max_output = max_output(&command);
        let query = Query { argv, timeout: self.timeout, max_output, private };
        let host = target.host.clone();
        let answer = self.transport.query(target, query).await?;
        if answer.exit != Exit::Code(0) {
            if matches!(answer.exit, Exit::Code(126 | 127)) {
                return Err(NodetoolError::NotFound { host, program });
            }
            let message = telling_line(&answer.stderr, &answer.stdout);
            let user = self.call.user.as_ref().map(|user| user.name.clone());
            return Err(NodetoolError::Failed { host, command, exit: answer.exit, message, user });
        }
        match std::str::from_utf8(&answer.stdout) {
            Ok(text) => parse(text).map_err(|error| NodetoolError::Unreadable { host, error }),
            Err(_) => Err(NodetoolError::NotText { host, command }),
        }
    }
}

/// The first line of standard error, else the last of standard output: nodetool puts its message
/// before a stack trace.
fn telling_line(stderr: &[u8], stdout: &[u8]) -> String {
    let (err, out) = (String::from_utf8_lossy(stderr), String::from_utf8_lossy(stdout));
    let first = err.lines().map(str::trim).find(|line| !line.is_empty());
    let last = out.lines().map(str::trim).rfind(|line| !line.is_empty());
    let line = first.or(last).unwrap_or("it printed nothing");
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str) -> NodetoolError {
        NodetoolError::Failed {
            host: "n1".into(),
            command: "nodetool status".into(),
            exit: Exit::Code(1),
            message: message.into(),
            user: None,
        }
    }

    #[test]
    fn a_password_is_in_a_file_and_nowhere_else() {
        let given = JmxPassword::Given(Secret::new("hunter2"));
        let call = NodetoolCall {
            program: "/opt/cassandra/bin/nodetool".into(),
            extra: vec!["--ssl".into()],
            port: Some(7299),
            user: Some(JmxUser { name: "ops".into(), password: given }),
            from_here: false,
        };
        let (argv, private) = call.command("n1", &["status".into()]);
        let word = private[0].word();
        let expected = [
            "/opt/cassandra/bin/nodetool",
            "--ssl",
            "-p",
            "7299",
            "-u",
            "ops",
            "-pwf",
            &word,
            "status",
        ];
        assert_eq!(argv, expected);
        assert_eq!(private[0].bytes.expose(), b"ops hunter2\n");
        assert!(!format!("{call:?} {argv:?} {private:?}").contains("hunter2"));

        let user = JmxUser { name: "ops".into(), password: JmxPassword::OnNode("/etc/pw".into()) };
        let call = NodetoolCall { user: Some(user), ..NodetoolCall::default() };
        let (argv, private) = call.command("n1", &["info".into()]);
        assert_eq!(
            (argv.join(" ").as_str(), private.len()),
            ("nodetool -u ops -pwf /etc/pw info", 0)
        );
    }

    #[test]
    fn what_nodetool_failed_for_is_told_by_what_it_prints() {
        for (message, trouble) in [
            (
                "nodetool: Failed to connect to '127.0.0.1:7199' - SecurityException: 'Authentication failed! Invalid username or password'.",
                Some(Trouble::Login),
            ),
            (
                "nodetool: Failed to connect to '127.0.0.1:7199' - SecurityException: 'Authentication failed! Credentials required'.",
                Some(Trouble::Login),
            ),
            (
                "nodetool: Failed to connect to '127.0.0.1:7199' - FailedLoginException: 'Unable to authenticate'.",
                Some(Trouble::Login),
            ),
            (
                "error: Access denied! Invalid access level for requested MBeanServer operation.",
                Some(Trouble::Rights),
            ),
            (
                "nodetool: Failed to connect to '127.0.0.1:7199' - ConnectException: 'Connection refused'.",
                Some(Trouble::Refused),
            ),
            (
                "Exception in thread \"main\" java.lang.IllegalArgumentException: Server is not initialized yet, cannot run nodetool.",
                Some(Trouble::Starting),
            ),
            ("error: null", None),
        ] {
            let error = failed(message);
            assert_eq!(error.trouble(), trouble, "{message}");
            assert!(!error.hint().is_empty(), "{message}");
        }
    }
}
