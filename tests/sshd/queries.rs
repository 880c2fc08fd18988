use crate::server::{Server, strings, target, wait_for};
use quorate_ports::{Exit, FaultKind, PrivateFile, Query, Secret, Transport};
use std::{fs, time::Duration};

#[tokio::test(flavor = "multi_thread")]
async fn a_query_gets_odd_arguments_as_they_are() {
    let server = Server::start();
    let client = server.ssh();
    let odd = ["a b", "", "'", "\"$HOME\"", "`id`", "\\", "*", "!x", "é…", "x\ny\n", "-n", "#"];
    let mut argv = vec!["sh", "-c", "printf '[%s]' \"$@\"; echo oops >&2; cat; exit 5", "sh"];
    argv.extend(odd);
    let answer = client.query(&argv).await.unwrap();
    let expected: String = odd.iter().map(|text| format!("[{text}]")).collect();
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), expected);
    assert_eq!((answer.exit, answer.stderr.as_slice()), (Exit::Code(5), &b"oops\n"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_missing_or_killed_shows_in_the_exit_status() {
    let server = Server::start();
    let client = server.ssh();
    let answer = client.query(&["no-such-program"]).await.unwrap();
    assert_eq!(answer.exit, Exit::Code(127));
    assert!(String::from_utf8_lossy(&answer.stderr).contains("no-such-program"));
    let answer = client.query(&["sh", "-c", "kill -KILL $$"]).await.unwrap();
    assert_eq!(answer.exit, Exit::Code(137));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_at_its_time_limit_there_as_well() {
    let server = Server::start();
    let client = server.ssh();
    let query = Query {
        argv: strings(&["sh", "-c", "echo $$ >$HOME/pid; sleep 100; true"]),
        timeout: Duration::from_millis(1500),
        max_output: 100,
        private: Vec::new(),
    };
    let error = client.ssh.query(&target("127.0.0.1"), query).await.unwrap_err();
    assert_eq!((error.kind, error.host.as_str()), (FaultKind::TimedOut, "127.0.0.1"));
    assert!(error.message.contains("1500 ms"), "{error}");
    let pid = fs::read_to_string(server.node().join("pid")).unwrap();
    crate::server::wait_for("the program's end", || {
        !fs::exists(format!("/proc/{}", pid.trim())).unwrap()
    });
    // The connection is as good as before.
    assert_eq!(client.query(&["true"]).await.unwrap().exit, Exit::Code(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_output_is_an_error_and_not_a_truncated_answer() {
    let server = Server::start();
    let client = server.ssh();
    let query = |command: &str, max_output| Query {
        argv: strings(&["sh", "-c", command]),
        timeout: Duration::from_secs(20),
        max_output,
        private: Vec::new(),
    };
    let target = target("127.0.0.1");
    for command in ["yes", "yes >&2"] {
        let error = client.ssh.query(&target, query(command, 5000)).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::TooMuchOutput, "{error}");
    }
    assert_eq!(client.ssh.query(&target, query("printf 12345", 5)).await.unwrap().stdout, b"12345");
    assert_eq!(
        client.ssh.query(&target, query("printf 123456", 5)).await.unwrap_err().kind,
        FaultKind::TooMuchOutput
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_login_shell_prints_is_not_taken_for_the_answer() {
    // bash reads its start-up file for commands of sshd's.
    let server = Server::start();
    fs::write(server.node().join(".bashrc"), "echo welcome; echo careful >&2\n").unwrap();
    let answer = server.ssh().query(&["echo", "answer"]).await.unwrap();
    assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (&b"answer\n"[..], &b""[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_runs_something_else_is_a_fault_of_the_node() {
    let server = Server::start_with("ForceCommand echo this account is closed; exit 1");
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Node);
    assert!(
        error.message.contains("this account is closed") && error.message.contains("exit status 1"),
        "{error}"
    );
}

/// Whether the bytes are in a file of a directory's directories.
fn holds(directory: &std::path::Path, bytes: &[u8]) -> bool {
    let below = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = below.filter_map(|entry| fs::read_dir(entry.path()).ok()).flatten().flatten();
    files.filter_map(|file| fs::read(file.path()).ok()).any(|text| text == bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_file_goes_although_nobody_waits_for_its_program_any_more() {
    let server = Server::start();
    let client = server.ssh();
    let secret = format!("secret of {}", server.port);
    let places = [server.node().join(".quorate/private"), "/dev/shm".into()];
    let lies = || places.iter().any(|place| holds(place, secret.as_bytes()));
    let file = PrivateFile { name: "password", bytes: Secret::new(secret.as_bytes()) };
    let begun = server.node().join("begun");
    let text = format!("test -s \"$0\" && touch {}; sleep 60", begun.display());
    let query = Query {
        argv: vec!["sh".into(), "-c".into(), text, file.word()],
        timeout: Duration::from_secs(3),
        max_output: 1000,
        private: vec![file],
    };
    for _ in 0..3 {
        let error = client.ssh.query(&target("127.0.0.1"), query.clone()).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::TimedOut);
        assert!(begun.exists(), "the file was never there");
        wait_for("the file's removal", || !lies());
    }
}
