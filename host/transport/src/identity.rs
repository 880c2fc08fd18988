//! Keys that can be offered: files, and what the agent holds.
use crate::config::{Agent, HostConfig, Identity};
use russh::keys::{
    Error as KeyError, HashAlg, PrivateKey, PublicKey,
    agent::{AgentIdentity, AgentSessionBinding, client::AgentClient},
    decode_secret_key, load_public_key,
    ssh_key::{self, certificate::Certificate},
};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use tokio::{net::UnixStream, time::timeout};

/// A key, and who signs with it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// How it is told in errors: a path or a comment, and the fingerprint.
    pub(crate) label: String,
    /// Its public half.
    pub(crate) public: PublicKey,
    /// Who signs.
    pub(crate) signer: Signer,
}

/// Who signs with a key.
#[derive(Clone, Debug)]
pub(crate) enum Signer {
    /// We do.
    File(Arc<PrivateKey>),
    /// The agent does.
    Agent,
    /// The agent does, for a certificate of the key.
    AgentCertificate(Box<Certificate>),
}

/// The connection to the agent.
pub(crate) type AgentConnection = AgentClient<UnixStream>;

/// What can be offered to one host.
#[derive(Default)]
pub(crate) struct Candidates {
    /// In the order in which they are offered.
    pub(crate) keys: Vec<Candidate>,
    /// Keys that can't be used and why, for errors.
    pub(crate) skipped: Vec<String>,
    /// To sign with.
    pub(crate) agent: Option<AgentConnection>,
}

/// A key file, read as far as it goes.
struct KeyFile {
    named: bool,
    label: String,
    public: Option<PublicKey>,
    private: Option<Arc<PrivateKey>>,
    problem: Option<String>,
}

/// Longer than an agent takes that isn't stuck. Signing may wait for a person, and isn't bounded by this.
const AGENT_ANSWERS: Duration = Duration::from_secs(5);

/// Collects the keys for a host. Those of named files come first, whoever signs with them: a server counts failures,
/// and an agent may hold many keys. The agent's others follow, then the default files.
pub(crate) async fn candidates(
    config: &HostConfig,
    binding: Option<&AgentSessionBinding>,
) -> Candidates {
    let mut candidates = Candidates::default();
    let mut held = Vec::new();
    if let Agent::Socket(path) = &config.agent {
        match agent(path, binding).await {
            Ok((agent, identities)) => {
                candidates.agent = Some(agent);
                held = identities;
            }
            Err(problem) => candidates.skipped.push(format!("agent {}: {problem}", path.display())),
        }
    }
    let files: Vec<_> = config.identities.iter().filter_map(read).collect();
    let (named, default): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.named);
    candidates.offer_files(named, &held);
    if !config.identities_only {
        for identity in &held {
            let taken = candidates
                .keys
                .iter()
                .any(|key| key.public.key_data() == identity.public_key().key_data());
            if !taken || matches!(identity, AgentIdentity::Certificate { .. }) {
                candidates.keys.push(from_agent(identity));
            }
        }
    }
    candidates.offer_files(default, &held);
    candidates
}

impl Candidates {
    fn offer_files(&mut self, files: Vec<KeyFile>, held: &[AgentIdentity]) {
        for file in files {
            if let Some(public) = &file.public
                && self.keys.iter().any(|key| key.public.key_data() == public.key_data())
            {
                continue;
            }
            let held = held.iter().any(|identity| match (identity, &file.public) {
                (AgentIdentity::PublicKey { key, .. }, Some(public)) => {
                    key.key_data() == public.key_data()
                }
                _ => false,
            });
            match (file.public, held, file.private) {
                (Some(public), true, _) => {
                    let label = labelled(&format!("{} by the agent", file.label), &public);
                    self.keys.push(Candidate { label, public, signer: Signer::Agent });
                }
                (Some(public), false, Some(private)) => {
                    let label = labelled(&file.label, &public);
                    self.keys.push(Candidate { label, public, signer: Signer::File(private) });
                }
                _ => self
                    .skipped
                    .extend(file.problem.map(|problem| format!("{}: {problem}", file.label))),
            }
        }
    }
}

fn labelled(name: &str, public: &PublicKey) -> String {
    format!("{name} ({} {})", public.algorithm(), public.fingerprint(HashAlg::Sha256))
}

fn from_agent(identity: &AgentIdentity) -> Candidate {
    let public = identity.public_key().into_owned();
    let comment = crate::fault::one_line(identity.comment());
    let (kind, signer) = match identity {
        AgentIdentity::PublicKey { .. } => ("agent's", Signer::Agent),
        AgentIdentity::Certificate { certificate, .. } => {
            ("agent's certificate", Signer::AgentCertificate(Box::new(certificate.clone())))
        }
    };
    Candidate { label: labelled(&format!("{kind} {comment:?}"), &public), public, signer }
}

async fn agent(
    path: &Path,
    binding: Option<&AgentSessionBinding>,
) -> Result<(AgentConnection, Vec<AgentIdentity>), String> {
    let connected = timeout(AGENT_ANSWERS, async {
        let mut agent = AgentClient::connect_uds(path).await?;
        // Keys that are constrained to destinations need it. Other agents than OpenSSH's don't know it.
        if let Some(binding) = binding {
            match agent.bind_session(binding, false).await {
                Ok(()) | Err(KeyError::AgentFailure) => {}
                Err(error) => return Err(error),
            }
        }
        let identities = agent.request_identities().await?;
        Ok((agent, identities))
    });
    match connected.await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer in {} s", AGENT_ANSWERS.as_secs())),
    }
}

/// `None`: a default file that isn't there.
fn read(identity: &Identity) -> Option<KeyFile> {
    let path = &identity.path;
    let mut file = KeyFile {
        named: identity.named,
        label: path.display().to_string(),
        public: None,
        private: None,
        problem: None,
    };
    // A public key alone may stand for one that the agent holds.
    let mut beside = path.clone().into_os_string();
    beside.push(".pub");
    file.public = load_public_key(Path::new(&beside)).or_else(|_| load_public_key(path)).ok();
    let text = match private_text(path) {
        Ok(text) => text,
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && file.public.is_none()
                && !identity.named =>
        {
            return None;
        }
        Err(error) => {
            file.problem = Some(format!("can't be read: {error}"));
            return Some(file);
        }
    };
    // OpenSSH's own format has the public key in clear even where the private one is encrypted.
    let encrypted = match PrivateKey::from_openssh(&text) {
        Ok(key) => {
            file.public = Some(key.public_key().clone());
            key.is_encrypted()
        }
        Err(_) => false,
    };
    match decode_secret_key(&text, None) {
        _ if encrypted => file.problem = Some(ENCRYPTED.to_owned()),
        Ok(key) => {
            file.public = Some(key.public_key().clone());
            file.private = Some(Arc::new(key));
        }
        Err(KeyError::KeyIsEncrypted | KeyError::SshKey(ssh_key::Error::Encrypted)) => {
            file.problem = Some(ENCRYPTED.to_owned())
        }
        Err(_) if text.contains("ENCRYPTED") => file.problem = Some(ENCRYPTED.to_owned()),
        // The decoder's own words could repeat parts of the file.
        Err(_) => file.problem = Some("is not a private key that can be used".to_owned()),
    }
    Some(file)
}

const ENCRYPTED: &str = "is encrypted; add it to an agent with ssh-add";

fn private_text(path: &Path) -> io::Result<String> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "its mode {:o} lets others read it; chmod 600",
            mode & 0o777
        )));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{path::PathBuf, process::Command};

    fn keygen(path: &Path, kind: &str, more: &[&str]) {
        let output = Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-C", "c", "-f"])
            .arg(path)
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn identity(path: PathBuf) -> Identity {
        Identity { path, named: true }
    }

    #[test]
    fn key_files_of_every_type_and_format_are_read() {
        let directory = tempfile::tempdir().unwrap();
        for (name, kind, more) in [
            ("ed", "ed25519", &["-N", ""][..]),
            ("ec", "ecdsa", &["-b", "384", "-N", ""]),
            ("rsa", "rsa", &["-b", "2048", "-N", ""]),
            ("rsa-pem", "rsa", &["-b", "2048", "-N", "", "-m", "PEM"]),
            ("ec-pkcs8", "ecdsa", &["-N", "", "-m", "PKCS8"]),
        ] {
            let path = directory.path().join(name);
            keygen(&path, kind, more);
            let file = read(&identity(path)).unwrap();
            assert!(file.private.is_some() && file.problem.is_none(), "{name}: {:?}", file.problem);
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_says_why() {
        let directory = tempfile::tempdir().unwrap();
        for (name, more) in [
            ("new", &["-N", "secret", "-b", "2048"][..]),
            ("pem", &["-N", "secret", "-b", "2048", "-m", "PEM"]),
        ] {
            let path = directory.path().join(name);
            keygen(&path, "rsa", more);
            let file = read(&identity(path)).unwrap();
            assert_eq!(file.problem.as_deref(), Some(ENCRYPTED), "{name}");
            assert!(file.private.is_none() && file.public.is_some(), "{name}");
        }
        let open = directory.path().join("open");
        keygen(&open, "ed25519", &["-N", ""]);
        fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&identity(open)).unwrap().problem.unwrap().contains("chmod 600"));

        let absent = directory.path().join("absent");
        assert!(
            read(&identity(absent.clone())).unwrap().problem.unwrap().contains("can't be read")
        );
        assert!(read(&Identity { path: absent, named: false }).is_none());

        let garbage = directory.path().join("garbage");
        fs::write(&garbage, "SECRETSECRET").unwrap();
        fs::set_permissions(&garbage, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!read(&identity(garbage)).unwrap().problem.unwrap().contains("SECRET"));
    }
}
