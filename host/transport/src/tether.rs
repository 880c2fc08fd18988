//! A stream whose session ends with its owner.
use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
    time::{Sleep, sleep},
};

/// A write that makes no progress for this long means that the peer is gone: keep-alives can't be sent then.
const STALL: Duration = Duration::from_secs(60);

/// What a session runs over: TCP, a jump host, a command.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Held by the owner of a connection. The session's task reads the end of its stream when this is dropped, in
/// whatever state it is: a server that stops in the middle of a handshake can't keep a task alive.
#[derive(Debug)]
pub(crate) struct Tether(
    #[allow(dead_code, reason = "its drop is the message")] oneshot::Sender<Infallible>,
);

/// The stream's side of a [`Tether`].
pub(crate) struct Tethered {
    stream: Box<dyn Stream>,
    /// Absent once it was cut.
    cut: Option<oneshot::Receiver<Infallible>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Ties a stream to the tether returned.
pub(crate) fn tether(stream: Box<dyn Stream>) -> (Tether, Tethered) {
    let (owner, cut) = oneshot::channel();
    (Tether(owner), Tethered { stream, cut: Some(cut), stalled: None })
}

impl Tethered {
    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        if self.cut.as_mut().is_some_and(|cut| Pin::new(cut).poll(cx).is_ready()) {
            self.cut = None;
        }
        self.cut.is_none()
    }

    /// Bounds how long a write may be pending.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Tethered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tethered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
