//! `known_hosts`: looking keys up, deciding, learning.
use crate::{
    config::{HostConfig, HostKeyPolicy},
    fault::Fault,
    known_lines::{Known, Role, hashed, lines, same_type},
    revoked_keys::refuse_revoked,
};
use quorate_ports::FaultKind;
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Under which name a host's keys are known, where, and what to do with others.
#[derive(Clone, Debug)]
pub(crate) struct HostKeys {
    /// `host`, `[host]:port`, or the alias.
    name: String,
    /// Without the port, where that differs: OpenSSH accepts a key that is known for the host on its usual port.
    plain: Option<String>,
    /// Which a certificate must be for: the name without a port, or the alias.
    pub(crate) principal: String,
    /// `RevokedHostKeys`
    revoked_file: Option<PathBuf>,
    policy: HostKeyPolicy,
    user_files: Vec<PathBuf>,
    global_files: Vec<PathBuf>,
    hash_names: bool,
}

/// How a key that a host showed was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It was known.
    Known,
    /// It was not, and is let through; what to tell.
    Told(String),
}

impl HostKeys {
    /// For a host as it is configured.
    pub(crate) fn new(config: &HostConfig) -> Self {
        let host = config.host_name.to_lowercase();
        let (name, plain) = match &config.key_alias {
            Some(alias) => (alias.to_lowercase(), None),
            None if config.port == 22 => (host, None),
            None => (format!("[{host}]:{}", config.port), Some(host)),
        };
        let principal = config.key_alias.as_ref().unwrap_or(&config.host_name).to_lowercase();
        Self {
            principal,
            revoked_file: config.revoked.clone(),
            name,
            plain,
            policy: config.policy,
            user_files: config.user_known_hosts.clone(),
            global_files: config.global_known_hosts.clone(),
            hash_names: config.hash_known_hosts,
        }
    }

    /// Algorithms to offer, those of known keys first, so that a server with several keys shows one that can be judged. And those
    /// for certificates: none where no line names an authority for the host, or the server would show what nobody vouches for.
    pub(crate) fn preferred(&self) -> (Vec<Algorithm>, Vec<Algorithm>) {
        let named = self.known(&self.name);
        let plain = self.plain.as_deref().map(|plain| self.known(plain)).unwrap_or_default();
        let certified = named.iter().chain(&plain).any(|known| known.role == Role::Authority);
        let is_host = |known: &&Known| known.role == Role::Host;
        let known = if named.iter().any(|known| known.role == Role::Host) { named } else { plain };
        // Without SHA-1, as in OpenSSH.
        let mut offered: Vec<Algorithm> = russh::Preferred::DEFAULT
            .key
            .iter()
            .filter(|algorithm| **algorithm != Algorithm::Rsa { hash: None })
            .cloned()
            .collect();
        let certificates = if certified { offered.clone() } else { Vec::new() };
        offered.sort_by_key(|algorithm| {
            !known.iter().filter(is_host).any(|known| same_type(&known.key.algorithm(), algorithm))
        });
        (offered, certificates)
    }

    /// Judges what the host has proved to be, and learns a key where the policy says so.
    ///
    /// # Errors
    /// A key that is revoked, differs from the known one, or is unknown under a strict policy; a certificate that isn't valid.
    pub(crate) fn judge(&self, shown: &PublicKeyOrCertificate) -> Result<Accepted, Fault> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.judge_key(key),
            PublicKeyOrCertificate::Certificate(certificate) => {
                let mut known = self.known(&self.name);
                known.extend(
                    self.plain.as_deref().map(|plain| self.known(plain)).unwrap_or_default(),
                );
                let key = PublicKey::new(certificate.public_key().clone(), "");
                let authority = PublicKey::new(certificate.signature_key().clone(), "");
                for key in [&key, &authority] {
                    self.refuse_revoked(&known, key)?;
                }
                let vouches =
                    |known: &&Known| known.is(Role::Authority, certificate.signature_key());
                match known.iter().find(vouches) {
                    Some(authority) => {
                        crate::host_certificate::check(certificate, authority, &self.principal)
                            .map(|()| Accepted::Known)
                    }
                    // As OpenSSH does where it knows no authority of the certificate's: the key alone counts.
                    None => self.judge_key(&key),
                }
            }
        }
    }

    fn refuse_revoked(&self, known: &[Known], key: &PublicKey) -> Result<(), Fault> {
        if let Some(file) = &self.revoked_file {
            refuse_revoked(file, key)?;
        }
        match known.iter().find(|known| known.is(Role::Revoked, key.key_data())) {
            Some(revoked) => Err(self.revoked(revoked, key)),
            None => Ok(()),
        }
    }

    fn judge_key(&self, key: &PublicKey) -> Result<Accepted, Fault> {
        let known = self.known(&self.name);
        if let Some(accepted) = self.verdict(&known, key)? {
            return Ok(accepted);
        }
        if let Some(plain) = &self.plain {
            let plain = self.known(plain);
            self.refuse_revoked(&plain, key)?;
            if plain.iter().any(|known| known.is(Role::Host, key.key_data())) {
                return Ok(Accepted::Known);
            }
        }
        match self.policy {
            HostKeyPolicy::Strict => Err(self.unknown(key)),
            HostKeyPolicy::AcceptNew | HostKeyPolicy::Off => self.learn(key),
        }
    }

    /// `None`: nothing is known of the host.
    fn verdict(&self, known: &[Known], key: &PublicKey) -> Result<Option<Accepted>, Fault> {
        self.refuse_revoked(known, key)?;
        let valid: Vec<_> = known.iter().filter(|known| known.role == Role::Host).collect();
        if valid.is_empty() {
            return Ok(None);
        }
        if valid.iter().any(|known| known.is(Role::Host, key.key_data())) {
            return Ok(Some(Accepted::Known));
        }
        // Known types are negotiated first: a host that shows another one no longer has the key that is known.
        let changed = self.changed(&valid, key);
        match self.policy {
            HostKeyPolicy::Off => Ok(Some(Accepted::Told(format!(
                "{}; accepted because StrictHostKeyChecking is no",
                changed.message
            )))),
            _ => Err(changed),
        }
    }

    /// The lines that name the host, in all files. A file that isn't there knows nothing.
    fn known(&self, name: &str) -> Vec<Known> {
        let mut found = Vec::new();
        for file in self.user_files.iter().chain(&self.global_files) {
            if let Ok(bytes) = fs::read(file) {
                found.extend(lines(file, &String::from_utf8_lossy(&bytes), name));
            }
        }
        found
    }

    fn learn(&self, key: &PublicKey) -> Result<Accepted, Fault> {
        let shown = format!("{} key {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let Some(file) = self.user_files.first() else {
            return Ok(Accepted::Told(format!(
                "{}: accepted {shown}; no known_hosts file remembers it",
                self.name
            )));
        };
        let told = match self.append(file, key) {
            Ok(Some(known)) => match self.verdict(&known, key)? {
                Some(accepted) => return Ok(accepted),
                None => format!("{}: accepted {shown}", self.name),
            },
            Ok(None) => {
                format!("{}: accepted {shown}, remembered in {}", self.name, file.display())
            }
            Err(error) => format!(
                "{}: accepted {shown}, which can't be remembered in {}: {error}",
                self.name,
                file.display()
            ),
        };
        Ok(Accepted::Told(told))
    }

    /// Appends the key under a lock of the file, unless the host has become known meanwhile: its lines then.
    fn append(&self, path: &Path, key: &PublicKey) -> io::Result<Option<Vec<Known>>> {
        if let Some(parent) = path.parent() {
            make_private(parent)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        if !file.metadata()?.is_file() {
            // /dev/null: nobody wants to remember.
            return Ok(None);
        }
        // Connections of this process and of others.
        file.lock()?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        let known: Vec<_> = lines(path, &String::from_utf8_lossy(&bytes), &self.name).collect();
        if known.iter().any(|known| known.role == Role::Host) {
            return Ok(Some(known));
        }
        let name = if self.hash_names { hashed(&self.name) } else { self.name.clone() };
        let mut line = String::new();
        if bytes.last().is_some_and(|&last| last != b'\n') {
            line.push('\n');
        }
        // The comment of a key that came over the wire is empty.
        let key =
            PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(io::Error::other)?;
        line.push_str(&format!("{name} {}\n", key.trim_end()));
        file.write_all(line.as_bytes())?;
        // Not synced, as ssh doesn't either: what a power cut takes away is learnt again.
        Ok(None)
    }

    fn unknown(&self, key: &PublicKey) -> Fault {
        let host = self.plain.as_deref().unwrap_or(&self.name);
        Fault::new(
            FaultKind::HostKey,
            format!(
                "its host key is not known ({} {}), and StrictHostKeyChecking is yes",
                key.algorithm(),
                key.fingerprint(HashAlg::Sha256)
            ),
        )
        .hint(format!("compare the fingerprint on the host itself, then log in once by hand: ssh -o StrictHostKeyChecking=ask {host}"))
    }

    fn changed(&self, known: &[&Known], key: &PublicKey) -> Fault {
        let nearest = known
            .iter()
            .find(|known| same_type(&known.key.algorithm(), &key.algorithm()))
            .or(known.first())
            .expect("only called where something is known");
        Fault::new(
            FaultKind::HostKey,
            format!(
                "its host key has CHANGED: {} has {} {}, the host shows {} {}. Somebody may be in between",
                nearest.place(),
                nearest.key.algorithm(),
                nearest.key.fingerprint(HashAlg::Sha256),
                key.algorithm(),
                key.fingerprint(HashAlg::Sha256)
            ),
        )
        .hint(format!(
            "if the host was reinstalled, compare the fingerprint on the host itself, then: ssh-keygen -R '{}' -f '{}'",
            self.name,
            nearest.file.display()
        ))
    }

    fn revoked(&self, known: &Known, key: &PublicKey) -> Fault {
        Fault::new(
            FaultKind::HostKey,
            format!(
                "its host key {} is revoked by {}",
                key.fingerprint(HashAlg::Sha256),
                known.place()
            ),
        )
        .hint("a key is revoked when it may have been stolen: give the host a new one")
    }
}

/// Makes `~/.ssh` as `ssh` would.
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
