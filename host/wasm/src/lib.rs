//! Runs the components of commands and strategies.
//!
//! The room for wasmtime, and for nothing else that does I/O: what a component asks for becomes a call
//! of [`Effects`](quorate_ports::Effects), and nothing is decided here. A component gets no files, no
//! network, no environment, and a time and a chance that repeat; what it imports is all that is linked.
//!
//! - [`Engine`] loads components: compiles them once, keeps the compiled form, asks for the manifest.
//! - [`Command`] is a loaded one. Every run has an instance of its own, which is gone at the run's end
//!   or when its future is dropped.
//! - [`Strategy`] is the same for a strategy: it is linked to `log` and nothing else.
//! - [`Limits`] end a guest that takes too much. They trap: the guest can't see one coming.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod capability;
mod command;
mod convert;
mod digest;
mod ended;
mod engine;
mod imports;
mod limits;
mod log;
mod manifest;
mod state;
mod strategy;
mod ticker;
mod wasi;

pub use cache::CacheUse;
pub use capability::Capability;
pub use command::Command;
pub use engine::{Engine, EngineError, EngineOptions};
pub use limits::Limits;
pub use strategy::Strategy;

/// Bindings of the contract: every interface that a command can import.
mod bindings {
    #![allow(missing_docs, unreachable_pub)]

    wasmtime::component::bindgen!({
        path: "../../wit/quorate-plugin.wit",
        inline: "
            package quorate:host;
            world everything {
                include quorate:plugin/command@0.1.0;
                import quorate:plugin/nodetool@0.1.0;
                import quorate:plugin/shell@0.1.0;
                import quorate:plugin/script@0.1.0;
            }
        ",
        world: "quorate:host/everything",
        imports: { default: async | trappable },
        exports: { default: async },
    });

    /// The world of strategies. Its `log` is the one above.
    pub(crate) mod strategy {
        wasmtime::component::bindgen!({
            path: "../../wit/quorate-plugin.wit",
            world: "quorate:plugin/strategy",
            imports: { default: async | trappable },
            exports: { default: async },
            with: { "quorate:plugin/log": super::quorate::plugin::log },
        });
    }
}
