//! One channel: a script goes in, what it prints comes out.
mod over_ssh;
mod process;

use crate::{
    fault::{Fault, one_line},
    links::Link,
    remote::Script,
};
use bytes::Bytes;
use over_ssh::OverSsh;
use process::Process;
use quorate_ports::{Exit, FaultKind};
use russh::{Channel, client::Msg};
use std::{path::Path, sync::Arc};
use tokio::sync::OwnedSemaphorePermit;

/// Before the mark, only a login shell's start-up files print: more than this is something else.
const NOISE: usize = 64 * 1024;

/// An open channel. Dropping it closes it, which ends the script at its other end.
pub(crate) struct Remote {
    wire: Wire,
    stdout: Gate,
    stderr: Gate,
    /// Errors that came before the mark where no mark is awaited among them.
    early: Vec<u8>,
}

/// What carries it.
enum Wire {
    /// A connection to a node.
    Ssh(OverSsh),
    /// Pipes to a shell on the operator's machine.
    Here(Box<Process>),
}

/// What comes over a wire.
enum Message {
    Stdout(Bytes),
    Stderr(Bytes),
    Exit(Exit),
    /// Nothing follows, and that is as it should be.
    Closed,
    /// Nothing follows: the wire broke.
    Broken,
}

/// What comes out of a channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Bytes of standard output.
    Stdout(Bytes),
    /// Bytes of standard error.
    Stderr(Bytes),
    /// The script has ended. Output may still follow.
    Exit(Exit),
    /// Nothing follows: the server closed the channel.
    Closed,
}

/// What a script needs on its standard input after its own text.
pub(crate) enum Input {
    /// Nothing, and the stream stays open: its end tells the script that nobody listens any more.
    Open,
    /// These bytes, then the end.
    Bytes(Bytes),
}

/// Holds a stream back until the script's mark, a line of its own, was seen.
#[derive(Debug, Default)]
struct Gate {
    mark: Vec<u8>,
    held: Vec<u8>,
    open: bool,
}

impl Gate {
    fn new(mark: Option<&str>) -> Self {
        let mark = mark.map(|mark| format!("{mark}\n").into_bytes());
        Self { open: mark.is_none(), mark: mark.unwrap_or_default(), held: Vec::new() }
    }

    /// What passes of new bytes.
    fn pass(&mut self, bytes: Bytes) -> Option<Bytes> {
        if self.open {
            return Some(bytes);
        }
        let from = self.held.len().saturating_sub(self.mark.len());
        self.held.extend_from_slice(&bytes);
        let found =
            self.held[from..].windows(self.mark.len()).position(|window| window == self.mark);
        let end = from + found? + self.mark.len();
        self.open = true;
        let rest = std::mem::take(&mut self.held).split_off(end);
        (!rest.is_empty()).then(|| rest.into())
    }
}

impl Remote {
    /// For a channel of a connection that was just opened.
    pub(crate) fn over_ssh(
        channel: Channel<Msg>,
        link: Arc<Link>,
        permits: Vec<OwnedSemaphorePermit>,
    ) -> Self {
        Self::new(Wire::Ssh(OverSsh::new(channel, link, permits)))
    }

    /// A shell on the operator's machine, in this directory.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn here(directory: &Path) -> Result<Self, Fault> {
        Ok(Self::new(Wire::Here(Box::new(Process::spawn(directory)?))))
    }

    fn new(wire: Wire) -> Self {
        Self { wire, stdout: Gate::new(None), stderr: Gate::new(None), early: Vec::new() }
    }

    /// Starts a script. Nothing is awaited: sending goes on while output is taken.
    pub(crate) fn start(&mut self, script: Script, input: Input) {
        self.stdout = Gate::new(Some(&script.mark));
        self.stderr = Gate::new(script.marks_stderr.then_some(script.mark.as_str()));
        match &mut self.wire {
            Wire::Ssh(channel) => channel.start(script, input),
            Wire::Here(process) => process.start(script, input),
        }
    }

    /// Sends more on an input that was left open.
    ///
    /// # Errors
    /// Nobody takes it any more.
    pub(crate) async fn send(&mut self, bytes: &'static [u8]) -> Result<(), Fault> {
        let sent = match &mut self.wire {
            Wire::Ssh(channel) => channel.send(bytes).await,
            Wire::Here(process) => process.send(bytes).await,
        };
        if sent { Ok(()) } else { Err(self.broken()) }
    }

    /// Whether the script's own output has begun: before that it isn't sure that it ran at all.
    pub(crate) fn began(&self) -> bool {
        self.stdout.open
    }

    /// Whether not all of the input was taken yet.
    pub(crate) fn is_sending(&self) -> bool {
        match &self.wire {
            Wire::Ssh(channel) => channel.is_sending(),
            Wire::Here(process) => process.is_sending(),
        }
    }

    /// The next output. Nothing is lost when this is dropped before it is ready.
    ///
    /// # Errors
    /// The connection ended, or the server refused to run anything.
    pub(crate) async fn next(&mut self) -> Result<Output, Fault> {
        loop {
            let message = match &mut self.wire {
                Wire::Ssh(channel) => channel.next().await?,
                Wire::Here(process) => process.next().await,
            };
            let output = match message {
                Message::Stdout(bytes) => self.stdout.pass(bytes).map(Output::Stdout),
                Message::Stderr(bytes) => {
                    if self.stderr.open && !self.began() {
                        let room = NOISE.saturating_sub(self.early.len());
                        self.early.extend_from_slice(&bytes[..bytes.len().min(room)]);
                    }
                    self.stderr.pass(bytes).map(Output::Stderr)
                }
                Message::Exit(exit) => Some(Output::Exit(exit)),
                Message::Closed => Some(Output::Closed),
                Message::Broken => return Err(self.broken()),
            };
            if self.stdout.held.len() > NOISE || self.stderr.held.len() > NOISE {
                return Err(self.silent(None));
            }
            if let Some(output) = output {
                return Ok(output);
            }
        }
    }

    /// The fault of a wire that broke, or that was closed too early.
    pub(crate) fn broken(&self) -> Fault {
        match &self.wire {
            Wire::Ssh(channel) => channel.link().broken(),
            Wire::Here(_) => Fault::new(
                FaultKind::Disconnected,
                "the shell on this machine ended without a word",
            ),
        }
    }

    /// The fault of a channel on which the script's mark never came: something else ran, or nothing.
    pub(crate) fn silent(&self, exit: Option<Exit>) -> Fault {
        let text = [&self.stderr.held, &self.early, &self.stdout.held]
            .map(|held| String::from_utf8_lossy(held).trim().to_owned());
        if let Wire::Ssh(channel) = &self.wire
            && let Some(fault) = channel.link().denial(text.join("\n").trim(), exit)
        {
            return fault;
        }
        let (mut message, hint) = match &self.wire {
            Wire::Ssh(channel) => (
                format!("the node did not run our sh for {}", channel.link().user()),
                "the account needs a login shell that runs commands, and a POSIX sh in its PATH",
            ),
            Wire::Here(_) => (
                "sh on this machine did not run our script".to_owned(),
                "the sh in your PATH must be a POSIX shell",
            ),
        };
        if let Some(exit) = exit {
            message.push_str(&format!(" ({exit})"));
        }
        let printed: Vec<_> =
            text.iter().filter(|text| !text.is_empty()).map(|text| one_line(text)).collect();
        let printed = printed.join("; ");
        if !printed.is_empty() {
            message.push_str(&format!("; it printed: {printed}"));
        }
        Fault::new(FaultKind::Node, message).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_shell_prints_before_the_mark_is_dropped() {
        let text = b"welcome\nmark\nmark\ndata";
        for chunk in 1..text.len() {
            let mut gate = Gate::new(Some("mark"));
            let passed: Vec<u8> = text
                .chunks(chunk)
                .filter_map(|part| gate.pass(Bytes::copy_from_slice(part)))
                .flatten()
                .collect();
            assert_eq!(passed, b"mark\ndata", "in chunks of {chunk}");
        }
        let mut gate = Gate::new(None);
        assert_eq!(gate.pass(Bytes::from_static(b"mark\n")).unwrap(), "mark\n");
    }

    #[test]
    fn a_gate_that_never_opens_keeps_what_was_printed() {
        let mut gate = Gate::new(Some("mark"));
        assert_eq!(gate.pass(Bytes::from_static(b"sh: not found\n")), None);
        assert!(!gate.open);
        assert_eq!(gate.held, b"sh: not found\n");
    }
}
