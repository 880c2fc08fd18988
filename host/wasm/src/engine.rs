//! Loads components.
use crate::{
    cache::{Cache, CacheUse, Found},
    command::Command,
    digest::sha256,
    limits::Limits,
    ticker,
};
use quorate_contract::Manifest;
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
    #[error("compiled commands can't be kept: {0}")]
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

/// A component with its compiled form where that isn't stored yet.
struct Compiled {
    component: Component,
    manifest: Option<Manifest>,
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
        let say = |message: String| CommandError { command: name.to_owned(), message };
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        let shared = Arc::clone(&self.shared);
        let (digest, compiled) = tokio::task::spawn_blocking(move || {
            let compiled = shared.compile(&digest, &bytes);
            (digest, compiled)
        })
        .await
        .map_err(|error| say(format!("compiling it ended early: {error}")))?;
        let Compiled { component, manifest, mut cache } = compiled.map_err(say)?;
        let known = manifest.is_some();
        let mut command = Command::new(
            &self.shared.engine,
            &component,
            digest,
            manifest,
            self.shared.limits,
            name,
        )
        .await?;
        if !known {
            let (shared, manifest) = (Arc::clone(&self.shared), command.manifest.clone());
            let digest = command.digest.clone();
            let stored =
                tokio::task::spawn_blocking(move || shared.store(&digest, &component, &manifest));
            if let Err(why) = stored.await.unwrap_or_else(|error| Err(error.to_string())) {
                cache = CacheUse::NotStored(why);
            }
        }
        command.cache = cache;
        Ok(Arc::new(command))
    }
}

impl Shared {
    fn compile(&self, digest: &str, bytes: &[u8]) -> Result<Compiled, String> {
        let cache = match self.cache.as_ref().map(|cache| cache.find(&self.engine, digest)) {
            Some(Found::Entry(cached)) => {
                return Ok(Compiled {
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
        Ok(Compiled { component, manifest: None, cache })
    }

    fn store(
        &self,
        digest: &str,
        component: &Component,
        manifest: &Manifest,
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
