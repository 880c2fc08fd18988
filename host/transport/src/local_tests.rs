use super::*;
use quorate_ports::{Exit, FaultKind, JobId, NodeKey, Program, Stream};
use std::{fs, path::Path, sync::Mutex, time::Instant};

/// What was printed, and what was told of attachments.
#[derive(Default)]
struct Heard(Mutex<(String, String, Vec<String>)>);

impl ActionWatch for Heard {
    fn output(&self, stream: Stream, bytes: &[u8]) -> Result<(), String> {
        let mut heard = self.0.lock().unwrap();
        let text = if stream == Stream::Stdout { &mut heard.0 } else { &mut heard.1 };
        text.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(())
    }

    fn connection(&self, text: &str) {
        self.0.lock().unwrap().2.push(text.into());
    }
}

impl Heard {
    fn out(&self) -> String {
        self.0.lock().unwrap().0.clone()
    }
}

/// A machine: a directory for state, one to start in.
struct Machine {
    folder: tempfile::TempDir,
    local: Local,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work it's");
        fs::create_dir(&work).unwrap();
        let local = Local::new(folder.path().join("state"), work, None).unwrap();
        Self { folder, local }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work it's").join(name)
    }

    async fn act(&self, action: &Action) -> (Result<ActionEnd, TransportError>, Heard) {
        let heard = Heard::default();
        let end = self.local.act(&target(), action, &heard).await;
        (end, heard)
    }
}

fn target() -> Target {
    Target { node: NodeKey("10.0.0.1".into()), host: "n1.example".into() }
}

fn action(node: &str, argv: &[&str]) -> Action {
    Action {
        id: ActionId {
            job: JobId("j1".into()),
            node: NodeKey(node.into()),
            stage: "main".into(),
            attempt: 1,
            seq: 1,
        },
        program: Program::Argv(argv.iter().map(ToString::to_string).collect()),
        stdin: Vec::new(),
        env: Vec::new(),
        timeout_ms: None,
        private: Vec::new(),
    }
}

fn exited(code: i32) -> Result<ActionEnd, TransportError> {
    Ok(ActionEnd::Exited(Exit::Code(code)))
}

async fn comes(what: &str, mut is_there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_program_runs_here_with_what_it_is_given() {
    let machine = Machine::new();
    let text =
        "printf '[%s]' \"$@\" \"$RACK\" \"$QUORATE_NODE\" \"$PWD\"; cat; echo oops >&2; exit 3";
    let mut action = action("10.0.0.1", &["sh", "-c", text, "sh", "a 'b\"", "", "$HOME"]);
    action.env = vec![("RACK".into(), "r'1 \"$x`id`\n".into())];
    action.stdin = b"input".to_vec();
    let (end, heard) = machine.act(&action).await;
    assert_eq!(end, exited(3));
    let here = machine.path("").canonicalize().unwrap();
    let expected = format!("[a 'b\"][][$HOME][r'1 \"$x`id`\n][10.0.0.1][{}]input", here.display());
    assert_eq!((heard.out(), heard.0.lock().unwrap().1.as_str()), (expected, "oops\n"));
}

#[tokio::test]
async fn asked_for_twice_it_runs_once_and_what_is_forgotten_never_runs_again() {
    let machine = Machine::new();
    let action = action("n", &["sh", "-c", "echo run >>count; echo said"]);
    for _ in 0..2 {
        let (end, heard) = machine.act(&action).await;
        assert_eq!((end, heard.out().as_str()), (exited(0), "said\n"));
    }
    machine.local.forget(&target(), &action.id).await.unwrap();
    let directory = machine.folder.path().join("state/actions/j1/n,main,1,1");
    let left: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["run"]);
    assert!(matches!(machine.act(&action).await.0, Ok(ActionEnd::Lost(_))));
    assert_eq!(fs::read_to_string(machine.path("count")).unwrap(), "run\n");
}

#[tokio::test]
async fn left_alone_it_goes_on_and_is_attached_to_again() {
    let machine = Machine::new();
    let text = "echo $$ >pid; while [ ! -f go ]; do sleep 0.02; done; echo end";
    let action = action("n", &["sh", "-c", text]);
    let (heard, target) = (Heard::default(), target());
    tokio::select! {
        end = machine.local.act(&target, &action, &heard) => panic!("{end:?}"),
        () = comes("the program", || machine.path("pid").exists()) => {}
    }
    let pid = fs::read_to_string(machine.path("pid")).unwrap();
    assert!(is_running(&pid), "it went with the attachment");
    fs::write(machine.path("go"), "").unwrap();
    let (end, heard) = machine.act(&action).await;
    assert_eq!((end, heard.out().as_str()), (exited(0), "end\n"));
}

#[tokio::test]
async fn it_is_ended_at_its_time_limit_with_all_that_it_started() {
    let machine = Machine::new();
    let mut action = action("n", &["sh", "-c", "sleep 100 & echo $! >pid; wait"]);
    action.timeout_ms = Some(300);
    assert_eq!(machine.act(&action).await.0, Ok(ActionEnd::TimedOut { limit_ms: 300 }));
    let child = fs::read_to_string(machine.path("pid")).unwrap();
    comes("the end of its child", || !is_running(&child)).await;
}

#[tokio::test]
async fn nodes_run_side_by_side_and_none_has_the_state_of_another() {
    let machine = Machine::new();
    // Each waits for the other: in turn they would never end.
    let text = "touch $QUORATE_NODE; while [ ! -f $1 ]; do sleep 0.02; done; echo $QUORATE_NODE";
    let [one, other] = [("a", "b"), ("b", "a")]
        .map(|(node, waits)| action(node, &["sh", "-c", text, "sh", waits]));
    let ((first, one), (second, other)) = tokio::join!(machine.act(&one), machine.act(&other));
    assert_eq!((first, second), (exited(0), exited(0)));
    assert_eq!((one.out().as_str(), other.out().as_str()), ("a\n", "b\n"));
}

#[tokio::test]
async fn it_is_out_of_reach_of_the_terminal() {
    let machine = Machine::new();
    // Process group and session: fields 5 and 6.
    let text = "cut -d' ' -f5,6 /proc/$$/stat; cut -d' ' -f5,6 /proc/$1/stat";
    let own = std::process::id().to_string();
    let (end, heard) = machine.act(&action("n", &["sh", "-c", text, "sh", &own])).await;
    assert_eq!(end, exited(0));
    let out = heard.out();
    let [program, ours] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
    let (program, ours) = (program.split_once(' ').unwrap(), ours.split_once(' ').unwrap());
    assert!(program.0 != ours.0 && program.1 != ours.1, "{out}");
}

#[tokio::test]
async fn what_cannot_be_run_is_told_and_nothing_was_started() {
    let machine = Machine::new();
    let (end, heard) = machine.act(&action("n", &["no-such-program"])).await;
    assert_eq!(end, exited(127));
    assert_eq!(heard.0.lock().unwrap().1, "no-such-program: not found\n");

    let nowhere = Local::new("/proc/none".into(), machine.path(""), None).unwrap();
    let heard = Heard::default();
    let error = nowhere.act(&target(), &action("n", &["true"]), &heard).await.unwrap_err();
    assert_eq!((error.host.as_str(), error.kind), ("n1.example", FaultKind::Node));
    assert!(error.message.starts_with("this machine can't take the action: /proc/none"));
    assert!(error.hint.contains("QUORATE_HOME"), "{error:?}");

    let gone = Local::new(machine.path("x"), machine.path("gone"), None).unwrap();
    let error = gone.act(&target(), &action("n", &["true"]), &heard).await.unwrap_err();
    assert!(error.message.contains("gone") && !Path::new("x").exists(), "{error:?}");
}

fn query(argv: &[&str], timeout_ms: u64) -> Query {
    Query {
        argv: argv.iter().map(ToString::to_string).collect(),
        timeout: Duration::from_millis(timeout_ms),
        max_output: 100,
        private: Vec::new(),
    }
}

#[tokio::test]
async fn without_logins_queries_run_here_as_well() {
    let machine = Machine::new();
    let ask = |query| {
        let local = &machine.local;
        async move { local.query(&target(), query).await }
    };
    let answer = ask(query(&["sh", "-c", "echo out; echo err >&2; exit 4"], 10_000)).await.unwrap();
    assert_eq!(answer.exit, Exit::Code(4));
    assert_eq!(
        (answer.stdout.as_slice(), answer.stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );

    let error = ask(query(&["sh", "-c", "echo $$ >pid; sleep 100; true"], 500)).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::TimedOut);
    let pid = fs::read_to_string(machine.path("pid")).unwrap();
    comes("the end of what nobody waits for", || !is_running(&pid)).await;

    let error = ask(query(&["sh", "-c", "yes"], 10_000)).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::TooMuchOutput);
}
