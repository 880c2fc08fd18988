//! Keys that can be offered: files, certificates, and what the agent holds.
use crate::{
    config::{Agent, HostConfig},
    key_file::{KeyFile, Private, read},
    keyring::Keyring,
};
use russh::keys::{
    Error as KeyError, HashAlg, PrivateKey, PublicKey,
    agent::{AgentIdentity, AgentSessionBinding, client::AgentClient},
    ssh_key::{
        certificate::{CertType, Certificate},
        public::KeyData,
    },
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};

/// A key, and who signs with it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// How it is told in errors: a path or a comment, and the fingerprint.
    pub(crate) label: String,
    /// Its public half.
    pub(crate) public: PublicKey,
    /// What is offered in the key's stead.
    pub(crate) certificate: Option<Box<Certificate>>,
    /// Who signs.
    pub(crate) signer: Signer,
}

/// Who signs with a key.
#[derive(Clone, Debug)]
pub(crate) enum Signer {
    /// We do.
    File(Arc<PrivateKey>),
    /// We do, once somebody has given the passphrase of this file; asked for when the server takes the key.
    Locked(PathBuf),
    /// The agent does, with the key.
    Agent,
    /// The agent does, with the certificate that it holds.
    AgentCertificate,
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

/// Longer than an agent takes that isn't stuck. Signing may wait for a person, and isn't bounded by this.
const AGENT_ANSWERS: Duration = Duration::from_secs(5);

/// Collects the keys for a host. Certificates come first, as in OpenSSH; then the keys of named files, whoever signs with them: a
/// server counts failures, and an agent may hold many keys. The agent's others follow, then the default files.
pub(crate) async fn candidates(
    config: &HostConfig,
    keyring: &Keyring,
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
    let mut files: Vec<_> =
        config.identities.iter().filter_map(|identity| read(identity, keyring)).collect();
    for file in &mut files {
        // Old formats don't tell which key is in them: whether a server takes it can't be asked before the passphrase.
        if matches!(file.private, Private::Locked) && file.public.is_none() {
            file.private = match keyring.unlock(&file.path).await {
                Ok(key) => {
                    file.public = Some(key.public_key().clone());
                    Private::Open(key)
                }
                Err(problem) => Private::Unusable(problem),
            };
        }
    }
    candidates.offer_certificates(config, &files, &held);
    let (named, default): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.named);
    candidates.offer_files(named, &held);
    if !config.identities_only {
        for identity in &held {
            if !candidates.has(identity.public_key().key_data())
                || matches!(identity, AgentIdentity::Certificate { .. })
            {
                candidates.keys.push(from_agent(identity));
            }
        }
    }
    candidates.offer_files(default, &held);
    candidates
}

impl Candidates {
    /// Whether a key itself, not a certificate of it, is offered already.
    fn has(&self, key: &KeyData) -> bool {
        self.keys.iter().any(|known| known.certificate.is_none() && known.public.key_data() == key)
    }

    /// Certificates that files hold: those that the configuration names, and those that lie beside keys.
    fn offer_certificates(
        &mut self,
        config: &HostConfig,
        files: &[KeyFile],
        held: &[AgentIdentity],
    ) {
        let mut found = Vec::new();
        for path in &config.certificates {
            match Certificate::read_file(path) {
                Ok(certificate) => found.push((path.display().to_string(), certificate)),
                Err(_) => self
                    .skipped
                    .push(format!("{}: is not a certificate that can be read", path.display())),
            }
        }
        found.extend(files.iter().filter_map(|file| {
            Some((format!("{}-cert.pub", file.label()), file.certificate.clone()?))
        }));
        for (name, certificate) in found {
            if certificate.cert_type() != CertType::User {
                self.skipped.push(format!("{name}: is the certificate of a host, not of a user"));
                continue;
            }
            let key = certificate.public_key();
            let signer = signer(
                files.iter().find(|file| {
                    file.public.as_ref().is_some_and(|public| public.key_data() == key)
                }),
                key,
                held,
            );
            let Some(signer) = signer else {
                self.skipped
                    .push(format!("{name}: the private key that it belongs to is not there"));
                continue;
            };
            let public = PublicKey::new(key.clone(), "");
            let label =
                format!("certificate {:?} of {}", certificate.key_id(), labelled(&name, &public));
            let certificate = Some(Box::new(certificate));
            self.keys.push(Candidate { label, public, certificate, signer });
        }
    }

    fn offer_files(&mut self, files: Vec<KeyFile>, held: &[AgentIdentity]) {
        for file in files {
            let label = file.label();
            let Some(public) = file.public.clone() else {
                if let Private::Unusable(problem) = file.private {
                    self.skipped.push(format!("{label}: {problem}"));
                }
                continue;
            };
            if self.has(public.key_data()) {
                continue;
            }
            match signer(Some(&file), public.key_data(), held) {
                Some(signer) => {
                    let name = match signer {
                        Signer::Agent => format!("{label} by the agent"),
                        _ => label,
                    };
                    let label = labelled(&name, &public);
                    self.keys.push(Candidate { label, public, certificate: None, signer });
                }
                None => {
                    if let Private::Unusable(problem) = file.private {
                        self.skipped.push(format!("{label}: {problem}"));
                    }
                }
            }
        }
    }
}

/// Who signs with a key: the agent before a file, which may be locked.
fn signer(file: Option<&KeyFile>, key: &KeyData, held: &[AgentIdentity]) -> Option<Signer> {
    let holds = |identity: &AgentIdentity| matches!(identity, AgentIdentity::PublicKey { key: held, .. } if held.key_data() == key);
    if held.iter().any(holds) {
        return Some(Signer::Agent);
    }
    match &file?.private {
        Private::Open(key) => Some(Signer::File(key.clone())),
        Private::Locked => Some(Signer::Locked(file?.path.clone())),
        Private::Unusable(_) => None,
    }
}

fn labelled(name: &str, public: &PublicKey) -> String {
    format!("{name} ({} {})", public.algorithm(), public.fingerprint(HashAlg::Sha256))
}

fn from_agent(identity: &AgentIdentity) -> Candidate {
    let public = identity.public_key().into_owned();
    let comment = crate::fault::one_line(identity.comment());
    let (kind, certificate, signer) = match identity {
        AgentIdentity::PublicKey { .. } => ("agent's", None, Signer::Agent),
        AgentIdentity::Certificate { certificate, .. } => {
            let certificate = Some(Box::new(certificate.clone()));
            ("agent's certificate", certificate, Signer::AgentCertificate)
        }
    };
    let label = labelled(&format!("{kind} {comment:?}"), &public);
    Candidate { label, public, certificate, signer }
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
