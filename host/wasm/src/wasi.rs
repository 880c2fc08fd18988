//! WASI for guests: stubs whose answers repeat.
//!
//! Standard libraries name WASI's interfaces even where a program uses none of them. Clocks stand at
//! the run's beginning, random sources are seeded by the run, there are no arguments, no environment,
//! no directories and no sockets; what is printed becomes log lines.
use crate::{
    ended::Ended,
    log::{GuestLog, GuestStream},
    state::State,
};
use bytes::Bytes;
use rand_core::{Infallible, TryRng};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::AsyncWrite;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx,
    cli::{IsTerminal, StdoutStream},
    p2::{
        DynPollable, OutputStream, Pollable, StreamError, StreamResult,
        bindings::clocks::monotonic_clock,
    },
};

/// More bytes than this from one call for random bytes trap.
const RANDOM_BYTES: u64 = 1 << 20;
/// What a guest may print in one write.
const WRITE_BYTES: usize = 64 << 10;

/// Adds the stubs.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // WASI's own would sleep by the host's clock, unseen by the journal.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The context of one run.
pub(crate) fn context(seed: u64, now_ms: u64, log: &Arc<GuestLog>) -> WasiCtx {
    let mut seeds = SplitMix64::new(seed);
    let insecure_seed = (u128::from(seeds.next()) << 64) | u128::from(seeds.next());
    WasiCtx::builder()
        .wall_clock(StoppedClock { now_ms })
        .monotonic_clock(StoppedClock { now_ms })
        .secure_random(SplitMix64::new(seeds.next()))
        .insecure_random(SplitMix64::new(seeds.next()))
        .insecure_random_seed(insecure_seed)
        .max_random_size(RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .stdout(Printed { stream: GuestStream::Stdout, log: Arc::clone(log) })
        .stderr(Printed { stream: GuestStream::Stderr, log: Arc::clone(log) })
        .build()
}

/// Steele, Lea and Flood's generator: small, fast, and the same for ever. Nothing secret hangs on it;
/// a guest's random numbers have to repeat.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl TryRng for SplitMix64 {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

struct StoppedClock {
    now_ms: u64,
}

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms)
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.now_ms.saturating_mul(1_000_000)
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.now_ms().saturating_mul(1_000_000))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1_000_000)
    }

    fn subscribe_instant(&mut self, _when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Err(Ended::WasiSleep.into())
    }

    fn subscribe_duration(&mut self, _duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Err(Ended::WasiSleep.into())
    }
}

/// Standard output or standard error of a guest.
struct Printed {
    stream: GuestStream,
    log: Arc<GuestLog>,
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Self { stream: self.stream, log: Arc::clone(&self.log) })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Self { stream: self.stream, log: Arc::clone(&self.log) })
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log
            .print(self.stream, &bytes)
            .map_err(|breach| StreamError::Trap(Ended::Limit(breach).into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl Pollable for Printed {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

impl AsyncWrite for Printed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let printed = self.log.print(self.stream, bytes);
        Poll::Ready(
            printed.map(|()| bytes.len()).map_err(|b| std::io::Error::other(Ended::Limit(b))),
        )
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The first values of the reference implementation for the seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }
}
