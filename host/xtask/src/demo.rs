//! `cargo xtask demo`.
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Builds quorate and becomes `quorate demo`.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, String> {
    crate::target::ensure()?;
    let root = crate::root()?;
    let built = Command::new(crate::cargo())
        .arg("build")
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .args(["--package", "quorate-cli"])
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if !built.success() {
        return Err(format!("quorate can't be built: {built}"));
    }
    let mut demo = Command::new(binary(&root)?);
    demo.arg("demo").args(arguments);
    become_it(demo)
}

/// Where cargo puts the binary. A relative `CARGO_TARGET_DIR` is relative to the current folder, for
/// cargo as for us.
fn binary(root: &Path) -> Result<PathBuf, String> {
    let target = match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => {
            env::current_dir().map_err(|e| format!("current folder: {e}"))?.join(folder)
        }
        None => root.join("target"),
    };
    let binary = target.join("debug").join(format!("quorate{}", env::consts::EXE_SUFFIX));
    if binary.is_file() {
        return Ok(binary);
    }
    Err(format!(
        "cargo has built quorate, but not as {}: is a target folder set in a configuration of cargo's? \
         Set CARGO_TARGET_DIR to it",
        binary.display()
    ))
}

/// Replaces this process, so that Ctrl-C and the terminal are the demo's alone.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<ExitCode, String> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(format!("{}: {error}", command.get_program().display()))
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<ExitCode, String> {
    let status =
        command.status().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
