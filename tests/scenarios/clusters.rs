//! Several clusters in one run: each with a ring, a guard and a job of its own.
use crate::stage::{Said, end_of, operator};
use quorate_sim::{Happening::StartStarted, Sim, SimSpec, Timings};
use std::{fs, path::Path};
use tempfile::TempDir;

/// Two simulated clusters and one operator.
struct Two {
    sims: [Sim; 2],
    home: TempDir,
}

impl Two {
    async fn new(racks: usize) -> Self {
        let cluster = |name: &str, seed| {
            let mut spec = SimSpec::uniform(1, racks, 1);
            spec.timings = Timings::fast();
            spec.cluster_name = name.into();
            spec.seed = seed;
            Sim::start(spec)
        };
        let sims = [cluster("east", 1).await.unwrap(), cluster("west", 2).await.unwrap()];
        let home = TempDir::new().unwrap();
        let both: Vec<_> =
            sims.iter().map(|sim| format!("Include {}\n", sim.ssh_config().display())).collect();
        fs::write(home.path().join("config"), both.concat()).unwrap();
        Self { sims, home }
    }

    fn seeds(&self) -> String {
        format!("{},{}", self.sims[0].seed(), self.sims[1].seed())
    }

    async fn call(&self, words: &[&str]) -> Said {
        let config = self.home.path().join("config").display().to_string();
        // The configuration stands behind the command: `plan COMMAND …` has it in its second word.
        let (command, rest) = words.split_at(if words[0] == "plan" { 2 } else { 1 });
        let words = [command, &["-F", &config], rest].concat();
        let mut command =
            operator(self.home.path(), Path::new(env!("CARGO_BIN_EXE_quorate")), &words);
        end_of(command.spawn().unwrap()).await
    }

    async fn restart(&self, more: &[&str]) -> Said {
        let seeds = self.seeds();
        let words =
            ["restart", "--seed-host", &seeds, "--stable", "200ms", "--round-pause", "100ms"];
        self.call(&[&words[..], more].concat()).await
    }

    async fn end(self) {
        for sim in self.sims {
            assert_eq!(sim.quorum_losses(), Vec::<String>::new());
            sim.stop().await.unwrap();
        }
    }
}

/// Places of texts in what was said.
fn at(said: &Said, text: &str) -> usize {
    said.out.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{}", said.out))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_the_other_each_with_its_own_job() {
    let two = Two::new(3).await;
    let said = two.restart(&[]).await.code(0);
    let first_ends = at(&said, "all 3 nodes done");
    let second_begins = at(&said, " on west: restart");
    assert!(at(&said, " on east: restart") < first_ends && first_ends < second_begins);
    assert_eq!(said.out.matches("all 3 nodes done").count(), 2, "{}", said.out);
    for sim in &two.sims {
        for node in 0..3 {
            let starts = sim.history().into_iter();
            let starts = starts.filter(|(_, of, what)| (*of, *what) == (node, StartStarted));
            assert_eq!(starts.count(), 1);
        }
    }
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn side_by_side_each_behind_its_own_guard() {
    let two = Two::new(3).await;
    let said = two.restart(&["--cluster-parallel"]).await.code(0);
    let first_ends = at(&said, "all 3 nodes done");
    let second_begins = at(&said, " on west: restart");
    assert!(second_begins < first_ends, "{}", said.out);
    // Whose line it is stands behind the time.
    let node = two.sims[1].nodes()[0].address.to_string();
    said.says(&format!(" west {node} started"));
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_fails_is_the_last() {
    let two = Two::new(2).await;
    let (seeds, bad) = (two.seeds(), two.sims[0].nodes()[0].address.to_string());
    let command = format!("test $QUORATE_NODE != {bad}");
    let said =
        two.call(&["run", "--seed-host", &seeds, "--impact", "none", "--command", &command]).await;
    let said = said.code(1).says("not started: west");
    assert!(!said.out.contains(" on west"), "{}", said.out);
    // Its ring was read, at the seed; nobody else of it was asked for anything.
    assert_eq!(two.sims[1].commands_run(1), 0);
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_after_counts_over_all_of_them() {
    let two = Two::new(2).await;
    let seeds = two.seeds();
    let run = ["run", "--seed-host", &seeds, "--impact", "none", "--command", "true"];
    let said = two.call(&[&run[..], &["--stop-after", "3"]].concat()).await.code(4);
    said.says("all 2 nodes done").says("1 done, 1 left");
    let said = two.call(&[&run[..], &["--stop-after", "2"]].concat()).await.code(4);
    said.says("not started, by --stop-after: west");
    let words = ["--stop-after", "3", "--cluster-parallel"];
    let said = two.call(&[&run[..], &words].concat()).await.code(2);
    said.complains("--stop-after counts nodes over clusters in turn");
    let said = two.call(&[&run[..], &["-j", "1", "--cluster-parallel"]].concat()).await.code(2);
    said.complains("-j 1 can't be shared out to 2 clusters");
    two.call(&[&run[..], &["-j", "2", "--cluster-parallel"]].concat()).await.code(0);
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_of_one_cluster_make_one_job_and_one_that_is_lost_is_no_secret() {
    let two = Two::new(2).await;
    let all: Vec<String> = two.sims[0].nodes().iter().map(|n| n.address.to_string()).collect();
    let run = ["--impact", "none", "--command", "true"];
    let said = two.call(&[&["run", "--seed-host", &all.join(",")][..], &run].concat()).await;
    assert_eq!(said.code(0).out.matches(" on east").count(), 1);

    // Named hosts go to their clusters, the others are left alone.
    let (one, other) = (&all[0], two.sims[1].nodes()[1].address.to_string());
    let hosts = format!("{one},{other}");
    let said = two.call(&[&["run", "--host", &hosts][..], &run].concat()).await.code(0);
    assert_eq!(said.out.matches("all 1 nodes done").count(), 2, "{}", said.out);

    // A seed that doesn't answer may stand for a cluster that somebody waits for.
    two.sims[1].sshd_down(0).await;
    let seeds = two.seeds();
    let said = two.call(&[&["run", "--seed-host", &seeds][..], &run].concat()).await.code(3);
    let west = two.sims[1].seed();
    said.complains(&format!("{west} is no node of east")).complains("nothing was touched");
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_and_topologies_are_shown_of_each() {
    let two = Two::new(3).await;
    let seeds = two.seeds();
    let plan = two.call(&["plan", "restart", "--seed-host", &seeds]).await.code(0);
    plan.says("east").says("west");
    let json = two.call(&["topology", "--seed-host", &seeds, "--output", "json"]).await.code(0);
    let clusters: Vec<String> = json
        .out
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            object["cluster"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(clusters, ["east", "west"]);
    let dc = two.call(&["plan", "restart", "--seed-host", &seeds, "--dc-filter", "dc9"]).await;
    dc.code(3).complains("there is no data center dc9");
    two.end().await;
}
