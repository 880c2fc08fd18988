//! The clock that takes the processor from guests.
//!
//! Guests yield and are counted by ticks of their engine's epoch. One thread for the process makes the
//! ticks, and only while some guest is being polled: a process whose guests all wait is idle.
use std::{
    future::Future,
    pin::Pin,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread,
    time::Duration,
};
use wasmtime::{Engine, EngineWeak};

/// Milliseconds of one tick.
pub(crate) const TICK_MS: u64 = 10;

static TICKER: Ticker = Ticker {
    state: Mutex::new(State { polled: 0, parked: false, engines: Vec::new() }),
    work: Condvar::new(),
};

struct Ticker {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    /// Guests that are being polled now.
    polled: usize,
    /// The thread waits for guests; set by itself, so that they needn't wake it for nothing.
    parked: bool,
    engines: Vec<EngineWeak>,
}

impl Ticker {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        loop {
            {
                let mut state = self.state();
                while state.polled == 0 {
                    state.parked = true;
                    state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.parked = false;
            }
            thread::sleep(Duration::from_millis(TICK_MS));
            let mut state = self.state();
            state.engines.retain(|engine| match engine.upgrade() {
                Some(engine) => {
                    engine.increment_epoch();
                    true
                }
                None => false,
            });
        }
    }
}

/// Gives an engine ticks for as long as it lives.
///
/// # Errors
/// The thread can't be started.
pub(crate) fn register(engine: &Engine) -> std::io::Result<()> {
    static STARTED: Mutex<bool> = Mutex::new(false);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*started {
        thread::Builder::new().name("guest-ticks".into()).spawn(|| TICKER.tick())?;
        *started = true;
    }
    TICKER.state().engines.push(engine.weak());
    Ok(())
}

/// A future that runs guest code: ticks are made while it is polled.
pub(crate) struct Ticking<F>(Pin<Box<F>>);

impl<F: Future> Ticking<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Ticking<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _polled = Polled::begin();
        self.0.as_mut().poll(context)
    }
}

/// Counts a poll; by its drop also where the poll panics.
struct Polled;

impl Polled {
    fn begin() -> Self {
        let mut state = TICKER.state();
        state.polled += 1;
        if state.parked {
            state.parked = false;
            TICKER.work.notify_one();
        }
        Self
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        TICKER.state().polled -= 1;
    }
}
