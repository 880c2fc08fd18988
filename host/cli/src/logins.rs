//! What logging in to many nodes needs: passwords, and this machine's own limits. Both before a board has the screen.
use crate::{args::PasswordArgs, error::CliError, prompt, run::Begun, watch::complain};
use quorate_journal::Place;
use quorate_ports::Secret;
use quorate_transport::Ssh;
use std::{collections::BTreeSet, fs::File, io::Read, os::unix::fs::PermissionsExt, path::Path};
use zeroize::Zeroizing;

/// Descriptors beside those of nodes: the journal, the terminal, the runtime, libraries.
const OWN: u64 = 64;
/// Of a node on which a command runs: its connection, and the files that its outputs go to.
const OF_A_NODE: u64 = 3;
/// A password is a line; what is longer is some other file.
const LONGEST: u64 = 4096;

/// The password that nodes are logged in to with, if one is wanted.
pub(crate) fn password(args: &PasswordArgs) -> Result<Option<Secret>, CliError> {
    if let Some(text) = &args.ssh_password {
        complain(
            "quorate: --ssh-password: everybody on this machine can read it in the list of processes, and it \
             stays in the shell's history; --ssh-password-file and --ask-ssh-password don't have that",
        );
        return Ok(Some(Secret::new(text.as_bytes())));
    }
    if let Some(path) = &args.ssh_password_file {
        return from_file(path).map(Some);
    }
    if !args.ask_ssh_password && !args.needed {
        return Ok(None);
    }
    match prompt::hidden("SSH password of the nodes: ") {
        Some(password) => Ok(Some(password)),
        None if args.needed => Err(CliError::not_started(
            "the job logged in to its nodes with a password, which isn't written down, and nobody can be asked for it here",
        )
        .hint("name a file with --ssh-password-file")),
        None => Err(CliError::not_started("--ask-ssh-password: nobody can be asked here")
            .hint("name a file with --ssh-password-file")),
    }
}

/// The first line of a file that nobody else can read.
fn from_file(path: &Path) -> Result<Secret, CliError> {
    let wrong = |problem: String| {
        CliError::not_started(format!("--ssh-password-file: {}: {problem}", path.display()))
    };
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let about = file.metadata().map_err(|error| wrong(error.to_string()))?;
    let mode = about.permissions().mode() & 0o777;
    if about.is_file() && mode & 0o077 != 0 {
        return Err(wrong(format!("its mode {mode:o} lets others read it"))
            .hint(format!("chmod 600 {}", path.display())));
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || text.len() as u64 > LONGEST {
        return Err(wrong("its first line is not a password".into()));
    }
    Ok(Secret::new(line.as_bytes()))
}

/// Asks for what the nodes of these jobs will need, and sees whether this process may hold so many connections.
///
/// # Errors
/// It may not, by far.
pub(crate) async fn ready(transport: &Ssh, jobs: &[Begun]) -> Result<(), CliError> {
    let logs_in =
        |job: &&Begun| !matches!(job.view.created.place, Place::Here { nodetool: true, .. });
    let hosts: BTreeSet<&str> = jobs
        .iter()
        .filter(logs_in)
        .flat_map(|job| {
            job.view.created.targets.iter().map(|id| job.view.hosts[id.index()].host.as_str())
        })
        .collect();
    ready_for(transport, hosts.into_iter().map(str::to_owned).collect()).await
}

/// The same for these hosts.
///
/// # Errors
/// As [`ready`].
pub(crate) async fn ready_for(transport: &Ssh, hosts: Vec<String>) -> Result<(), CliError> {
    // It was raised as far as it goes.
    if let Ok((limit, _)) = rlimit::Resource::NOFILE.get() {
        enough(hosts.len() as u64, limit)?;
    }
    transport.unlock(&hosts).await;
    Ok(())
}

fn enough(nodes: u64, limit: u64) -> Result<(), CliError> {
    let wanted = OWN + OF_A_NODE * nodes;
    let what = format!(
        "{nodes} nodes need up to {wanted} open files, and `ulimit -Hn` allows this process {limit}"
    );
    let cure = format!(
        "raise it: `ulimit -n {wanted}` as root, nofile in /etc/security/limits.conf, or LimitNOFILE of the service"
    );
    if limit < OWN + nodes {
        return Err(CliError::not_started(what).hint(cure));
    }
    if limit < wanted {
        complain(&format!("quorate: {what}; {cure}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn written(text: &str, mode: u32) -> Result<Secret, CliError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        from_file(&path)
    }

    #[test]
    fn a_password_is_the_first_line_of_a_file_of_ones_own() {
        assert_eq!(written("open sesame \nrest", 0o600).unwrap().expose(), b"open sesame ");
        assert_eq!(written("x\r\n", 0o400).unwrap().expose(), b"x");
        let error = written("open sesame", 0o644).unwrap_err();
        assert!(error.what.contains("644") && error.hint.contains("chmod 600"), "{error}");
        for text in ["", "\n", &"x".repeat(5000)] {
            assert!(!written(text, 0o600).unwrap_err().to_string().contains("xxx"));
        }
    }

    #[test]
    fn too_few_descriptors_are_named_before_anything_starts() {
        assert!(enough(1000, 10_000).is_ok());
        assert!(
            enough(1000, 1024).unwrap_err().what.contains("1000 nodes need up to 3064 open files")
        );
        assert!(enough(1000, 1100).is_ok(), "a warning");
    }
}
