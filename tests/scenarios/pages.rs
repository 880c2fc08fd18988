//! Completion scripts and manual pages, as the shells and the formatter read them.
use crate::stage::Stage;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

/// Whether a program is there. Where it isn't, what it would say can't be known.
fn there(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap()
        .status
        .success()
}

fn text(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert_eq!(err, "");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bash_completes_commands_and_their_flags() {
    let stage = Stage::new(1, 1, 1).await;
    let script = stage.home.path().join("quorate.bash");
    fs::write(&script, stage.call(&["completions", "bash"]).await.code(0).out).unwrap();
    let complete = |words: &str| {
        let last = words.split(' ').count() - 1;
        let line = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={last}; \
             _quorate quorate \"${{COMP_WORDS[$COMP_CWORD]}}\" \"${{COMP_WORDS[$COMP_CWORD-1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        text(&Command::new("bash").args(["--norc", "-c", &line]).output().unwrap())
    };
    assert_eq!(complete("quorate rest").trim(), "restart");
    assert_eq!(complete("quorate restart --output-d").trim(), "--output-directory");
    assert_eq!(complete("quorate plan run --comm").trim(), "--command");
    assert!(complete("quorate jobs --output j").contains("json"));
    stage
        .call(&["completions", "tcsh"])
        .await
        .code(2)
        .complains("possible values: bash, zsh, fish");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zsh_and_fish_can_read_their_scripts() {
    let stage = Stage::new(1, 1, 1).await;
    for shell in ["zsh", "fish"] {
        let script = stage.home.path().join(shell);
        let said = stage.call(&["completions", shell]).await.code(0).says("output-directory");
        fs::write(&script, said.out).unwrap();
        if there(shell) {
            text(&Command::new(shell).arg("-n").arg(&script).output().unwrap());
        }
    }
    stage.end().await;
}

/// A page without a fault that the formatter would name.
fn well_formed(page: &Path) -> String {
    if there("groff") {
        let warned = Command::new("groff")
            .args(["-K", "utf8", "-ww", "-man", "-Tutf8", "-z"])
            .arg(page)
            .output();
        text(&warned.unwrap());
    }
    let page = fs::read_to_string(page).unwrap();
    for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
        assert!(page.lines().any(|line| line.starts_with(part)), "{part} isn't in\n{page}");
    }
    page
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_has_a_page() {
    let stage = Stage::new(1, 1, 1).await;
    let dir = stage.home.path().join("man");
    stage.call(&["man", &dir.display().to_string()]).await.code(0);
    let pages: BTreeSet<String> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in ["quorate", "quorate-run", "quorate-plan-restart", "quorate-topology"] {
        assert!(pages.contains(&format!("{name}.1")), "{name}: {pages:?}");
    }
    for name in &pages {
        well_formed(&dir.join(name));
    }
    assert!(well_formed(&dir.join("quorate-restart.1")).contains(r"\-\-stop\-after"));
    let first = stage.home.path().join("first.1");
    fs::write(&first, stage.call(&["man"]).await.code(0).out).unwrap();
    assert!(well_formed(&first).contains("continue"));
    stage.end().await;
}
