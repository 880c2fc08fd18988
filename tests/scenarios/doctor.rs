//! `doctor`, and the look before every job: what would break it is named before anything is touched.
use crate::stage::{Said, Stage};
use quorate_sim::{NodetoolFault, Sim, SimSpec, Timings};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

async fn doctor(stage: &Stage, more: &[&str]) -> Said {
    let (seed, config) = (stage.sim.seed(), stage.sim.ssh_config().display().to_string());
    stage.call(&[&["doctor", "--seed-host", &seed, "-F", &config][..], more].concat()).await
}

fn address(stage: &Stage, node: usize) -> String {
    stage.sim.nodes()[node].address.to_string()
}

/// Puts something in front of what a node's programs are.
fn program(stage: &Stage, node: usize, name: &str, text: &str) {
    let path = stage.sim.home(node).parent().unwrap().join("bin").join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A home that nobody can write to, root neither.
fn spoil_home(stage: &Stage, node: usize) {
    let state = stage.sim.home(node).join(".quorate");
    // Absent, unless something has run there.
    let _ = fs::remove_dir_all(&state);
    fs::write(state, "a file").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_with_nothing_amiss_is_one_row() {
    let stage = Stage::new(2, 3, 1).await;
    let said = doctor(&stage, &[]).await;
    assert!(said.err.contains("looking at 6 nodes"), "{}", said.err);
    // Every simulated node is this machine: what its disk is like isn't ours to say.
    let said = said.says("6 nodes").says("Cassandra 5.0.4").says("note: system_auth");
    assert!(!said.out.contains("trouble:"), "{}", said.out);
    let said = doctor(&stage, &["--output", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let nodes = json["nodes"].as_array().unwrap();
    assert_eq!((json["format"].as_u64(), nodes.len()), (Some(1), 6));
    for node in nodes {
        let proofs = ["reached", "writable", "outlives_connection"].map(|fact| node[fact] == true);
        assert_eq!(proofs, [true; 3], "{node}");
        assert_eq!((&node["sessions"], &node["version"]), (&8.into(), &"5.0.4".into()));
    }
    assert_eq!(
        doctor(&stage, &["--host", &address(&stage, 3)]).await.out.lines().next().unwrap(),
        "Test Cluster: 1 nodes, Cassandra 5.0.4"
    );
    // Nothing runs on, and but for its mark nothing is left.
    for node in 0..6 {
        let probes = stage.sim.home(node).join(".quorate/probes");
        let left: Vec<_> =
            fs::read_dir(probes).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [address(&stage, node).as_str()]);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trouble_is_named_with_its_node_and_its_cure() {
    let mut spec = SimSpec::uniform(1, 3, 3);
    spec.timings = Timings::fast();
    spec.max_sessions = 4;
    let stage = Stage::with(spec).await;
    stage.sim.break_nodetool(1, Some(NodetoolFault::MissingFromPath)).unwrap();
    let failing = NodetoolFault::Fails { code: 1, stderr: "disk on fire\n".into() };
    stage.sim.break_nodetool(2, Some(failing)).unwrap();
    spoil_home(&stage, 3);
    stage.sim.sshd_down(4).await;
    stage.sim.change_host_key(5).unwrap();
    program(&stage, 6, "date", "echo 1000000000.000");
    program(&stage, 7, "df", "echo head; echo /dev/x 1000 900 100 90% /nowhere");
    let said = doctor(&stage, &[]).await.code(1);
    let line = |node: usize, text: &str| {
        let found = said.out.lines().find(|line| {
            line.contains(": ")
                && line.contains(text)
                && (line.starts_with("trouble") || line.starts_with("warning"))
        });
        let found = found.unwrap_or_else(|| panic!("no {text:?} in\n{}", said.out));
        assert!(found.contains(&address(&stage, node)), "{found}");
    };
    line(1, "nodetool isn't in the PATH");
    line(2, "disk on fire");
    line(3, "can't be written to");
    line(4, "Connection refused");
    line(5, "host key");
    line(6, "s behind this machine's");
    line(7, "100 KiB are free");
    assert!(said.out.contains("4 of the 8 sessions"), "{}", said.out);
    for cure in ["--remote-dir", "MaxSessions", "chrony"] {
        assert!(
            said.out.lines().any(|l| l.starts_with("   cure: ") && l.contains(cure)),
            "{cure}: {}",
            said.out
        );
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_does_not_start_where_some_node_cannot_take_it() {
    let stage = Stage::new(1, 3, 2).await;
    stage.sim.break_nodetool(1, Some(NodetoolFault::MissingFromPath)).unwrap();
    spoil_home(&stage, 2);
    spoil_home(&stage, 3);
    stage.sim.sshd_down(4).await;
    let said = stage.job("restart", &[]).await.code(3);
    let said = said
        .complains("4 of 6 nodes can't take the job")
        .complains(&format!("{}: nodetool isn't in the PATH of", address(&stage, 1)))
        .complains(&format!("{}: port ", address(&stage, 4)))
        .complains("nothing was touched")
        .complains("hint:")
        .complains("--remote-dir");
    assert!(said.err.contains(&address(&stage, 2)) && said.err.contains(&address(&stage, 3)));
    assert_eq!(stage.sim.max_down("dc1"), 0);
    stage.call(&["jobs"]).await.code(0);
    // Others aren't asked, and a command that hurts nobody isn't either.
    let others = [address(&stage, 0), address(&stage, 5)].join(",");
    stage.job("restart", &["--host", &others]).await.code(0).says("all 2 nodes done");
    let harmless = ["--impact", "none", "--max-failures", "100%", "--command", "true"];
    stage.job("run", &harmless).await.code(1).says("3 failed");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_job_bears_is_a_warning_in_its_journal_and_continue_looks_as_well() {
    let stage = Stage::new(1, 3, 1).await;
    program(&stage, 1, "date", "echo 1000000000.000");
    let said = stage.job("restart", &["--stop-after", "1"]).await.code(4);
    let said = said.says("s behind this machine's").says(&address(&stage, 1));
    let job = said.job();
    let began = said.out.lines().find(|line| line.ends_with(" started")).unwrap().to_owned();
    let waits = [0, 2].into_iter().find(|node| !began.contains(&address(&stage, *node))).unwrap();
    spoil_home(&stage, waits);
    let left = stage.call(&["continue", &job]).await.code(3);
    left.complains("1 of 2 nodes can't take the job")
        .complains(&address(&stage, waits))
        .complains("nothing was touched");
    fs::remove_file(stage.sim.home(waits).join(".quorate")).unwrap();
    stage.call(&["continue", &job]).await.code(0).says("all 3 nodes done");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_down_and_out_of_reach_is_refused_until_it_is_left_out() {
    let stage = Stage::new(1, 3, 1).await;
    stage.sim.kill(2);
    stage.sim.sshd_down(2).await;
    let seen = |sim: &Sim| sim.shows(0, 2) == Some(false) && sim.shows(1, 2) == Some(false);
    stage.sim.wait_until(Duration::from_secs(20), seen).await.unwrap();
    let said = stage.job("run", &["--command", "true"]).await.code(3);
    said.complains(&format!("{}: is down in gossip as well", address(&stage, 2)))
        .complains("--ignore-down-nodes");
    // Left out, it holds its neighbours all the same.
    let without = ["--ignore-down-nodes", "--timeout", "2s", "--command", "true"];
    let mut child = stage.spawn("run", &without);
    let told = async {
        loop {
            let jobs = stage.call(&["jobs"]).await.out;
            if jobs.lines().count() > 1 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("it never starts");
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    stage.end().await;
}
