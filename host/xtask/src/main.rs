//! `cargo xtask demo` and `cargo xtask test`, and nothing clever.
//!
//! Needs nothing but cargo (and rustup, where the WebAssembly target has to be added), so that it is
//! built in a second.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod checks;
mod demo;
mod step;
mod tally;
mod target;

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode};

const HELP: &str = "\
Usage: cargo xtask VERB

  demo [ARGUMENT…]  build quorate and run `quorate demo ARGUMENT…`: a simulated cluster on this machine
  test              everything that a change has to pass: formatting, lints, documentation, all tests
  help              this text
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let result = match verb.to_str() {
        Some("demo") => demo::run(&rest),
        Some("test") if rest.is_empty() => checks::run(),
        Some("test") => Err(format!("test takes no arguments\n\n{HELP}")),
        Some("help" | "-h" | "--help") => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Some("") => Err(format!("which verb?\n\n{HELP}")),
        _ => Err(format!("there is no verb `{}`\n\n{HELP}", verb.display())),
    };
    result.unwrap_or_else(|message| {
        eprintln!("xtask: {}", message.trim_end());
        ExitCode::FAILURE
    })
}

/// The folder of the workspace.
fn root() -> Result<PathBuf, String> {
    // Set by `cargo run`, of which `cargo xtask` is short for.
    let own = env::var_os("CARGO_MANIFEST_DIR").ok_or("run it as `cargo xtask`")?;
    let root = PathBuf::from(own).join("../..");
    root.canonicalize().map_err(|e| format!("{}: {e}", root.display()))
}

/// The cargo that runs this.
fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
