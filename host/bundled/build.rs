//! Builds `plugins/` for wasm32-wasip2 and writes the tables that `src/lib.rs` includes.
//!
//! The components are a workspace of their own: with their own lock file, and here with a target
//! directory of their own, so that this cargo never waits for the lock of the one that runs it.
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const TARGET: &str = "wasm32-wasip2";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let variable = |name: &str| env::var_os(name).ok_or(format!("{name} isn't set; run by cargo?"));
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../..");
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    // Not the directories themselves: native builds put target directories into them.
    for input in [
        "Cargo.toml",
        "plugins/Cargo.toml",
        "plugins/Cargo.lock",
        "plugins/commands",
        "plugins/strategies",
        "sdk/rust/Cargo.toml",
        "sdk/rust/src",
        "wit",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    check_target(&PathBuf::from(variable("RUSTC")?))?;

    let target_dir = out.join("plugins");
    let manifest = root.join("plugins/Cargo.toml");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .args(["build", "--release", "--locked", "--target", TARGET, "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target_dir)
        .current_dir(&root);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(belongs_to_the_outer_build) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().map_err(|error| format!("cargo can't be run: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} can't be built ({}):\n{text}", manifest.display(), output.status));
    }
    let built = target_dir.join(TARGET).join("release");
    let commands = table(&root, &built, "commands", "command")?;
    let strategies = table(&root, &built, "strategies", "strategy")?;
    let path = out.join("components.rs");
    fs::write(&path, commands + &strategies).map_err(|error| format!("{}: {error}", path.display()))
}

/// Flags, wrappers (clippy's among them), profiles and targets of the build that runs this script mean
/// the host, not the components. What says where to find crates is kept.
fn belongs_to_the_outer_build(name: &str) -> bool {
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    const OTHERS: [&str; 12] = [
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "CLIPPY_ARGS",
        "MAKEFLAGS",
        "TARGET",
        "HOST",
        "LLVM_PROFILE_FILE",
    ];
    (name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept)))
        || name.starts_with("__CARGO")
        || OTHERS.contains(&name)
}

fn check_target(rustc: &Path) -> Result<(), String> {
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("{}: {error}", rustc.display()))?;
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&directory).is_dir() {
        return Ok(());
    }
    Err(format!(
        "the bundled components need Rust's target {TARGET}; type: rustup target add {TARGET}"
    ))
}

/// The table of one kind: every directory of `plugins/FOLDER` is a package `KIND-NAME`.
fn table(root: &Path, built: &Path, folder: &str, kind: &str) -> Result<String, String> {
    let packages = root.join("plugins").join(folder);
    let at = |error: std::io::Error| format!("{}: {error}", packages.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&packages).map_err(at)? {
        let entry = entry.map_err(at)?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    let mut table = format!("static {}: &[Bundled] = &[\n", folder.to_uppercase());
    for name in names {
        let component = built.join(format!("{kind}_{}.wasm", name.replace('-', "_")));
        if !component.is_file() {
            return Err(format!("{} wasn't built", component.display()));
        }
        table.push_str(&format!(
            "    Bundled {{ name: {name:?}, bytes: include_bytes!({component:?}) }},\n"
        ));
    }
    table.push_str("];\n");
    Ok(table)
}
