//! Building [`TransportError`]s.
use quorate_ports::{FaultKind, TransportError};

/// A fault that doesn't know its host yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its kind.
    pub(crate) kind: FaultKind,
    /// What happened.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: String,
}

impl Fault {
    /// A fault without advice.
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: String::new() }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Names the host, as it was given.
    pub(crate) fn at(self, host: &str) -> TransportError {
        TransportError {
            host: host.to_owned(),
            kind: self.kind,
            message: self.message,
            hint: self.hint,
        }
    }
}

/// Text from a node or a server, fit for one line of an error: control characters replaced, shortened.
pub(crate) fn one_line(text: &str) -> String {
    const MOST: usize = 600;
    let mut line: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST + 1).collect();
    if line.chars().count() > MOST {
        line.pop();
        line.push('…');
    }
    line
}
