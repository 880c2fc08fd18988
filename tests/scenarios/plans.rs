//! Looking before and meanwhile: `plan`, `topology`, `explain`, and strategies that are components.
use crate::stage::Stage;
use quorate_sim::{KeyspaceSpec, SimSpec, Timings};
use serde_json::Value;

fn spec(dcs: usize, racks: usize, nodes: usize) -> SimSpec {
    let mut spec = SimSpec::uniform(dcs, racks, nodes);
    spec.timings = Timings::fast();
    spec
}

/// `plan COMMAND …` on this cluster.
async fn plan(stage: &Stage, rest: &[&str]) -> crate::stage::Said {
    let words = stage.words("restart", rest);
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.insert(0, "plan");
    stage.call(&words).await
}

async fn topology(stage: &Stage, rest: &[&str]) -> crate::stage::Said {
    let (seed, config) = (stage.sim.seed(), stage.sim.ssh_config().display().to_string());
    let words = ["topology", "--seed-host", &seed, "-F", &config];
    stage.call(&[&words, rest].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_tells_the_waves_and_touches_nothing() {
    let stage = Stage::with(spec(2, 3, 2)).await;
    let said = plan(&stage, &["--dc-parallel"]).await.code(0);
    said.says("waves    3, 4 at most at a time; no order needs fewer than 3")
        .says("LOCAL_QUORUM")
        .says("Nothing was touched.");
    assert!(stage.sim.history().is_empty());
    stage.call(&["jobs"]).await.code(0).says("there are no jobs yet");
    let json = plan(&stage, &["--output", "json", "--strategy", "one"]).await.code(0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["stages"][0]["waves"].as_array().unwrap().len(), 12);
    let few = plan(&stage, &["--dc-parallel", "--max-out", "1"]).await.code(0);
    few.says("waves    6,").says("--max-out: 1 of the 6 nodes");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_bears_no_node_out_is_refused_where_that_is_wished() {
    let mut spec = spec(1, 3, 1);
    spec.keyspaces.push(KeyspaceSpec::network_topology("lean", &[("dc1", 2)]));
    let stage = Stage::with(spec).await;
    let strict = stage.job("run", &["--strict", "--command", "true"]).await.code(3);
    strict
        .complains("--strict: lean (RF 2 in dc1) bears no replica out at LOCAL_QUORUM")
        .complains("nothing was touched");
    let accepted = ["--strict", "--accept-outage", "lean", "--command", "true"];
    let said = stage.job("run", &accepted).await.code(0);
    assert!(!said.out.contains("bears no replica out"), "{}", said.out);
    let narrowed =
        ["--strict", "--keyspace", "lean", "--keep", "lean=LOCAL_ONE", "--command", "true"];
    stage.job("run", &narrowed).await.code(0);
    for (wrong, text) in [
        (["--keep", "nope=ONE"], "there is no keyspace nope"),
        (["--keep", "system=ONE"], "LocalStrategy"),
        (["--accept-outage", "nope"], "there is no keyspace nope"),
        (["--strategy", "nope"], "there is no strategy nope"),
        (["--strategy-arg", "first=x"], "takes no arguments"),
    ] {
        stage
            .job("run", &[&wrong[..], &["--command", "true"]].concat())
            .await
            .code(2)
            .complains(text);
    }
    stage.job("run", &["--keep", "TWO", "--command", "true"]).await.code(2).complains("a level is");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_topology_shows_nodes_ranges_and_a_picture() {
    let stage = Stage::with(spec(1, 3, 1)).await;
    topology(&stage, &[]).await.code(0).says("SLACK").says("LOCAL_QUORUM");
    let json: Value =
        serde_json::from_str(&topology(&stage, &["--output", "json"]).await.code(0).out).unwrap();
    assert_eq!(json["nodes"].as_array().unwrap().len(), 3);
    let name = json["keyspaces"]
        .as_array()
        .unwrap()
        .iter()
        .find(|keyspace| keyspace["guarded"] == true)
        .unwrap()["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let ranges = topology(&stage, &["--ranges", &name, "--output", "json"]).await.code(0);
    let ranges: Value = serde_json::from_str(&ranges.out).unwrap();
    let ranges = ranges["ranges"].as_array().unwrap();
    let tokens: u64 =
        json["nodes"].as_array().unwrap().iter().map(|n| n["tokens"].as_u64().unwrap()).sum();
    assert_eq!(ranges.len() as u64, tokens);
    assert!(ranges.iter().all(|range| range["replicas"].as_array().unwrap().len() == 3));
    let svg = topology(&stage, &["--output", "svg"]).await.code(0).out;
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    topology(&stage, &["--ranges", "nope"]).await.code(2).complains("there are: ");
    topology(&stage, &["--ranges", "system"]).await.code(2).complains("isn't placed by tokens");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_names_who_is_out() {
    let stage = Stage::with(spec(1, 3, 1)).await;
    stage.sim.kill(2);
    let policy = ["--ignore-down-nodes", "--timeout", "3s", "--command", "true"];
    let mut child = stage.spawn("run", &policy);
    let address = |node: usize| stage.sim.nodes()[node].address.to_string();
    let (waits, dead) = (address(0), address(2));
    let expected = format!("{dead} is down");
    let told = async {
        loop {
            let jobs = stage.call(&["jobs"]).await;
            if let Some(job) =
                jobs.out.lines().nth(1).and_then(|line| line.split_whitespace().next())
            {
                let said = stage.call(&["explain", job, &waits]).await;
                if said.out.contains(&expected) {
                    return stage.call(&["explain", job, &waits, "--output", "json"]).await.code(0);
                }
            }
        }
    };
    let limit = std::time::Duration::from_secs(120);
    let said = tokio::time::timeout(limit, told).await.expect("nobody says that it is down");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["state"], "waiting");
    assert_eq!(json["reason"]["kind"], "replica-set");
    assert_eq!(json["reason"]["out"][0]["node"], dead.as_str());
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_pauses_and_continue_runs_the_rest() {
    let stage = Stage::with(spec(1, 3, 2)).await;
    let canary = ["--strategy", "canary", "--strategy-arg", "pause"];
    let said = stage.job("restart", &canary).await.code(4);
    let job = said.job();
    let said = said.says("the strategy pauses after group 1");
    assert_eq!(said.out.matches(" started\n").count(), 1, "{}", said.out);
    stage.call(&["continue", &job]).await.code(0).says("all 6 nodes done");
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    // What each node took is known now.
    let said = stage.job("restart", &["--strategy", "longest-first"]).await.code(0);
    said.says("all 6 nodes done");
    let said = stage.job("restart", &["--strategy", "rack"]).await.code(0);
    said.says("the strategy's groups: 2, then 2, then 2 nodes");
    assert_eq!(stage.sim.quorum_losses(), Vec::<String>::new());
    stage.end().await;
}
