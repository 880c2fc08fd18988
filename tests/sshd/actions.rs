use crate::server::{Server, Watch, action, strings, target};
use quorate_ports::{ActionEnd, ActionWatch, Exit, FaultKind, Program, Stream, Transport};
use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

fn exited(code: i32) -> ActionEnd {
    ActionEnd::Exited(Exit::Code(code))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_gets_what_it_is_given_and_gives_what_it_prints() {
    let server = Server::start();
    let client = server.ssh();
    let mut action = action(&[
        "sh",
        "-c",
        "printf '[%s]' \"$@\" \"$TOKEN\" \"$QUORATE_NODE\" \"$QUORATE_JOB\" \"$QUORATE_ACTION\"; cat; echo oops >&2; exit 3",
        "sh",
        "a 'b\"",
        "",
        "$HOME",
    ]);
    action.env = vec![("TOKEN".into(), "it's\n$x".into())];
    action.stdin = b"first\0second\n".to_vec();
    let watch = Watch::default();
    assert_eq!(client.act(&action, &watch).await.unwrap(), exited(3));
    assert_eq!(
        watch.text(),
        "[a 'b\"][][$HOME][it's\n$x][127.0.0.1][j1][j1/127.0.0.1/main/1/1]first\0second\n"
    );
    assert_eq!((watch.errors().as_str(), watch.told()), ("oops\n", vec![]));

    // Asked for again: the same answer, and nothing runs.
    let again = Watch::default();
    assert_eq!(client.act(&action, &again).await.unwrap(), exited(3));
    assert_eq!(again.text(), watch.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_by_its_shebang_with_its_arguments() {
    let server = Server::start();
    let client = server.ssh();
    for (seq, text, interpreter, expected) in [
        (1, "#!/bin/bash\narray=(\"$@\"); echo \"${#array[@]} ${array[1]}\"\n", "", "2 b c\n"),
        (2, "echo $# \"$2\"", "", "2 b c\n"),
        (3, "#!/bin/false\n$1 $2", "cat", "#!/bin/false\n$1 $2"),
    ] {
        let mut action = action(&[]);
        action.id.seq = seq;
        let args = if interpreter == "cat" { vec![] } else { strings(&["a", "b c"]) };
        action.program =
            Program::Script { text: text.into(), interpreter: interpreter.into(), args };
        let watch = Watch::default();
        assert_eq!(client.act(&action, &watch).await.unwrap(), exited(0), "{}", watch.errors());
        assert_eq!(watch.text(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_ended_at_its_time_limit() {
    let server = Server::start();
    let client = server.ssh();
    let mut action = action(&["sh", "-c", "trap '' TERM; echo $$; sleep 100; sleep 100"]);
    action.timeout_ms = Some(400);
    let watch = Watch::default();
    let begun = Instant::now();
    assert_eq!(client.act(&action, &watch).await.unwrap(), ActionEnd::TimedOut { limit_ms: 400 });
    assert!(begun.elapsed() < Duration::from_secs(15));
    let program = format!("/proc/{}", watch.text().trim());
    crate::server::wait_for("the end of the program", || !fs::exists(&program).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_gone_but_for_the_claim() {
    let server = Server::start();
    let client = server.ssh();
    let action = action(&["sh", "-c", "echo x >>$HOME/count"]);
    client.act(&action, &Watch::default()).await.unwrap();
    let host = target("127.0.0.1");
    for _ in 0..2 {
        client.ssh.forget(&host, &action.id).await.unwrap();
    }
    let directory = server.node().join(".quorate/actions/j1/127.0.0.1,main,1,1");
    let left: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["run"]);
    assert!(matches!(client.act(&action, &Watch::default()).await.unwrap(), ActionEnd::Lost(_)));
    assert_eq!(fs::read_to_string(server.node().join("count")).unwrap(), "x\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_cannot_be_written_is_a_fault_of_the_node() {
    let server = Server::start();
    let client = server.ssh_with(|options| options.remote_dir = Some("/proc/none".into()));
    let error = client.act(&action(&["true"]), &Watch::default()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Node);
    assert!(
        error.message.contains("/proc/none") && error.hint.contains("--remote-dir"),
        "{error:?}"
    );
}

/// Can't write.
struct FullDisk;

impl ActionWatch for FullDisk {
    fn output(&self, _: Stream, _: &[u8]) -> Result<(), String> {
        Err("no space left".into())
    }

    fn connection(&self, _: &str) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_fails_ends_the_attachment_and_not_the_action() {
    let server = Server::start();
    let client = server.ssh();
    let action = action(&["sh", "-c", "echo x; sleep 0.5; echo y"]);
    let end = client.ssh.act(&target("127.0.0.1"), &action, &FullDisk).await.unwrap();
    assert_eq!(end, ActionEnd::Lost("no space left".into()), "it runs: it isn't said not to");
    let watch = Watch::default();
    assert_eq!(client.act(&action, &watch).await.unwrap(), exited(0));
    assert_eq!(watch.text(), "x\ny\n");
}

/// Checks what `yes` prints and keeps none of it.
#[derive(Default)]
struct Pattern {
    seen: AtomicU64,
    largest: Mutex<usize>,
}

const LINE: &[u8] = b"0123456789abcdef\n";

impl ActionWatch for Pattern {
    fn output(&self, _: Stream, bytes: &[u8]) -> Result<(), String> {
        let from = self.seen.fetch_add(bytes.len() as u64, Ordering::SeqCst) as usize % LINE.len();
        let mut largest = self.largest.lock().unwrap();
        *largest = (*largest).max(bytes.len());
        let (head, rest) = bytes.split_at(bytes.len().min(LINE.len() - from));
        let whole = rest.chunks(LINE.len()).all(|line| LINE.starts_with(line));
        match whole && LINE[from..].starts_with(head) {
            true => Ok(()),
            false => Err("the output is not what was printed".into()),
        }
    }

    fn connection(&self, text: &str) {
        panic!("{text}");
    }
}

fn peak_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_flow_in_bounded_memory() {
    const BYTES: u64 = 200_000_000;
    let server = Server::start();
    let client = server.ssh();
    let action = action(&["sh", "-c", &format!("yes 0123456789abcdef | head -c {BYTES}")]);
    let watch = Pattern::default();
    let begun = Instant::now();
    assert_eq!(client.ssh.act(&target("127.0.0.1"), &action, &watch).await.unwrap(), exited(0));
    let took = begun.elapsed();
    assert_eq!(watch.seen.load(Ordering::SeqCst), BYTES);
    println!(
        "{:.0} MB/s, frames up to {} bytes, peak memory of all tests {} KiB",
        BYTES as f64 / 1e6 / took.as_secs_f64(),
        watch.largest.lock().unwrap(),
        peak_memory_kib()
    );
    assert!(*watch.largest.lock().unwrap() <= 256 * 1024);
    assert!(peak_memory_kib() < 100 * 1024, "{} KiB", peak_memory_kib());
    assert!(took < Duration::from_secs(60), "{took:?}");
}
