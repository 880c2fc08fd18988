//! A channel to a shell on the operator's own machine: pipes in place of a connection.
use super::{Input, Message};
use crate::{
    fault::Fault,
    remote::{LOADER, Script},
};
use bytes::{Bytes, BytesMut};
use quorate_ports::{BoxFuture, Exit, FaultKind};
use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

/// Bytes that are read at a time: what a pipe holds on Linux.
const CHUNK: usize = 64 * 1024;

/// A shell and its pipes. Dropping it closes them, which ends what listens to nobody any more, and only that.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Gives the input back where it has to stay open.
    sending: Option<BoxFuture<'static, Option<ChildStdin>>>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    exited: bool,
}

impl Process {
    /// A shell that waits for a script, in this directory.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn spawn(directory: &Path) -> Result<Self, Fault> {
        let spawned = Command::new("sh")
            .arg("-c")
            .arg(LOADER)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is for quorate, which decides what it means.
            .process_group(0)
            .spawn();
        let mut child = spawned.map_err(|error| {
            let message = format!("sh can't be started in {}: {error}", directory.display());
            Fault::new(FaultKind::Node, message)
        })?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Self { child, stdin, sending: None, stdout, stderr, exited: false })
    }

    pub(super) fn start(&mut self, script: Script, input: Input) {
        let Some(mut stdin) = self.stdin.take() else { return };
        self.sending = Some(Box::pin(async move {
            // A shell that takes no more has ended, which shows in its outputs.
            stdin.write_all(&script.text).await.ok()?;
            match input {
                Input::Open => Some(stdin),
                Input::Bytes(bytes) => {
                    let _ = stdin.write_all(&bytes).await;
                    None
                }
            }
        }));
    }

    /// Whether it was sent.
    pub(super) async fn send(&mut self, bytes: &'static [u8]) -> bool {
        if let Some(sending) = self.sending.take() {
            self.stdin = sending.await;
        }
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes).await.is_ok(),
            None => false,
        }
    }

    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Nothing is lost when this is dropped before it is ready.
    pub(super) async fn next(&mut self) -> Message {
        loop {
            tokio::select! {
                biased;
                bytes = read(&mut self.stdout), if self.stdout.is_some() => match bytes {
                    Some(bytes) => return Message::Stdout(bytes),
                    None => self.stdout = None,
                },
                bytes = read(&mut self.stderr), if self.stderr.is_some() => match bytes {
                    Some(bytes) => return Message::Stderr(bytes),
                    None => self.stderr = None,
                },
                kept = sent(&mut self.sending), if self.sending.is_some() => {
                    self.sending = None;
                    self.stdin = kept;
                }
                status = self.child.wait(), if !self.exited => {
                    self.exited = true;
                    return match status {
                        Ok(status) => Message::Exit(exit(status)),
                        Err(_) => Message::Broken,
                    };
                }
                else => return Message::Closed,
            }
        }
    }
}

/// The next bytes of a pipe; `None` where it ended. Nothing is ready of one that isn't there.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>) -> Option<Bytes> {
    let Some(pipe) = pipe else { return std::future::pending().await };
    let mut buffer = BytesMut::with_capacity(CHUNK);
    match pipe.read_buf(&mut buffer).await {
        Ok(read) if read > 0 => Some(buffer.freeze()),
        _ => None,
    }
}

async fn sent(sending: &mut Option<BoxFuture<'static, Option<ChildStdin>>>) -> Option<ChildStdin> {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}
