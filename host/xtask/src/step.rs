//! One step of the checks: a cargo command that must end well.
use crate::tally::Counter;
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A cargo command on one workspace.
pub(crate) struct Step {
    /// For people: `lints of the plugins`.
    pub(crate) name: &'static str,
    /// The workspace's folder, relative to the root.
    pub(crate) workspace: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// For the tool that cargo starts; after `--`.
    pub(crate) passed_on: &'static [&'static str],
    /// Variables added to the environment.
    pub(crate) env: &'static [(&'static str, &'static str)],
}

impl Step {
    /// Runs it with its output passing through, and counts the tests in it. The error says how it ended.
    pub(crate) fn run(&self, root: &Path, counter: &mut Counter) -> Result<(), String> {
        let mut command = self.command(root);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cargo: {e}"))?;
        if let Some(stdout) = child.stdout.take() {
            pass_through(stdout, counter).map_err(|e| format!("its output: {e}"))?;
        }
        let status = child.wait().map_err(|e| format!("cargo: {e}"))?;
        if status.success() { Ok(()) } else { Err(status.to_string()) }
    }

    fn command(&self, root: &Path) -> Command {
        let manifest: PathBuf = root.join(self.workspace).join("Cargo.toml");
        let mut command = Command::new(crate::cargo());
        let (verb, arguments) = self.arguments.split_first().unwrap_or((&"help", &[]));
        command.arg(verb).arg("--manifest-path").arg(manifest).args(arguments);
        if !self.passed_on.is_empty() {
            command.arg("--").args(self.passed_on);
        }
        command.envs(self.env.iter().copied());
        command
    }
}

fn pass_through(mut from: impl Read, counter: &mut Counter) -> io::Result<()> {
    let mut buffer = [0; 8192];
    let mut to = io::stdout().lock();
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        counter.take(&buffer[..length]);
        to.write_all(&buffer[..length])?;
        to.flush()?;
    }
}
