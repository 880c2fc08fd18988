//! `--sudo`: what it runs on the nodes, and that `continue` remembers it.
use crate::stage::Stage;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

impl Stage {
    /// Puts another `sudo` on a node; gives the file that it may write to.
    fn sudo(&self, node: usize, text: &str) -> PathBuf {
        let home = self.sim.home(node);
        let path = home.parent().unwrap().join("bin/sudo");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        home.join("sudo-was-given")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_runs_under_sudo_and_continue_remembers_it() {
    let stage = Stage::new(1, 1, 2).await;
    let logs: Vec<_> = (0..2)
        .map(|node| {
            stage.sudo(
                node,
                "echo \"$1 $2 $3 $4 $5\" >>sudo-was-given; while [ \"$1\" != -- ]; do shift; done; shift\n\
                 AS=somebody exec \"$@\"",
            )
        })
        .collect();
    let flags = ["--sudo=somebody", "--sudo-args", "-g staff", "--impact", "none"];
    let rest = ["--stop-after", "1", "--command", "echo as $AS"];
    let said = stage.job("run", &[&flags[..], &rest].concat()).await.code(4);
    let job = said.job();
    let lines = || {
        let text = |log: &PathBuf| fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<String> = logs
            .iter()
            .flat_map(|log| text(log).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        assert!(lines.iter().all(|line| line == "-n -H -u somebody -g"), "{lines:?}");
        lines.len()
    };
    let before = lines();
    assert!(before > 3, "{before} channels went through sudo");
    stage.call(&["continue", &job]).await.code(0).says("all 2 nodes done");
    assert!(lines() > before);
    for node in 0..2 {
        assert_eq!(fs::read_to_string(stage.output(&job, node, "out")).unwrap(), "as somebody\n");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sudo_that_refuses_ends_it_before_anything_is_touched() {
    let stage = Stage::new(1, 1, 1).await;
    stage.sudo(0, "echo 'sudo: a password is required' >&2; exit 1");
    let run = ["--sudo", "--impact", "none", "--command", "true"];
    stage
        .job("run", &run)
        .await
        .code(3)
        .complains("sudo denied: it wants a password of cassandra to become root")
        .complains("cassandra ALL=(root) NOPASSWD: ALL")
        .complains("nothing was touched");
    let odd = ["--sudo=a'b", "--impact", "none", "--command", "true"];
    stage.job("run", &odd).await.code(3).complains("can't be passed through every login shell");
    let alone = ["--sudo-args", "-g x", "--command", "true"];
    stage.job("run", &alone).await.code(2).complains("--sudo");
    stage.end().await;
}
