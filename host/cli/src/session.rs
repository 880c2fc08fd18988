//! What every verb needs: the home directory, the journal, the commands.
use crate::error::CliError;
use quorate_ports::{Clock, StoreError, UnixMs};
use quorate_store::{Home, SqliteStore};
use quorate_wasm::{Engine, EngineOptions, Limits};
use std::{
    env,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The home directory and what lies in it, opened.
pub(crate) struct Session {
    pub(crate) home: Home,
    pub(crate) store: Arc<SqliteStore>,
}

impl Session {
    pub(crate) fn open() -> Result<Self, CliError> {
        let home = Self::home()?;
        let store = Arc::new(SqliteStore::open(&home).map_err(stored)?);
        Ok(Self { home, store })
    }

    fn home() -> Result<Home, CliError> {
        let root = match env::var_os("QUORATE_HOME").filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => env::home_dir()
                .filter(|path| !path.as_os_str().is_empty())
                .ok_or_else(|| {
                    CliError::not_started("no home directory is known").hint("set HOME")
                })?
                .join(".quorate"),
        };
        Home::open(&root).map_err(stored)
    }

    /// The engine of components, with its cache below the home directory. Limits as `NAME=VALUE`.
    pub(crate) fn engine(given: &[String]) -> Result<Engine, CliError> {
        let mut limits = Limits::default();
        for limit in given {
            limits.set(limit).map_err(CliError::usage)?;
        }
        let options = EngineOptions { cache_dir: Some(Self::home()?.cache()), limits };
        Engine::new(options).map_err(CliError::not_started)
    }
}

/// A fault of the store before anything was done.
pub(crate) fn stored(error: StoreError) -> CliError {
    let hint = match &error {
        StoreError::NoSuchJob(_) => "`quorate jobs` lists them",
        StoreError::Busy { .. } => "one process runs a job at a time",
        StoreError::Ambiguous { .. } | StoreError::Storage { .. } => "",
    };
    CliError::unreadable(error).hint(hint)
}

/// The system's clock, read once; from then on time only passes, whoever sets that clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        static BEGAN: OnceLock<(Instant, Duration)> = OnceLock::new();
        let (began, wall) = BEGAN.get_or_init(|| {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (Instant::now(), wall)
        });
        (*wall + began.elapsed()).as_millis() as u64
    }
}
