//! Lines that worked with cstar: its flags, and the names `cstar` and `cstarpar`.
use crate::stage::{Said, Stage, end_of};
use std::{fs, os::unix::fs::symlink, path::PathBuf};

/// Flags of a command of cstar, each as it may be given there (cstar/args.py).
const COMMAND: [&[&str]; 39] = [
    &["--seed-host", "a", "b"],
    &["--host", "a", "b"],
    &["--host-file", "FILE"],
    &["--use-sudo"],
    &["--sudo-args", "-n"],
    &["--ssh-pause-time", "0.5"],
    &["--node-done-pause-time", "0.5"],
    &["--ssh-lib", "paramiko"],
    &["--hosts-variables", "FILE"],
    &["--max-concurrency", "3"],
    &["-j", "3"],
    &["--timeout", "600"],
    &["--strategy", "topology"],
    &["--cluster-parallel"],
    &["--cluster-serial"],
    &["--dc-parallel"],
    &["--dc-serial"],
    &["--dc-filter", "dc1"],
    &["--key-space", "shop"],
    &["--keyspace", "shop"],
    &["-r"],
    &["--resolve-hostnames"],
    &["--one"],
    &["--one-per-dc"],
    &["--topology"],
    &["--topology-per-dc"],
    &["--all"],
    &["--stop-after", "1"],
    &["--verbose"],
    &["-vv"],
    &["--output-directory", "DIR"],
    &["--ignore-down-nodes"],
    &["--enforced-job-id", "90642c11-4714-44c4-a13a-94b86f09e3bb"],
    &["--ssh-username", "ops"],
    &["--ssh-password", "secret"],
    &["--ssh-identity-file", "FILE"],
    &["--jmx-username", "jmx"],
    &["--jmx-passwordfile", "/etc/jmx"],
    &["--jmx-addlargs", "--ssl"],
];

/// Those of `continue`, and those of `cleanup-jobs`.
const CONTINUE: [&[&str]; 14] = [
    &["--ssh-password", "secret"],
    &["--retry-failed"],
    &["--stop-after", "1"],
    &["--verbose"],
    &["-vvv"],
    &["--output-directory", "DIR"],
    &["--ignore-down-nodes"],
    &["--enforced-job-id", "x"],
    &["--max-job-age", "7"],
    &["--ssh-username", "ops"],
    &["--ssh-identity-file", "FILE"],
    &["--jmx-username", "jmx"],
    &["--jmx-passwordfile", "/etc/jmx"],
    &["--jmx-addlargs", "--ssl"],
];
const CLEANUP: [&[&str]; 12] = [
    &["--jmx-username", "jmx"],
    &["--jmx-passwordfile", "/etc/jmx"],
    &["--jmx-addlargs", "--ssl"],
    &["--ssh-password", "secret"],
    &["--stop-after", "1"],
    &["--verbose"],
    &["--output-directory", "DIR"],
    &["--ignore-down-nodes"],
    &["--enforced-job-id", "x"],
    &["--max-job-age", "7"],
    &["--ssh-username", "ops"],
    &["--ssh-identity-file", "FILE"],
];

/// The binary under another name.
fn named(stage: &Stage, name: &str) -> PathBuf {
    let link = stage.home.path().join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_quorate"), &link).unwrap();
    }
    link
}

async fn call_as(stage: &Stage, name: &str, words: &[&str]) -> Said {
    end_of(stage.command_as(&named(stage, name), words).spawn().unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flag_of_cstar_is_understood_where_cstar_takes_it() {
    let stage = Stage::new(1, 1, 1).await;
    let lists: [(&str, &[&[&str]]); 4] =
        [("run", &COMMAND), ("par", &COMMAND), ("continue", &CONTINUE), ("cleanup-jobs", &CLEANUP)];
    for (verb, flags) in lists {
        // Help is printed once what stands before it was understood.
        for flag in flags {
            let words = [&[verb], *flag, &["--help"]].concat();
            let said = call_as(&stage, "cstar", &words).await;
            assert_eq!(said.code, 0, "{words:?}: {}", said.err);
            said.says("Usage: cstar ");
        }
    }
    call_as(&stage, "cstar", &["run", "--no-such-flag", "--help"]).await.code(2);
    for flag in &COMMAND {
        let said = call_as(&stage, "cstarpar", &[*flag, &["--help"]].concat()).await;
        assert_eq!(said.code, 0, "{flag:?}: {}", said.err);
        said.says("Usage: cstarpar COMMAND");
    }
    stage.end().await;
}

#[test]
fn every_flag_of_cstar_has_a_row_in_the_migration_table() {
    let page = include_str!("../../docs/migrate-from-cstar.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for flag in COMMAND.iter().chain(&CONTINUE).chain(&CLEANUP).map(|flag| flag[0]) {
        let flag = if flag.starts_with("-v") { "-v" } else { flag };
        let named = |row: &str| row.split('|').nth(1).unwrap().contains(&format!("`{flag}`"));
        assert!(
            rows.iter().any(|row| named(row)),
            "docs/migrate-from-cstar.md has no row for {flag}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_cstar_runs_as_it_is() {
    let stage = Stage::new(1, 3, 1).await;
    let (seed, config) = (stage.sim.seed(), stage.sim.ssh_config().display().to_string());
    let outputs = stage.home.path().join("outputs");
    let id = "90642c11-4714-44c4-a13a-94b86f09e3bb";
    let words = [
        "run",
        "--command=echo $QUORATE_NODE; exit 0",
        "--seed-host",
        &seed,
        &stage.sim.nodes()[1].address.to_string(),
        "--topology",
        "--ssh-pause-time",
        "0.5",
        "--ssh-lib=paramiko",
        "--stop-after=1",
        "--enforced-job-id",
        id,
        "--output-directory",
        &outputs.display().to_string(),
        "-F",
        &config,
        "--stable",
        "200ms",
        "--round-pause",
        "100ms",
    ];
    let said = call_as(&stage, "cstar", &words).await.code(4);
    assert_eq!(said.job(), id);
    said.says(&format!("go on with `cstar continue {id}`"))
        .complains("--ssh-pause-time changes nothing here")
        .complains("--ssh-lib paramiko changes nothing here");
    call_as(&stage, "cstar", &["continue", id]).await.code(0).says("all 3 nodes done");
    for node in stage.sim.nodes() {
        let read =
            |name| fs::read_to_string(outputs.join(node.address.to_string()).join(name)).unwrap();
        assert_eq!(read("out"), format!("{}\n", node.address));
        assert_eq!((read("err"), read("status")), (String::new(), "0\n".into()));
    }
    let first = stage.sim.nodes()[0].address.to_string();
    stage.call(&["logs", id, &first]).await.code(0).says(&first);
    // The same id, and the same directory, would be two jobs in one place.
    call_as(&stage, "cstar", &words).await.code(3).complains("there is a job 90642c11");
    let mut other = words.to_vec();
    other[11] = "another";
    call_as(&stage, "cstar", &other).await.code(3).complains("outputs of another job");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_cstarpar_runs_here_once_for_each_node() {
    let stage = Stage::new(1, 3, 1).await;
    let (seed, config) = (stage.sim.seed(), stage.sim.ssh_config().display().to_string());
    let second = stage.sim.nodes()[1].address.to_string();
    let short = ["-F", &config, "--stable", "200ms", "--round-pause", "100ms", "--impact", "none"];
    let words = [&["echo to {}", "--seed-host", &seed, &second, "--ssh-pause-time=0"][..], &short];
    let said = call_as(&stage, "cstarpar", &words.concat()).await.code(0);
    let job = said.job();
    for (place, node) in stage.sim.nodes().iter().enumerate() {
        let out = fs::read_to_string(stage.output(&job, place, "out")).unwrap();
        assert_eq!(out, format!("to {}\n", node.address));
    }
    // Under its own name the command stands behind the flags, too.
    let words = [&["par"][..], &short, &["--seed-host", &seed, "echo to {}"]].concat();
    stage.call(&words).await.code(0).says("all 3 nodes done");
    stage.call(&["cleanup-jobs", "--max-job-age", "0"]).await.code(0).says(&job);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_cstarpar_runs_here_as_it_is() {
    let stage = Stage::new(1, 3, 1).await;
    let (seed, config) = (stage.sim.seed(), stage.sim.ssh_config().display().to_string());
    let other = stage.sim.nodes()[1].address.to_string();
    let line = "echo {} 'a,  b'";
    let ours = ["-F", &config, "--impact", "none"];
    for words in [
        [&[line, "--seed-host", &seed, &other][..], &ours].concat(),
        [&ours[..], &["--seed-host", &seed, line]].concat(),
        [&ours[..], &["--seed-host", &seed, &other, "--", line]].concat(),
        [&["--seed-host", &seed][..], &ours, &[line]].concat(),
    ] {
        let said = call_as(&stage, "cstarpar", &words).await.code(0).says("all 3 nodes done");
        let out = fs::read_to_string(stage.output(&said.job(), 1, "out")).unwrap();
        assert_eq!(out, format!("{other} a,  b\n"), "{words:?}");
    }
    let help = call_as(&stage, "cstarpar", &["--help"]).await.code(0);
    help.says("Usage: cstarpar ");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_names_of_strategies_are_those_of_cstar() {
    let stage = Stage::new(2, 3, 1).await;
    for (flag, strategy, parallel) in [
        ("--one", "one", false),
        ("--one-per-dc", "one", true),
        ("--topology", "topology", false),
        ("--topology-per-dc", "topology", true),
        ("--all", "all", true),
    ] {
        let words = ["--output", "json", "--command", "true", "--impact", "none", flag];
        let said = stage.job("run", &words).await.code(0);
        let first: serde_json::Value =
            serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
        assert_eq!(first["policy"]["strategy"], strategy, "{flag}");
        assert_eq!(first["policy"]["dc_parallel"], parallel, "{flag}");
    }
    for more in [&["--strategy", "one"][..], &["--dc-parallel"], &["--dc-serial"], &["--all"]] {
        let words = [&["--command", "true", "--topology"], more].concat();
        stage.job("run", &words).await.code(2).complains("cannot be used with");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_jobs_that_have_ended_go_and_no_others() {
    let stage = Stage::new(1, 3, 1).await;
    let run = ["--impact", "none", "--command", "echo kept"];
    let done = stage.job("run", &run).await.code(0).job();
    let left = stage.job("run", &[&run[..], &["--stop-after", "1"]].concat()).await.code(4).job();
    let marker = stage.home.path().join("started");
    let command = format!("touch {}; sleep 5", marker.display());
    let mut killed = stage.spawn("run", &["--command", &command]);
    crate::stage::appears(&marker).await;
    killed.kill().await.unwrap();
    let jobs = stage.call(&["jobs"]).await.code(0);
    let dead = jobs.out.lines().find(|line| line.contains("interrupted")).unwrap();
    let dead = dead.split_whitespace().next().unwrap().to_owned();
    fs::remove_file(&marker).unwrap();
    let running =
        stage.spawn("run", &["--command", &format!("touch {}; sleep 4", marker.display())]);
    crate::stage::appears(&marker).await;
    let kept = |job: &str| stage.home.path().join(".quorate/jobs").join(job).exists();

    stage.call(&["cleanup-jobs"]).await.code(0).says("no job that has ended is older than 7d00h");
    let dry = stage.call(&["cleanup-jobs", "--max-job-age", "0", "--dry-run"]).await.code(0);
    dry.says(&format!("job {done} would be removed"));
    assert!(kept(&done) && kept(&left));
    let said = call_as(&stage, "cstar", &["cleanup-jobs", "--max-job-age=0"]).await.code(0);
    said.says(&format!("job {done} removed"))
        .says(&format!("job {left} removed"))
        .complains(&format!("job {dead} is kept: it was left in the middle"));
    assert!(!kept(&done) && !kept(&left) && kept(&dead));
    stage.call(&["show", &done]).await.code(3).complains("there is no job");
    let jobs = stage.call(&["jobs"]).await.code(0).says(&dead).says("running");
    assert_eq!(jobs.out.lines().count(), 3, "{}", jobs.out);
    end_of(running).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_too_old_is_not_gone_on_with() {
    let stage = Stage::new(1, 1, 2).await;
    let run = ["--impact", "none", "--command", "true", "--stop-after", "1"];
    let job = stage.job("run", &run).await.code(4).job();
    let refused = stage.call(&["continue", &job, "--max-job-age", "0"]).await.code(3);
    refused.complains("--max-job-age allows 0.0s");
    stage.call(&["continue", &job, "--max-job-age", "1d"]).await.code(0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topology_takes_no_flag_that_means_nothing_there() {
    let stage = Stage::new(1, 1, 1).await;
    for flag in [&["--strict"][..], &["--max-out", "1"], &["--allow-topology-change"]] {
        let words = [&["topology", "--seed-host", "x"], flag].concat();
        stage.call(&words).await.code(2).complains("unexpected argument");
    }
    stage.end().await;
}
