//! Restarts and runs over whole clusters.
use crate::stage::Stage;
use quorate_sim::Happening;

fn restarts(stage: &Stage, node: usize) -> usize {
    stage
        .sim
        .history()
        .iter()
        .filter(|(_, who, what)| *who == node && *what == Happening::Up)
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_touches_every_node_once_and_no_quorum_is_lost() {
    let stage = Stage::new(2, 3, 2).await;
    let said = stage.job("restart", &["--dc-parallel"]).await.code(0);
    said.says("all 12 nodes done");
    for node in 0..12 {
        assert_eq!(restarts(&stage, node), 1, "node {node}");
    }
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    assert_eq!((stage.sim.max_down("dc1"), stage.sim.max_down("dc2")), (2, 2));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_centers_go_in_turn_where_nothing_else_is_said() {
    let stage = Stage::new(2, 3, 1).await;
    stage.job("restart", &[]).await.code(0);
    let downs: Vec<_> = stage
        .sim
        .history()
        .iter()
        .filter(|(_, _, what)| *what == Happening::Stopped)
        .map(|(_, node, _)| stage.sim.nodes()[*node].dc.clone())
        .collect();
    assert_eq!(downs, ["dc1", "dc1", "dc1", "dc2", "dc2", "dc2"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_a_restart_of_all_at_once_loses_quorums() {
    let stage = Stage::new(1, 3, 1).await;
    stage.job("restart", &["--strategy", "all"]).await.code(2).complains("add --force");
    assert_eq!(stage.sim.max_down("dc1"), 0);
    let said = stage.job("restart", &["--strategy", "all", "--force"]).await.code(0);
    said.says("warning: strategy all");
    assert_eq!(stage.sim.max_down("dc1"), 3);
    assert!(!stage.sim.quorum_losses().is_empty(), "the judge must be able to see a loss");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_takes_one_data_center_and_names_those_there_are() {
    let stage = Stage::new(2, 1, 1).await;
    let run = ["--impact", "none", "--command", "true"];
    let both = [&["--dc-filter", "dc2"][..], &run].concat();
    stage.job("run", &both).await.code(0).says("all 1 nodes done");
    let wrong = [&["--dc-filter", "dc9"][..], &run].concat();
    let said = stage.job("run", &wrong).await.code(3);
    said.complains("no data center dc9").complains("dc1, dc2").complains("nothing was touched");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_hosts_are_the_only_targets() {
    let stage = Stage::new(1, 3, 1).await;
    let (config, nodes) = (stage.sim.ssh_config().display().to_string(), stage.sim.nodes());
    let host = nodes[1].address.to_string();
    let list = stage.home.path().join("hosts");
    std::fs::write(&list, format!("# one of three\n{host}\n")).unwrap();
    let list = list.display().to_string();
    for spec in [["--host", &host], ["--host-file", &list]] {
        let words =
            [&["run"][..], &spec, &["-F", &config, "--impact", "none", "--command", "true"]];
        stage.call(&words.concat()).await.code(0).says("all 1 nodes done");
    }
    let stranger =
        ["run", "--host", &host, "--host", "127.99.99.99", "-F", &config, "--command", "true"];
    stage.call(&stranger).await.code(3).complains("127.99.99.99 is no node of");
    stage.end().await;
}
