//! The scripts, run here by every shell that is installed, with pipes in place of a channel.
use super::*;
use crate::frames::{Ended, Frame, Frames};
use quorate_ports::{Action, Exit, JobId, NodeKey, PrivateFile, Program, Stream};
use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[path = "private_tests.rs"]
mod private;

#[path = "probe_tests.rs"]
mod probe;

#[path = "query_tests.rs"]
mod queries;

#[path = "sudo_tests.rs"]
mod sudo;

/// A machine: a shell as its `sh`, and a home directory.
struct Node {
    shell: &'static str,
    path: String,
    home: tempfile::TempDir,
    /// What its login shell is given.
    loader: String,
}

fn found(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.exists())
}

/// One node for each shell. BusyBox gets nothing but itself.
fn nodes() -> Vec<Node> {
    let mut nodes = Vec::new();
    for shell in ["dash", "bash", "busybox"] {
        let Some(program) = found(shell) else {
            eprintln!("{shell} is not installed: not tried");
            continue;
        };
        let home = tempfile::tempdir().unwrap();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let path = match shell {
            "busybox" => {
                for applet in [
                    "sh", "cat", "date", "df", "id", "chmod", "dd", "ls", "mkdir", "mv", "rm",
                    "seq", "setsid", "sleep", "tail", "touch", "tr", "wc", "env", "true", "printf",
                    "stat",
                ] {
                    symlink(&program, bin.join(applet)).unwrap();
                }
                bin.display().to_string()
            }
            _ => {
                symlink(&program, bin.join("sh")).unwrap();
                format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
            }
        };
        nodes.push(Node { shell, path, home, loader: LOADER.to_owned() });
    }
    assert!(!nodes.is_empty());
    nodes
}

/// An attachment in progress.
struct Attached {
    child: Child,
    frames: Frames,
    marked: Option<Vec<u8>>,
    mark: String,
}

impl Node {
    fn spawn(&self, login_shell: &str) -> Child {
        Command::new(login_shell)
            .arg("-c")
            .arg(&self.loader)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A session of its own, as sshd gives one: killing it must not reach this test.
            .process_group(0)
            .spawn()
            .unwrap()
    }

    fn attached(&self, script: Script, input: &[u8]) -> Attached {
        let mut child = self.spawn("sh");
        let mut stdin = child.stdin.take().unwrap();
        let mut bytes = script.text.to_vec();
        bytes.extend_from_slice(input);
        // The other end may end before it has read all: then it wanted no more.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
        Attached { child, frames: Frames::default(), marked: Some(Vec::new()), mark: script.mark }
    }

    fn deliver(&self, action: &Action, from: Offsets) -> Attached {
        let bundle = bundle(action, Duration::from_millis(500)).unwrap();
        let (script, behind) = start(&action.id, None, &bundle, from).unwrap();
        self.attached(script, &behind.unwrap_or_default())
    }

    fn attach(&self, action: &Action, from: Offsets) -> Attached {
        self.attached(attach(&action.id, None, from).unwrap(), b"")
    }

    fn directory(&self, action: &Action) -> PathBuf {
        self.home.path().join(".quorate/actions").join(key(&action.id))
    }

    /// What is in the action's directory, without what a supervisor leaves until all of it is forgotten: an emptied bundle, and
    /// the pid that it had written down before its claim.
    fn left(&self, action: &Action) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.directory(action))
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let emptied = name.starts_with("bundle.") && entry.metadata().unwrap().len() == 0;
                !emptied && !name.starts_with("pid.")
            })
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

impl Attached {
    /// The next frame; `None` at the end of the stream.
    fn next(&mut self) -> Option<Frame> {
        loop {
            if self.marked.is_none()
                && let Some(frame) = self.frames.next().unwrap()
            {
                return Some(frame);
            }
            let mut buffer = vec![0; 65536];
            let read = self.child.stdout.as_mut().unwrap().read(&mut buffer).unwrap();
            if read == 0 {
                return None;
            }
            match &mut self.marked {
                None => self.frames.push(&buffer[..read]),
                Some(held) => {
                    held.extend_from_slice(&buffer[..read]);
                    let mark = format!("{}\n", self.mark);
                    if let Some(rest) = held.strip_prefix(mark.as_bytes()) {
                        self.frames.push(rest);
                        self.marked = None;
                    }
                }
            }
        }
    }

    /// Everything up to the end.
    fn finish(mut self) -> Finished {
        let mut finished = Finished::default();
        while let Some(frame) = self.next() {
            match frame {
                Frame::Claimed => finished.claimed = true,
                Frame::Beat => {}
                Frame::Data { stream, bytes, .. } => match stream {
                    Stream::Stdout => finished.out.extend_from_slice(&bytes),
                    Stream::Stderr => finished.err.extend_from_slice(&bytes),
                },
                last => finished.last = Some(last),
            }
        }
        self.child.stderr.take().unwrap().read_to_string(&mut finished.said).unwrap();
        self.child.wait().unwrap();
        finished
    }

    /// Ends the attachment as a broken connection does: with its whole process group, at once.
    fn kill(mut self) {
        let group = format!("-{}", self.child.id());
        Command::new("kill").args(["-KILL", "--", &group]).status().unwrap();
        self.child.wait().unwrap();
    }
}

#[derive(Debug, Default)]
struct Finished {
    claimed: bool,
    out: Vec<u8>,
    err: Vec<u8>,
    last: Option<Frame>,
    said: String,
}

impl Finished {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    fn code(&self) -> i32 {
        match self.last {
            Some(Frame::Ended(Ended::Exit(Exit::Code(code)))) => code,
            _ => panic!("{self:?}"),
        }
    }
}

fn action(argv: &[&str]) -> Action {
    Action {
        id: ActionId {
            job: JobId("j1".into()),
            node: NodeKey("10.0.0.1".into()),
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

fn sh(text: &str) -> Action {
    action(&["sh", "-c", text])
}

fn script(text: &str, interpreter: &str, args: &[&str]) -> Action {
    let args = args.iter().map(ToString::to_string).collect();
    Action {
        program: Program::Script { text: text.into(), interpreter: interpreter.into(), args },
        ..action(&[])
    }
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come about");
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn an_action_gets_its_arguments_variables_and_input_as_they_are() {
    let odd =
        ["a b", "", "'", "\"$HOME\"", "`id`", "\\n", "*", "é\u{81}\u{85}", "x\ny\n", "-n", "#"];
    for node in nodes() {
        let mut argv = vec![
            "sh",
            "-c",
            r#"printf '[%s]' "$@" "$SECRET" "$QUORATE_NODE" "$QUORATE_JOB" "$QUORATE_ACTION"; cat; echo oops >&2; exit 3"#,
            "sh",
        ];
        argv.extend(odd);
        let mut action = action(&argv);
        action.env = vec![("SECRET".into(), "it's\n$x\\".into())];
        action.stdin = (0..=255).chain(b"\nlast".iter().copied()).collect();
        let finished = node.deliver(&action, Offsets::default()).finish();
        let mut expected: String = odd.iter().map(|text| format!("[{text}]")).collect();
        expected.push_str("[it's\n$x\\][10.0.0.1][j1][j1/10.0.0.1/main/1/1]");
        let mut expected = expected.into_bytes();
        expected.extend_from_slice(&action.stdin);
        assert_eq!(
            String::from_utf8_lossy(&finished.out),
            String::from_utf8_lossy(&expected),
            "{}",
            node.shell
        );
        assert_eq!(finished.out, expected, "{}", node.shell);
        assert_eq!(
            (finished.err.as_slice(), finished.code(), finished.said.as_str()),
            (&b"oops\n"[..], 3, ""),
            "{}",
            node.shell
        );
    }
}

#[test]
fn variables_of_an_action_may_have_the_names_of_ours() {
    for node in nodes() {
        let mut action = script("echo $dir $owner $mask $limit $n $mark \"$1\"", "", &["argument"]);
        action.env = ["dir", "owner", "mask", "limit", "n", "mark"]
            .map(|name| (name.to_owned(), format!("my-{name}")))
            .to_vec();
        let finished = node.deliver(&action, Offsets::default()).finish();
        assert_eq!(
            finished.text(),
            "my-dir my-owner my-mask my-limit my-n my-mark argument\n",
            "{}: {finished:?}",
            node.shell
        );
    }
}

#[test]
fn an_action_may_bring_a_path_and_separators_of_its_own() {
    for node in nodes() {
        let mut action = script("printf %s \"$PATH\"", "/bin/sh", &[]);
        action.env = vec![("PATH".into(), "/nowhere".into()), ("IFS".into(), "set".into())];
        let finished = node.deliver(&action, Offsets::default()).finish();
        assert_eq!((finished.text(), finished.code()), ("/nowhere", 0), "{}", node.shell);
    }
}

#[test]
fn a_long_action_travels_behind_its_script() {
    for node in nodes() {
        let text = format!("echo ${{#1}} # {}\n", "it's long ".repeat(5_000));
        let action = script(&text, "", &["x"]);
        assert!(bundle(&action, Duration::from_secs(1)).unwrap().bytes.len() > LONGEST);
        let finished = node.deliver(&action, Offsets::default()).finish();
        assert_eq!((finished.text(), finished.code()), ("1\n", 0), "{}", node.shell);
    }
}

#[test]
fn what_has_ended_can_be_forgotten_on_the_same_channel() {
    for node in nodes() {
        let action = sh("echo x >>count");
        let again = |line: &[u8]| {
            let script = attach(&action.id, None, Offsets::default()).unwrap();
            node.attached(script, line).finish()
        };
        node.deliver(&action, Offsets::default()).finish();
        // An input that ends, or says something else, leaves everything there.
        for line in [&b""[..], b"forge", b"forgetful\n"] {
            assert_eq!(again(line).code(), 0, "{}", node.shell);
            assert_eq!(node.left(&action), ["err", "out", "pid", "run", "status"]);
        }
        assert_eq!(again(FORGET_LINE).last, Some(Frame::Forgotten), "{}", node.shell);
        assert_eq!(node.left(&action), ["run"], "{}", node.shell);
        assert!(matches!(again(b"").last, Some(Frame::Lost(_))), "{}", node.shell);
        let delivered = node.deliver(&action, Offsets::default()).finish();
        assert!(matches!(delivered.last, Some(Frame::Lost(_))), "{}", node.shell);
        assert_eq!(fs::read_to_string(node.path("count")).unwrap(), "x\n");
    }
}

#[test]
fn a_short_action_takes_little_time() {
    for node in nodes() {
        // The best of a few: the machine may be busy.
        let best = (1..=5).map(|seq| {
            let mut action = action(&["true"]);
            action.id.seq = seq;
            let begun = Instant::now();
            assert_eq!(node.deliver(&action, Offsets::default()).finish().code(), 0);
            begun.elapsed()
        });
        let best = best.min().unwrap();
        assert!(best < Duration::from_millis(250), "{}: {best:?}", node.shell);
    }
}

#[test]
fn an_action_starts_once_however_often_it_is_delivered() {
    for node in nodes() {
        let action = sh("echo begun >>count; sleep 0.3; echo done");
        let attached: Vec<_> = (0..6).map(|_| node.deliver(&action, Offsets::default())).collect();
        for attached in attached {
            let finished = attached.finish();
            assert_eq!((finished.text(), finished.code()), ("done\n", 0), "{}", node.shell);
            assert!(finished.claimed);
        }
        let again = node.deliver(&action, Offsets::default()).finish();
        assert_eq!(again.text(), "done\n");
        assert_eq!(fs::read_to_string(node.path("count")).unwrap(), "begun\n", "{}", node.shell);
    }
}

#[test]
fn an_action_survives_its_connection_and_output_goes_on_where_it_was() {
    for node in nodes() {
        let action = sh(
            "n=0; while [ $n -lt 300 ]; do echo line $n; echo err $n >&2; n=$((n+1)); [ $n -ne 150 ] || { touch half; while [ ! -f go ]; do sleep 0.02; done; }; done",
        );
        let (mut from, mut out, mut err) = (Offsets::default(), Vec::new(), Vec::new());
        let mut attached = node.deliver(&action, from);
        wait_for("the half", || node.path("half").exists());
        let mut frames = 0;
        while frames < 2 {
            if let Some(Frame::Data { stream, offset, bytes }) = attached.next() {
                frames += 1;
                match stream {
                    Stream::Stdout => {
                        assert_eq!(offset, from.out);
                        from.out += bytes.len() as u64;
                        out.extend_from_slice(&bytes);
                    }
                    Stream::Stderr => {
                        from.err += bytes.len() as u64;
                        err.extend_from_slice(&bytes);
                    }
                }
            }
        }
        attached.kill();
        fs::write(node.path("go"), "").unwrap();
        let rest = node.attach(&action, from).finish();
        out.extend_from_slice(&rest.out);
        err.extend_from_slice(&rest.err);
        let lines = |word: &str| (0..300).map(|n| format!("{word} {n}\n")).collect::<String>();
        assert_eq!(String::from_utf8(out).unwrap(), lines("line"), "{}", node.shell);
        assert_eq!(String::from_utf8(err).unwrap(), lines("err"), "{}", node.shell);
        assert_eq!(rest.code(), 0);
    }
}

#[test]
fn output_can_be_taken_up_at_any_byte() {
    for node in nodes() {
        // Beyond several blocks and one frame, with every byte of a different place different enough.
        let action = sh("seq 1 60000");
        let whole = node.deliver(&action, Offsets::default()).finish().out;
        assert_eq!(whole.len(), (1..=60000).map(|n: u32| n.to_string().len() + 1).sum::<usize>());
        for from in [1, 4095, 4096, 4097, 8191, 262_144, 262_145, whole.len() - 1, whole.len()] {
            let rest = node.attach(&action, Offsets { out: from as u64, err: 0 }).finish();
            assert!(rest.out == whole[from..], "{} from {from}", node.shell);
        }
    }
}

#[test]
fn a_time_limit_ends_the_whole_group_and_is_told_apart() {
    for node in nodes() {
        let begun = Instant::now();
        // The program and its child ignore SIGTERM.
        let mut action = sh("trap '' TERM; sleep 100 & echo $$ $!; wait; sleep 100");
        action.timeout_ms = Some(300);
        let finished = node.deliver(&action, Offsets::default()).finish();
        assert_eq!(finished.last, Some(Frame::Ended(Ended::Timeout(300))), "{}", node.shell);
        assert!(
            begun.elapsed() >= Duration::from_millis(800)
                && begun.elapsed() < Duration::from_secs(20)
        );
        for pid in finished.text().split_whitespace() {
            wait_for("the end of the group", || !is_running(pid));
        }

        let mut action = sh("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done");
        action.id.seq = 2;
        action.timeout_ms = Some(200);
        let finished = node.deliver(&action, Offsets::default()).finish();
        assert_eq!(finished.last, Some(Frame::Ended(Ended::Timeout(200))), "{}", node.shell);
        assert_eq!(finished.text(), "bye\n", "{}", node.shell);
    }
}

#[test]
fn an_action_within_its_limit_leaves_its_daemons_and_nothing_of_ours() {
    for node in nodes() {
        let mut action = sh("sleep 60 >/dev/null 2>&1 & echo $!; exit 7");
        action.timeout_ms = Some(3_600_123);
        let finished = node.deliver(&action, Offsets::default()).finish();
        assert_eq!(finished.code(), 7, "{}", node.shell);
        let daemon = finished.text().trim().to_owned();
        assert!(is_running(&daemon), "{}: a service that an action started was ended", node.shell);
        Command::new("kill").arg(&daemon).status().unwrap();
        // The guard of the limit would sleep for an hour.
        wait_for("the end of the guard", || {
            !processes().iter().any(|line| line.contains("3600.123"))
        });
        wait_for("the supervisor's last words", || {
            node.left(&action) == ["err", "out", "pid", "run", "status"]
        });
    }
}

fn processes() -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .collect()
}

#[test]
fn secrets_are_in_no_argument_list_and_stay_in_no_file() {
    for node in nodes() {
        let mut action = sh(
            "touch started; while [ ! -f go ]; do sleep 0.02; done; read -r line; echo ${#line} ${#TOKEN}",
        );
        action.env = vec![("TOKEN".into(), "s3cret-in-a-variable".into())];
        action.stdin = b"s3cret-on-the-input\n".to_vec();
        let attached = node.deliver(&action, Offsets::default());
        wait_for("the start", || node.path("started").exists());
        let seen: Vec<_> = processes().into_iter().filter(|line| line.contains("s3cret")).collect();
        assert_eq!(seen, Vec::<String>::new(), "{}", node.shell);
        for name in node.left(&action) {
            let path = node.directory(&action).join(&name);
            if path.is_file() {
                assert!(
                    !fs::read_to_string(&path).unwrap().contains("s3cret"),
                    "{}: {name}",
                    node.shell
                );
                assert_eq!(
                    fs::metadata(&path).unwrap().permissions().mode() & 0o077,
                    0,
                    "{}: {name}",
                    node.shell
                );
            }
        }
        assert_eq!(
            fs::metadata(node.directory(&action)).unwrap().permissions().mode() & 0o777,
            0o700
        );
        fs::write(node.path("go"), "").unwrap();
        assert_eq!(attached.finish().text(), "19 20\n", "{}", node.shell);
    }
}

#[test]
fn files_that_an_action_makes_have_the_mode_of_the_account() {
    for node in nodes() {
        let expected = Command::new("sh").args(["-c", "umask"]).output().unwrap().stdout;
        assert_eq!(
            node.deliver(&sh("umask"), Offsets::default()).finish().out,
            expected,
            "{}",
            node.shell
        );
    }
}

#[test]
fn a_script_runs_by_its_shebang_its_interpreter_or_sh() {
    for node in nodes() {
        let mut seq = 0;
        let mut run = |mut action: Action| {
            seq += 1;
            action.id.seq = seq;
            let finished = node.deliver(&action, Offsets::default()).finish();
            wait_for("the script's removal", || {
                !node.left(&action).iter().any(|name| name.starts_with("script"))
            });
            (finished.text().to_owned(), finished.code())
        };
        assert_eq!(
            run(script("echo plain \"$1\"; exit 4", "", &["a 'b"])),
            ("plain a 'b\n".into(), 4),
            "{}",
            node.shell
        );
        assert_eq!(
            run(script("#!/usr/bin/env cat\nthe text's \\ \"$own\"\n", "", &[])).0,
            "#!/usr/bin/env cat\nthe text's \\ \"$own\"\n"
        );
        assert_eq!(
            run(script("#!/bin/false\nshown\n", "cat", &[])),
            ("#!/bin/false\nshown\n".into(), 0)
        );
        let missing = run(script("x", "no-such-interpreter", &[]));
        assert_eq!(missing.1, 127, "{}", node.shell);
    }
}

#[test]
fn a_program_that_is_not_there_is_the_actions_own_failure() {
    for node in nodes() {
        let finished = node.deliver(&action(&["no-such-program"]), Offsets::default()).finish();
        assert_eq!(finished.code(), 127, "{}", node.shell);
        assert!(
            String::from_utf8_lossy(&finished.err).contains("no-such-program"),
            "{}",
            node.shell
        );
    }
}

#[test]
fn what_arrives_in_part_never_runs() {
    for node in nodes() {
        let mut action = sh("touch ran");
        action.stdin = vec![b'x'; 5000];
        let bundle = bundle(&action, Duration::from_secs(1)).unwrap();
        let whole = bundle.bytes.len();
        for part in [0, 1, 500, whole - 5001, whole - 1] {
            let (script, behind) = start(&action.id, None, &bundle, Offsets::default()).unwrap();
            let finished = node.attached(script, &behind.unwrap()[..part]).finish();
            assert_eq!(finished.last, Some(Frame::Short), "{} with {part} bytes", node.shell);
            assert!(!finished.claimed);
        }
        assert_eq!(node.left(&action), Vec::<String>::new(), "{}", node.shell);
        // One that needs no input travels in the script.
        let small = super::bundle(&sh("touch ran"), Duration::from_secs(1)).unwrap();
        for bundle in [&bundle, &small] {
            let (text, _) = start(&action.id, None, bundle, Offsets::default()).unwrap();
            for part in [10, 300, text.text.len() / 2, text.text.len() - 1] {
                let cut = Script { text: text.text.slice(..part), ..text.clone() };
                let finished = node.attached(cut, b"").finish();
                assert!(
                    finished.out.is_empty() && finished.last.is_none(),
                    "{} with {part} bytes",
                    node.shell
                );
            }
        }
        assert!(!node.path("ran").exists());
        assert_eq!(node.deliver(&action, Offsets::default()).finish().code(), 0);
        assert!(node.path("ran").exists());
    }
}

#[test]
fn a_script_that_arrives_piece_by_piece_runs_whole() {
    let real = found("dd").unwrap();
    for node in nodes().into_iter().filter(|node| node.shell != "busybox") {
        let mut action = action(&["printf", "%s", "\u{e4}\n\n\n\u{e4}"]);
        let made = bundle(&action, Duration::from_secs(1)).unwrap();
        let (first, _) = start(&action.id, None, &made, Offsets::default()).unwrap();
        let lines = first.text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let whole = first.text.len() - lines;
        // In the middle of the first character, behind and between its ends of lines, and around the end mark.
        let at = first.text.windows(2).position(|pair| pair == [0xc3, 0xa4]).unwrap() - lines;
        let cuts = [0, 1, at + 1, at + 2, at + 3, at + 4, whole - 20, whole - 2, whole - 1];
        for (attempt, cut) in (1..).zip(cuts) {
            // A read from a pipe gives what has come so far: as if that were as much.
            let dd = node.home.path().join("bin/dd");
            let text = format!(
                "#!/bin/sh\ncase $* in *if=*) ;; *count=1) set -- bs={cut} count=1;; esac\n[ \"$1\" != bs=0 ] || exit 1\nexec '{}' \"$@\"\n",
                real.display()
            );
            fs::write(&dd, text).unwrap();
            fs::set_permissions(&dd, fs::Permissions::from_mode(0o755)).unwrap();
            action.id.attempt = attempt;
            let finished = node.deliver(&action, Offsets::default()).finish();
            assert_eq!(finished.code(), 0, "{} cut at {cut} of {whole}", node.shell);
            assert_eq!(finished.text(), "\u{e4}\n\n\n\u{e4}", "{} cut at {cut}", node.shell);
        }
    }
}

#[test]
fn a_bundle_that_cannot_be_emptied_does_not_end_its_supervisor() {
    for node in nodes() {
        let action = sh("exit 3");
        let made = bundle(&action, Duration::from_secs(1)).unwrap();
        let staging = "stage() {\n";
        let text = made.text.unwrap();
        assert_eq!(text.matches(staging).count(), 1);
        // Its file can't be opened for writing once it is a directory.
        let text =
            text.replace(staging, &format!("{staging}rm -f \"$0\" && mkdir \"$0\" || return 1\n"));
        let bundle = Bundle { bytes: text.clone().into(), text: Some(text) };
        let (script, _) = start(&action.id, None, &bundle, Offsets::default()).unwrap();
        assert_eq!(node.attached(script, b"").finish().code(), 3, "{}", node.shell);
    }
}

#[test]
fn a_supervisor_that_vanished_leaves_a_lost_action() {
    for node in nodes() {
        let mut attached = node.deliver(&sh("echo begun; sleep 100"), Offsets::default());
        let action = sh("");
        while !matches!(attached.next(), Some(Frame::Data { .. })) {}
        let pid = fs::read_to_string(node.directory(&action).join("pid")).unwrap();
        let pid = pid.split(' ').next().unwrap().to_owned();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        let finished = attached.finish();
        assert!(
            matches!(&finished.last, Some(Frame::Lost(why)) if why.contains("supervisor")),
            "{}: {finished:?}",
            node.shell
        );
        // A delivery afterwards is told the same, and starts nothing.
        let again = node.deliver(&action, Offsets { out: 6, err: 0 }).finish();
        assert!(matches!(again.last, Some(Frame::Lost(_))), "{}: {again:?}", node.shell);
        for child in children.split_whitespace() {
            Command::new("kill").args(["-KILL", "--", &format!("-{child}")]).status().unwrap();
        }
    }
}

#[test]
fn what_is_forgotten_leaves_its_claim_and_never_runs_again() {
    for node in nodes() {
        let action = sh("echo x >>count");
        node.deliver(&action, Offsets::default()).finish();
        for _ in 0..2 {
            let finished = node.attached(forget(&action.id, None).unwrap(), b"").finish();
            assert_eq!(finished.last, Some(Frame::Forgotten), "{}", node.shell);
            wait_for("an empty directory", || node.left(&action) == ["run"]);
        }
        let again = node.deliver(&action, Offsets::default()).finish();
        assert!(matches!(again.last, Some(Frame::Lost(_))), "{}: {again:?}", node.shell);
        assert_eq!(fs::read_to_string(node.path("count")).unwrap(), "x\n");

        let mut other = sh("while [ ! -f go ]; do sleep 0.02; done");
        other.id.seq = 9;
        assert_eq!(
            node.attached(forget(&other.id, None).unwrap(), b"").finish().last,
            Some(Frame::Forgotten)
        );
        let mut attached = node.deliver(&other, Offsets::default());
        while attached.next() != Some(Frame::Claimed) {}
        let refused = node.attached(forget(&other.id, None).unwrap(), b"").finish();
        assert!(
            matches!(&refused.last, Some(Frame::Fault(why)) if why.contains("still running")),
            "{}: {refused:?}",
            node.shell
        );
        fs::write(node.path("go"), "").unwrap();
        assert_eq!(attached.finish().code(), 0);
    }
}

#[test]
fn attaching_to_what_is_not_there_is_lost() {
    for node in nodes() {
        let finished = node.attach(&sh("true"), Offsets::default()).finish();
        assert!(matches!(&finished.last, Some(Frame::Lost(_))), "{}: {finished:?}", node.shell);
    }
}

#[test]
fn a_node_that_cannot_hold_the_action_says_so() {
    for node in nodes() {
        let action = sh("true");
        let bundle = bundle(&action, Duration::from_secs(1)).unwrap();
        for root in ["/proc/none", "/dev/null/x"] {
            let (script, _) = start(&action.id, Some(root), &bundle, Offsets::default()).unwrap();
            let finished = node.attached(script, b"").finish();
            assert!(
                matches!(&finished.last, Some(Frame::Fault(why)) if why.contains(root)),
                "{}: {finished:?}",
                node.shell
            );
        }
        for root in ["~/else where", "else where", node.path("else where").to_str().unwrap()] {
            let (script, _) = start(&action.id, Some(root), &bundle, Offsets::default()).unwrap();
            assert_eq!(node.attached(script, b"").finish().code(), 0, "{root}");
            assert!(node.path("else where/actions").join(key(&action.id)).is_dir());
        }
    }
}

#[test]
fn without_setsid_a_shell_with_job_control_does_or_the_node_is_refused() {
    // BusyBox brings its own.
    for mut node in nodes().into_iter().filter(|node| node.shell != "busybox") {
        let bin = node.path("few");
        fs::create_dir(&bin).unwrap();
        symlink(fs::read_link(node.path("bin/sh")).unwrap(), bin.join("sh")).unwrap();
        for tool in ["cat", "chmod", "dd", "ls", "mkdir", "mv", "rm", "sleep", "tail", "tr", "wc"] {
            symlink(found(tool).unwrap(), bin.join(tool)).unwrap();
        }
        node.path = bin.display().to_string();
        let mut action = sh("echo $$; sleep 100 & wait");
        action.timeout_ms = Some(200);
        let finished = node.deliver(&action, Offsets::default()).finish();
        if node.shell == "bash" {
            assert_eq!(finished.last, Some(Frame::Ended(Ended::Timeout(200))), "{finished:?}");
            wait_for("the end of the group", || !is_running(finished.text()));
        } else {
            assert!(
                matches!(&finished.last, Some(Frame::Fault(why)) if why.contains("setsid")),
                "{}: {finished:?}",
                node.shell
            );
        }
    }
}

#[test]
fn the_loader_is_safe_in_every_login_shell() {
    let inner = LOADER.strip_prefix("exec sh -c '").unwrap().strip_suffix('\'').unwrap();
    assert!(
        !inner.contains(['\'', '\\', '!', '\n']),
        "csh and fish treat these within single quotes"
    );
    assert!(Path::new("/bin/sh").exists());
}
