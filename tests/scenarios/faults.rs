//! What goes wrong: every fault names the host and the cure, and nothing hangs.
use crate::stage::{Stage, appears, end_of, peak};
use quorate_sim::{KeyspaceSpec, NodetoolFault, Sim, SimSpec, Timings};
use std::{fs, time::Duration};

const RUN: [&str; 4] = ["--impact", "none", "--command", "true"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_host_key_is_refused_before_anything_is_sent() {
    let stage = Stage::new(1, 1, 2).await;
    stage.sim.change_host_key(0).unwrap();
    let before = stage.sim.commands_run(0);
    let said = stage.job("run", &RUN).await.code(3);
    said.complains(&stage.sim.seed())
        .complains("host key")
        .complains("known_hosts")
        .complains("hint:");
    assert_eq!(stage.sim.commands_run(0), before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_seed_is_named_and_a_second_one_helps() {
    let stage = Stage::new(1, 1, 2).await;
    stage.sim.sshd_down(0).await;
    let said = stage.job("run", &RUN).await.code(3);
    said.complains(&stage.sim.seed()).complains("refused").complains("nothing was touched");
    let second = stage.sim.nodes()[1].address.to_string();
    let both =
        [&["--seed-host", &second, "--dc-filter", "dc1", "--max-failures", "100%"][..], &RUN]
            .concat();
    let said = stage.job("run", &both).await.code(1);
    said.says("a seed was passed over").says("1 done, 1 failed");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nodetool_that_gives_no_usable_answer_stops_the_job_before_it_begins() {
    let faults = [
        (NodetoolFault::Fails { code: 1, stderr: "disk on fire\n".into() }, "disk on fire"),
        (NodetoolFault::Garbage, "nodetool"),
        (NodetoolFault::Silent, "found the end of the output"),
        (NodetoolFault::MissingFromPath, "nodetool wasn't found"),
        (NodetoolFault::Hangs, "did not answer within 1000 ms"),
    ];
    let stage = Stage::new(1, 1, 2).await;
    for (fault, text) in faults {
        stage.sim.break_nodetool(0, Some(fault)).unwrap();
        let said = stage.job("restart", &["--nodetool-timeout", "1s"]).await.code(3);
        said.complains(&stage.sim.seed())
            .complains(text)
            .complains("hint:")
            .complains("nothing was touched");
    }
    assert_eq!(stage.sim.max_down("dc1"), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_never_comes_back_fails_by_its_time_and_holds_the_others() {
    let stage = Stage::new(1, 3, 1).await;
    stage.sim.never_comes_back(0, true);
    let said = stage.job("restart", &["--timeout", "6s"]).await.code(1);
    let first = stage.sim.nodes()[0].address.to_string();
    said.says(&first).says("not confirmed within").says("2 left");
    assert_eq!(stage.sim.max_down("dc1"), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_down_node_holds_the_others_and_is_brought_back_first() {
    let stage = Stage::new(1, 3, 1).await;
    stage.sim.kill(2);
    let seen = |sim: &Sim| sim.shows(0, 2) == Some(false) && sim.shows(1, 2) == Some(false);
    stage.sim.wait_until(Duration::from_secs(20), seen).await.unwrap();
    let said = stage.job("restart", &[]).await.code(0);
    said.says("all 3 nodes done");
    assert_eq!(stage.sim.max_down("dc1"), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_is_taken_up_again_and_nothing_runs_twice() {
    let stage = Stage::new(1, 1, 1).await;
    let count = stage.home.path().join("runs");
    let text = format!(
        "echo run >> {}; i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); sleep 0.01; done",
        count.display()
    );
    let child = stage.spawn("run", &["--impact", "none", "--command", &text]);
    for _ in 0..3 {
        appears(&count).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        stage.sim.drop_connections(0);
    }
    let said = end_of(child).await.code(0);
    let job = said.job();
    assert_eq!(fs::read_to_string(&count).unwrap(), "run\n");
    let lines: String = (0..300).map(|i| format!("line {i}\n")).collect();
    assert_eq!(fs::read_to_string(stage.output(&job, 0, "out")).unwrap(), lines);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_of_output_need_little_memory() {
    const BYTES: u64 = 200 << 20;
    const PEAK_KB: u64 = 96 << 10;
    let stage = Stage::new(1, 1, 1).await;
    let text = format!("head -c {BYTES} /dev/zero | tr '\\0' x");
    let mut child = stage.spawn("run", &["--impact", "none", "--command", &text]);
    let peak = peak(&mut child).await;
    let job = end_of(child).await.code(0).job();
    assert_eq!(fs::metadata(stage.output(&job, 0, "out")).unwrap().len(), BYTES);
    assert!(peak > 0 && peak < PEAK_KB, "peak {peak} kB");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_components_limit_is_set_by_hand_and_kept_for_the_rest_of_the_job() {
    let stage = Stage::new(1, 1, 2).await;
    let limited = [&["--plugin-limit", "actions=0", "--max-failures", "100%"][..], &RUN].concat();
    let said = stage.job("run", &[&limited[..], &["--stop-after", "1"]].concat()).await.code(1);
    let job = said.job();
    said.says("action-limit").says("--plugin-limit actions=VALUE");
    stage.call(&["continue", &job]).await.code(1).says("action-limit");
    let wrong = [&["--plugin-limit", "patience=1"][..], &RUN].concat();
    stage.job("run", &wrong).await.code(2).complains("no limit 'patience'");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_alone_is_brought_back_with_a_live_one_as_the_seed() {
    let stage = Stage::new(1, 3, 1).await;
    stage.sim.kill(2);
    let seen = |sim: &Sim| sim.shows(0, 2) == Some(false) && sim.shows(1, 2) == Some(false);
    stage.sim.wait_until(Duration::from_secs(20), seen).await.unwrap();
    let dead = stage.sim.nodes()[2].address.to_string();
    stage.job("restart", &["--host", &dead]).await.code(0).says("all 1 nodes done");
    assert!(stage.sim.is_live(2));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_takes_nodes_down_is_not_made_harmless_by_a_flag() {
    let stage = Stage::new(1, 3, 1).await;
    for flags in [&["--impact", "none"][..], &["--impact", "none", "--strategy", "all"]] {
        stage.job("restart", flags).await.code(2).complains("whatever --impact says");
    }
    assert_eq!(stage.sim.max_down("dc1"), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_observer_neither_holds_the_job_nor_makes_its_view_old() {
    let stage = Stage::new(1, 3, 2).await;
    stage.sim.break_nodetool(5, Some(NodetoolFault::Hangs)).unwrap();
    let first = stage.sim.nodes()[0].address.to_string();
    let other = stage.sim.nodes()[2].address.to_string();
    let said = stage.job("restart", &["--host", &first, "--host", &other]).await.code(0);
    said.says("all 2 nodes done");
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyspace_that_cannot_bear_a_node_out_is_named() {
    let mut spec = SimSpec::uniform(1, 3, 1);
    spec.timings = Timings::fast();
    spec.keyspaces.push(KeyspaceSpec::network_topology("lean", &[("dc1", 2)]));
    let stage = Stage::with(spec).await;
    let said = stage.job("run", &["--command", "true"]).await.code(0);
    said.says("lean (RF 2 in dc1) bears no replica out at LOCAL_QUORUM");
    stage.end().await;
}
