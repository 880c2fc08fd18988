//! JMX that wants a login: who asks, with which password, and that nobody sees it.
use crate::stage::Stage;
use quorate_sim::{SimSpec, Timings};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// With what a shell, JSON and nodetool's file might trip over.
const PASSWORD: &str = "Kx9vQ2mLw7-'\"$x\\#";
/// The part of it that looks the same however it is quoted.
const CORE: &str = "Kx9vQ2mLw7";

async fn stage() -> Stage {
    let mut spec = SimSpec::uniform(1, 3, 1);
    spec.timings = Timings::fast();
    spec.jmx_login = Some(("ops".into(), PASSWORD.into()));
    Stage::with(spec).await
}

fn password_file(stage: &Stage, password: &str) -> String {
    let path = stage.home.path().join("jmx.password");
    fs::write(&path, format!("{password}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// Files below a directory that hold the password.
fn holding(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holding(&path));
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(CORE.len()).any(|window| window == CORE.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_logs_in_to_jmx_and_leaves_the_password_nowhere() {
    let stage = stage().await;
    let file = password_file(&stage, PASSWORD);
    let words = ["-vv", "--jmx-username", "ops", "--jmx-password-file", &file, "--stop-after", "1"];
    let said = stage.job("restart", &words).await.code(4);
    let job = said.job();
    assert!(!said.out.contains(CORE) && !said.err.contains(CORE), "{said:?}");
    // The file's path is remembered, the password isn't.
    let said = stage.call(&["continue", &job]).await.code(0).says("all 3 nodes done");
    assert!(!said.out.contains(CORE) && !said.err.contains(CORE), "{said:?}");
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());

    fs::remove_file(&file).unwrap();
    assert_eq!(holding(stage.home.path()), Vec::<PathBuf>::new(), "the operator's home");
    for node in 0..3 {
        assert_eq!(holding(&stage.sim.home(node)), Vec::<PathBuf>::new(), "a node's home");
        let calls = stage.sim.nodetool_arguments(node);
        assert!(calls.iter().any(|words| words.contains(&"drain".to_owned())), "{calls:?}");
        for words in calls {
            assert_eq!((words[0].as_str(), words[1].as_str()), ("-u", "ops"), "{words:?}");
            assert!(words[2] == "-pwf" && !words.concat().contains(CORE), "{words:?}");
            assert!(!Path::new(&words[3]).exists(), "{words:?}");
        }
        let commands = stage.sim.commands(node);
        assert!(!commands.concat().contains(CORE), "{commands:?}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_file_on_the_nodes_is_named_and_other_words_come_first() {
    let stage = stage().await;
    let on_node = stage.home.path().join("on-the-nodes");
    fs::write(&on_node, format!("monitor x\nops {PASSWORD}\n")).unwrap();
    let on_node = on_node.display().to_string();
    let words = [
        "--jmx-username",
        "ops",
        "--jmx-passwordfile",
        &on_node,
        "--jmx-port",
        "7199",
        "--addl-jmx-args",
        "-Dsome=thing --ssl",
        "--stop-after",
        "1",
    ];
    let job = stage.job("restart", &words).await.code(4).job();
    stage.call(&["continue", &job]).await.code(0);
    for words in stage.sim.nodetool_arguments(1) {
        let begins = words[..8].join(" ");
        let expected = format!("-Dsome=thing --ssl -p 7199 -u ops -pwf {on_node}");
        assert_eq!(begins, expected);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_as_a_flag_works_with_a_warning_and_continue_wants_it_again() {
    let stage = stage().await;
    let words = ["--jmx-username", "ops", "--jmx-password", PASSWORD, "--stop-after", "1"];
    let said = stage.job("restart", &words).await.code(4);
    let job = said.job();
    said.complains("others on this machine see --jmx-password");
    stage.call(&["continue", &job]).await.code(2).complains("nobody can be asked here");
    let again = ["continue", &job, "--jmx-password", PASSWORD];
    stage.call(&again).await.code(0).says("all 3 nodes done");
    assert_eq!(holding(stage.home.path()), Vec::<PathBuf>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nodetool_elsewhere_is_called_there() {
    let stage = Stage::new(1, 1, 1).await;
    let other = stage.sim.home(0).join("nodetool-5");
    fs::copy(stage.sim.home(0).parent().unwrap().join("bin/nodetool"), &other).unwrap();
    let fault = quorate_sim::NodetoolFault::MissingFromPath;
    stage.sim.break_nodetool(0, Some(fault)).unwrap();
    stage.job("restart", &[]).await.code(3).complains("--nodetool PATH");
    stage.sim.break_nodetool(0, None).unwrap();
    fs::remove_file(stage.sim.home(0).parent().unwrap().join("bin/nodetool")).unwrap();
    let other = other.display().to_string();
    stage.job("restart", &["--nodetool", &other]).await.code(0);
    stage.end().await;
}
