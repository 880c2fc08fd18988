//! Lines of `known_hosts` files. The format is the one of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
use crate::config::list_matches;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{
    Algorithm, PublicKey,
    ssh_key::{
        known_hosts::{HostPatterns, Marker},
        public::KeyData,
    },
};
use sha1::Sha1;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
};

/// A line that names the host.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The file that it stands in.
    pub(crate) file: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Its key.
    pub(crate) key: PublicKey,
    /// What the key is.
    pub(crate) role: Role,
}

/// What a line says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is the host's.
    Host,
    /// It signs certificates of hosts (`@cert-authority`).
    Authority,
    /// It may not be used, by the host or for its certificate (`@revoked`).
    Revoked,
}

impl Known {
    /// File and line, for errors.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }

    /// Whether it is this key, in this role.
    pub(crate) fn is(&self, role: Role, key: &KeyData) -> bool {
        self.role == role && self.key.key_data() == key
    }
}

/// The lines of a `known_hosts` text that name a host. What can't be parsed is passed over, as OpenSSH does.
pub(crate) fn lines<'a>(
    file: &'a Path,
    text: &'a str,
    name: &'a str,
) -> impl Iterator<Item = Known> + 'a {
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let mut words = line.split_ascii_whitespace();
        let role = match line.starts_with('@') {
            true => match words.next()?.parse().ok()? {
                Marker::CertAuthority => Role::Authority,
                Marker::Revoked => Role::Revoked,
            },
            false => Role::Host,
        };
        let patterns = words.next()?;
        // With a thousand hosts, a thousand lines are looked at a thousand times: most are of another host, and plain.
        if !patterns.contains(['*', '?', '!', '|'])
            && !patterns.split(',').any(|plain| plain.eq_ignore_ascii_case(name))
        {
            return None;
        }
        let names_it = match patterns.parse().ok()? {
            HostPatterns::Patterns(patterns) => {
                list_matches(patterns.iter().map(String::as_str), name)
            }
            HostPatterns::HashedName { salt, hash } => digest(&salt, name) == hash,
        };
        // Files may be long: keys are only decoded where the name matches.
        if !names_it {
            return None;
        }
        let key: PublicKey = format!("{} {}", words.next()?, words.next()?).parse().ok()?;
        Some(Known { file: file.to_owned(), line: at + 1, key, role })
    })
}

fn digest(salt: &[u8], name: &str) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes keys of any length");
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().into()
}

/// A name as it is written where names are hashed.
pub(crate) fn hashed(name: &str) -> String {
    // The salt only has to differ from line to line.
    let mut salt = Vec::with_capacity(24);
    while salt.len() < 20 {
        salt.extend(RandomState::new().build_hasher().finish().to_le_bytes());
    }
    salt.truncate(20);
    let hash = digest(&salt, name);
    HostPatterns::HashedName { salt, hash }.to_string()
}

/// Whether two algorithms are of one type of key.
pub(crate) fn same_type(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (one, other) => one == other,
    }
}
