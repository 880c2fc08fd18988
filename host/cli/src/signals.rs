//! Signals that ask for the end.
use std::sync::OnceLock;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that this process was started to ignore, one bit each, where the system tells.
fn ignored_signals() -> u64 {
    static IGNORED: OnceLock<u64> = OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    })
}

/// Signals that ask for the end.
pub(crate) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
}

/// Which signal came.
pub(crate) enum Asked {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP: the terminal is gone.
    Terminate,
}

impl Signals {
    pub(crate) fn new() -> Self {
        // Without a handler the signal ends the process, which the journal survives.
        let ignored = ignored_signals();
        let listen = |kind: SignalKind| {
            // What whoever started this ignores (nohup does) stays ignored.
            let asked = ignored & 1 << (kind.as_raw_value() - 1) == 0;
            if asked { signal(kind).ok() } else { None }
        };
        Self {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
            hang_up: listen(SignalKind::hangup()),
        }
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            () = come(&mut self.interrupt) => Asked::Interrupt,
            () = come(&mut self.terminate) => Asked::Terminate,
            () = come(&mut self.hang_up) => Asked::Terminate,
        }
    }
}

async fn come(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}
