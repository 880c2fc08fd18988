//! What becomes of nodes over time, driven over SSH as the product does it.
#![allow(clippy::unwrap_used, missing_docs)]

mod ssh;

use std::time::Duration;

use quorate_sim::Happening::{
    DrainStarted, Drained, Killed, SeenDown, SeenUp, Serving, StartFailed, StartStarted,
    StopStarted, Stopped, Up, ViewComplete,
};
use quorate_sim::{Happening, NodetoolFault, Phase, Sim, SimSpec, Timings};
use ssh::{LIMIT, connect, fast, run};

async fn three() -> Sim {
    Sim::start(fast(SimSpec::uniform(1, 3, 1))).await.unwrap()
}

/// Steps that take so long that only the test moves on.
fn standing_still() -> Timings {
    let long = Duration::from_secs(3600);
    Timings {
        drain: long,
        stop: long,
        start: long,
        gossip_down: long,
        announced_down: long,
        gossip_up: long,
        fresh_view: long,
        native_after_up: long,
        nodetool: Duration::ZERO,
    }
}

fn happenings(sim: &Sim, node: usize) -> Vec<Happening> {
    sim.history().into_iter().filter(|(_, of, _)| *of == node).map(|(_, _, what)| what).collect()
}

/// The two letters that `observer` shows of `node`.
async fn shown(sim: &Sim, observer: usize, node: usize) -> Option<String> {
    let address = sim.nodes()[node].address.to_string();
    let status = run(sim, observer, "nodetool status").await.text();
    let line = status.lines().find(|line| line.split_whitespace().nth(1) == Some(&address))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn field(info: &str, name: &str) -> u64 {
    let line = info.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_restart_through_the_service_passes_every_step() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    let before = node.run("nodetool info").await.text();
    let restart = node.run("nodetool drain && sudo service cassandra stop && service cassandra status; sudo -u cassandra service cassandra start").await;
    assert_eq!((restart.code, restart.text().as_str()), (Some(0), " * Cassandra is not running\n"));
    sim.wait_until(LIMIT, |sim| {
        sim.serves_clients(0) && happenings(sim, 0).contains(&ViewComplete)
    })
    .await
    .unwrap();
    let mut passed = happenings(&sim, 0);
    // How long the shell takes decides when the peers notice.
    passed.retain(|what| !matches!(what, SeenDown | ViewComplete));
    assert_eq!(
        passed,
        [DrainStarted, Drained, StopStarted, Stopped, StartStarted, Up, SeenUp, Serving]
    );
    let after = node.run("nodetool info").await.text();
    assert!(field(&after, "Generation No") > field(&before, "Generation No"));
    assert!(field(&after, "Uptime (seconds)") < field(&before, "Uptime (seconds)"));
    assert_eq!(node.run("nodetool statusbinary").await.text(), "running\n");
    assert_eq!((sim.quorum_losses(), sim.max_down("dc1")), (Vec::new(), 1));
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn systemctl_restarts_too_and_waits_for_the_stop() {
    let sim = three().await;
    let node = connect(&sim, 1).await.unwrap();
    assert_eq!(node.run("systemctl is-active cassandra.service").await.text(), "active\n");
    assert_eq!(node.run("systemctl stop cassandra").await.code, Some(0));
    assert_eq!(sim.phase(1), Phase::Down);
    let inactive = node.run("systemctl is-active cassandra").await;
    assert_eq!((inactive.code, inactive.text().as_str()), (Some(3), "inactive\n"));
    assert_eq!(node.run("systemctl restart cassandra").await.code, Some(0));
    sim.wait_until(LIMIT, |sim| sim.serves_clients(1)).await.unwrap();
    assert_eq!(node.run("systemctl start nosuch").await.code, Some(5));
    assert_eq!(node.run("service nosuch start").await.code, Some(1));
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn each_phase_answers_nodetool_in_its_own_way() {
    let sim = Sim::start(SimSpec { timings: standing_still(), ..SimSpec::uniform(1, 3, 1) })
        .await
        .unwrap();
    let node = connect(&sim, 0).await.unwrap();
    sim.kill(0);
    let down = node.run("nodetool status").await;
    let refused = format!(
        "nodetool: Failed to connect to '{}:7199' - ConnectException: 'Connection refused'.\n",
        sim.seed()
    );
    assert_eq!(
        (down.code, down.error_text(), down.text().as_str()),
        (Some(1), refused.clone(), "")
    );
    sim.start_node(0);
    assert_eq!(sim.phase(0), Phase::Starting);
    assert_eq!(node.run("nodetool info").await.error_text(), refused, "the port isn't open yet");
    // Let it be in the middle of its start: its port opens after a quarter of it.
    sim.slow_start(1, Some(Duration::from_secs(2)));
    sim.kill(1);
    sim.start_node(1);
    let other = connect(&sim, 1).await.unwrap();
    let early = loop {
        let ran = other.run("nodetool info").await;
        if ran.code == Some(0) || ran.error_text().contains("not initialized") {
            break ran;
        }
    };
    assert_eq!(early.code, Some(1), "{}", early.text());
    assert!(early.error_text().contains("Server is not initialized yet, cannot run nodetool."));
    sim.wait_until(LIMIT, |sim| sim.phase(1) == Phase::Up).await.unwrap();
    assert_eq!(
        other.run("nodetool statusbinary").await.text(),
        "not running\n",
        "up, but not serving yet"
    );
    let _draining = other.start("nodetool drain").await;
    sim.wait_until(LIMIT, |sim| sim.phase(1) == Phase::Draining).await.unwrap();
    assert_eq!(other.run("nodetool netstats").await.text().lines().next(), Some("Mode: DRAINING"));
    assert_eq!(other.run("nodetool statusgossip").await.text(), "not running\n");
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn peers_keep_showing_a_killed_node_as_up() {
    let timings = Timings { gossip_down: Duration::from_secs(3600), ..Timings::fast() };
    let sim = Sim::start(SimSpec { timings, ..SimSpec::uniform(1, 3, 1) }).await.unwrap();
    sim.kill(0);
    assert_eq!(shown(&sim, 1, 0).await.as_deref(), Some("UN"));
    assert!(!sim.is_live(0));
    sim.stop_node(2);
    sim.wait_until(LIMIT, |sim| happenings(sim, 2).contains(&SeenDown)).await.unwrap();
    assert_eq!(shown(&sim, 1, 2).await.as_deref(), Some("DN"), "an announced stop is seen at once");
    assert_eq!(happenings(&sim, 0), [Killed]);
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn the_lag_ends() {
    let sim = three().await;
    sim.kill(0);
    sim.wait_until(LIMIT, |sim| sim.shows(1, 0) == Some(false)).await.unwrap();
    assert_eq!(shown(&sim, 1, 0).await.as_deref(), Some("DN"));
    let history = sim.history();
    assert_eq!(history[1].0 - history[0].0, Timings::fast().gossip_down);
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_fresh_node_shows_only_its_own_data_center() {
    let timings = Timings { fresh_view: Duration::from_secs(3600), ..Timings::fast() };
    let sim = Sim::start(SimSpec { timings, ..SimSpec::uniform(2, 3, 1) }).await.unwrap();
    run(&sim, 0, "service cassandra restart").await;
    sim.wait_until(LIMIT, |sim| sim.serves_clients(0)).await.unwrap();
    let status = run(&sim, 0, "nodetool status").await.text();
    assert!(status.contains("Datacenter: dc1") && !status.contains("Datacenter: dc2"), "{status}");
    assert_eq!(status.matches("UN  ").count(), 3);
    assert_eq!(run(&sim, 5, "nodetool status").await.text().matches("UN  ").count(), 6);
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_node_that_never_comes_back_stays_down_until_it_is_mended() {
    let sim = three().await;
    sim.never_comes_back(0, true);
    assert_eq!(run(&sim, 0, "service cassandra restart").await.code, Some(0));
    sim.wait_until(LIMIT, |sim| happenings(sim, 0).contains(&StartFailed)).await.unwrap();
    assert_eq!(sim.phase(0), Phase::Down);
    sim.never_comes_back(0, false);
    run(&sim, 0, "service cassandra start").await;
    sim.wait_until(LIMIT, |sim| sim.serves_clients(0)).await.unwrap();
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn the_judge_sees_what_two_racks_at_once_do() {
    let sim = Sim::start(fast(SimSpec::uniform(2, 3, 2))).await.unwrap();
    for node in [0, 1, 6] {
        run(&sim, node, "service cassandra stop").await;
    }
    assert_eq!(
        sim.quorum_losses(),
        Vec::<String>::new(),
        "one rack, and one node of another data center"
    );
    run(&sim, 2, "service cassandra stop").await;
    let losses = sim.quorum_losses();
    assert!(
        losses[0].contains("of shop had 1 of 3 live replicas in dc1 where 2 are needed"),
        "{losses:?}"
    );
    assert!(losses.iter().all(|loss| loss.contains("in dc1")));
    assert_eq!((sim.max_down("dc1"), sim.max_down("dc2")), (3, 1));
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn nodetool_breaks_on_demand() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    sim.break_nodetool(
        0,
        Some(NodetoolFault::Fails { code: 5, stderr: "out of memory\n".to_owned() }),
    )
    .unwrap();
    let ran = node.run("nodetool status").await;
    assert_eq!(
        (ran.code, ran.error_text().as_str(), ran.out.len()),
        (Some(5), "out of memory\n", 0)
    );
    sim.break_nodetool(0, Some(NodetoolFault::Silent)).unwrap();
    assert_eq!(node.run("nodetool status").await.out, b"");
    sim.break_nodetool(0, Some(NodetoolFault::Garbage)).unwrap();
    assert!(String::from_utf8(node.run("nodetool status").await.out).is_err());
    sim.break_nodetool(0, Some(NodetoolFault::Huge { bytes: 10 << 20 })).unwrap();
    assert_eq!(node.run("nodetool status").await.out.len(), 10 << 20);
    sim.break_nodetool(0, Some(NodetoolFault::MissingFromPath)).unwrap();
    assert_eq!(node.run("nodetool status").await.code, Some(127));
    assert_eq!(run(&sim, 1, "nodetool version").await.code, Some(0), "the others are well");
    sim.break_nodetool(0, None).unwrap();
    assert_eq!(node.run("nodetool version").await.text(), "ReleaseVersion: 5.0.4\n");
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn settings_and_faults_show_in_the_outputs() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    assert_eq!(
        node.run("nodetool setcompactionthroughput 16 && nodetool getcompactionthroughput")
            .await
            .text(),
        "Current compaction throughput: 16 MB/s\n"
    );
    sim.native_transport_off(0, true);
    assert_eq!(node.run("nodetool statusbinary").await.text(), "not running\n");
    sim.native_transport_off(0, false);
    assert_eq!(node.run("nodetool statusbinary").await.text(), "running\n");
    sim.disagree_on_schema(2, true);
    let description = node.run("nodetool describecluster").await.text();
    assert_eq!(
        description.lines().filter(|line| line.starts_with("\t\t")).count(),
        2,
        "{description}"
    );
    sim.pending_compactions(0, 7);
    assert!(
        node.run("nodetool compactionstats")
            .await
            .text()
            .contains("pending tasks                    7")
    );
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn arguments_and_odd_words_reach_nodetool_unchanged() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    let ran = node
        .run(
            "nodetool \"it's
 two lines\" 'and $HOME'",
        )
        .await;
    assert_eq!(ran.text().lines().next(), Some("nodetool: Found unexpected parameters: [it's"));
    assert!(node.run("nodetool").await.text().starts_with("usage: nodetool"));
    let elsewhere = node.run(&format!("nodetool -h {} status", sim.nodes()[1].address)).await;
    assert_eq!(
        elsewhere.code,
        Some(1),
        "the management port listens on the node's own address only"
    );
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_drain_goes_on_when_its_caller_is_gone() {
    let timings = Timings { drain: Duration::from_millis(300), ..Timings::fast() };
    let sim = Sim::start(SimSpec { timings, ..SimSpec::uniform(1, 3, 1) }).await.unwrap();
    let node = connect(&sim, 0).await.unwrap();
    let _channel = node.start("nodetool drain").await;
    sim.wait_until(LIMIT, |sim| sim.phase(0) == Phase::Draining).await.unwrap();
    sim.drop_connections(0);
    sim.wait_until(LIMIT, |sim| sim.phase(0) == Phase::Drained).await.unwrap();
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn subscribers_hear_what_the_history_has() {
    let sim = three().await;
    let mut events = sim.subscribe();
    sim.kill(1);
    sim.start_node(1);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|(_, _, what)| *what != Serving) {
        heard.push(tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap());
    }
    assert_eq!(heard, sim.history()[..heard.len()]);
    let late = sim.wait_until(Duration::from_millis(20), |_| false).await.unwrap_err().to_string();
    assert!(late.contains("serving"), "{late}");
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_hundred_nodes_answer() {
    let sim = Sim::start(fast(SimSpec::uniform(2, 5, 10))).await.unwrap();
    let node = connect(&sim, 99).await.unwrap();
    assert_eq!(node.run("nodetool status").await.text().matches("UN  ").count(), 100);
    let ranges = node.run("nodetool describering shop").await.text();
    assert_eq!(ranges.lines().filter(|line| line.starts_with("\tTokenRange(")).count(), 1600);
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn more_nodes_than_one_block_of_addresses_has_are_reached_too() {
    let sim = Sim::start(fast(SimSpec { vnodes: 1, ..SimSpec::uniform(1, 3, 90) })).await.unwrap();
    let (first, last) = (sim.nodes()[0].address.octets(), sim.nodes()[269].address.octets());
    assert_eq!(last[2], first[2] + 1);
    assert_eq!(run(&sim, 269, "nodetool status").await.text().matches("UN  ").count(), 270);
    sim.stop().await.unwrap();
}
