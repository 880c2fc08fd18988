//! How a run ends.
use crate::CallError;
use core::fmt;

/// A run that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command did its work; what it did, in a few words.
    Done(String),
    /// There was nothing to do on this node; the reason.
    Skipped(String),
}

impl Outcome {
    /// The command did its work.
    pub fn done(what: impl Into<String>) -> Self {
        Self::Done(what.into())
    }

    /// There was nothing to do on this node.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A short word for programs: `exit`, `usage`, …
    pub code: String,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The arguments make no sense: code `usage`.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", message)
    }

    /// The same failure with words in front of its message.
    #[must_use]
    pub fn because(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
