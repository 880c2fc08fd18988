//! Private files, under every shell that is installed: there for the program alone, and gone with it.
use super::{queries::private_query, *};
use quorate_ports::Secret;

/// Processes whose arguments or variables hold this.
fn seen_in_processes(secret: &str) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let files = processes.flat_map(|entry| ["cmdline", "environ"].map(|f| entry.path().join(f)));
    files.filter(holds).collect()
}

/// Files below a directory that hold this.
fn seen_in_files(directory: &Path, secret: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(seen_in_files(&path, secret));
        } else if fs::read(&path)
            .unwrap_or_default()
            .windows(secret.len())
            .any(|w| w == secret.as_bytes())
        {
            found.push(path);
        }
    }
    found
}

/// Nobody else on this machine has it in an argument, this test neither.
fn password() -> String {
    format!("pa'ss \"$x\\{:016x}", RandomState::new().build_hasher().finish())
}

fn password_file(bytes: impl Into<Vec<u8>>) -> PrivateFile {
    PrivateFile { name: "password", bytes: Secret::new(bytes) }
}

#[test]
fn an_action_finds_its_private_files_and_nobody_else_does() {
    for node in nodes() {
        let secret = password();
        let bytes = [secret.as_bytes(), b"\0\xff\n", b"end"].concat();
        let files = vec![
            password_file(bytes.clone()),
            PrivateFile { name: "empty", bytes: Secret::new("") },
        ];
        let text = "cp \"$1\" copy; stat -c %a \"$1\" \"${1%/*}\"; wc -c <\"$2\"; cat; touch begun; while [ ! -f go ]; do sleep 0.02; done";
        let (first, second) = (files[0].word(), files[1].word());
        for mut action in [
            action(&["sh", "-c", text, "sh", &first, &second]),
            script(text, "", &[&first, &second]),
        ] {
            action.id.seq += u32::from(matches!(action.program, Program::Script { .. }));
            action.private.clone_from(&files);
            action.stdin = b"the input".to_vec();
            let attached = node.deliver(&action, Offsets::default());
            wait_for("the start", || node.path("begun").exists());
            assert_eq!(fs::read(node.path("copy")).unwrap(), bytes, "{}", node.shell);
            fs::remove_file(node.path("copy")).unwrap();
            assert_eq!(seen_in_processes(&secret), Vec::<PathBuf>::new(), "{}", node.shell);
            let files = seen_in_files(node.home.path(), &secret);
            assert!(
                files.len() == 1 && files[0].ends_with("password"),
                "{}: {files:?}",
                node.shell
            );
            fs::write(node.path("go"), "").unwrap();
            let finished = attached.finish();
            let lines: Vec<_> = finished.text().lines().map(str::trim).collect();
            assert_eq!(lines, ["600", "700", "0", "the input"], "{}: {finished:?}", node.shell);
            assert_eq!(
                node.left(&action),
                ["err", "out", "pid", "run", "status"],
                "{}",
                node.shell
            );
            assert_eq!(seen_in_files(node.home.path(), &secret), Vec::<PathBuf>::new());
            fs::remove_file(node.path("go")).unwrap();
            fs::remove_file(node.path("begun")).unwrap();
        }
    }
}

#[test]
fn private_files_go_with_an_action_that_is_ended_or_lost() {
    for node in nodes() {
        let secret = password();
        let file = password_file(secret.clone());
        let mut late = action(&["sh", "-c", "sleep 100", "sh", &file.word()]);
        late.private = vec![file.clone()];
        late.timeout_ms = Some(200);
        let finished = node.deliver(&late, Offsets::default()).finish();
        assert_eq!(finished.last, Some(Frame::Ended(Ended::Timeout(200))), "{}", node.shell);
        assert_eq!(seen_in_files(node.home.path(), &secret), Vec::<PathBuf>::new());

        let mut lost = action(&["sh", "-c", "echo $$; sleep 100", "sh", &file.word()]);
        lost.id.seq = 2;
        lost.private = vec![file];
        let mut attached = node.deliver(&lost, Offsets::default());
        let program = loop {
            if let Some(Frame::Data { bytes, .. }) = attached.next() {
                break String::from_utf8(bytes.to_vec()).unwrap();
            }
        };
        let pid = fs::read_to_string(node.directory(&lost).join("pid")).unwrap();
        Command::new("kill").args(["-KILL", pid.split(' ').next().unwrap()]).status().unwrap();
        assert!(matches!(attached.finish().last, Some(Frame::Lost(_))), "{}", node.shell);
        assert_eq!(seen_in_files(node.home.path(), &secret).len(), 1);
        let forgotten = node.attached(forget(&lost.id, None).unwrap(), b"").finish();
        assert_eq!(forgotten.last, Some(Frame::Forgotten), "{}", node.shell);
        assert_eq!(seen_in_files(node.home.path(), &secret), Vec::<PathBuf>::new());
        let group = format!("-{}", program.trim());
        Command::new("kill").args(["-KILL", "--", &group]).status().unwrap();
    }
}

/// Directories of private files in memory that hold this.
fn seen_in_memory(secret: &str) -> Vec<PathBuf> {
    let ours = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("quorate-");
    let folders = fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|e| e.path());
    // Those of others end at any time.
    folders
        .filter(ours)
        .filter(|path| path.is_dir())
        .filter(|path| {
            fs::read_dir(path).into_iter().flatten().flatten().any(|file| {
                fs::read(file.path())
                    .unwrap_or_default()
                    .windows(secret.len())
                    .any(|w| w == secret.as_bytes())
            })
        })
        .collect()
}

#[test]
fn a_query_finds_its_private_files_and_leaves_none() {
    for node in nodes() {
        let secret = password();
        let bytes = [secret.as_bytes(), b"\0\xff\n\nend\n"].concat();
        let file = password_file(bytes.clone());
        let text = "cp \"$1\" copy; echo \"$1\"; stat -c %a \"$1\" \"${1%/*}\"; umask; cat; exit 4";
        let argv = ["sh", "-c", text, "sh", &file.word()].map(String::from).to_vec();
        let (out, err, code) = private_query(&node, "sh", argv, vec![file], None);
        let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
        let lines: Vec<_> = out.lines().collect();
        assert_eq!((&lines[1..3], err.as_str(), code), (&["600", "700"][..], "", Some(4)), "{out}");
        assert!(!lines[3].ends_with("77"), "{}: the umask is the login's own: {out}", node.shell);
        assert_eq!(fs::read(node.path("copy")).unwrap(), bytes, "{}", node.shell);
        assert!(!Path::new(lines[0]).parent().unwrap().exists(), "{}: {out}", node.shell);
    }
}

#[test]
fn private_files_go_with_a_query_that_nobody_waits_for() {
    for node in nodes() {
        for hang_up in [false, true] {
            let secret = password();
            let file = password_file(secret.clone());
            let argv = ["sh", "-c", "echo $$ >pid; sleep 100; true", "sh", &file.word()];
            let request = Query {
                argv: argv.map(String::from).to_vec(),
                timeout: Duration::from_secs(10),
                max_output: 100,
                private: vec![file],
            };
            let mut child = node.spawn("sh");
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(&query(&request, None).unwrap().text).unwrap();
            let pid = || fs::read_to_string(node.path("pid")).unwrap_or_default();
            wait_for("the start", || pid().ends_with('\n'));
            assert_eq!(seen_in_processes(&secret), Vec::<PathBuf>::new(), "{}", node.shell);
            let laid =
                seen_in_memory(&secret).len() + seen_in_files(node.home.path(), &secret).len();
            assert_eq!(laid, 1, "{}", node.shell);
            let group = pid().trim().to_owned();
            if hang_up {
                let process = child.id().to_string();
                Command::new("kill").args(["-HUP", &process]).status().unwrap();
            } else {
                drop(stdin);
            }
            wait_for("the end of the program", || !is_running(&group));
            child.wait().unwrap();
            assert_eq!(seen_in_memory(&secret), Vec::<PathBuf>::new(), "{}", node.shell);
            assert_eq!(seen_in_files(node.home.path(), &secret), Vec::<PathBuf>::new());
            fs::remove_file(node.path("pid")).unwrap();
        }
    }
}

#[test]
fn without_memory_for_them_private_files_lie_with_the_state_or_the_node_is_refused() {
    // BusyBox has a mkdir of its own.
    for node in nodes().into_iter().filter(|node| node.shell != "busybox") {
        let mkdir = node.path("bin/mkdir");
        let own = found("mkdir").unwrap().canonicalize().unwrap();
        let text = format!(
            "#!/bin/sh\ncase $* in */dev/shm/*) exit 1 ;; esac\nexec {} \"$@\"\n",
            own.display()
        );
        fs::write(&mkdir, text).unwrap();
        fs::set_permissions(&mkdir, fs::Permissions::from_mode(0o755)).unwrap();
        let file = password_file("x");
        let run = |root| {
            let argv = ["sh", "-c", "echo \"$1\"; cat \"$1\"", "sh", &file.word()];
            private_query(&node, "sh", argv.map(String::from).to_vec(), vec![file.clone()], root)
        };
        for (root, below) in
            [(None, ".quorate/private"), (Some("~/else where"), "else where/private")]
        {
            let (out, err, code) = run(root);
            let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
            assert!(out.starts_with(node.path(below).to_str().unwrap()), "{out} {err}");
            assert!(out.ends_with("\nx") && code == Some(0), "{out} {err}");
            assert_eq!(fs::read_dir(node.path(below)).unwrap().count(), 0);
        }
        let (out, err, code) = run(Some("/proc/none"));
        let err = String::from_utf8(err).unwrap();
        assert!(out.is_empty() && code == Some(1), "{err}");
        assert!(err.starts_with("quorate-") && err.contains(" /proc/none/private"), "{err}");
    }
}
