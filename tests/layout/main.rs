//! The layout of the repository, held by tests: who may depend on whom, what a pure crate may reach,
//! how long a file may get, and what must not stand in one.
//!
//! The rules are those of docs/ARCHITECTURE.md. A test that fails here says which rule
//! and what to do about it; a rule that no longer fits is changed here, in the open.
#![allow(clippy::unwrap_used)]

mod dependencies;
mod files;
mod pure;
mod workspace;
