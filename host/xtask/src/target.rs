//! The target that components are built for.
use std::{
    io,
    path::Path,
    process::{Command, Output},
};

const TARGET: &str = "wasm32-wasip2";

/// Makes sure that components can be built, adding the target where it is missing.
pub(crate) fn ensure() -> Result<(), String> {
    if is_installed()? {
        return Ok(());
    }
    eprintln!("xtask: adding the target {TARGET}");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`rustup target add {TARGET}` failed: {status}")),
        Err(error) => Err(no_rustup(&error)),
    }
}

fn is_installed() -> Result<bool, String> {
    match Command::new("rustup").args(["target", "list", "--installed"]).output() {
        Ok(output) => Ok(text(&output, "rustup target list")?.lines().any(|l| l == TARGET)),
        // Without rustup the target can be there all the same, from a distribution's package.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let output = Command::new("rustc")
                .args(["--print", "target-libdir", "--target", TARGET])
                .output()
                .map_err(|e| format!("rustc: {e}"))?;
            let folder = text(&output, "rustc --print target-libdir")?;
            if Path::new(folder.trim()).is_dir() { Ok(true) } else { Err(no_rustup(&error)) }
        }
        Err(error) => Err(format!("rustup: {error}")),
    }
}

fn text(output: &Output, command: &str) -> Result<String, String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{command}` failed: {}\n{}", output.status, told.trim_end()))
}

fn no_rustup(error: &io::Error) -> String {
    format!(
        "the Rust target {TARGET} is needed to build the bundled components, and rustup, which could \
         add it, can't be run ({error}).\nInstall rustup (https://rustup.rs), or your distribution's \
         package of the standard library for {TARGET}."
    )
}
