//! `par`: commands that run on the operator's machine, once for each node.
use crate::stage::{Said, Stage, appears, end_of};
use quorate_sim::{Happening, SimSpec, Timings};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::process::Child;

/// Begins `par` in a directory of its own.
fn spawn(stage: &Stage, rest: &[&str]) -> (Child, PathBuf) {
    let words = stage.words("par", rest);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let directory = stage.home.path().join("here it's");
    fs::create_dir_all(&directory).unwrap();
    (stage.command(&words).current_dir(&directory).spawn().unwrap(), directory)
}

async fn par(stage: &Stage, rest: &[&str]) -> Said {
    end_of(spawn(stage, rest).0).await
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Whether a process runs; one that has ended and wasn't waited for doesn't.
fn is_running(pid: &str) -> bool {
    let stat = read(Path::new(&format!("/proc/{}/stat", pid.trim())));
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn has_ssh() -> bool {
    let found = std::process::Command::new("ssh").arg("-V").output().is_ok();
    if !found {
        eprintln!("ssh is not installed: not tried");
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_here_once_for_each_node_and_is_told_of_it() {
    let mut spec = SimSpec::uniform(1, 3, 1);
    spec.timings = Timings::fast();
    spec.cluster_name = "Test 'Cluster' $x".into();
    spec.data_centers[0].racks[1].name = "r'$(touch$IFS./hurt)\"`id`\\".into();
    let stage = Stage::with(spec).await;
    let text = "printf '%s\\n' \"$1\" \"$NODE_ADDRESS\" \"$NODE_HOST\" \"$FQDN\" \"$NODE_HOST_ID\" \"$NODE_DC\" \
                \"$NODE_RACK\" \"$NODE_STATUS\" \"$NODE_CLUSTER\" \"$QUORATE_NODE\" \"${NODE_VERSION+set}\" \"$PWD\"";
    let words = ["--impact", "none", "--", "sh", "-c", text, "sh", "at {}:7000"];
    let (child, directory) = spawn(&stage, &words);
    let said = end_of(child).await.code(0).says("all 3 nodes done");
    let (job, directory) = (said.job(), directory.canonicalize().unwrap());
    let before: Vec<usize> = (0..3).map(|node| stage.sim.commands_run(node)).collect();
    for (node, known) in stage.sim.nodes().iter().enumerate() {
        let address = known.address.to_string();
        let (colon, place) = (format!("at {address}:7000"), directory.display().to_string());
        let (id, dc, rack) = (&known.host_id, &known.dc, &known.rack);
        let expected: [&str; 12] = [
            &colon,
            &address,
            &address,
            &address,
            id,
            dc,
            rack,
            "UN",
            "Test 'Cluster' $x",
            &address,
            "set",
            &place,
        ];
        let out = read(&stage.output(&job, node, "out"));
        assert_eq!(out.lines().collect::<Vec<_>>(), expected);
        assert_eq!(read(&stage.output(&job, node, "status")), "0\n");
    }
    assert!(!directory.join("hurt").exists());
    // A line in one word, a line for the shell, a script: none of them on a node.
    let script = stage.home.path().join("probe.sh");
    fs::write(&script, "echo \"$1 {} $NODE_ADDRESS\"\n").unwrap();
    let script = script.display().to_string();
    for (words, expected) in [
        (&["echo  'a  b' {} $NODE_ADDRESS"][..], "a  b % $NODE_ADDRESS\n"),
        (&["--command", "echo \"{}\" '{}' $NODE_ADDRESS"], "% % %\n"),
        (&["--script", &script, "--", "{}"], "% {} %\n"),
    ] {
        let job = par(&stage, &[&["--impact", "none"], words].concat()).await.code(0).job();
        for (node, known) in stage.sim.nodes().iter().enumerate() {
            let expected = expected.replace('%', &known.address.to_string());
            assert_eq!(read(&stage.output(&job, node, "out")), expected);
        }
    }
    let ran: Vec<usize> = (1..3).map(|node| stage.sim.commands_run(node) - before[node]).collect();
    assert_eq!(ran, [0, 0], "{:?}", stage.sim.commands(1));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_restarts_nodes_goes_in_safe_order_and_waits_for_each() {
    if !has_ssh() {
        return;
    }
    let mut spec = SimSpec::uniform(2, 3, 2);
    spec.timings = Timings::fast();
    let stage = Stage::with(spec).await;
    let line =
        format!("ssh -F {} {{}} service cassandra restart", stage.sim.ssh_config().display());
    let said = par(&stage, &["--dc-parallel", "--gate", "new-process", &line]).await.code(0);
    said.says("all 12 nodes done");
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    let stopped: Vec<usize> = stage
        .sim
        .history()
        .iter()
        .filter(|(_, _, what)| *what == Happening::Stopped)
        .map(|(_, node, _)| *node)
        .collect();
    assert_eq!(stopped.len(), 12, "each once: {stopped:?}");
    assert_eq!(stopped.iter().collect::<BTreeSet<_>>().len(), 12);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_never_went_has_not_come_back() {
    let stage = Stage::new(1, 3, 1).await;
    // Asks for a reboot, and nothing comes of it.
    let words = ["--gate", "new-process", "--timeout", "3s", "echo reboot {}"];
    let said = par(&stage, &words).await.code(1);
    said.says("not confirmed within").says("2 left");
    // Without the gate it is taken for done, and a person is told so before.
    let said = par(&stage, &["echo reboot {}"]).await.code(0);
    said.says("--gate new-process").says("all 3 nodes done");
    let both = ["--gate", "new-process", "--impact", "none", "true"];
    par(&stage, &both).await.code(2).complains("--impact none");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_stops_the_job_and_the_rest_continues_here() {
    let stage = Stage::new(1, 3, 1).await;
    let first = stage.sim.nodes()[0].address.to_string();
    let text = format!(
        "echo for {{}}; touch ran-{{}}; test {{}} != {first} || {{ echo no such instance >&2; exit 7; }}"
    );
    let (child, directory) = spawn(&stage, &["--command", &text]);
    let said = end_of(child).await.code(1);
    let job = said.job();
    said.says("exit status 7: no such instance").says("2 left");
    assert_eq!(read(&stage.output(&job, 0, "out")), format!("for {first}\n"));
    assert_eq!(read(&stage.output(&job, 0, "err")), "no such instance\n");
    assert_eq!(read(&stage.output(&job, 0, "status")), "7\n");
    stage.call(&["jobs"]).await.code(0).says("par --command");
    // From another directory: it runs where the job began.
    stage.call(&["continue", &job]).await.code(1).says("2 done, 1 failed, 0 left");
    for node in stage.sim.nodes() {
        assert!(directory.join(format!("ran-{}", node.address)).exists());
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_the_action_goes_on_and_runs_once() {
    let stage = Stage::new(1, 3, 1).await;
    let text = "echo run >>count; touch begun; while [ ! -f go ]; do sleep 0.05; done; echo end >>count; touch over";
    let (mut child, directory) = spawn(&stage, &["--command", text]);
    appears(&directory.join("begun")).await;
    child.kill().await.unwrap();
    let jobs = stage.call(&["jobs"]).await.code(0).says("interrupted");
    let job = jobs.out.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let refused = || async { stage.call(&["continue", &job]).await.code(3) };
    refused().await.complains("has no known end");
    fs::write(directory.join("go"), "").unwrap();
    appears(&directory.join("over")).await;
    refused().await.complains("has no known end");
    assert_eq!(read(&directory.join("count")), "run\nend\n");
    // What it printed and how it ended are kept where they were made.
    let kept = stage.home.path().join(".quorate/actions").join(&job);
    let status = || {
        let entries = fs::read_dir(&kept).unwrap().flatten();
        entries.map(|entry| read(&entry.path().join("status"))).collect::<String>()
    };
    let comes = async {
        while !status().starts_with("exit 0") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), comes).await.expect("no status comes");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_its_time_limit_a_command_is_ended_with_all_that_it_started() {
    let stage = Stage::new(1, 1, 1).await;
    let words =
        ["--impact", "none", "--timeout", "2s", "--command", "sleep 100 & echo $! >pid; wait"];
    let (child, directory) = spawn(&stage, &words);
    end_of(child).await.code(1).says("not confirmed within 2.0s").says("action 1 ended after its ");
    let pid = read(&directory.join("pid"));
    assert!(!pid.is_empty());
    let ends = async {
        while is_running(&pid) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ends).await.expect("it still runs");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_nodetool_here_no_node_is_logged_in_to() {
    if !has_ssh() {
        return;
    }
    let stage = Stage::new(1, 3, 1).await;
    let bin = stage.home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    // In place of JMX over the network: what `-h` names is asked.
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = -h ] || exit 9\nhost=$2\nshift 2\nexec ssh -F '{}' \"$host\" nodetool \"$@\"\n",
        stage.sim.ssh_config().display()
    );
    fs::write(bin.join("nodetool"), text).unwrap();
    fs::set_permissions(bin.join("nodetool"), fs::Permissions::from_mode(0o755)).unwrap();
    let seed = stage.sim.seed();
    // This configuration leads to no node.
    let words =
        ["par", "--seed-host", &seed, "-F", "none", "--stable", "200ms", "--round-pause", "100ms"];
    let call = |rest: &[&str]| {
        let mut command = stage.command(&[&words, rest].concat());
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
        command.env("PATH", path).spawn().unwrap()
    };
    let said = end_of(call(&["--local-nodetool", "--stop-after", "1", "echo {}"])).await.code(4);
    let job = said.job();
    assert_eq!(read(&stage.output(&job, 0, "out")), format!("{seed}\n"));
    let mut again = stage.command(&["continue", &job]);
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    end_of(again.env("PATH", path).spawn().unwrap()).await.code(0).says("all 3 nodes done");
    end_of(call(&["echo {}"])).await.code(3).complains("nothing was touched");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_understood_is_refused_before_anything_is_asked() {
    let stage = Stage::new(1, 1, 1).await;
    par(&stage, &["ssh {} 'oops"]).await.code(2).complains("a quote is opened and not closed");
    par(&stage, &["true", "--command", "true"]).await.code(2).complains("cannot be used with");
    par(&stage, &["ssh", "{}"]).await.code(2).complains("'{}'");
    par(&stage, &[]).await.code(3).complains("nothing to run");
    let words = stage.words("par", &["--", "true"]);
    let words: Vec<_> = ["plan"].into_iter().chain(words.iter().map(String::as_str)).collect();
    stage.call(&words).await.code(0).says("Nothing was touched.");
    stage.end().await;
}
