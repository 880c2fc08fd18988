//! From flags to a transport, and back from a journal.
use crate::{
    args::{PasswordArgs, SshArgs},
    error::CliError,
    logins, prompt,
    watch::complain,
};
use quorate_ports::{Secret, TransportError};
use quorate_transport::{Ssh, SshOptions, Sudo};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// Lines of the transport for people: on standard error, or gathered while the board has the screen.
static GATHERED: Mutex<Option<Vec<String>>> = Mutex::new(None);

fn notice(line: &str) {
    let mut gathered = GATHERED.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *gathered {
        Some(lines) => lines.push(line.to_owned()),
        None => complain(&format!("quorate: {line}")),
    }
}

/// Gathers the transport's lines from now on.
pub(crate) fn gather_notices() {
    *GATHERED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
}

/// Says what was gathered, and whatever comes, on standard error.
pub(crate) fn release_notices() {
    let lines = GATHERED.lock().unwrap_or_else(PoisonError::into_inner).take();
    lines.unwrap_or_default().iter().for_each(|line| notice(line));
}

/// Asks for a passphrase; nobody can be asked while the board has the screen.
fn ask(question: &str) -> Option<Secret> {
    let gathered = GATHERED.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    if gathered { None } else { prompt::hidden(&format!("quorate: {question}")) }
}

/// Opens the transport.
pub(crate) fn connect(ssh: &SshArgs) -> Result<Arc<Ssh>, CliError> {
    let wrong = |error| transport_error(&error);
    for file in &ssh.ssh_identity_file {
        if let Err(error) = std::fs::File::open(file) {
            let what = format!("--ssh-identity-file: {}: {error}", file.display());
            return Err(CliError::usage(what));
        }
    }
    let mut options = SshOptions::from_env().map_err(wrong)?;
    options.config_file.clone_from(&ssh.ssh_config);
    options.user.clone_from(&ssh.ssh_username);
    options.identity_files.clone_from(&ssh.ssh_identity_file);
    options.handshakes = ssh.ssh_handshakes.max(1);
    options.remote_dir.clone_from(&ssh.remote_dir);
    options.sudo = ssh.sudo.as_ref().map(|user| Sudo { user: user.clone(), args: sudo_args(ssh) });
    options.jump.clone_from(&ssh.ssh_jump);
    options.password = logins::password(&ssh.password)?;
    options.ask = Some(Arc::new(ask));
    options.notice = Arc::new(notice);
    Ssh::new(options).map(Arc::new).map_err(wrong)
}

fn sudo_args(ssh: &SshArgs) -> Vec<String> {
    ssh.sudo_args.iter().flat_map(|words| words.split_whitespace()).map(str::to_owned).collect()
}

/// A fault on the way to a node, before anything was done.
pub(crate) fn transport_error(error: &TransportError) -> CliError {
    CliError::not_started(&error.message).at(&error.host).hint(&error.hint)
}

/// The flags as a job keeps them: nothing secret, paths absolute.
pub(crate) fn remembered(ssh: &SshArgs) -> Result<BTreeMap<String, Vec<String>>, CliError> {
    let absolute = |path: &PathBuf| {
        std::path::absolute(path)
            .map(|path| path.display().to_string())
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
    };
    let mut kept = BTreeMap::new();
    if let Some(path) = &ssh.ssh_config {
        let none = path.as_os_str() == "none";
        kept.insert("config".into(), vec![if none { "none".into() } else { absolute(path)? }]);
    }
    if let Some(user) = &ssh.ssh_username {
        kept.insert("user".into(), vec![user.clone()]);
    }
    let files: Result<Vec<_>, _> = ssh.ssh_identity_file.iter().map(absolute).collect();
    kept.insert("identity".into(), files?);
    kept.insert("handshakes".into(), vec![ssh.ssh_handshakes.to_string()]);
    if let Some(jump) = &ssh.ssh_jump {
        kept.insert("jump".into(), vec![jump.clone()]);
    }
    if ssh.password.wanted() {
        // That there is one, so that `continue` can ask for it.
        kept.insert("password".into(), Vec::new());
    }
    if let Some(dir) = &ssh.remote_dir {
        kept.insert("remote-dir".into(), vec![dir.clone()]);
    }
    if let Some(user) = &ssh.sudo {
        kept.insert("sudo".into(), user.iter().cloned().collect());
        kept.insert("sudo-args".into(), sudo_args(ssh));
    }
    Ok(kept)
}

/// The flags of a job that goes on.
pub(crate) fn recalled(kept: &BTreeMap<String, Vec<String>>) -> Result<SshArgs, CliError> {
    let one = |name: &str| kept.get(name).and_then(|values| values.first()).cloned();
    let handshakes = one("handshakes").map(|n| n.parse()).transpose().map_err(|_| {
        CliError::not_started("the job's journal holds no usable number of handshakes")
    })?;
    Ok(SshArgs {
        ssh_config: one("config").map(PathBuf::from),
        ssh_username: one("user"),
        ssh_jump: one("jump"),
        password: PasswordArgs { needed: kept.contains_key("password"), ..PasswordArgs::default() },
        ssh_identity_file: kept.get("identity").into_iter().flatten().map(PathBuf::from).collect(),
        ssh_handshakes: handshakes.unwrap_or(64),
        remote_dir: one("remote-dir"),
        sudo: kept.get("sudo").map(|user| user.first().cloned()),
        sudo_args: kept.get("sudo-args").map(|words| words.join(" ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_keeps_how_its_nodes_are_reached_and_no_password() {
        let given = SshArgs {
            ssh_config: Some("/c".into()),
            ssh_username: Some("cass".into()),
            ssh_identity_file: vec!["/k".into()],
            ssh_jump: Some("a,ann@b:22".into()),
            ssh_handshakes: 7,
            password: PasswordArgs {
                ssh_password: Some("open sesame".into()),
                ..PasswordArgs::default()
            },
            ..SshArgs::default()
        };
        let kept = remembered(&given).unwrap();
        assert!(!format!("{kept:?}{given:?}").contains("open sesame"));
        let again = recalled(&kept).unwrap();
        assert_eq!(again.ssh_jump, given.ssh_jump);
        assert_eq!(again.ssh_username, given.ssh_username);
        assert_eq!(again.ssh_handshakes, 7);
        assert!(again.password.needed && again.password.ssh_password.is_none());
        let without = remembered(&SshArgs::default()).unwrap();
        assert!(!recalled(&without).unwrap().password.wanted());
    }
}
