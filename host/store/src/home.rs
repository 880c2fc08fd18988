//! The one directory of everything that is kept.
use quorate_ports::StoreError;
use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// `~/.quorate`, or where `$QUORATE_HOME` says.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Opens the directory; makes it, with mode 0700, where it doesn't exist.
    ///
    /// # Errors
    /// It can't be made, or others may write to it.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(|e| storage(root, &e))?;
        let mode = fs::metadata(root).map_err(|e| storage(root, &e))?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(StoreError::Storage {
                path: root.display().to_string(),
                message: "others may write to it: chmod go-w it, or name another with QUORATE_HOME"
                    .into(),
            });
        }
        let root = fs::canonicalize(root).map_err(|e| storage(root, &e))?;
        Ok(Self { root })
    }

    /// The directory itself. What runs on this machine for nodes keeps its state below it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("state.db")
    }

    /// Outputs and locks of jobs.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// What can be made again.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }
}

pub(crate) fn storage(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Storage { path: path.display().to_string(), message: error.to_string() }
}
