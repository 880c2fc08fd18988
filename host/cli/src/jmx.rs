//! How nodetool is called, from flags, and what a job remembers of it. Passwords are read here, once, and kept nowhere.
use crate::{args::CallArgs, error::CliError, prompt, watch::complain};
use quorate_ports::Secret;
use quorate_runner::{JmxPassword, JmxUser, NodetoolCall};
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A password file is small; what isn't is another file.
const LARGEST: u64 = 64 << 10;

/// How nodetool is called. May ask for a password.
///
/// # Errors
/// Flags that don't go together, a password that can't be had or that nodetool can't read.
pub(crate) fn call(args: &CallArgs) -> Result<NodetoolCall, CliError> {
    let program = args.nodetool.clone().unwrap_or_else(|| "nodetool".into());
    if program.is_empty() || program.starts_with(['-', '~']) {
        let what = format!("--nodetool {program:?} can't be a program on the nodes");
        return Err(CliError::usage(what).hint("give its name, or its whole path there"));
    }
    let (extra, user) = (extra(args)?, user(args)?);
    Ok(NodetoolCall { program, extra, port: args.jmx_port, user, from_here: false })
}

fn extra(args: &CallArgs) -> Result<Vec<String>, CliError> {
    let Some(text) = &args.jmx_args else { return Ok(Vec::new()) };
    let words = shlex::split(text)
        .ok_or_else(|| CliError::usage("--jmx-args: a quote is opened and not closed"))?;
    // Not shown: what follows is a password.
    let is_password = |word: &String| {
        word.starts_with("-pw") && !word.starts_with("-pwf")
            || word == "--password"
            || word.to_ascii_lowercase().contains("password=")
    };
    if words.iter().any(is_password) {
        let what = "--jmx-args: a password in an argument list is seen by everybody on the node";
        return Err(CliError::usage(what).hint("--jmx-username NAME with --jmx-password-file FILE"));
    }
    Ok(words)
}

fn user(args: &CallArgs) -> Result<Option<JmxUser>, CliError> {
    let Some(name) = &args.jmx_username else {
        let given = [
            ("--jmx-password", args.jmx_password.is_some()),
            ("--jmx-password-file", args.jmx_password_file.is_some()),
            ("--jmx-passwordfile", args.jmx_passwordfile.is_some()),
        ];
        return match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(CliError::usage(format!(
                "{flag} needs --jmx-username: nodetool asks no password of nobody"
            ))),
            None => Ok(None),
        };
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(CliError::usage(format!(
            "--jmx-username {name:?}: nodetool's password files hold no such name"
        )));
    }
    let (secret, whence) = if let Some(path) = &args.jmx_passwordfile {
        return Ok(Some(JmxUser {
            name: name.clone(),
            password: JmxPassword::OnNode(path.clone()),
        }));
    } else if let Some(path) = &args.jmx_password_file {
        (from_file(path, name)?, format!("--jmx-password-file {}", path.display()))
    } else if let Some(secret) = &args.jmx_password {
        complain(
            "quorate: others on this machine see --jmx-password in the list of processes; \
             --jmx-password-file, or no flag and a question, are better",
        );
        (secret.clone(), "--jmx-password".to_owned())
    } else {
        (asked(name)?, "the answer".to_owned())
    };
    let unusable = match secret.expose() {
        [] => "is empty",
        bytes if bytes.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0x0b) => {
            "holds white space"
        }
        _ => return Ok(Some(JmxUser { name: name.clone(), password: JmxPassword::Given(secret) })),
    };
    Err(CliError::usage(format!("{whence}: the password of {name} {unusable}"))
        .hint("nodetool reads passwords from files whose words end at white space"))
}

fn asked(name: &str) -> Result<Secret, CliError> {
    prompt::hidden(&format!("JMX password of {name}: ")).ok_or_else(|| {
        CliError::usage(format!(
            "--jmx-username {name}: no password was given, and nobody can be asked here"
        ))
        .hint("--jmx-password-file FILE reads it from a file here, --jmx-passwordfile PATH from one on the nodes")
    })
}

/// The password in a file: its only word, or the one beside the user's name, as `jmxremote.password` has it.
fn from_file(path: &Path, name: &str) -> Result<Secret, CliError> {
    let wrong =
        |what: String| CliError::usage(format!("--jmx-password-file: {}: {what}", path.display()));
    let mut file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & 0o077 != 0 {
        return Err(wrong(format!("its mode {mode:o} lets others read it"))
            .hint(format!("chmod 600 {}", path.display())));
    }
    let mut bytes = Vec::new();
    let read = (&mut file).take(LARGEST + 1).read_to_end(&mut bytes);
    // Overwritten when it goes, as all that holds the password.
    let bytes = Secret::new(bytes);
    read.map_err(|error| wrong(error.to_string()))?;
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| wrong("it isn't text".into()))?;
    if text.len() as u64 > LARGEST {
        return Err(wrong("it is too large for a password file".into()));
    }
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| {
            words.first().is_some_and(|first| !first.starts_with('#')) || words.len() == 1
        })
        .collect();
    if let [only] = lines.as_slice()
        && let [word] = only.as_slice()
    {
        return Ok(Secret::new(*word));
    }
    let own = lines.iter().find(|words| words[0] == name && words.len() == 2);
    own.map(|words| Secret::new(words[1])).ok_or_else(|| {
        wrong(format!("it holds neither one password alone nor a line `{name} PASSWORD`"))
    })
}

/// The flags as a job keeps them: nothing secret, paths absolute.
pub(crate) fn remembered(args: &CallArgs) -> Result<BTreeMap<String, Vec<String>>, CliError> {
    let mut kept = BTreeMap::new();
    let mut keep = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            kept.insert(name.to_owned(), vec![value]);
        }
    };
    keep("program", args.nodetool.clone());
    keep("port", args.jmx_port.map(|port| port.to_string()));
    keep("user", args.jmx_username.clone());
    keep("node-password-file", args.jmx_passwordfile.clone());
    keep("args", args.jmx_args.clone());
    // What comes through a pipe comes once.
    if let Some(path) = args.jmx_password_file.as_ref().filter(|path| path.is_file()) {
        let absolute = std::path::absolute(path)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
        keep("password-file", Some(absolute.display().to_string()));
    }
    Ok(kept)
}

/// The flags of a job that goes on; what is given now wins.
pub(crate) fn recalled(
    kept: &BTreeMap<String, Vec<String>>,
    now: &CallArgs,
) -> Result<CallArgs, CliError> {
    let one = |name: &str| kept.get(name).and_then(|values| values.first()).cloned();
    let port = one("port").map(|port| port.parse()).transpose();
    let port =
        port.map_err(|_| CliError::not_started("the job's journal holds no usable JMX port"))?;
    let mut args = CallArgs {
        nodetool: now.nodetool.clone().or_else(|| one("program")),
        jmx_port: now.jmx_port.or(port),
        jmx_username: now.jmx_username.clone().or_else(|| one("user")),
        jmx_args: now.jmx_args.clone().or_else(|| one("args")),
        jmx_password_file: now.jmx_password_file.clone(),
        jmx_passwordfile: now.jmx_passwordfile.clone(),
        jmx_password: now.jmx_password.clone(),
    };
    let is_given = now.jmx_password_file.is_some()
        || now.jmx_passwordfile.is_some()
        || now.jmx_password.is_some()
        // Another user has another password.
        || now.jmx_username.as_ref().is_some_and(|name| Some(name) != one("user").as_ref());
    if !is_given {
        args.jmx_password_file = one("password-file").map(PathBuf::from);
        args.jmx_passwordfile = one("node-password-file");
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn in_file(text: &str, mode: u32) -> Result<NodetoolCall, CliError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let args = CallArgs {
            jmx_username: Some("ops".into()),
            jmx_password_file: Some(path),
            ..CallArgs::default()
        };
        call(&args)
    }

    #[test]
    fn a_file_holds_the_password_alone_or_beside_its_user() {
        for text in ["s3cr#t", "s3cr#t\n", "# of all\nmonitor x\nops s3cr#t\n", "ops\ts3cr#t\r\n"] {
            let user = in_file(text, 0o600).unwrap().user.unwrap();
            assert_eq!(user.password, JmxPassword::Given(Secret::new("s3cr#t")), "{text}");
        }
        for text in ["", "\n", "monitor s3cr#t\n", "ops s3 cr#t\n", "s3cr#t\nother\n"] {
            let error = in_file(text, 0o600).unwrap_err().to_string();
            assert!(error.contains("neither one password") && !error.contains("cr#t"), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let error = in_file("s3cret", 0o640).unwrap_err().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused_without_showing_a_password() {
        let with = |change: fn(&mut CallArgs)| {
            let mut args = CallArgs::default();
            change(&mut args);
            call(&args).unwrap_err().to_string()
        };
        for (error, text) in [
            (with(|a| a.jmx_password = Some(Secret::new("s3cret"))), "--jmx-password needs"),
            (with(|a| a.jmx_passwordfile = Some("/etc/pw".into())), "--jmx-passwordfile needs"),
            (with(|a| a.jmx_username = Some("a b".into())), "\"a b\""),
            (with(|a| a.jmx_args = Some("-u x -pw s3cret".into())), "--jmx-args: a password"),
            (with(|a| a.jmx_args = Some("--password=s3cret".into())), "--jmx-args: a password"),
            (with(|a| a.jmx_args = Some("'x".into())), "a quote"),
            (with(|a| a.nodetool = Some("~/nodetool".into())), "whole path"),
            (
                with(|a| {
                    a.jmx_username = Some("ops".into());
                    a.jmx_password = Some(Secret::new("s3cret s3cret"));
                }),
                "holds white space",
            ),
        ] {
            assert!(error.contains(text) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_job_remembers_everything_but_the_password() {
        let args = CallArgs {
            nodetool: Some("/opt/nodetool".into()),
            jmx_port: Some(7299),
            jmx_username: Some("ops".into()),
            jmx_password: Some(Secret::new("s3cret")),
            jmx_args: Some("--ssl".into()),
            ..CallArgs::default()
        };
        let kept = remembered(&args).unwrap();
        assert!(!format!("{kept:?}").contains("s3cret"));
        let again = recalled(&kept, &CallArgs::default()).unwrap();
        assert_eq!(again, CallArgs { jmx_password: None, ..args });

        let args = CallArgs {
            jmx_username: Some("ops".into()),
            jmx_passwordfile: Some("/etc/pw".into()),
            ..CallArgs::default()
        };
        let kept = remembered(&args).unwrap();
        assert_eq!(recalled(&kept, &CallArgs::default()).unwrap(), args);
        let other = CallArgs { jmx_username: Some("dba".into()), ..CallArgs::default() };
        assert_eq!(recalled(&kept, &other).unwrap(), other, "another user, another password");
    }
}
