//! What a guest may use.

/// Limits of every component that an engine loads. Passing one ends the guest with a trap: it never
/// sees an error that it could act upon, so that replay can't differ by a machine's speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds of processor time between two calls that are journalled. Time in which the guest
    /// is suspended, and time that it waits for a processor, doesn't count. Counted in ticks of 10 ms.
    pub cpu_ms: u64,
    /// Bytes of memory of one instance, its tables included.
    pub memory_bytes: u64,
    /// Journalled calls of one run: actions, waits, refreshed facts, sleeps, readings of the clock.
    pub actions: u64,
    /// Bytes of one request (arguments, environment, standard input, script), of the manifest, of a
    /// plan and of a proposal.
    pub request_bytes: u64,
    /// Lines that one run may log, progress included.
    pub log_lines: u64,
    /// Bytes that one run may log.
    pub log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: 2_000,
            memory_bytes: 64 << 20,
            actions: 10_000,
            request_bytes: 8 << 20,
            log_lines: 10_000,
            log_bytes: 4 << 20,
        }
    }
}

impl Limits {
    /// The names that [`Limits::set`] takes.
    pub const NAMES: [&'static str; 6] =
        ["cpu-ms", "memory-bytes", "actions", "request-bytes", "log-lines", "log-bytes"];

    /// Sets a limit by an assignment such as `cpu-ms=5000`, as messages about limits ask for.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn set(&mut self, assignment: &str) -> Result<(), String> {
        let (name, value) =
            assignment.split_once('=').ok_or_else(|| format!("'{assignment}' isn't NAME=VALUE"))?;
        let limit = match name {
            "cpu-ms" => &mut self.cpu_ms,
            "memory-bytes" => &mut self.memory_bytes,
            "actions" => &mut self.actions,
            "request-bytes" => &mut self.request_bytes,
            "log-lines" => &mut self.log_lines,
            "log-bytes" => &mut self.log_bytes,
            _ => {
                let names = Self::NAMES.join(", ");
                return Err(format!("there is no limit '{name}'; there are {names}"));
            }
        };
        *limit = value.parse().map_err(|_| format!("'{value}' is no whole number"))?;
        Ok(())
    }
}

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    Cpu,
    Memory,
    Actions,
    Request,
    LogLines,
    LogBytes,
}

impl Breach {
    /// The code of the run's end.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Cpu => "cpu-limit",
            Self::Memory => "memory-limit",
            Self::Actions | Self::Request => "action-limit",
            Self::LogLines | Self::LogBytes => "log-limit",
        }
    }

    /// What the guest did, which limit that passed, its value, and how to raise it. `who` is the
    /// component, such as `command restart`.
    pub(crate) fn message(self, who: &str, limits: &Limits) -> String {
        let (what, unit, name, value) = match self {
            Self::Cpu => ("computed too long without asking for anything", " ms", 0, limits.cpu_ms),
            Self::Memory => ("wanted too much memory", " bytes", 1, limits.memory_bytes),
            Self::Actions => ("asked for too much in one run", " actions", 2, limits.actions),
            Self::Request => ("made too large a request", " bytes", 3, limits.request_bytes),
            Self::LogLines => ("logged too much in one run", " lines", 4, limits.log_lines),
            Self::LogBytes => ("logged too much in one run", " bytes", 5, limits.log_bytes),
        };
        let name = Limits::NAMES[name];
        format!(
            "{who} {what}: its limit {name} is {value}{unit} \
             (--plugin-limit {name}=VALUE raises it)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_set_by_its_name() {
        let mut limits = Limits::default();
        for name in Limits::NAMES {
            limits.set(&format!("{name}=7")).unwrap();
        }
        let seven = Limits {
            cpu_ms: 7,
            memory_bytes: 7,
            actions: 7,
            request_bytes: 7,
            log_lines: 7,
            log_bytes: 7,
        };
        assert_eq!(limits, seven);
        for wrong in ["cpu-ms", "cpu=1", "cpu-ms=2s", "cpu-ms=-1"] {
            assert!(limits.set(wrong).is_err(), "{wrong}");
        }
        assert_eq!(limits, seven);
    }

    #[test]
    fn a_breach_says_what_to_raise() {
        for (breach, name) in [
            (Breach::Cpu, "cpu-ms"),
            (Breach::Memory, "memory-bytes"),
            (Breach::Actions, "actions"),
            (Breach::Request, "request-bytes"),
            (Breach::LogLines, "log-lines"),
            (Breach::LogBytes, "log-bytes"),
        ] {
            let message = breach.message("command restart", &Limits::default());
            assert!(message.contains("command restart"), "{message}");
            assert!(message.contains(&format!("--plugin-limit {name}=VALUE")), "{message}");
        }
    }
}
