//! What is said of mistakes in how nodetool is called and how nodes are reached, word for word: `expected/errors.txt`.
use crate::stage::Stage;
use quorate_sim::{NodetoolFault, SimSpec, Timings};
use std::{fmt::Write, fs, path::Path};

/// What a call complained of, without what differs from run to run.
fn complaint(stage: &Stage, err: &str) -> String {
    let mut text = err.to_owned();
    for (number, node) in stage.sim.nodes().iter().enumerate() {
        text = text.replace(&node.address.to_string(), &format!("10.0.0.{}", number + 1));
    }
    // Both are asked at the same time; either may answer first.
    text.replace(&stage.home.path().display().to_string(), "~")
        .replace("nodetool describecluster", "nodetool status")
}

struct Told<'a> {
    stage: &'a Stage,
    text: String,
}

impl Told<'_> {
    /// Runs something that must be refused before anything is touched.
    async fn of(&mut self, what: &str, words: &[&str]) {
        let run = ["--impact", "none", "--command", "true"];
        let said = self.stage.job("run", &[words, &run].concat()).await;
        assert!(matches!(said.code, 2 | 3), "{what}: {said:?}");
        let shown = complaint(self.stage, &words.join(" ")).replace("hunter2", "…");
        let complaint = complaint(self.stage, &said.err);
        assert!(!complaint.contains("hunter2"), "{complaint}");
        writeln!(self.text, "# {what}\n$ {shown}\n{}: {complaint}", said.code).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_told_word_for_word() {
    let mut spec = SimSpec::uniform(1, 3, 1);
    spec.timings = Timings::fast();
    spec.jmx_login = Some(("ops".into(), "right".into()));
    let stage = Stage::with(spec).await;
    let nodes = stage.sim.nodes();
    let first = nodes[0].address.to_string();
    let file = |name: &str, text: &str| {
        let path = stage.home.path().join(name);
        fs::write(&path, text).unwrap();
        std::process::Command::new("chmod").arg("600").arg(&path).status().unwrap();
        path.display().to_string()
    };
    let (wrong, right) = (file("wrong", "hunter2\n"), file("right", "right\n"));
    let several = file("several", "monitor hunter2\nadmin hunter2\n");
    let login = ["--jmx-username", "ops", "--jmx-password-file", &right];
    let mut told = Told { stage: &stage, text: String::new() };

    told.of("JMX wants a login", &[]).await;
    let words = ["--jmx-username", "ops", "--jmx-password-file", &wrong];
    told.of("JMX password wrong", &words).await;
    told.of("JMX username without password", &["--jmx-username", "ops"]).await;
    told.of("JMX password without username", &["--jmx-password", "hunter2"]).await;
    let words = ["--jmx-username", "ops", "--jmx-password-file", &several];
    told.of("no password of that user in the file", &words).await;
    let words = ["--jmx-username", "ops", "--jmx-password-file", "/no/such/file"];
    told.of("no such file here", &words).await;
    let words = ["--jmx-username", "ops", "--jmx-passwordfile", "/no/such/file"];
    told.of("no such file on the node", &words).await;
    told.of("a password among other words", &["--jmx-args", "-pw hunter2"]).await;
    let [second, third] = [&nodes[1], &nodes[2]].map(|node| node.address.to_string());
    let seed = ["--seed-host", &second];
    let reach = |flag: &'static str, path: String| [flag.to_owned(), path];
    for (what, flag, text) in [
        ("host map line of no node", "--host-map", format!("{first} {first}\n192.0.2.1 n9\n")),
        (
            "host map with a node twice",
            "--host-map",
            format!("{first} n1\n{} n2\n", nodes[0].host_id),
        ),
        (
            "host map with a host twice",
            "--host-map",
            format!("{first} {third}\n{second} {third}\n"),
        ),
        ("host map that isn't one", "--host-map", "10.0.0.1\n".to_owned()),
        ("inventory in YAML", "--inventory", "all:\n  hosts:\n".to_owned()),
        ("inventory line", "--inventory", "[ring]\nn1 ansible_host\n".to_owned()),
        (
            "variables of no node",
            "--hosts-variables",
            "{\"192.0.2.1\": {\"A\": \"hunter2\"}}".to_owned(),
        ),
        (
            "variables that aren't",
            "--hosts-variables",
            "{\"n1\": {\"A\": [\"hunter2\"]}}".to_owned(),
        ),
    ] {
        let given = reach(flag, file("given", &text));
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        told.of(what, &[&login[..], &seed, &given].concat()).await;
    }
    let words = [&login[..], &["--nodetool", "/opt/nodetool"]].concat();
    told.of("nodetool absent", &words).await;
    stage.sim.break_nodetool(0, Some(NodetoolFault::MissingFromPath)).unwrap();
    told.of("nodetool not on the PATH", &login).await;
    stage.sim.break_nodetool(0, None).unwrap();
    stage.sim.kill(0);
    told.of("Cassandra stopped", &login).await;
    let text = told.text;
    let expected =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios/expected/errors.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&expected).unwrap(), "UPDATE_EXPECTED=1 writes it anew");
    stage.end().await;
}
