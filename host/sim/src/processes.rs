//! Finds and ends the processes that belong to one simulation, and no others: those that carry its root folder in their environment
//! or work inside it. A process that left both behind is no longer recognisable.
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The variable of every process of a simulation; its value is the simulation's root folder.
pub(crate) const MARKER: &str = "QUORATE_SIM";

const ROUNDS: u32 = 400;
const PAUSE: Duration = Duration::from_millis(5);

/// The process ids of the simulation in `root`. Processes that have ended but weren't collected yet aren't among them.
pub(crate) fn of(root: &Path) -> Vec<u32> {
    let mut marker = format!("{MARKER}=").into_bytes();
    marker.extend_from_slice(root.as_os_str().as_bytes());
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter(|pid| {
            let folder = Path::new("/proc").join(pid.to_string());
            let marked = fs::read(folder.join("environ")).is_ok_and(|environment| {
                environment.split(|byte| *byte == 0).any(|variable| variable == marker)
            });
            marked || fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root))
        })
        .collect()
}

/// Kills them all, and those that they start meanwhile. Returns those that are still there after two seconds.
pub(crate) fn end_all(root: &Path) -> Vec<u32> {
    for _ in 0..ROUNDS {
        let pids = of(root);
        if pids.is_empty() {
            return pids;
        }
        let targets: Vec<String> = pids.iter().map(u32::to_string).collect();
        signal("KILL", &targets);
        std::thread::sleep(PAUSE);
    }
    of(root)
}

/// Sends a signal, named without `SIG`, to a process group.
pub(crate) fn signal_group(name: &str, group: u32) {
    signal(name, &[format!("-{group}")]);
}

/// The shell's own `kill`: sending signals from here would need unsafe code. That a target is gone already is no error.
fn signal(name: &str, targets: &[String]) {
    let script = r#"name=$1; shift; kill -s "$name" -- "$@""#;
    let _ = Command::new("sh")
        .args(["-c", script, "sh", name])
        .args(targets)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
