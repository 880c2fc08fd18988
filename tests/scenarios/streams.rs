//! What programs read: `--output json`.
use crate::stage::{Said, Stage, appears, end_of, signal};
use serde_json::Value;

/// Every line of standard output, which must be an object of the stream's format.
fn events(said: &Said) -> Vec<Value> {
    let read = |line: &str| -> Value {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(event["format"], 1, "{line}");
        event
    };
    said.out.lines().map(read).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// An event as one line, without what differs from run to run.
fn normal(event: &Value, job: &str, host: &str) -> String {
    let mut event = event.clone();
    for (name, value) in event.as_object_mut().unwrap() {
        if name == "time" || name.ends_with("after_ms") || name == "version" {
            *value = Value::from("…");
        }
    }
    if let Some(version) = event.pointer_mut("/command/version") {
        *version = Value::from("…");
    }
    if event["event"] == "ended" {
        // It holds how long it took.
        event["text"] = Value::from("…");
    }
    event.to_string().replace(job, "JOB").replace(host, "NODE")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_job_is_a_stream_of_objects() {
    let stage = Stage::new(1, 1, 1).await;
    let command = "echo one; printf 'b\\377d' >&2";
    let words = ["--output", "json", "-v", "--impact", "none", "--command", command];
    let said = stage.job("run", &words).await.code(0);
    let told = events(&said);
    let (job, host) = (told[0]["job"].as_str().unwrap(), stage.sim.nodes()[0].address.to_string());
    let mut lines: Vec<String> = told.iter().map(|event| normal(event, job, &host)).collect();
    // What is printed may be told before or after what is journalled meanwhile.
    let output = lines.iter().filter(|line| line.contains(r#""event":"output""#)).cloned();
    let output: Vec<String> = output.collect();
    lines.retain(|line| !output.contains(line));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/scenarios/expected/stream.jsonl");
    let lines = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(path, &lines).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap();
    assert_eq!(lines, expected, "UPDATE_EXPECTED=1 writes it");
    for (stream, text) in [
        ("stdout", r#""text":"one""#),
        ("stderr", "\"lossy\":true"),
        ("stderr", "\"text\":\"b\u{fffd}d\""),
    ] {
        let found = output.iter().any(|line| line.contains(stream) && line.contains(text));
        assert!(found, "{stream} {text}: {output:#?}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_tells_each_node_and_its_state() {
    let stage = Stage::new(1, 3, 1).await;
    let said = stage.job("restart", &["--output", "json", "--stop-after", "2"]).await.code(4);
    let told = events(&said);
    let of = |node: &str| -> Vec<Value> {
        told.iter().filter(|event| event["node"] == node).cloned().collect()
    };
    let targets = told[0]["targets"].as_array().unwrap();
    assert_eq!((told[0]["event"].as_str().unwrap(), targets.len()), ("created", 3));
    let mut done = 0;
    for target in targets {
        let events = of(target["node"].as_str().unwrap());
        let Some(last) = events.iter().rev().find(|event| event["event"] == "confirmed") else {
            continue;
        };
        assert_eq!((&last["state"], &last["out"]), (&Value::from("done"), &Value::from(false)));
        for name in ["started", "action-intended", "action-finished", "progress", "command-ended"] {
            assert!(names(&events).contains(&name), "{name}: {:?}", names(&events));
        }
        done += 1;
    }
    assert_eq!(done, 2);
    let held = told.iter().find(|event| event["event"] == "held").unwrap();
    assert!(held["reason"]["kind"].is_string() && held["reason"]["text"].is_string());
    let end = told.last().unwrap();
    assert_eq!((&end["event"], &end["exit_code"]), (&Value::from("ended"), &Value::from(4)));
    assert_eq!(end["counts"]["waiting"], 1);
    let job = told[0]["job"].as_str().unwrap();
    let rest = stage.call(&["continue", job, "--output", "json"]).await.code(0);
    let rest = events(&rest);
    assert_eq!(rest[0]["event"], "taken-up");
    assert_eq!(rest.last().unwrap()["result"], "completed");
    let show = stage.call(&["show", job, "--output", "json"]).await.code(0);
    let show: Value = serde_json::from_str(&show.out).unwrap();
    assert_eq!((&show["state"], &show["counts"]["done"]), (&Value::from("done"), &Value::from(3)));
    let jobs = stage.call(&["jobs", "--output", "json"]).await.code(0);
    let jobs: Value = serde_json::from_str(&jobs.out).unwrap();
    assert_eq!(jobs["jobs"][0]["job"], job);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_begin_is_told_where_a_program_reads() {
    let stage = Stage::new(1, 1, 1).await;
    let jobs = stage.call(&["jobs", "--output", "json"]).await.code(0);
    assert_eq!(events(&jobs)[0]["jobs"], Value::Array(Vec::new()));
    let wrong = [
        (stage.job("run", &["--output", "json", "--command", "true", "--keep", "TWO"]).await, 2),
        (stage.job("run", &["--output=json", "--command", "true", "--dc-filter", "no"]).await, 3),
        (stage.call(&["show", "nope", "--output", "json"]).await, 3),
    ];
    for (said, code) in wrong {
        let said = said.code(code).complains("error: ");
        let told = events(&said);
        assert_eq!(names(&told), ["error"]);
        assert_eq!(told[0]["exit_code"], code);
        assert!(said.err.contains(told[0]["text"].as_str().unwrap().lines().next().unwrap()));
    }
    // What is the command's own isn't ours.
    let said = stage.job("run", &["--dc-filter", "no", "--", "echo", "--output", "json"]).await;
    assert_eq!(said.code(3).out, "");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_stop_is_an_event() {
    let stage = Stage::new(1, 3, 1).await;
    let marker = stage.home.path().join("started");
    let command = format!("touch {}; sleep 1", marker.display());
    let child = stage.spawn("run", &["--output", "json", "--command", &command]);
    appears(&marker).await;
    signal(&child, "INT");
    let said = end_of(child).await.code(4).complains("starting no further node");
    let told = events(&said);
    let asked = told.iter().find(|event| event["event"] == "asked-to-stop").unwrap();
    assert_eq!(asked["at_once"], false);
    assert_eq!(told.last().unwrap()["counts"]["waiting"], 2);
    stage.end().await;
}
