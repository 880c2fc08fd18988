//! Loads components.
use crate::{
    cache::{Cache, CacheUse, Found},
    command::Command,
    digest::sha256,
    limits::Limits,
    manifest::Described,
    strategy::Strategy,
    ticker,
};
use quorate_ports::CommandError;
use std::{path::PathBuf, sync::Arc};
use wasmtime::{Config, component::Component};

/// Bytes of addresses that a guest's memory begins with. Small, for there may be thousands of guests;
/// a memory that outgrows them is moved.
const RESERVED_BYTES: u64 = 2 << 20;
const GUARD_BYTES: u64 = 64 << 10;

/// What an engine is made from.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Where compiled components are kept: a directory of this user with mode 0700, made where it
    /// doesn't exist. None: they are compiled at every start.
    pub cache_dir: Option<PathBuf>,
    /// The limits of every guest.
    pub limits: Limits,
}

/// An engine can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The directory of compiled components can't be used.
    #[error("compiled components can't be kept: {0}")]
    Cache(String),
    /// The machine lacks what WebAssembly needs.
    #[error("WebAssembly can't be run on this machine: {0}")]
    Machine(String),
}

/// Compiles and loads components. One for a process; clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    engine: wasmtime::Engine,
    cache: Option<Cache>,
    limits: Limits,
}

/// A component, and what the cache knew of it.
struct Compiled<M> {
    digest: String,
    component: Component,
    manifest: Option<M>,
    cache: CacheUse,
}

impl Engine {
    /// Makes an engine.
    ///
    /// # Errors
    /// The cache's directory isn't this user's alone, or the machine can't run WebAssembly.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let machine = |error: &dyn std::fmt::Display| EngineError::Machine(error.to_string());
        let engine = wasmtime::Engine::new(&config()).map_err(|error| machine(&error))?;
        ticker::register(&engine).map_err(|error| machine(&error))?;
        let cache = options.cache_dir.map(|path| Cache::open(&path, &engine)).transpose();
        let cache = cache.map_err(EngineError::Cache)?;
        Ok(Self { shared: Arc::new(Shared { engine, cache, limits: options.limits }) })
    }

    /// Loads a command's component. `name` is what errors call it until its manifest is known: a file's
    /// name, say.
    ///
    /// Has to be called within a tokio runtime; compiling takes place on a thread for blocking work.
    ///
    /// # Errors
    /// It is no component, no command, wants what this host doesn't offer, or describes itself wrongly.
    pub async fn load(
        &self,
        name: &str,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<Arc<Command>, CommandError> {
        let Compiled { digest, component, manifest, cache } = self.open(name, bytes.into()).await?;
        let known = manifest.is_some();
        let (engine, limits) = (&self.shared.engine, self.shared.limits);
        let mut command = Command::new(engine, &component, digest, manifest, limits, name).await?;
        command.cache = match known {
            true => cache,
            false => self.keep(&command.digest, component, &command.manifest, cache).await,
        };
        Ok(Arc::new(command))
    }

    /// Loads a strategy's component, as [`Engine::load`] does a command's.
    ///
    /// # Errors
    /// It is no component, no strategy, imports anything but `log` (the error names it), or describes
    /// itself wrongly.
    pub async fn load_strategy(
        &self,
        name: &str,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<Arc<Strategy>, CommandError> {
        let Compiled { digest, component, manifest, cache } = self.open(name, bytes.into()).await?;
        let known = manifest.is_some();
        let (engine, limits) = (&self.shared.engine, self.shared.limits);
        let mut strategy =
            Strategy::new(engine, &component, digest, manifest, limits, name).await?;
        strategy.cache = match known {
            true => cache,
            false => self.keep(&strategy.digest, component, &strategy.manifest, cache).await,
        };
        Ok(Arc::new(strategy))
    }

    /// Takes a component from the cache, or compiles it.
    async fn open<M: Described>(
        &self,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<Compiled<M>, CommandError> {
        let say =
            |message: String| CommandError { kind: M::KIND, command: name.to_owned(), message };
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.compile(&bytes))
            .await
            .map_err(|error| say(format!("compiling it ended early: {error}")))?
            .map_err(say)
    }

    /// Keeps a compiled component for the next time; how that went.
    async fn keep<M: Described>(
        &self,
        digest: &str,
        component: Component,
        manifest: &M,
        cache: CacheUse,
    ) -> CacheUse {
        let (shared, digest, manifest) =
            (Arc::clone(&self.shared), digest.to_owned(), manifest.clone());
        let stored =
            tokio::task::spawn_blocking(move || shared.store(&digest, &component, &manifest));
        match stored.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => cache,
            Err(why) => CacheUse::NotStored(why),
        }
    }
}

impl Shared {
    fn compile<M: Described>(&self, bytes: &[u8]) -> Result<Compiled<M>, String> {
        let digest = sha256(bytes);
        let cache = match self.cache.as_ref().map(|cache| cache.find(&self.engine, &digest)) {
            Some(Found::Entry(cached)) => {
                return Ok(Compiled {
                    digest,
                    component: cached.component,
                    manifest: Some(cached.manifest),
                    cache: CacheUse::Hit,
                });
            }
            Some(Found::Nothing) => CacheUse::Stored,
            Some(Found::Untrusted(why)) => CacheUse::Replaced(why),
            None => CacheUse::None,
        };
        // Not `Component::new`, which would take a file name's worth of text for WebAssembly's text.
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| format!("it is no WebAssembly component: {}", first_line(&error)))?;
        Ok(Compiled { digest, component, manifest: None, cache })
    }

    fn store<M: Described>(
        &self,
        digest: &str,
        component: &Component,
        manifest: &M,
    ) -> Result<(), String> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let compiled = component.serialize().map_err(|error| first_line(&error))?;
        cache.store(digest, &compiled, manifest)
    }
}

fn first_line(error: &wasmtime::Error) -> String {
    let text = error.root_cause().to_string();
    crate::ended::printable(text.lines().next().unwrap_or_default(), 400)
}

/// The settings. Whatever changes what a guest computes changes the meaning of a replay.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Without component-model-async, which wasmtime calls incomplete.
        .concurrency_support(false)
        // The same results on every processor.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        // Thousands of guests, most of them waiting: little address space for each.
        .memory_reservation(RESERVED_BYTES)
        .memory_reservation_for_growth(RESERVED_BYTES)
        .memory_guard_size(GUARD_BYTES);
    config
}
