//! What can go wrong with a simulation itself.

/// Why a simulation can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The spec contradicts itself.
    #[error("the simulated cluster can't be built: {0}")]
    Spec(String),
    /// No addresses for all nodes could be had.
    #[error(
        "no free loopback addresses for {nodes} nodes after {attempts} attempts; the last one failed with: {last}"
    )]
    Addresses {
        /// How many were needed.
        nodes: usize,
        /// How often it was tried, each time with other addresses and another port.
        attempts: u32,
        /// The last attempt's error.
        last: std::io::Error,
    },
    /// A file, FIFO or socket.
    #[error("the simulation {what}: {source}")]
    Io {
        /// What couldn't be done.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// A key could not be made or written.
    #[error("the simulation can't make an SSH key: {0}")]
    Key(String),
    /// What was waited for did not come.
    #[error("waited {waited_ms} ms in vain; the last happenings: {last}")]
    Timeout {
        /// How long.
        waited_ms: u128,
        /// What happened last.
        last: String,
    },
    /// Processes that could not be ended.
    #[error("these processes of the simulation could not be ended: {0:?}")]
    Processes(Vec<u32>),
}

impl SimError {
    pub(crate) fn io(what: &str) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.to_owned();
        move |source| Self::Io { what, source }
    }
}
