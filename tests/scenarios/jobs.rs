//! What runs on the nodes, what is kept of it, and going on with a job.
use crate::stage::{Stage, appears, end_of, signal};
use std::fs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_through_sh_and_its_outputs_are_kept() {
    let stage = Stage::new(1, 3, 1).await;
    let command = "echo one; echo two >&2; echo \"$((2 + 3))\" 'a  b'";
    let job = stage.job("run", &["--impact", "none", "--command", command]).await.code(0).job();
    for node in 0..3 {
        let read = |name| fs::read_to_string(stage.output(&job, node, name)).unwrap();
        assert_eq!(read("out"), "one\n5 a  b\n");
        assert_eq!(read("err"), "two\n");
        assert_eq!(read("status"), "0\n");
    }
    let nodes = stage.sim.nodes();
    let first = nodes[0].address.to_string();
    let logs = stage.call(&["logs", &job, &first]).await.code(0);
    assert_eq!((logs.out.as_str(), logs.err.as_str()), ("one\n5 a  b\n", "two\n"));
    stage.call(&["logs", &job]).await.code(0).says(&format!("==> {first} out <=="));
    stage.call(&["show", &job[..6]]).await.code(0).says("3 of 3 done");
    stage.call(&["jobs"]).await.code(0).says(&job);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_after_two_dashes_reach_the_program_as_they_are() {
    let stage = Stage::new(1, 1, 1).await;
    let odd =
        ["--impact", "none", "--", "printf", "%s|", "a b", "", "$HOME", "'", "\\", "*", "ü\n"];
    let job = stage.job("run", &odd).await.code(0).job();
    let out = fs::read_to_string(stage.output(&job, 0, "out")).unwrap();
    assert_eq!(out, "a b||$HOME|'|\\|*|ü\n|");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_script_runs_with_its_arguments() {
    let stage = Stage::new(1, 1, 2).await;
    let script = stage.home.path().join("probe.sh");
    fs::write(&script, "#!/bin/sh\necho \"$1-$2 on $QUORATE_NODE\"\nexit 0\n").unwrap();
    let script = script.display().to_string();
    let words = ["--impact", "none", "--script", &script, "--", "x y", "z"];
    let job = stage.job("run", &words).await.code(0).job();
    for (node, known) in stage.sim.nodes().iter().enumerate() {
        let out = fs::read_to_string(stage.output(&job, node, "out")).unwrap();
        assert_eq!(out, format!("x y-z on {}\n", known.address));
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_failure_stops_and_continue_runs_the_rest() {
    let stage = Stage::new(1, 3, 1).await;
    let first = stage.sim.nodes()[0].address.to_string();
    let command = format!("test $QUORATE_NODE != {first} || {{ echo no such disk >&2; exit 7; }}");
    let said = stage.job("run", &["--command", &command]).await.code(1);
    let job = said.job();
    said.says("failed after 0.")
        .says("s: exit status 7: no such disk")
        .says("2 left")
        .says(&format!("continue {job}"));
    let words = ["continue", &job];
    stage.call(&words).await.code(1).says("2 done, 1 failed, 0 left");
    let status = fs::read_to_string(stage.output(&job, 0, "status")).unwrap();
    assert_eq!(status, "7\n");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_runs_again_where_that_is_wished() {
    let stage = Stage::new(1, 3, 1).await;
    let fixed = stage.home.path().join("fixed");
    let text = format!("echo try $QUORATE_ACTION; test -e {}", fixed.display());
    let everybody = ["--max-failures", "1", "--command", &text];
    let job = stage.job("run", &everybody).await.code(1).says("2 failed, 1 left").job();
    stage.call(&["continue", &job, "--retry-failed"]).await.code(1).says("failed, 1 left");
    fs::write(&fixed, "").unwrap();
    let said = stage.call(&["continue", &job, "--retry-failed"]).await.code(0);
    said.says("started, attempt 3").says("all 3 nodes done");
    let first = stage.sim.nodes()[0].address;
    let tries: String = (1..=3).map(|n| format!("try {job}/{first}/main/{n}/1\n")).collect();
    assert_eq!(fs::read_to_string(stage.output(&job, 0, "out")).unwrap(), tries);
    stage.call(&["show", &job]).await.code(0).says("3 of 3 done");
    let nothing = stage.call(&["continue", &job, "--retry-failed"]).await.code(3);
    nothing.complains("nothing of job");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_still_run_is_not_run_again_and_stays_where_it_is() {
    let stage = Stage::new(1, 1, 1).await;
    // Nobody is left to tell how it ends.
    let words = ["--impact", "none", "--command", "echo begun; kill -9 $PPID; exec sleep 60"];
    let said = stage.job("run", &words).await.code(1);
    assert!(!said.out.contains("--retry-failed"), "{}", said.out);
    let job = said.job();
    let again = stage.call(&["continue", &job, "--retry-failed"]).await.code(3);
    again.complains("it isn't known how the last action");
    let actions = stage.sim.home(0).join(".quorate/actions").join(&job);
    let left = fs::read_dir(actions).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_to_string(left.join("out")).unwrap(), "begun\n");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_after_leaves_nodes_that_continue_runs() {
    let stage = Stage::new(1, 3, 1).await;
    let said = stage.job("restart", &["--stop-after", "1"]).await.code(4);
    let job = said.job();
    said.says("1 done, 2 left");
    stage.call(&["show", &job]).await.code(0).says("stopped").says("waiting");
    stage.call(&["continue", &job]).await.code(0).says("all 3 nodes done");
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_stops_starting_and_lets_what_runs_end() {
    let stage = Stage::new(1, 3, 1).await;
    let marker = stage.home.path().join("started");
    let command = format!("touch {}; sleep 1; echo done", marker.display());
    let child = stage.spawn("run", &["--command", &command]);
    appears(&marker).await;
    signal(&child, "INT");
    let said = end_of(child).await.code(4);
    let job = said.job();
    said.says("starting no further node").says("1 done, 2 left");
    assert_eq!(fs::read_to_string(stage.output(&job, 0, "out")).unwrap(), "done\n");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_left_in_the_middle_is_refused_and_its_action_is_named() {
    let stage = Stage::new(1, 3, 1).await;
    let marker = stage.home.path().join("started");
    let command = format!("touch {}; sleep 5", marker.display());
    let mut child = stage.spawn("run", &["--command", &command]);
    appears(&marker).await;
    child.kill().await.unwrap();
    let jobs = stage.call(&["jobs"]).await.code(0).says("interrupted");
    let job = jobs.out.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let first = stage.sim.nodes()[0].address.to_string();
    let said = stage.call(&["continue", &job]).await.code(3);
    said.complains("has no known end").complains(&format!("{job}/{first}/main/1/1"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_names_the_nodes_that_were_left_in_the_middle() {
    let stage = Stage::new(1, 3, 1).await;
    stage.sim.slow_start(0, Some(std::time::Duration::from_secs(600)));
    let child = stage.spawn("restart", &[]);
    let down = |sim: &quorate_sim::Sim| sim.max_down("dc1") == 1;
    stage.sim.wait_until(std::time::Duration::from_secs(60), down).await.unwrap();
    for _ in 0..2 {
        signal(&child, "INT");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let said = end_of(child).await.code(5);
    let (job, first) = (said.job(), stage.sim.nodes()[0].address.to_string());
    said.says(&format!("{first} was left while")).says("the rest of the command didn't run");
    stage.call(&["show", &job]).await.code(0).says("left while");
    let refused = stage.call(&["continue", &job]).await.code(3);
    refused
        .complains(&format!("--host {first} brings it up"))
        .complains("what wasn't started: --host");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_it_waits_for_what_runs() {
    let stage = Stage::new(1, 3, 1).await;
    let marker = stage.home.path().join("started");
    let command = format!("touch {}; sleep 1; echo done", marker.display());
    let child = stage.spawn("run", &["--command", &command]);
    appears(&marker).await;
    signal(&child, "TERM");
    end_of(child).await.code(4).says("told to end").says("1 done, 2 left");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_line_without_its_end_is_shown_too() {
    let stage = Stage::new(1, 1, 1).await;
    let said = stage.job("run", &["-v", "--impact", "none", "--command", "printf hello"]).await;
    said.code(0).says("| hello");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_job_that_is_done() {
    let stage = Stage::new(1, 1, 1).await;
    let said = stage.job("run", &["--impact", "none", "--command", "true"]).await.code(0);
    stage.call(&["continue", &said.job()]).await.code(3).complains("nothing of job");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_not_there_is_named_and_nothing_of_ours() {
    let stage = Stage::new(1, 1, 1).await;
    let said = stage.job("run", &["--impact", "none", "--", "no-such-program"]).await.code(1);
    assert!(!said.out.contains("bundle"), "{}", said.out);
    said.says("exit status 127: no-such-program: not found");
    stage.end().await;
}
