//! Clusters of every version that is read, and nodetools that print what nobody can read.
use crate::stage::Stage;
use quorate_sim::{KeyspaceSpec, SimSpec, Timings, Version};

fn of(version: Version, racks: usize, nodes: usize) -> SimSpec {
    SimSpec { version, timings: Timings::fast(), ..SimSpec::uniform(1, racks, nodes) }
}

#[tokio::test]
async fn a_4_0_cluster_is_restarted() {
    let stage = Stage::with(of(Version::V4_0_17, 3, 2)).await;
    stage.job("restart", &[]).await.code(0).says("all 6 nodes done");
    assert!(stage.sim.quorum_losses().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn the_replication_of_a_3_11_cluster_is_read_off_its_ranges() {
    let stage = Stage::with(of(Version::V3_11_17, 3, 2)).await;
    let said = stage.job("restart", &[]).await.code(0);
    let said =
        said.says("3.11.17 doesn't tell how keyspaces are replicated, and cqlsh doesn't either");
    said.says("cqlsh wasn't found").says("all 6 nodes done");
    assert!(stage.sim.quorum_losses().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn cqlsh_tells_the_replication_of_a_3_11_cluster() {
    let mut spec = of(Version::V3_11_17, 3, 1);
    spec.cqlsh = true;
    let stage = Stage::with(spec).await;
    let said = stage.job("restart", &[]).await.code(0).says("all 3 nodes done");
    assert!(!said.out.contains("doesn't tell how"), "{}", said.out);
    assert!(!said.out.contains("nobody tells"), "{}", said.out);
    assert!(stage.sim.quorum_losses().is_empty());
    stage.end().await;
}

/// With as many nodes as replicas the factor can't be told, until a person says it.
#[tokio::test]
async fn a_factor_that_nobody_tells_is_said_with_rf() {
    let stage = Stage::with(of(Version::V3_11_17, 3, 1)).await;
    let open = "shop has 3 replicas in dc1, and nobody tells whether it is configured for more";
    let config = stage.sim.ssh_config().display().to_string();
    let seed = stage.sim.seed();
    let topology = ["topology", "--seed-host", &seed, "-F", &config];
    let plan = |rest: &[&'static str]| {
        let words = [&["plan", "restart", "--seed-host", &seed, "-F", &config][..], rest].concat();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words
    };
    let said = async |words: Vec<String>| {
        stage.call(&words.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let first = said(plan(&[])).await.code(0).says(open);
    assert!(first.out.contains("--rf shop:dc1=N says it"), "{}", first.out);
    let told = said(plan(&["--rf", "shop:dc1=3"])).await.code(0);
    assert!(!told.out.contains(open), "{}", told.out);
    stage.call(&topology).await.code(0).says("shop");
    stage.job("restart", &["--strict"]).await.code(3).complains("nobody tells");
    stage.job("restart", &["--strict", "--rf", "shop:dc1=3"]).await.code(0);
    let wrong = stage.job("restart", &["--rf", "shop:dc1=1"]).await.code(3);
    wrong
        .complains("--rf shop: nodetool describering shows 3 replicas of a range in dc1")
        .complains("nothing was touched");
    stage
        .job("restart", &["--rf", "nosuch=3"])
        .await
        .code(2)
        .complains("there is no keyspace nosuch");
    assert!(stage.sim.quorum_losses().is_empty());
    stage.end().await;
}

/// `continue` goes by the same.
#[tokio::test]
async fn what_was_said_with_rf_is_remembered() {
    let stage = Stage::with(of(Version::V3_11_17, 3, 1)).await;
    let args = ["--strict", "--rf", "shop:dc1=3", "--stop-after", "1"];
    let job = stage.job("restart", &args).await.code(4).job();
    // A new schema makes it read the map anew, with what was said.
    for node in 0..3 {
        stage.sim.disagree_on_schema(node, true);
    }
    let said = stage.call(&["continue", &job]).await.code(0);
    assert!(said.out.contains("schema"), "{}", said.out);
    assert!(stage.sim.quorum_losses().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_contradiction_of_what_the_cluster_tells_is_refused() {
    let stage = Stage::new(1, 3, 1).await;
    let said = stage.job("restart", &["--rf", "shop:dc1=2"]).await.code(3);
    said.complains("--rf shop: the cluster says that it is replicated otherwise")
        .complains("dc1=3")
        .complains("correct --rf, or leave it out");
    stage.end().await;
}

/// The seed is the first node: of the old release, or of the new one.
#[tokio::test]
async fn mixed_versions_are_read_at_either() {
    for (old, new) in [
        (Version::V3_11_17, Version::V4_0_17),
        (Version::V4_0_17, Version::V4_1_9),
        (Version::V4_0_17, Version::V5_0_4),
    ] {
        for (rest, seed) in [(old, new), (new, old)] {
            let mut spec = of(rest, 3, 1);
            spec.other_versions = vec![(0, seed)];
            let stage = Stage::with(spec).await;
            stage.job("restart", &[]).await.code(0).says("all 3 nodes done");
            assert!(stage.sim.quorum_losses().is_empty(), "{seed} in {rest}");
            stage.end().await;
        }
    }
}

#[tokio::test]
async fn simple_strategy_in_two_data_centers_is_told_from_the_ranges() {
    let mut spec = SimSpec {
        version: Version::V3_11_17,
        timings: Timings::fast(),
        ..SimSpec::uniform(2, 3, 1)
    };
    spec.keyspaces.push(KeyspaceSpec::simple("old", 2));
    let stage = Stage::with(spec).await;
    let config = stage.sim.ssh_config().display().to_string();
    let said = stage.call(&["topology", "--seed-host", &stage.sim.seed(), "-F", &config]).await;
    said.code(0).says("SimpleStrategy {replication_factor=2}").says("dc1=3, dc2=3");
    stage.end().await;
}
