//! What belongs to one guest.
use crate::{
    bindings::quorate::plugin::types,
    ended::Ended,
    limits::{Breach, Limits},
    log::GuestLog,
    ticker::TICK_MS,
    wasi::{self, SplitMix64},
};
use quorate_ports::{EffectError, Effects};
use std::sync::Arc;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Streams and the like that a guest may hold at a time; one more traps.
const WASI_RESOURCES: usize = 1_000;

/// What a guest is being asked for.
pub(crate) enum Purpose {
    /// An export that may ask for nothing: `describe`, `plan` or `propose`.
    Sandbox(&'static str),
    /// A run on a node.
    Run { seed: u64, now_ms: u64, effects: Arc<dyn Effects> },
}

/// The data of a guest's store.
pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    purpose: Purpose,
    limits: Limits,
    /// Ticks since the last journalled call.
    cpu_ticks: u64,
    actions: u64,
    memory: Memory,
    random: SplitMix64,
    pub(crate) log: Arc<GuestLog>,
}

/// A store for one guest, its limits in force.
pub(crate) fn store(engine: &Engine, purpose: Purpose, limits: Limits) -> Store<State> {
    let (seed, now_ms, effects) = match &purpose {
        Purpose::Sandbox(_) => (0, 0, None),
        Purpose::Run { seed, now_ms, effects } => (*seed, *now_ms, Some(Arc::clone(effects))),
    };
    let log = Arc::new(GuestLog::new(effects, &limits));
    let mut table = ResourceTable::new();
    table.set_max_capacity(WASI_RESOURCES);
    let state = State {
        wasi: wasi::context(seed, now_ms, &log),
        table,
        purpose,
        limits,
        cpu_ticks: 0,
        actions: 0,
        memory: Memory { used: 0, limit: limits.memory_bytes, refused: false },
        // Another sequence than those of WASI's sources.
        random: SplitMix64::new(seed ^ 0x666c_6f77),
        log,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        state.cpu_ticks += 1;
        if state.cpu_ticks.saturating_mul(TICK_MS) > state.limits.cpu_ms {
            return Err(Ended::Limit(Breach::Cpu).into());
        }
        // Other guests share the thread. The new deadline counts from the guest's next turn.
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

impl State {
    /// The effects of a run, for a call that is journalled: it counts as an action, and the guest's
    /// processor time begins anew.
    pub(crate) fn journalled(&mut self, call: &'static str) -> wasmtime::Result<Arc<dyn Effects>> {
        let effects = match &self.purpose {
            Purpose::Run { effects, .. } => Arc::clone(effects),
            Purpose::Sandbox(export) => return Err(Ended::Forbidden { call, export }.into()),
        };
        self.actions += 1;
        if self.actions > self.limits.actions {
            return Err(Ended::Limit(Breach::Actions).into());
        }
        self.cpu_ticks = 0;
        Ok(effects)
    }

    /// Traps where a request is larger than the limit.
    pub(crate) fn request(&self, bytes: usize) -> wasmtime::Result<()> {
        if bytes as u64 > self.limits.request_bytes {
            return Err(Ended::Limit(Breach::Request).into());
        }
        Ok(())
    }

    /// The guest's next random number. It isn't journalled: the seed repeats it.
    pub(crate) fn random(&mut self) -> u64 {
        self.random.next()
    }

    /// When the run began.
    pub(crate) fn now_ms(&self) -> u64 {
        match self.purpose {
            Purpose::Sandbox(_) => 0,
            Purpose::Run { now_ms, .. } => now_ms,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Adds up the memories and tables of a guest.
struct Memory {
    used: u64,
    limit: u64,
    /// The guest passed a bound that it set itself; it sees that, and no one else needs to.
    refused: bool,
}

impl Memory {
    fn grow(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
        unit: usize,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        let more = desired.saturating_sub(current).saturating_mul(unit) as u64;
        self.used = self.used.saturating_add(more);
        if self.used > self.limit {
            return Err(Ended::Limit(Breach::Memory).into());
        }
        Ok(true)
    }

    /// Whether memory is short on this machine must not show in what a guest does.
    fn failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if std::mem::take(&mut self.refused) { Ok(()) } else { Err(error) }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(current, desired, maximum, 1)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(current, desired, maximum, size_of::<usize>())
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(error)
    }
}

/// The contract's form of an effect that didn't come about.
impl From<EffectError> for types::Error {
    fn from(error: EffectError) -> Self {
        match error {
            EffectError::Denied(why) => Self::Denied(why),
            EffectError::Invalid(why) => Self::Invalid(why),
            EffectError::TimedOut(ms) => Self::TimedOut(ms),
            EffectError::Lost(why) => Self::Lost(why),
            EffectError::Other { code, message } => Self::Other(types::Problem { code, message }),
        }
    }
}
