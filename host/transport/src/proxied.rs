//! Streams to hosts that aren't reached directly: through a jump host, or through a command.
use crate::{
    fault::{Fault, one_line},
    links::Link,
};
use bytes::Bytes;
use quorate_ports::FaultKind;
use russh::{Channel, ChannelMsg, client::Msg};
use std::{
    convert::Infallible,
    io,
    pin::Pin,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
    time::timeout,
};

/// A connection that a jump host made for us.
pub(crate) struct Through {
    arrived: mpsc::UnboundedReceiver<Bytes>,
    /// Bytes that arrived and weren't read.
    waiting: Arc<AtomicUsize>,
    rest: Bytes,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    /// Its drop closes the channel.
    _end: oneshot::Sender<Infallible>,
    /// The jump host's connection lasts as long as this one.
    _jump: Arc<Link>,
}

/// More bytes that wait than the windows of eight channels (2 MiB each) let a server send, by far.
const FLOOD: usize = 64 << 20;

impl Through {
    /// Over a channel of a jump host's.
    ///
    /// What arrives is taken at once, whether or not the session here reads: all channels of the jump host share one
    /// connection, and one that didn't take its bytes would stop the others, and itself where it waits for a write to go through.
    /// Memory stays bounded by the windows of the session inside: a server sends no more than they allow, and one that does is
    /// left.
    pub(crate) fn new(channel: Channel<Msg>, jump: Arc<Link>) -> Self {
        let (mut reader, writer) = channel.split();
        let stream = Box::pin(writer.make_writer());
        let (arrive, arrived) = mpsc::unbounded_channel();
        let (end, mut ended) = oneshot::channel::<Infallible>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = waiting.clone();
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = reader.wait() => message,
                    _ = &mut ended => break,
                };
                match message {
                    Some(ChannelMsg::Data { data }) => {
                        let waits = counted.fetch_add(data.len(), Ordering::Relaxed);
                        if waits > FLOOD || arrive.send(data).is_err() {
                            break;
                        }
                    }
                    Some(ChannelMsg::Eof | ChannelMsg::Close) | None => break,
                    Some(_) => {}
                }
            }
            // An error means that the jump host's connection has ended, and the channel with it.
            let _ = writer.close().await;
        });
        Self { arrived, waiting, rest: Bytes::new(), writer: stream, _end: end, _jump: jump }
    }
}

impl AsyncRead for Through {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.arrived.poll_recv(cx)) {
                Some(bytes) => {
                    self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                    self.rest = bytes;
                }
                None => return Poll::Ready(Ok(())),
            }
        }
        let most = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(most));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Through {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}

/// A `ProxyCommand` that runs; it ends with this.
pub(crate) struct Piped {
    stdin: ChildStdin,
    stdout: ChildStdout,
    _child: Child,
}

/// What a `ProxyCommand` says on standard error.
#[derive(Clone, Default)]
pub(crate) struct Said {
    text: Arc<Mutex<String>>,
    over: Arc<tokio::sync::Notify>,
}

/// Kept of it.
const WORDS: usize = 4096;

impl Piped {
    /// Starts a command in `sh`, in a process group of its own: Ctrl-C in a terminal is for us, and the way to a node must outlive it.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn start(command: &str) -> Result<(Self, Said), Fault> {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                crate::connect::local_fault(&error).unwrap_or_else(|| {
                    Fault::new(
                        FaultKind::Local,
                        format!("the ProxyCommand can't be started: {error}"),
                    )
                })
            })?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three are pipes");
        };
        let said = Said::default();
        let heard = said.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                let mut text = heard.text.lock().unwrap_or_else(PoisonError::into_inner);
                if text.len() < WORDS {
                    text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
            }
            heard.over.notify_one();
        });
        Ok((Self { stdin, stdout, _child: child }, said))
    }
}

impl Said {
    /// Everything, once the command has ended or a moment has passed: its last words explain why.
    pub(crate) async fn all(&self) -> String {
        let _ = timeout(Duration::from_secs(1), self.over.notified()).await;
        one_line(&self.text.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncRead for Piped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(cx)
    }
}
