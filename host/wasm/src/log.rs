//! Lines of a guest: of `log`, and of its standard output and standard error.
use crate::{
    ended::printable,
    limits::{Breach, Limits},
};
use quorate_ports::{Effects, LogLevel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More characters of one line aren't shown.
const LINE_CHARS: usize = 4_000;
/// More characters of a progress phrase aren't shown.
const PROGRESS_CHARS: usize = 200;

/// Standard output or standard error of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestStream {
    Stdout,
    Stderr,
}

impl GuestStream {
    fn level(self) -> LogLevel {
        match self {
            Self::Stdout => LogLevel::Info,
            Self::Stderr => LogLevel::Warn,
        }
    }
}

/// Counts the lines of one run and passes them on. Without effects (`describe`, `plan`, `propose`) lines
/// are kept, as many as the limits allow, for whoever asks for them at the end.
pub(crate) struct GuestLog {
    effects: Option<Arc<dyn Effects>>,
    max_lines: u64,
    max_bytes: u64,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    lines: u64,
    bytes: u64,
    /// The beginnings of lines that have no end yet.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Lines that nobody was told.
    kept: Vec<(LogLevel, String)>,
}

impl GuestLog {
    pub(crate) fn new(effects: Option<Arc<dyn Effects>>, limits: &Limits) -> Self {
        Self {
            effects,
            max_lines: limits.log_lines,
            max_bytes: limits.log_bytes,
            counts: Mutex::default(),
        }
    }

    /// A line that the guest logs; several where it holds line ends.
    pub(crate) fn line(&self, level: LogLevel, text: &str) -> Result<(), Breach> {
        let mut counts = self.counts();
        self.add_bytes(&mut counts, text.len())?;
        for line in text.lines() {
            self.show(&mut counts, level, line)?;
        }
        Ok(())
    }

    /// A progress phrase.
    pub(crate) fn progress(&self, text: &str) -> Result<(), Breach> {
        let mut counts = self.counts();
        self.add_bytes(&mut counts, text.len())?;
        self.add_line(&mut counts)?;
        if let Some(effects) = &self.effects {
            effects.progress(printable(text.lines().next().unwrap_or_default(), PROGRESS_CHARS));
        }
        Ok(())
    }

    /// What the guest prints; passed on by the line.
    pub(crate) fn print(&self, stream: GuestStream, bytes: &[u8]) -> Result<(), Breach> {
        let mut counts = self.counts();
        self.add_bytes(&mut counts, bytes.len())?;
        let mut begun = std::mem::take(counts.begun(stream));
        begun.extend_from_slice(bytes);
        let mut rest = begun.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.show(&mut counts, stream.level(), &String::from_utf8_lossy(&rest[..end]))?;
            rest = &rest[end + 1..];
        }
        *counts.begun(stream) = rest.to_vec();
        Ok(())
    }

    /// Passes on what was printed without a line end. At the end of the run.
    pub(crate) fn finish(&self) {
        let mut counts = self.counts();
        for stream in [GuestStream::Stdout, GuestStream::Stderr] {
            let begun = std::mem::take(counts.begun(stream));
            if !begun.is_empty() {
                let line = String::from_utf8_lossy(&begun);
                // The run is over: one line past the limit changes nothing any more.
                let _ = self.show(&mut counts, stream.level(), &line);
            }
        }
    }

    /// The lines that nobody was told, those without a line end too.
    pub(crate) fn kept(&self) -> Vec<(LogLevel, String)> {
        self.finish();
        std::mem::take(&mut self.counts().kept)
    }

    fn show(&self, counts: &mut Counts, level: LogLevel, line: &str) -> Result<(), Breach> {
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            return Ok(());
        }
        self.add_line(counts)?;
        let line = printable(line, LINE_CHARS);
        match &self.effects {
            Some(effects) => effects.log(level, line),
            None => counts.kept.push((level, line)),
        }
        Ok(())
    }

    fn add_line(&self, counts: &mut Counts) -> Result<(), Breach> {
        counts.lines += 1;
        if counts.lines > self.max_lines { Err(Breach::LogLines) } else { Ok(()) }
    }

    fn add_bytes(&self, counts: &mut Counts, bytes: usize) -> Result<(), Breach> {
        counts.bytes = counts.bytes.saturating_add(bytes as u64);
        if counts.bytes > self.max_bytes { Err(Breach::LogBytes) } else { Ok(()) }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts stay true where a thread panicked while it held them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn begun(&mut self, stream: GuestStream) -> &mut Vec<u8> {
        match stream {
            GuestStream::Stdout => &mut self.stdout,
            GuestStream::Stderr => &mut self.stderr,
        }
    }
}
