//! Queries: their arguments, and their end when nobody waits for them.
use super::*;

pub(super) fn run_query(
    node: &Node,
    login_shell: &str,
    argv: &[&str],
) -> (Vec<u8>, Vec<u8>, Option<i32>) {
    let argv = argv.iter().map(ToString::to_string).collect();
    private_query(node, login_shell, argv, Vec::new(), None)
}

pub(super) fn private_query(
    node: &Node,
    login_shell: &str,
    argv: Vec<String>,
    private: Vec<PrivateFile>,
    root: Option<&str>,
) -> (Vec<u8>, Vec<u8>, Option<i32>) {
    let request = Query { argv, timeout: Duration::from_secs(10), max_output: 1 << 20, private };
    let script = query(&request, root).unwrap();
    let mut child = node.spawn(login_shell);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&script.text).unwrap();
    // The input stays open until the program has ended.
    let (mut out, mut err) = (Vec::new(), Vec::new());
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_end(&mut err).unwrap();
    let status = child.wait().unwrap();
    drop(stdin);
    let mark = format!("{}\n", script.mark);
    let cut = |stream: Vec<u8>| stream.strip_prefix(mark.as_bytes()).unwrap_or(b"no mark").to_vec();
    (cut(out), cut(err), status.code())
}

#[test]
fn a_query_gets_its_arguments_as_they_are_under_any_login_shell() {
    let odd =
        ["a b", "", "'", "\"$HOME\"", "`id`", "\\n", "*", "!x", "é\u{81}", "x\ny\n", "#quorate"];
    let mut argv = vec!["sh", "-c", "printf '[%s]' \"$@\"; echo oops >&2; cat; exit 5", "sh"];
    argv.extend(odd);
    let expected: String = odd.iter().map(|text| format!("[{text}]")).collect();
    for node in nodes() {
        for login_shell in ["sh", "dash", "bash", "csh", "tcsh", "fish", "zsh", "ksh"] {
            let Some(login_shell) = found(login_shell) else { continue };
            let (out, err, code) = run_query(&node, login_shell.to_str().unwrap(), &argv);
            let seen = (
                String::from_utf8_lossy(&out).into_owned(),
                String::from_utf8_lossy(&err).into_owned(),
                code,
            );
            assert_eq!(
                seen,
                (expected.clone(), "oops\n".to_owned(), Some(5)),
                "{} under {login_shell:?}",
                node.shell
            );
        }
    }
}

#[test]
fn a_query_is_ended_when_nobody_listens_any_more() {
    for node in nodes() {
        let request = Query {
            argv: ["sh", "-c", "echo $$ >pid; sleep 100; true"].map(String::from).to_vec(),
            timeout: Duration::from_secs(10),
            max_output: 100,
            private: Vec::new(),
        };
        let mut child = node.spawn("sh");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&query(&request, None).unwrap().text).unwrap();
        let pid = || fs::read_to_string(node.path("pid")).unwrap_or_default();
        wait_for("the start", || pid().ends_with('\n'));
        let group = pid().trim().to_owned();
        drop(stdin);
        wait_for("the end of the program", || !is_running(&group));
        wait_for("the end of its child", || !processes_of_group(&group));
        child.wait().unwrap();
    }
}

fn processes_of_group(group: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
        let fields: Vec<_> = rest.split(' ').collect();
        fields[0] != "Z" && fields[2] == group
    })
}
