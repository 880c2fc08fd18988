//! What a client needs to log in to the nodes: keys, `known_hosts` and `ssh_config`, all in the simulation's folder.
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

use crate::SimError;

/// A new ed25519 key from the system's own randomness: others on this machine must not be able to guess it.
pub(crate) fn new_key(comment: &str) -> Result<PrivateKey, SimError> {
    let mut seed = [0; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut seed))
        .map_err(SimError::io("can't read /dev/urandom"))?;
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    PrivateKey::new(pair, comment).map_err(|error| SimError::Key(error.to_string()))
}

/// The files that clients read.
pub(crate) struct Access {
    pub(crate) ssh_config: PathBuf,
    known_hosts: PathBuf,
    pub(crate) identity: PathBuf,
}

impl Access {
    /// Writes the client's key, an empty `known_hosts` and an `ssh_config` for all addresses in `blocks` (`127.x.y`).
    pub(crate) fn write(
        root: &Path,
        key: &PrivateKey,
        user: &str,
        port: u16,
        blocks: &[String],
    ) -> Result<Self, SimError> {
        let access = Self {
            ssh_config: root.join("ssh_config"),
            known_hosts: root.join("known_hosts"),
            identity: root.join("id_ed25519"),
        };
        let text =
            key.to_openssh(LineEnding::LF).map_err(|error| SimError::Key(error.to_string()))?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&access.identity)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(SimError::io("can't write the client's key"))?;
        let hosts: Vec<String> = blocks.iter().map(|block| format!("{block}.*")).collect();
        let config = format!(
            "Host {}\n    User {user}\n    Port {port}\n    IdentityFile \"{}\"\n    IdentitiesOnly yes\n    UserKnownHostsFile \"{}\"\n    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n",
            hosts.join(" "),
            access.identity.display(),
            access.known_hosts.display()
        );
        fs::write(&access.ssh_config, config).map_err(SimError::io("can't write ssh_config"))?;
        Ok(access)
    }

    /// Writes the host keys that clients are to trust, one per node.
    pub(crate) fn trust<'a>(
        &self,
        port: u16,
        keys: impl Iterator<Item = (Ipv4Addr, &'a PrivateKey)>,
    ) -> Result<(), SimError> {
        let mut text = String::new();
        for (address, key) in keys {
            let public =
                key.public_key().to_openssh().map_err(|error| SimError::Key(error.to_string()))?;
            // Without its comment.
            let fields: Vec<&str> = public.split(' ').take(2).collect();
            text.push_str(&format!("[{address}]:{port} {}\n", fields.join(" ")));
        }
        fs::write(&self.known_hosts, text).map_err(SimError::io("can't write known_hosts"))
    }
}
