//! Nodes whose SSH address isn't the one that gossip shows, names, and variables of single nodes.
use crate::stage::{Said, Stage};
use quorate_sim::{SimNode, SimSpec, Timings};
use std::fs;

/// Nodes that know each other by addresses at which nothing listens.
async fn stage(nodes: usize) -> Stage {
    let mut spec = SimSpec::uniform(1, nodes, 1);
    spec.timings = Timings::fast();
    spec.inner_addresses = true;
    Stage::with(spec).await
}

fn file(stage: &Stage, name: &str, text: &str) -> String {
    let path = stage.home.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn map(nodes: &[SimNode]) -> String {
    let line = |node: &SimNode| format!("{} {} # {}\n", node.address, node.ssh_address, node.rack);
    nodes.iter().map(line).collect()
}

/// A call with these words before those of how to log in.
async fn call(stage: &Stage, verb: &str, words: &[&str]) -> Said {
    let config = stage.sim.ssh_config().display().to_string();
    let fixed = ["-F", &config, "--stable", "200ms", "--round-pause", "100ms"];
    stage.call(&[&[verb][..], &fixed, words].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_map_reaches_nodes_that_gossip_shows_elsewhere() {
    let stage = stage(3).await;
    let nodes = stage.sim.nodes();
    // Without it the nodes can't be observed, and nothing starts.
    let without = ["--impact", "none", "--max-failures", "100%", "--command", "true"];
    stage.job("run", &without).await.code(1).says("3 failed");

    let map = file(&stage, "map", &map(&nodes));
    let said = stage.job("restart", &["--host-map", &map, "--stop-after", "1"]).await.code(4);
    let job = said.job();
    // The map is the job's from then on.
    fs::remove_file(&map).unwrap();
    stage.call(&["continue", &job]).await.code(0).says("all 3 nodes done");
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    assert!((0..3).all(|node| stage.sim.commands_run(node) > 0));
    stage.call(&["show", &job]).await.code(0).says(&nodes[2].address.to_string());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_named_by_address_host_id_or_as_it_is_reached() {
    let stage = stage(3).await;
    let nodes = stage.sim.nodes();
    // By host id, as JSON, with a user and a port.
    let (port, user) = (stage.sim.port(), &stage.sim.spec().ssh_user);
    let pair = |n: &SimNode| format!("{:?}: \"{user}@{}:{port}\"", n.host_id, n.ssh_address);
    let pairs: Vec<_> = nodes.iter().map(pair).collect();
    let map = file(&stage, "map.json", &format!("{{{}}}", pairs.join(", ")));
    let seed = nodes[1].host_id.as_str();
    let names = [
        nodes[0].address.to_string(),
        nodes[1].host_id.clone(),
        format!("{user}@{}:{port}", nodes[2].ssh_address),
    ];
    for (number, name) in names.iter().enumerate() {
        let words = ["--seed-host", seed, "--host-map", &map, "--host", name];
        let rest = ["--impact", "none", "--command", "echo on $QUORATE_NODE"];
        let job = call(&stage, "run", &[&words[..], &rest].concat()).await.code(0).job();
        let out = fs::read_to_string(stage.output(&job, number, "out")).unwrap();
        assert_eq!(out, format!("on {}\n", nodes[number].address), "{name}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inventory_says_who_and_how() {
    let stage = stage(3).await;
    let (nodes, port) = (stage.sim.nodes(), stage.sim.port());
    let mut text = "[web]\nwww.invalid\n[ring]\n".to_owned();
    for (number, node) in nodes.iter().enumerate() {
        let (ssh, own) = (node.ssh_address, node.address);
        text.push_str(&format!("cass{number} ansible_host={ssh} quorate_node={own}\n"));
    }
    text.push_str(&format!("[ring:vars]\nansible_port={port}\n[first]\ncass0\n"));
    let inventory = file(&stage, "hosts.ini", &text);
    let words = ["--inventory", &inventory, "--inventory-group", "ring"];
    call(&stage, "restart", &words).await.code(0).says("all 3 nodes done");
    let words = ["--inventory", &inventory, "--inventory-group", "first", "--impact", "none"];
    let said = call(&stage, "run", &[&words[..], &["--command", "true"]].concat()).await.code(0);
    said.says(&nodes[0].address.to_string());
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_without_a_name_stay_addresses_and_it_is_said() {
    let stage = Stage::new(1, 1, 2).await;
    let words = ["-r", "--impact", "none", "--command", "true"];
    let said = stage.job("run", &words).await.code(0);
    said.says("have no name of their own in DNS and stay addresses")
        .says(&stage.sim.nodes()[1].address.to_string());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_of_single_nodes_are_in_their_environment_and_in_no_journal() {
    let stage = Stage::new(1, 3, 1).await;
    let nodes = stage.sim.nodes();
    let secret = "Zq8wN3vT-it's \"one\"";
    let text = format!(
        "{{\"{}\": {{\"TOKEN\": {}, \"N\": 1}}, \"{}\": {{\"N\": 2}}}}",
        nodes[0].address, "\"Zq8wN3vT-it's \\\"one\\\"\"", nodes[1].host_id
    );
    let variables = file(&stage, "variables.json", &text);
    let command = "test -z \"$TOKEN\" || printf '%s' \"$TOKEN\" | wc -c; echo n=$N";
    let words = ["--hosts-variables", &variables, "--stop-after", "1", "--command", command];
    let job = stage.job("run", &words).await.code(4).job();
    let refused = stage.call(&["continue", &job]).await.code(2);
    refused.complains("N among them").complains("--hosts-variables FILE again");
    stage.call(&["continue", &job, "--hosts-variables", &variables]).await.code(0);
    let out = |node| fs::read_to_string(stage.output(&job, node, "out")).unwrap();
    assert_eq!(out(0).split_whitespace().collect::<Vec<_>>(), [&secret.len().to_string(), "n=1"]);
    assert_eq!((out(1).as_str(), out(2).as_str()), ("n=2\n", "n=\n"));
    fs::remove_file(&variables).unwrap();
    for entry in fs::read_dir(stage.home.path().join(".quorate")).unwrap().flatten() {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        let found = bytes.windows(8).any(|window| window == b"Zq8wN3vT");
        assert!(!found, "{}", entry.path().display());
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_that_mixes_nodes_up_is_found_out_before_anything_is_touched() {
    let stage = stage(3).await;
    let mut nodes = stage.sim.nodes();
    let (first, second) = (nodes[0].clone(), nodes[1].clone());
    nodes[0].ssh_address = second.ssh_address;
    nodes[1].ssh_address = first.ssh_address;
    let map = file(&stage, "map", &map(&nodes));
    // Only the third is run on, and its line is right.
    let third = ["--host-map", &map, "--host", &nodes[2].host_id];
    stage.job("restart", &third).await.code(0);
    let said = stage.job("restart", &["--host-map", &map]).await.code(3);
    said.complains("is the node with the host id").complains("--host-map");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_down_and_cannot_be_asked_is_said() {
    let stage = stage(3).await;
    let nodes = stage.sim.nodes();
    let map = file(&stage, "map", &map(&nodes));
    stage.sim.kill(0);
    let shows_down = |sim: &quorate_sim::Sim| sim.shows(2, 0) == Some(false);
    stage.sim.wait_until(std::time::Duration::from_secs(30), shows_down).await.unwrap();
    let seed = nodes[2].address.to_string();
    let words = ["--host-map", &map, "--seed-host", &seed, "--host", &nodes[0].host_id];
    let said = call(&stage, "restart", &words).await.code(0);
    said.says("nobody could ask whether the map is right").says(&nodes[0].address.to_string());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_name_that_leads_to_another_node_is_found_out_too() {
    let stage = Stage::new(1, 3, 1).await;
    let nodes = stage.sim.nodes();
    let (one, other) = (nodes[0].address, nodes[1].address);
    let config = format!(
        "Host {one}\n  HostName {other}\nHost *\nInclude {}\n",
        stage.sim.ssh_config().display()
    );
    let config = file(&stage, "config", &config);
    let (seed, one) = (nodes[2].address.to_string(), one.to_string());
    let words = ["restart", "-F", &config, "--seed-host", &seed, "--host", &one];
    let said = stage.call(&words).await.code(3);
    said.complains("is the node with the host id").complains("HostName in the ssh_config");
    assert!(stage.sim.history().is_empty());
    stage.end().await;
}
