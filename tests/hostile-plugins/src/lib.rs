//! What the components here share.
use quorate_sdk::{Impact, Manifest};

/// A manifest that says nothing wrong.
pub fn manifest(name: &str) -> Manifest {
    quorate_sdk::manifest(name, "0.1.0", "A component for tests", Impact::None)
}
