//! Passwords that are never written down, and this machine's own limits.
use crate::stage::{Stage, end_of};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PASSWORD: &str = "open-sesame-4711";

/// Every file below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_not_written_down_and_continue_wants_it_again() {
    let stage = Stage::new(1, 2, 1).await;
    let file = stage.home.path().join("password");
    fs::write(&file, PASSWORD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.display().to_string();
    let flags = ["--ssh-password-file", &file, "--impact", "none", "--stop-after", "1"];
    let said = stage.job("run", &[&flags[..], &["--command", "true"]].concat()).await.code(4);
    let job = said.job();
    assert!(!format!("{said:?}").contains(PASSWORD));
    stage
        .call(&["continue", &job])
        .await
        .code(3)
        .complains("with a password, which isn't written down")
        .complains("--ssh-password-file");
    let said = stage.call(&["continue", &job, "--ssh-password-file", &file]).await.code(0);
    said.says("all 2 nodes done");
    for path in files(&stage.home.path().join(".quorate")) {
        let bytes = fs::read(&path).unwrap();
        let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!found, "the password is in {}", path.display());
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_others_can_read_is_refused_or_told() {
    let stage = Stage::new(1, 1, 1).await;
    let file = stage.home.path().join("password");
    fs::write(&file, PASSWORD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let file = file.display().to_string();
    let run = |flags: &[&'static str]| [flags, &["--impact", "none", "--command", "true"]].concat();
    let words = [&["--ssh-password-file", &file][..], &["--impact", "none", "--command", "true"]];
    let said = stage.job("run", &words.concat()).await.code(3);
    said.complains("its mode 644 lets others read it").complains("chmod 600");
    let said = stage.job("run", &run(&["--ask-ssh-password"])).await.code(3);
    said.complains("nobody can be asked here");
    let said = stage.job("run", &run(&["--ssh-password", PASSWORD])).await.code(0);
    assert!(!said.out.contains(PASSWORD) && !said.err.contains(PASSWORD));
    said.complains("everybody on this machine can read it");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_descriptors_are_named_before_a_node_is_touched() {
    let stage = Stage::new(1, 3, 1).await;
    let words = stage.words("run", &["--command", "touch $HOME/touched"]);
    let child = tokio::process::Command::new("sh")
        .args(["-c", "ulimit -n 66; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_quorate")])
        .args(words)
        .env("HOME", stage.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = end_of(child).await.code(3);
    said.complains("3 nodes need up to 73 open files").complains("ulimit -n 73");
    assert!((0..3).all(|node| !stage.sim.home(node).join("touched").exists()));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jump_host_that_cannot_be_reached_is_named_with_the_node() {
    let stage = Stage::new(1, 1, 1).await;
    let run = ["-J", "ann@127.0.0.1:1", "--impact", "none", "--command", "true"];
    stage
        .job("run", &run)
        .await
        .code(3)
        .complains("unreachable jump host ann@127.0.0.1:1")
        .complains(&stage.sim.seed());
    stage.job("run", &["-J", "a,,b", "--command", "true"]).await.code(3).complains("--ssh-jump");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_typed_is_not_shown() {
    let stage = Stage::new(1, 1, 1).await;
    let words = ["--plain", "--ask-ssh-password", "--impact", "none", "--command", "true"];
    let words = stage.words("run", &words);
    let typed = [&[env!("CARGO_BIN_EXE_quorate").to_owned()][..], &words].concat().join(" ");
    // Gives its program a terminal.
    let mut child = tokio::process::Command::new("script")
        .args(["-qec", &typed, "/dev/null"])
        .env("HOME", stage.home.path())
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let question = b"SSH password of the nodes: ";
    let asked = async {
        while !shown.windows(question.len()).any(|window| window == question) {
            assert_ne!(
                screen.read_buf(&mut shown).await.unwrap(),
                0,
                "{}",
                String::from_utf8_lossy(&shown)
            );
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), asked).await.expect("it never asks");
    keys.write_all(format!("x\u{7f}{PASSWORD}\r").as_bytes()).await.unwrap();
    let rest = screen.read_to_end(&mut shown);
    let limit = std::time::Duration::from_secs(120);
    tokio::time::timeout(limit, rest).await.expect("it hangs").unwrap();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(child.wait().await.unwrap().success(), "{shown}");
    assert!(shown.contains("all 1 nodes done"), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    stage.end().await;
}
