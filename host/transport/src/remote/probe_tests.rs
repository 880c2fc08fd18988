//! The look at a node, under every shell that is installed.
use super::*;
use crate::remote::{outlived, probe};

fn request(programs: &[&str], thorough: bool) -> ProbeRequest {
    ProbeRequest {
        look: "look1".into(),
        programs: programs.iter().map(ToString::to_string).collect(),
        thorough,
        timeout: Duration::from_secs(10),
    }
}

/// The lines that a script prints, but for its mark.
fn lines(node: &Node, script: Script) -> Vec<String> {
    let mut child = node.spawn("sh");
    child.stdin.take().unwrap().write_all(&script.text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", node.shell);
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.strip_prefix(&format!("{}\n", script.mark)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn look(node: &Node, key: &str, root: Option<&str>, request: &ProbeRequest) -> Vec<String> {
    lines(node, probe(&NodeKey(key.into()), request, root).unwrap())
}

fn of<'a>(lines: &'a [String], word: &str) -> Vec<&'a str> {
    let value = |line: &'a String| line.strip_prefix(word)?.strip_prefix(' ');
    lines.iter().filter_map(value).collect()
}

#[test]
fn a_node_with_nothing_amiss_tells_its_facts() {
    for node in nodes() {
        let told = look(&node, "10.0.0.1", None, &request(&["sh", "no-such-program"], false));
        assert_eq!(told.last().unwrap(), "looked", "{}: {told:?}", node.shell);
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        assert_eq!(of(&told, "user"), [String::from_utf8(user).unwrap().trim()]);
        let root = node.path(".quorate");
        assert_eq!(of(&told, "directory"), [root.to_str().unwrap()], "{}", node.shell);
        assert_eq!(of(&told, "absent"), ["no-such-program"], "{}", node.shell);
        assert_eq!(of(&told, "detaching"), ["setsid"], "{}", node.shell);
        for none in ["missing", "unwritable", "sharing", "live", "fault"] {
            assert_eq!(of(&told, none), Vec::<&str>::new(), "{}: {told:?}", node.shell);
        }
        let number = |word: &str| of(&told, word)[0].parse::<f64>().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!((number("clock") - now.as_secs_f64()).abs() < 60.0, "{}: {told:?}", node.shell);
        assert!(number("kib") > 0.0, "{}: {told:?}", node.shell);
        assert_eq!(of(&told, "system").len(), 1, "{}: {told:?}", node.shell);
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(of(&told, "boot"), [boot.trim()], "{}", node.shell);
        // One small file is left, and nothing that others can read.
        let mark = root.join("probes/10.0.0.1");
        assert_eq!(fs::read_to_string(&mark).unwrap(), format!("look1 {}\n", boot.trim()));
        assert_eq!(fs::metadata(&mark).unwrap().permissions().mode() & 0o077, 0);
        assert_eq!(fs::read_dir(root.join("probes")).unwrap().count(), 1);
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_told_with_the_reason() {
    for node in nodes() {
        let told = look(&node, "n", Some("/proc/none"), &request(&[], true));
        let why = of(&told, "unwritable");
        assert!(why.len() == 1 && why[0].contains("/proc/none"), "{}: {told:?}", node.shell);
        assert_eq!(told.last().unwrap(), "looked");
        assert_eq!(
            lines(&node, outlived(&NodeKey("n".into()), Some("/proc/none")).unwrap()),
            ["outlives unknown", "looked"]
        );
    }
}

#[test]
fn a_disk_without_room_is_told_although_files_can_be_made() {
    for mut node in nodes() {
        // Files of this shell and its children end at no byte at all, as on a full disk.
        node.loader = format!("ulimit -f 0; trap \"\" XFSZ; {LOADER}");
        let told = look(&node, "n", None, &request(&[], false));
        assert_eq!(of(&told, "unwritable").len(), 1, "{}: {told:?}", node.shell);
        let left = fs::read_dir(node.path(".quorate/probes")).unwrap().count();
        assert_eq!(left, 0, "{}", node.shell);
    }
}

#[test]
fn two_nodes_with_one_directory_see_each_other() {
    for node in nodes() {
        assert_eq!(of(&look(&node, "fe80::1", None, &request(&[], false)), "sharing").len(), 0);
        let told = look(&node, "n2", None, &request(&[], false));
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(
            of(&told, "sharing"),
            [format!("fe80%3A%3A1 {}", boot.trim())],
            "{}",
            node.shell
        );
        // A mark of an earlier look means nothing.
        let later = ProbeRequest { look: "look2".into(), ..request(&[], false) };
        assert_eq!(of(&look(&node, "n2", None, &later), "sharing").len(), 0, "{}", node.shell);
    }
}

#[test]
fn actions_that_run_are_told_and_those_that_ended_are_not() {
    for node in nodes() {
        let mut done = sh("true");
        done.id.seq = 2;
        node.deliver(&done, Offsets::default()).finish();
        let running = sh("while [ ! -f go ]; do sleep 0.02; done");
        let mut attached = node.deliver(&running, Offsets::default());
        while attached.next() != Some(Frame::Claimed) {}
        wait_for("the supervisor", || node.directory(&running).join("pid").exists());
        let told = look(&node, "n", None, &request(&[], false));
        assert_eq!(of(&told, "live"), ["j1 10.0.0.1,main,1,1"], "{}: {told:?}", node.shell);
        fs::write(node.path("go"), "").unwrap();
        assert_eq!(attached.finish().code(), 0);
        assert_eq!(of(&look(&node, "n", None, &request(&[], false)), "live").len(), 0);
    }
}

#[test]
fn what_is_left_running_outlives_its_connection_or_does_not() {
    for node in nodes() {
        let key = NodeKey("n".into());
        for killed in [false, true] {
            look(&node, "n", None, &request(&[], true));
            let nap = node.path(".quorate/probes/n,nap");
            let pid = fs::read_to_string(nap.join("pid")).unwrap();
            let pid = pid.split(' ').next().unwrap().to_owned();
            assert!(is_running(&pid), "{}", node.shell);
            if killed {
                // As logind does with the processes of a session that is over.
                Command::new("kill").args(["-KILL", &pid]).status().unwrap();
                wait_for("its end", || !is_running(&pid));
            }
            let verdict = if killed { "outlives no" } else { "outlives yes" };
            let told = lines(&node, outlived(&key, None).unwrap());
            assert_eq!(told, [verdict, "looked"], "{}", node.shell);
            assert!(!nap.exists());
            wait_for("the end of what was left running", || !is_running(&pid));
        }
    }
}

#[test]
fn missing_tools_are_named() {
    for mut node in nodes().into_iter().filter(|node| node.shell != "busybox") {
        let bin = node.path("few");
        fs::create_dir(&bin).unwrap();
        symlink(fs::read_link(node.path("bin/sh")).unwrap(), bin.join("sh")).unwrap();
        for tool in ["cat", "chmod", "mkdir", "mv", "rm", "tail", "tr", "wc"] {
            symlink(found(tool).unwrap(), bin.join(tool)).unwrap();
        }
        node.path = bin.display().to_string();
        let told = look(&node, "n", None, &request(&[], false));
        assert_eq!(of(&told, "missing"), ["dd", "ls", "sleep", "ls -ln", "dd"], "{told:?}");
        let expected = if node.shell == "bash" { "job-control" } else { "no" };
        assert_eq!(of(&told, "detaching"), [expected], "{}", node.shell);
    }
}
