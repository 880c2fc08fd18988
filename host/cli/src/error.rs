//! Errors as a person sees them: what, where, and what to type.
use quorate_views::{ErrorView, error_json};
use std::fmt;

/// Exit codes; `docs/commands.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Some node failed.
    NodeFailed = 1,
    /// The command line can't be understood.
    Usage = 2,
    /// It could not start; nothing was touched.
    NotStarted = 3,
    /// Stopped on request with nodes left.
    Stopped = 4,
    /// It began and can't tell how it ended.
    Lost = 5,
}

/// An error with everything that helps.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) what: String,
    pub(crate) at: String,
    pub(crate) hint: String,
    pub(crate) code: Code,
    /// It was about to act, and says that it didn't.
    untouched: bool,
}

impl CliError {
    pub(crate) fn new(code: Code, what: impl fmt::Display) -> Self {
        Self {
            what: what.to_string(),
            at: String::new(),
            hint: String::new(),
            code,
            untouched: false,
        }
    }

    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self::new(Code::Usage, what)
    }

    /// A job, or the way to it, that was given up before anything was done.
    pub(crate) fn not_started(what: impl fmt::Display) -> Self {
        Self { untouched: true, ..Self::new(Code::NotStarted, what) }
    }

    /// Something that only looks couldn't.
    pub(crate) fn unreadable(what: impl fmt::Display) -> Self {
        Self::new(Code::NotStarted, what)
    }

    /// The same where other jobs of the run were started before.
    pub(crate) fn touched(self) -> Self {
        Self { code: Code::NodeFailed, untouched: false, ..self }
    }

    pub(crate) fn at(mut self, at: impl fmt::Display) -> Self {
        self.at = at.to_string();
        self
    }

    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = hint.to_string();
        self
    }
}

impl CliError {
    /// As a JSON object on one line.
    pub(crate) fn json(&self, now: u64) -> String {
        let view = ErrorView {
            text: &self.what,
            at: &self.at,
            hint: &self.hint,
            exit_code: self.code as u8,
            nothing_touched: matches!(self.code, Code::Usage | Code::NotStarted),
        };
        error_json(now, &view).to_string()
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if !self.at.is_empty() {
            write!(f, "\n   at: {}", self.at)?;
        }
        if self.untouched {
            f.write_str("\n       nothing was touched")?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n hint: {}", self.hint)?;
        }
        Ok(())
    }
}
