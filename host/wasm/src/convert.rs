//! Between the contract's records and the ports' types.
use crate::bindings::quorate::plugin::{log::Level, types};
use quorate_ports::{ActionOutcome, Captured, Exit, LogLevel, OnLost, Work, WorkKind};

/// An action of `shell` or `script`. `kind` takes the argv.
///
/// # Errors
/// What the request asks for and can't have.
pub(crate) fn work(
    request: types::ExecRequest,
    kind: impl FnOnce(Vec<String>) -> Result<WorkKind, types::Error>,
) -> Result<Work, types::Error> {
    let types::ExecRequest { argv, stdin, env, secret_env, run_as, timeout_ms, on_lost, extra } =
        request;
    let stdin = match stdin {
        types::Input::None => Vec::new(),
        types::Input::Bytes(bytes) => bytes,
        types::Input::Secret(_) => return Err(no_secrets()),
    };
    if !secret_env.is_empty() {
        return Err(no_secrets());
    }
    if run_as.is_some() {
        return Err(types::Error::Denied("run-as isn't supported by this version".into()));
    }
    no_extra(&extra)?;
    texts_without_nul("argv", &argv)?;
    for (name, value) in &env {
        if !is_variable_name(name) {
            return Err(invalid(format!("env: '{name}' can't be the name of a variable")));
        }
        texts_without_nul("env", std::slice::from_ref(value))?;
    }
    let on_lost = match on_lost {
        types::OnLost::Fail => OnLost::Fail,
        types::OnLost::Again => OnLost::Again,
        types::OnLost::Expected => OnLost::Expected,
    };
    Ok(Work { kind: kind(argv)?, stdin, env, timeout_ms, on_lost })
}

/// An action of `shell`.
pub(crate) fn shell(request: types::ExecRequest) -> Result<Work, types::Error> {
    work(request, |argv| match argv.first() {
        None => Err(invalid("argv is empty".into())),
        Some(program) if program.is_empty() => Err(invalid("the program's name is empty".into())),
        Some(_) => Ok(WorkKind::Shell(argv)),
    })
}

/// An action of `script`.
pub(crate) fn script(
    text: String,
    interpreter: String,
    request: types::ExecRequest,
) -> Result<Work, types::Error> {
    if text.trim().is_empty() {
        return Err(invalid("the script is empty".into()));
    }
    texts_without_nul("script", &[text.as_str(), interpreter.as_str()])?;
    work(request, |args| Ok(WorkKind::Script { text, interpreter, args }))
}

/// An action of `nodetool`.
pub(crate) fn nodetool(
    args: Vec<String>,
    timeout_ms: Option<u64>,
    extra: &str,
) -> Result<Work, types::Error> {
    no_extra(extra)?;
    if args.is_empty() {
        return Err(invalid("nodetool needs a command".into()));
    }
    texts_without_nul("args", &args)?;
    Ok(Work {
        kind: WorkKind::Nodetool(args),
        stdin: Vec::new(),
        env: Vec::new(),
        timeout_ms,
        on_lost: OnLost::Fail,
    })
}

/// Bytes of a request.
pub(crate) fn size(request: &types::ExecRequest) -> usize {
    let pairs = |pairs: &[(String, String)]| pairs.iter().map(|(a, b)| a.len() + b.len()).sum();
    let stdin = match &request.stdin {
        types::Input::None => 0,
        types::Input::Bytes(bytes) => bytes.len(),
        types::Input::Secret(name) => name.len(),
    };
    let env: usize = pairs(&request.env);
    let secret_env: usize = pairs(&request.secret_env);
    texts_size(&request.argv) + env + secret_env + stdin + request.extra.len()
}

/// Bytes of texts.
pub(crate) fn texts_size(texts: &[String]) -> usize {
    texts.iter().map(String::len).sum()
}

/// How an action ended.
pub(crate) fn result(outcome: ActionOutcome) -> types::ExecResult {
    types::ExecResult {
        exit: match outcome.exit {
            Exit::Code(code) => types::Exit::Code(code),
            Exit::Signal(signal) => types::Exit::Signal(signal),
        },
        stdout: output(outcome.stdout),
        stderr: output(outcome.stderr),
        extra: String::new(),
    }
}

/// The level of a line.
pub(crate) fn level(level: Level) -> LogLevel {
    match level {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}

/// A request that makes no sense.
pub(crate) fn invalid(why: String) -> types::Error {
    types::Error::Invalid(why)
}

fn output(captured: Captured) -> types::Output {
    let truncated = captured.is_truncated();
    let Captured { head, tail, total_bytes } = captured;
    types::Output { head, tail, total_bytes, truncated }
}

fn no_secrets() -> types::Error {
    types::Error::Denied("secrets aren't supported by this version".into())
}

/// This version knows no keys, so the object must be empty or absent.
fn no_extra(extra: &str) -> Result<(), types::Error> {
    if extra.trim().is_empty() {
        return Ok(());
    }
    match serde_json::from_str::<serde_json::Value>(extra) {
        Ok(serde_json::Value::Object(members)) => match members.keys().next() {
            None => Ok(()),
            Some(key) => Err(invalid(format!("extra: this version knows no key '{key}'"))),
        },
        _ => Err(invalid("extra: no JSON object".into())),
    }
}

fn texts_without_nul(what: &str, texts: &[impl AsRef<str>]) -> Result<(), types::Error> {
    match texts.iter().any(|text| text.as_ref().contains('\0')) {
        true => Err(invalid(format!("{what}: a NUL byte can't be passed to a program"))),
        false => Ok(()),
    }
}

fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(argv: &[&str]) -> types::ExecRequest {
        types::ExecRequest {
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            stdin: types::Input::None,
            env: Vec::new(),
            secret_env: Vec::new(),
            run_as: None,
            timeout_ms: Some(5),
            on_lost: types::OnLost::Expected,
            extra: String::new(),
        }
    }

    #[test]
    fn a_request_keeps_everything_it_says() {
        let mut asked = request(&["a", "b c"]);
        asked.stdin = types::Input::Bytes(b"in".to_vec());
        asked.env = vec![("LANG".into(), "C".into())];
        asked.extra = " {} ".into();
        let work = shell(asked).unwrap();
        assert_eq!(work.kind, WorkKind::Shell(vec!["a".into(), "b c".into()]));
        assert_eq!(work.stdin, b"in");
        assert_eq!(work.env, [("LANG".to_owned(), "C".to_owned())]);
        assert_eq!((work.timeout_ms, work.on_lost), (Some(5), OnLost::Expected));
    }

    #[test]
    fn what_this_version_can_not_do_is_denied() {
        let mut secret_stdin = request(&["a"]);
        secret_stdin.stdin = types::Input::Secret("s".into());
        let mut secret_env = request(&["a"]);
        secret_env.secret_env = vec![("A".into(), "s".into())];
        let mut run_as = request(&["a"]);
        run_as.run_as = Some("root".into());
        for asked in [secret_stdin, secret_env, run_as] {
            let error = shell(asked).unwrap_err();
            let types::Error::Denied(why) = error else { panic!("{error:?}") };
            assert!(why.contains("supported by this version"), "{why}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_invalid() {
        let mut extra = request(&["a"]);
        extra.extra = r#"{"nice": 5}"#.into();
        let mut garbage = request(&["a"]);
        garbage.extra = "x".into();
        let mut env = request(&["a"]);
        env.env = vec![("A=B".into(), "c".into())];
        for asked in [extra, garbage, env, request(&[]), request(&[""]), request(&["a", "b\0"])] {
            let error = shell(asked).unwrap_err();
            assert!(matches!(error, types::Error::Invalid(_)), "{error:?}");
        }
        assert!(script(" ".into(), String::new(), request(&[])).is_err());
        assert!(script("id".into(), String::new(), request(&[])).is_ok());
        assert!(nodetool(Vec::new(), None, "").is_err());
        assert!(nodetool(vec!["info".into()], None, "{\"a\":1}").is_err());
    }

    #[test]
    fn a_truncated_stream_is_said_to_be() {
        let captured = Captured { head: vec![1, 2], tail: vec![9], total_bytes: 9 };
        let result = result(ActionOutcome {
            exit: Exit::Signal(9),
            stdout: captured,
            stderr: Captured { head: vec![1], tail: Vec::new(), total_bytes: 1 },
        });
        assert!(result.stdout.truncated && !result.stderr.truncated);
        assert!(matches!(result.exit, types::Exit::Signal(9)));
    }
}
