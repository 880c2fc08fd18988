//! Actions: what is asked for and what comes back.
use core::fmt;

/// What to do when it can't be known whether an action ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLost {
    /// The node fails.
    #[default]
    Fail,
    /// Run the action again as a new attempt: for what may run twice.
    Again,
    /// The action takes its own shell away (a reboot): a new boot id is its end.
    Expected,
}

/// What belongs to an action beside its program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// Its own time limit in milliseconds.
    pub timeout_ms: Option<u64>,
    /// What to do when it is lost.
    pub on_lost: OnLost,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Its exit status.
    Code(i32),
    /// The signal that ended it.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What is kept of a stream. The whole of it is on the operator's disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The first bytes.
    pub head: Vec<u8>,
    /// The last bytes, where the stream was longer than the head; else empty.
    pub tail: Vec<u8>,
    /// Bytes of the whole stream.
    pub total_bytes: u64,
    /// Bytes between head and tail are left out.
    pub truncated: bool,
}

impl Output {
    /// A stream that is kept whole.
    pub fn whole(bytes: impl Into<Vec<u8>>) -> Self {
        let head = bytes.into();
        Self { total_bytes: head.len() as u64, head, tail: Vec::new(), truncated: false }
    }

    /// The last line that isn't blank, without control characters and cut after 200 characters.
    pub fn last_line(&self) -> Option<String> {
        let end = if self.tail.is_empty() { &self.head } else { &self.tail };
        let text = String::from_utf8_lossy(end);
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(line.chars().filter(|c| !c.is_control()).take(200).collect())
    }
}

/// An action that ran to its end, well or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Status or signal.
    pub exit: Exit,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
}

impl Finished {
    /// Whether it ended with status 0.
    pub fn succeeded(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// `exit status 3: LAST LINE OF STDERR`, or the exit alone where stderr is empty.
    pub fn describe(&self) -> String {
        match self.stderr.last_line() {
            Some(line) => format!("{}: {line}", self.exit),
            None => self.exit.to_string(),
        }
    }
}

/// An effect that didn't come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Policy forbids it.
    Denied(String),
    /// The request makes no sense.
    Invalid(String),
    /// The host gave up after this many milliseconds.
    TimedOut(u64),
    /// It can't be known whether it happened.
    Lost(String),
    /// Anything else.
    Other {
        /// A short word.
        code: String,
        /// For people.
        message: String,
    },
}

impl CallError {
    /// A short word for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::Denied(_) => "denied",
            Self::Invalid(_) => "invalid",
            Self::TimedOut(_) => "timed-out",
            Self::Lost(_) => "lost",
            Self::Other { code, .. } => code,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "denied: {why}"),
            Self::Invalid(why) => write!(f, "invalid request: {why}"),
            Self::TimedOut(ms) if ms % 1000 == 0 => write!(f, "timed out after {} s", ms / 1000),
            Self::TimedOut(ms) => write!(f, "timed out after {ms} ms"),
            Self::Lost(why) => write!(f, "lost, it can't be known whether it ended: {why}"),
            Self::Other { message, .. } => f.write_str(message),
        }
    }
}

impl core::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_comes_from_the_tail_where_there_is_one() {
        let output = Output {
            head: b"first\n".to_vec(),
            tail: b"ne\n\x1b[31mboom\x1b[0m \n\n".to_vec(),
            total_bytes: 1000,
            truncated: true,
        };
        assert_eq!(output.last_line().as_deref(), Some("[31mboom[0m"));
        assert_eq!(Output::whole("one\ntwo").last_line().as_deref(), Some("two"));
        assert_eq!(Output::whole(" \n").last_line(), None);
    }

    #[test]
    fn an_end_is_described_with_what_stderr_said_last() {
        let mut finished = Finished {
            exit: Exit::Code(3),
            stdout: Output::default(),
            stderr: Output::whole("warning\nno such user\n"),
        };
        assert_eq!(finished.describe(), "exit status 3: no such user");
        finished.stderr = Output::default();
        finished.exit = Exit::Signal(9);
        assert_eq!(finished.describe(), "signal 9");
    }
}
