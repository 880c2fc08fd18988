//! A simulated cluster, a home directory, and the real binary.
use quorate_sim::{Sim, SimSpec, Timings};
use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A simulated cluster and an operator's machine.
pub struct Stage {
    pub sim: Sim,
    pub home: TempDir,
}

/// What the binary printed, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails with everything that was said unless the exit code is this.
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Fails unless standard output holds this.
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no {text:?} in\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Fails unless standard error holds this.
    pub fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in stderr\n{}\n---\n{}", self.err, self.out);
        self
    }

    /// The job's id, from the first line.
    pub fn job(&self) -> String {
        let line = self.out.lines().find(|line| line.contains(" job ")).unwrap();
        line.split_whitespace().nth(2).unwrap().to_owned()
    }
}

impl Stage {
    pub async fn new(dcs: usize, racks: usize, nodes: usize) -> Self {
        let mut spec = SimSpec::uniform(dcs, racks, nodes);
        spec.timings = Timings::fast();
        Self::with(spec).await
    }

    pub async fn with(spec: SimSpec) -> Self {
        let sim = Sim::start(spec).await.unwrap();
        Self { sim, home: TempDir::new().unwrap() }
    }

    /// The binary with these words and the operator's environment, and nothing else of ours.
    pub fn command(&self, words: &[&str]) -> Command {
        self.command_as(Path::new(env!("CARGO_BIN_EXE_quorate")), words)
    }

    /// The same under another name.
    pub fn command_as(&self, program: &Path, words: &[&str]) -> Command {
        operator(self.home.path(), program, words)
    }

    /// Words that begin a job on this cluster: verb, seed, configuration, and short waits.
    pub fn words<'a>(&self, verb: &'a str, rest: &[&'a str]) -> Vec<String> {
        let config = self.sim.ssh_config().display().to_string();
        let seed = self.sim.seed();
        let fixed =
            ["--seed-host", &seed, "-F", &config, "--stable", "200ms", "--round-pause", "100ms"];
        let words = [verb].into_iter().chain(fixed).chain(rest.iter().copied());
        words.map(str::to_owned).collect()
    }

    pub fn spawn(&self, verb: &str, rest: &[&str]) -> Child {
        let words = self.words(verb, rest);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.command(&words).spawn().unwrap()
    }

    /// Begins a job on this cluster and waits for its end.
    pub async fn job(&self, verb: &str, rest: &[&str]) -> Said {
        end_of(self.spawn(verb, rest)).await
    }

    /// Any other call.
    pub async fn call(&self, words: &[&str]) -> Said {
        end_of(self.command(words).spawn().unwrap()).await
    }

    pub fn output(&self, job: &str, node: usize, name: &str) -> PathBuf {
        let key = &self.sim.nodes()[node].address;
        self.home.path().join(".quorate/jobs").join(job).join(key.to_string()).join(name)
    }

    pub async fn end(self) {
        self.sim.stop().await.unwrap();
    }
}

/// A program with these words and the environment of an operator with this home directory, and nothing else of ours.
pub fn operator(home: &Path, program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(words)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home)
        .env("USER", "operator")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The most memory that a call has had, in kB, once it has ended.
pub async fn peak(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = high.and_then(|h| h.split_whitespace().next()?.parse().ok());
        peak = peak.max(kb.unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    peak
}

/// Sends a running call a signal: `INT`, `TERM`.
pub fn signal(child: &Child, name: &str) {
    let (flag, pid) = (format!("-{name}"), child.id().unwrap().to_string());
    assert!(std::process::Command::new("kill").args([flag, pid]).status().unwrap().success());
}

/// Waits until a file is there; one that never comes fails its test.
pub async fn appears(path: &Path) {
    let comes = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), comes).await.expect("it never appears");
}

/// Waits for a call's end; one that hangs fails its test.
pub async fn end_of(child: Child) -> Said {
    let limit = Duration::from_secs(240);
    let output = tokio::time::timeout(limit, child.wait_with_output()).await;
    Said::new(output.expect("it hangs").unwrap())
}
