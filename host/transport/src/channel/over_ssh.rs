//! A session channel of an SSH connection.
use super::{Input, Message};
use crate::{
    fault::{Fault, one_line},
    links::Link,
    remote::Script,
};
use quorate_ports::{BoxFuture, Exit, FaultKind};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client::Msg};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// An open channel. Dropping it closes it, which ends what runs at its other end.
pub(super) struct OverSsh {
    reader: ChannelReadHalf,
    writer: Arc<ChannelWriteHalf<Msg>>,
    sending: Option<BoxFuture<'static, Result<(), russh::Error>>>,
    closed: bool,
    permits: Vec<OwnedSemaphorePermit>,
    link: Arc<Link>,
}

impl OverSsh {
    pub(super) fn new(
        channel: Channel<Msg>,
        link: Arc<Link>,
        permits: Vec<OwnedSemaphorePermit>,
    ) -> Self {
        let (reader, writer) = channel.split();
        Self { reader, writer: Arc::new(writer), sending: None, closed: false, permits, link }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn start(&mut self, script: Script, input: Input) {
        let (writer, loader) = (self.writer.clone(), self.link.loader());
        self.sending = Some(Box::pin(async move {
            writer.exec(true, &*loader).await?;
            writer.data_bytes(script.text).await?;
            if let Input::Bytes(bytes) = input {
                writer.data_bytes(bytes).await?;
                writer.eof().await?;
            }
            Ok(())
        }));
    }

    /// Whether it was sent.
    pub(super) async fn send(&mut self, bytes: &'static [u8]) -> bool {
        if let Some(sending) = self.sending.take()
            && sending.await.is_err()
        {
            return false;
        }
        self.writer.data_bytes(bytes).await.is_ok()
    }

    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Nothing is lost when this is dropped before it is ready.
    ///
    /// # Errors
    /// The server refused to run anything, or told what can't be understood.
    pub(super) async fn next(&mut self) -> Result<Message, Fault> {
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
                return Ok(Message::Broken);
            };
            return Ok(match message {
                ChannelMsg::Data { data } => Message::Stdout(data),
                ChannelMsg::ExtendedData { data, ext: 1 } => Message::Stderr(data),
                ChannelMsg::ExitStatus { exit_status } => {
                    Message::Exit(Exit::Code(i32::try_from(exit_status).unwrap_or(i32::MAX)))
                }
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    Message::Exit(Exit::Signal(number(&signal_name)?))
                }
                ChannelMsg::Close => {
                    self.closed = true;
                    Message::Closed
                }
                ChannelMsg::Failure => {
                    return Err(Fault::new(
                        FaultKind::Node,
                        format!("the SSH server refuses to run commands for {}", self.link.user()),
                    )
                    .hint("look for ForceCommand, a restricted key in authorized_keys, or a no-command account"));
                }
                _ => continue,
            });
        }
    }
}

impl Drop for OverSsh {
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
