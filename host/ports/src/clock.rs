//! Wall-clock time.

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMs = u64;

/// Where the runner's time comes from: data in the journal, and virtual in tests.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixMs;
}
