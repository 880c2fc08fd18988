//! Asking a node through its nodetool.
use quorate_ports::{Exit, FaultKind, Query, Target, Transport, TransportError};
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
    /// Program and arguments that come before the command: `nodetool -p 7199`.
    prefix: Vec<String>,
    timeout: Duration,
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
            Self::NotFound { host, program } => format!(
                "make it findable for a login that isn't interactive: `ssh {host} '{program} version'` must work"
            ),
            Self::Failed { host, command, .. } => {
                format!("see what it says: ssh {host} '{command}'")
            }
            Self::Unreadable { host, .. } | Self::NotText { host, .. } => {
                format!("this version reads Cassandra 3.0 to 5.0: ssh {host} 'nodetool version'")
            }
        }
    }
}

impl Nodetool {
    /// nodetool as found on the nodes' PATH, given up after `timeout` where it only reads.
    pub fn new(transport: Arc<dyn Transport>, timeout: Duration) -> Self {
        Self { transport, prefix: vec!["nodetool".into()], timeout }
    }

    /// The program that is called.
    pub fn program(&self) -> &str {
        self.prefix.first().map_or("nodetool", String::as_str)
    }

    /// The whole command line for a nodetool command.
    pub fn argv(&self, args: &[String]) -> Vec<String> {
        self.prefix.iter().chain(args).cloned().collect()
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
        self.read(target, self.argv(&args), command, parse).await
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
        self.read(target, argv, command, parse).await
    }

    async fn read<T>(
        &self,
        target: &Target,
        argv: Vec<String>,
        command: String,
        parse: impl FnOnce(&str) -> Result<T, ParseError>,
    ) -> Result<T, NodetoolError> {
        let program = argv[0].clone();
        let query = Query {
            argv,
            timeout: self.timeout,
            max_output: max_output(&command),
            private: Vec::new(),
        };
        let host = target.host.clone();
        let answer = self.transport.query(target, query).await?;
        if answer.exit != Exit::Code(0) {
            if matches!(answer.exit, Exit::Code(126 | 127)) {
                return Err(NodetoolError::NotFound { host, program });
            }
            let message = telling_line(&answer.stderr, &answer.stdout);
            return Err(NodetoolError::Failed { host, command, exit: answer.exit, message });
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
