//! One process runs a job at a time.
use crate::home::{Home, storage};
use quorate_ports::{JobId, StoreError};
use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::DirBuilderExt,
};

/// Held while a process runs a job; the system frees it however the process ends.
#[derive(Debug)]
pub struct JobLock {
    _file: File,
}

impl JobLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where another process has it.
    pub fn take(home: &Home, job: &JobId) -> Result<Self, StoreError> {
        let dir = home.jobs().join(&job.0);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|e| storage(&dir, &e))?;
        let path = dir.join("lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| storage(&path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(|e| storage(&path, &e))?;
                return Err(StoreError::Busy { job: job.clone(), pid: pid.trim().to_owned() });
            }
            Err(TryLockError::Error(e)) => return Err(storage(&path, &e)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|e| storage(&path, &e))?;
        Ok(Self { _file: file })
    }

    /// Whether a process runs the job now.
    ///
    /// # Errors
    /// The lock can't be looked at.
    pub fn is_held(home: &Home, job: &JobId) -> Result<bool, StoreError> {
        let path = home.jobs().join(&job.0).join("lock");
        match File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(storage(&path, &e)),
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(e)) => Err(storage(&path, &e)),
            },
        }
    }
}
