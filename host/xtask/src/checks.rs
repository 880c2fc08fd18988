//! `cargo xtask test`.
use crate::{step::Step, tally::Counter};
use std::{process::ExitCode, time::Instant};

/// In the order in which they run: what fails fastest comes first. Lints and documentation share one
/// pass over the dependencies (metadata only), all tests of the workspace the other one (code).
const STEPS: [Step; 9] = [
    step("formatting of the workspace", "", &["fmt", "--all"], &["--check"]),
    // With the SDK, which is a member of that workspace.
    step("formatting of the plugins and the SDK", "plugins", &["fmt", "--all"], &["--check"]),
    step(
        "formatting of the hostile plugins",
        "tests/hostile-plugins",
        &["fmt", "--all"],
        &["--check"],
    ),
    step("formatting of the fuzz targets", "tests/fuzz", &["fmt", "--all"], &["--check"]),
    step(
        "lints of the plugins and the SDK",
        "plugins",
        &["clippy", "--workspace", "--all-targets"],
        &["-D", "warnings"],
    ),
    step(
        "tests of the plugins and the SDK",
        "plugins",
        &["test", "--workspace", "--no-fail-fast"],
        &[],
    ),
    step(
        "lints of the workspace",
        "",
        &["clippy", "--workspace", "--all-targets"],
        &["-D", "warnings"],
    ),
    Step {
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        ..step("documentation", "", &["doc", "--workspace", "--no-deps"], &[])
    },
    step("tests of the workspace", "", &["test", "--workspace", "--no-fail-fast"], &[]),
];

const fn step(
    name: &'static str,
    workspace: &'static str,
    arguments: &'static [&'static str],
    passed_on: &'static [&'static str],
) -> Step {
    Step { name, workspace, arguments, passed_on, env: &[] }
}

/// Runs every step, up to the first that fails.
pub(crate) fn run() -> Result<ExitCode, String> {
    crate::target::ensure()?;
    let root = crate::root()?;
    let mut counter = Counter::default();
    let mut failed = None;
    let started = Instant::now();
    for (i, step) in STEPS.iter().enumerate() {
        println!("\n==> {}/{}: {}", i + 1, STEPS.len(), step.name);
        let begun = Instant::now();
        let result = step.run(&root, &mut counter);
        let seconds = begun.elapsed().as_secs_f32();
        match result {
            Ok(()) => println!("<== {}: {seconds:.1} s", step.name),
            Err(end) => {
                failed = Some(format!("{} failed after {seconds:.1} s: {end}", step.name));
                break;
            }
        }
    }
    println!("\nall steps took {:.0} s", started.elapsed().as_secs_f32());
    println!("{} passed, {} failed", counter.tally.passed, counter.tally.failed);
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some(message) => Err(message),
    }
}
