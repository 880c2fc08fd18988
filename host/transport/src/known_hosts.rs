//! `known_hosts`: looking keys up, deciding, learning. The format is the one of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
use crate::{
    config::{HostConfig, HostKeyPolicy, list_matches},
    fault::Fault,
};
use hmac::{Hmac, KeyInit, Mac};
use quorate_ports::FaultKind;
use russh::keys::{
    Algorithm, HashAlg, PublicKey,
    ssh_key::known_hosts::{HostPatterns, Marker},
};
use sha1::Sha1;
use std::{
    fs::{self, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
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
    policy: HostKeyPolicy,
    user_files: Vec<PathBuf>,
    global_files: Vec<PathBuf>,
    hash_names: bool,
}

/// A line that names the host.
#[derive(Clone, Debug)]
struct Known {
    file: PathBuf,
    line: usize,
    key: PublicKey,
    revoked: bool,
}

impl Known {
    fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
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
        Self {
            name,
            plain,
            policy: config.policy,
            user_files: config.user_known_hosts.clone(),
            global_files: config.global_known_hosts.clone(),
            hash_names: config.hash_known_hosts,
        }
    }

    /// Algorithms to offer, those of known keys first, so that a server with several keys shows one that can be judged.
    pub(crate) fn preferred(&self) -> Vec<Algorithm> {
        let known = self.known(&self.name);
        let known = match (&self.plain, known.is_empty()) {
            (Some(plain), true) => self.known(plain),
            _ => known,
        };
        // Without SHA-1, as in OpenSSH.
        let mut offered: Vec<Algorithm> = russh::Preferred::DEFAULT
            .key
            .iter()
            .filter(|algorithm| **algorithm != Algorithm::Rsa { hash: None })
            .cloned()
            .collect();
        offered.sort_by_key(|algorithm| {
            !known
                .iter()
                .any(|known| !known.revoked && same_type(&known.key.algorithm(), algorithm))
        });
        offered
    }

    /// Judges a key that the host has proved to hold, and learns it where the policy says so.
    ///
    /// # Errors
    /// A key that is revoked, differs from the known one, or is unknown under a strict policy.
    pub(crate) fn judge(&self, key: &PublicKey) -> Result<Accepted, Fault> {
        let known = self.known(&self.name);
        if let Some(accepted) = self.verdict(&known, key)? {
            return Ok(accepted);
        }
        if let Some(plain) = &self.plain {
            let plain = self.known(plain);
            if let Some(revoked) =
                plain.iter().find(|known| known.revoked && same_key(&known.key, key))
            {
                return Err(self.revoked(revoked, key));
            }
            if plain.iter().any(|known| !known.revoked && same_key(&known.key, key)) {
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
        if let Some(revoked) = known.iter().find(|known| known.revoked && same_key(&known.key, key))
        {
            return Err(self.revoked(revoked, key));
        }
        let mut valid = known.iter().filter(|known| !known.revoked).peekable();
        if valid.peek().is_none() {
            return Ok(None);
        }
        let valid: Vec<_> = valid.collect();
        if valid.iter().any(|known| same_key(&known.key, key)) {
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
        if known.iter().any(|known| !known.revoked) {
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
        file.sync_data()?;
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

/// The lines of a `known_hosts` text that name a host. Authorities of certificates say nothing about plain keys; what
/// can't be parsed is passed over, as OpenSSH does.
fn lines<'a>(file: &'a Path, text: &'a str, name: &'a str) -> impl Iterator<Item = Known> + 'a {
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let mut words = line.split_ascii_whitespace();
        let marker = match line.starts_with('@') {
            true => Some(words.next()?.parse::<Marker>().ok()?),
            false => None,
        };
        let names_it = match words.next()?.parse().ok()? {
            HostPatterns::Patterns(patterns) => {
                list_matches(patterns.iter().map(String::as_str), name)
            }
            HostPatterns::HashedName { salt, hash } => digest(&salt, name) == hash,
        };
        // Files may be long: keys are only decoded where the name matches.
        if !names_it || marker == Some(Marker::CertAuthority) {
            return None;
        }
        let key: PublicKey = format!("{} {}", words.next()?, words.next()?).parse().ok()?;
        Some(Known {
            file: file.to_owned(),
            line: at + 1,
            key,
            revoked: marker == Some(Marker::Revoked),
        })
    })
}

fn digest(salt: &[u8], name: &str) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes keys of any length");
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hashed(name: &str) -> String {
    // The salt only has to differ from line to line.
    let mut salt = Vec::with_capacity(24);
    while salt.len() < 20 {
        salt.extend(RandomState::new().build_hasher().finish().to_le_bytes());
    }
    salt.truncate(20);
    let hash = digest(&salt, name);
    HostPatterns::HashedName { salt, hash }.to_string()
}

fn same_key(one: &PublicKey, other: &PublicKey) -> bool {
    one.key_data() == other.key_data()
}

fn same_type(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (one, other) => one == other,
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
