//! The bundle: one file that holds an action and its supervisor.
use super::{private, stripped};
use crate::{fault::Fault, quote};
use bytes::Bytes;
use quorate_ports::{Action, FaultKind, PrivateFile, Program};
use std::{sync::LazyLock, time::Duration};

static SUPERVISE: LazyLock<String> = LazyLock::new(|| stripped(include_str!("supervise.sh")));

/// Where the program finds its private files: a parameter of `launch`.
const PRIVATE: &str = "\"$2\"";

/// An action as it travels.
#[derive(Clone)]
pub(crate) struct Bundle {
    /// All of it. It may hold secrets.
    pub(crate) bytes: Bytes,
    /// The same, where it is nothing but a script.
    pub(crate) text: Option<String>,
}

/// An action as a shell script; its private files and its standard input as raw bytes behind it. `grace` is between SIGTERM and
/// SIGKILL.
///
/// # Errors
/// What no program can be given: NUL bytes, no program at all, a variable whose name no shell takes.
pub(crate) fn bundle(action: &Action, grace: Duration) -> Result<Bundle, Fault> {
    private::check(&action.private)?;
    let (program, text) = program(&action.program, &action.private)?;
    let mut head = String::from("#!/bin/sh\n");
    head.push_str(&limits(action.timeout_ms, grace));
    head.push_str("launch() {\n");
    let own = [
        ("QUORATE_NODE", action.id.node.0.clone()),
        ("QUORATE_JOB", action.id.job.0.clone()),
        ("QUORATE_ACTION", action.id.to_string()),
    ];
    if action.env.iter().any(|(name, _)| name == "PATH") {
        // What starts a session of its own is found by ours.
        head.push_str("set -- \"$1\" \"$2\" \"${3:+$(command -v \"$3\")}\"\n");
    }
    let given = action.env.iter().map(|(name, value)| (name.as_str(), value.clone()));
    // Ours last: what a script is told about itself is true.
    for (name, value) in given.chain(own) {
        head.push_str(&format!(
            "export {}={}\n",
            variable(name)?,
            quote::word(&format!("the variable {name}"), &value)?
        ));
    }
    if let Some(name) = first_word(&action.program) {
        // What starts the session would say it too, in its own words and with a status of its own.
        let name = quote::word("the program", &name)?;
        head.push_str(&format!(
            "command -v {name} >/dev/null 2>&1 || {{ printf '%s: not found\\n' {name} >&2; exit 127; }}\n"
        ));
    }
    // $3 starts a session of its own, if anything does.
    head.push_str(&format!("exec ${{3:+\"$3\"}} {program}\n}}\n"));
    let mut stage = String::from("stage() {\n");
    if let Some(text) = text {
        stage.push_str(&format!(
            "printf %s {} >\"$dir/script.$$\" || return 1\n",
            quote::word("the script", text)?
        ));
    }
    let tail = format!("return 0\n}}\n{}", SUPERVISE.as_str());
    // Where the bytes begin depends on how many digits that number has.
    let mut end = 0;
    loop {
        let unpack = unpack(action, end);
        let text = format!("{head}{stage}{unpack}{tail}");
        if unpack.is_empty() {
            // Variables may be secret, and there are shells whose printf is a program with arguments of its own (mksh).
            let word = action.env.is_empty().then(|| text.clone());
            return Ok(Bundle { bytes: text.into(), text: word });
        }
        if end == text.len() {
            let mut bytes = text.into_bytes();
            for file in &action.private {
                bytes.extend_from_slice(file.bytes.expose());
            }
            bytes.extend_from_slice(&action.stdin);
            return Ok(Bundle { bytes: bytes.into(), text: None });
        }
        end = text.len();
    }
}

/// The commands that take what lies behind a script of `at` bytes apart.
fn unpack(action: &Action, mut at: usize) -> String {
    let mut commands = String::new();
    if !action.private.is_empty() {
        commands.push_str("mkdir \"$dir/private.$$\" || return 1\n");
    }
    for file in &action.private {
        let length = file.bytes.expose().len();
        // Byte by byte: the one way of dd's to begin and end anywhere. Secrets are short.
        commands.push_str(&format!(
            "dd bs=1 skip={at} count={length} if=\"$0\" of=\"$dir/private.$$/{}\" 2>/dev/null || return 1\n",
            file.name
        ));
        at += length;
    }
    if !action.stdin.is_empty() {
        // `tail` counts from 1.
        commands.push_str(&format!("tail -c +{} \"$0\" >\"$dir/stdin.$$\" || return 1\n", at + 1));
    }
    commands
}

/// The words that `exec` is given, and the text of a script.
fn program<'a>(
    program: &'a Program,
    files: &[PrivateFile],
) -> Result<(String, Option<&'a str>), Fault> {
    match program {
        Program::Argv(argv) => Ok((private::command(argv, files, PRIVATE)?, None)),
        Program::Script { text, interpreter, args } => {
            let mut words = match (interpreter.as_str(), shebang(text)) {
                ("", Some(words)) => quote::command(&words)?,
                ("", None) => "sh".to_owned(),
                (interpreter, _) => quote::command(&[interpreter.to_owned()])?,
            };
            // A parameter: the action's own variables are set by then, and may have any name.
            words.push_str(" \"$1\"");
            for (at, argument) in args.iter().enumerate() {
                words.push(' ');
                let what = format!("argument {}", at + 1);
                words.push_str(&private::word(&what, argument, files, PRIVATE)?);
            }
            Ok((words, Some(text)))
        }
    }
}

/// The program that has to be there, apart from `sh`.
fn first_word(program: &Program) -> Option<String> {
    match program {
        Program::Argv(argv) => argv.first().cloned(),
        Program::Script { text, interpreter, .. } if interpreter.is_empty() => {
            shebang(text)?.into_iter().next()
        }
        Program::Script { interpreter, .. } => Some(interpreter.clone()),
    }
}

/// What the kernel would make of a script's first line: a program and at most one argument. Read here, because
/// the file may lie where nothing may be executed.
fn shebang(text: &str) -> Option<Vec<String>> {
    let line = text.strip_prefix("#!")?.lines().next()?.trim();
    let (program, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    if program.is_empty() {
        return None;
    }
    let argument = argument.trim();
    Some(
        [program, argument]
            .iter()
            .filter(|word| !word.is_empty())
            .map(|word| (*word).to_owned())
            .collect(),
    )
}

fn variable(name: &str) -> Result<&str, Fault> {
    let valid = name.bytes().enumerate().all(|(at, byte)| {
        byte.is_ascii_alphabetic() || byte == b'_' || (at > 0 && byte.is_ascii_digit())
    });
    if valid && !name.is_empty() {
        return Ok(name);
    }
    Err(Fault::new(FaultKind::Configuration, format!("{name:?} can't be the name of a variable"))
        .hint("letters, digits and underscores, not beginning with a digit"))
}

fn limits(timeout_ms: Option<u64>, grace: Duration) -> String {
    // The grace is counted in tenths of a second.
    let grace = grace.as_millis().div_ceil(100).max(1);
    match timeout_ms {
        None => format!("limit= grace={grace}\n"),
        Some(ms) => format!(
            "limit={}.{:03} limit_whole={} limit_ms={ms} grace={grace}\n",
            ms / 1000,
            ms % 1000,
            ms.div_ceil(1000)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_ports::{ActionId, JobId, NodeKey};

    fn action(program: Program) -> Action {
        Action {
            id: ActionId {
                job: JobId("j".into()),
                node: NodeKey("n".into()),
                stage: "s".into(),
                attempt: 1,
                seq: 1,
            },
            program,
            stdin: Vec::new(),
            env: Vec::new(),
            timeout_ms: None,
            private: Vec::new(),
        }
    }

    #[test]
    fn a_script_runs_under_its_own_shebang_unless_an_interpreter_is_given() {
        for (text, words) in [
            ("#!/bin/bash\nx", Some(&["/bin/bash"][..])),
            ("#! /usr/bin/env  bash -x \nx", Some(&["/usr/bin/env", "bash -x"])),
            ("#!\nx", None),
            ("x\n#!/bin/sh", None),
            ("", None),
        ] {
            assert_eq!(
                shebang(text).as_deref(),
                words
                    .map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>())
                    .as_deref(),
                "{text}"
            );
        }
        let script = |interpreter: &str| Program::Script {
            text: "#!/bin/bash".into(),
            interpreter: interpreter.into(),
            args: vec!["a b".into()],
        };
        assert_eq!(program(&script(""), &[]).unwrap().0, "'/bin/bash' \"$1\" 'a b'");
        assert_eq!(program(&script("python3"), &[]).unwrap().0, "'python3' \"$1\" 'a b'");
    }

    fn failed(action: &Action) -> Fault {
        bundle(action, Duration::from_secs(1)).err().unwrap()
    }

    #[test]
    fn what_cannot_be_passed_is_refused_without_showing_values() {
        let mut bad = action(Program::Argv(vec!["true".into()]));
        for name in ["", "1A", "A-B", "A B", "A=B", "Ä"] {
            bad.env = vec![(name.into(), "SECRET".into())];
            let fault = failed(&bad);
            assert_eq!(fault.kind, FaultKind::Configuration);
            assert!(!format!("{fault:?}").contains("SECRET"));
        }
        bad.env = vec![("A".into(), "SECRET\0".into())];
        assert!(!format!("{:?}", failed(&bad)).contains("SECRET"));
        failed(&action(Program::Argv(vec![])));
    }
}
