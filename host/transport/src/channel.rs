//! One session channel: a script goes in, what it prints comes out.
use crate::{
    fault::{Fault, one_line},
    links::Link,
    remote::{LOADER, Script},
};
use bytes::Bytes;
use quorate_ports::{BoxFuture, Exit, FaultKind};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client::Msg};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Before the mark, only a login shell's start-up files print: more than this is something else.
const NOISE: usize = 64 * 1024;

/// An open channel. Dropping it closes it, which ends what runs at its other end.
pub(crate) struct Remote {
    reader: ChannelReadHalf,
    writer: Arc<ChannelWriteHalf<Msg>>,
    sending: Option<BoxFuture<'static, Result<(), russh::Error>>>,
    stdout: Gate,
    stderr: Gate,
    closed: bool,
    exited: bool,
    link: Arc<Link>,
    permits: Vec<OwnedSemaphorePermit>,
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
    /// For a channel that was just opened.
    pub(crate) fn new(
        channel: Channel<Msg>,
        link: Arc<Link>,
        permits: Vec<OwnedSemaphorePermit>,
    ) -> Self {
        let (reader, writer) = channel.split();
        Self {
            reader,
            writer: Arc::new(writer),
            sending: None,
            stdout: Gate::new(None),
            stderr: Gate::new(None),
            closed: false,
            exited: false,
            link,
            permits,
        }
    }

    /// Starts a script. Nothing is awaited: sending goes on while output is taken.
    pub(crate) fn start(&mut self, script: Script, input: Input) {
        self.stdout = Gate::new(Some(&script.mark));
        self.stderr = Gate::new(script.marks_stderr.then_some(script.mark.as_str()));
        let writer = self.writer.clone();
        self.sending = Some(Box::pin(async move {
            writer.exec(true, LOADER).await?;
            writer.data_bytes(script.text).await?;
            if let Input::Bytes(bytes) = input {
                writer.data_bytes(bytes).await?;
                writer.eof().await?;
            }
            Ok(())
        }));
    }

    /// Whether the script's own output has begun: before that it isn't sure that it ran at all.
    pub(crate) fn began(&self) -> bool {
        self.stdout.open
    }

    /// Whether the node hasn't taken all of the input yet.
    pub(crate) fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// The next output. Nothing is lost when this is dropped before it is ready.
    ///
    /// # Errors
    /// The connection ended, or the server refused to run anything.
    pub(crate) async fn next(&mut self) -> Result<Output, Fault> {
        loop {
            let message = match &mut self.sending {
                Some(sending) => tokio::select! {
                    biased;
                    message = self.reader.wait() => message,
                    // A failure shows in the reader as well, with what there was to read before it.
                    _ = sending => {
                        self.sending = None;
                        continue;
                    }
                },
                None => self.reader.wait().await,
            };
            let Some(message) = message else {
                self.closed = true;
                return Err(self.link.broken());
            };
            if let Some(output) = self.take(message)? {
                return Ok(output);
            }
        }
    }

    fn take(&mut self, message: ChannelMsg) -> Result<Option<Output>, Fault> {
        let output = match message {
            ChannelMsg::Data { data } => self.stdout.pass(data).map(Output::Stdout),
            ChannelMsg::ExtendedData { data, ext: 1 } => self.stderr.pass(data).map(Output::Stderr),
            ChannelMsg::ExitStatus { exit_status } => {
                self.exited = true;
                Some(Output::Exit(Exit::Code(i32::try_from(exit_status).unwrap_or(i32::MAX))))
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.exited = true;
                Some(Output::Exit(Exit::Signal(number(&signal_name)?)))
            }
            ChannelMsg::Close => {
                self.closed = true;
                Some(Output::Closed)
            }
            ChannelMsg::Failure => {
                return Err(Fault::new(
                    FaultKind::Node,
                    format!("the SSH server refuses to run commands for {}", self.link.user()),
                )
                .hint("look for ForceCommand, a restricted key in authorized_keys, or a no-command account"));
            }
            _ => None,
        };
        if self.stdout.held.len() > NOISE || self.stderr.held.len() > NOISE {
            return Err(self.silent(None));
        }
        Ok(output)
    }

    /// The fault of a channel on which the script's mark never came: something else ran, or nothing.
    pub(crate) fn silent(&self, exit: Option<Exit>) -> Fault {
        let mut message = format!("the node did not run our sh for {}", self.link.user());
        if let Some(exit) = exit {
            message.push_str(&format!(" ({exit})"));
        }
        let printed = [&self.stderr.held, &self.stdout.held]
            .map(|held| one_line(&String::from_utf8_lossy(held)));
        let printed =
            printed.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("; ");
        if !printed.is_empty() {
            message.push_str(&format!("; it printed: {printed}"));
        }
        Fault::new(FaultKind::Node, message)
            .hint("the account needs a login shell that runs commands, and a POSIX sh in its PATH")
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        let writer = self.writer.clone();
        let permits = std::mem::take(&mut self.permits);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Ends with the session at the latest, which the transport's tether ends.
            runtime.spawn(async move {
                // An error means that the session has ended, and the channel with it.
                let _ = writer.close().await;
                drop(permits);
            });
        }
    }
}

/// The number of a signal's name (RFC 4254, 6.10, and Linux).
fn number(signal: &Sig) -> Result<i32, Fault> {
    Ok(match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(name) => match name.split('@').next().unwrap_or_default() {
            "TRAP" => 5,
            "BUS" => 7,
            "USR2" => 12,
            "XCPU" => 24,
            "XFSZ" => 25,
            "SYS" => 31,
            _ => {
                return Err(Fault::new(
                    FaultKind::Node,
                    format!("ended by a signal that is not known: {}", one_line(name)),
                ));
            }
        },
    })
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
