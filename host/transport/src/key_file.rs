//! Files of keys and certificates, read as far as they go.
use crate::{config::Identity, keyring::Keyring};
use russh::keys::{
    Error as KeyError, PrivateKey, PublicKey, decode_secret_key, load_public_key,
    ssh_key::{self, certificate::Certificate},
};
use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

/// A key file.
pub(crate) struct KeyFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Named by somebody.
    pub(crate) named: bool,
    /// The public half.
    pub(crate) public: Option<PublicKey>,
    /// The private half.
    pub(crate) private: Private,
    /// `KEY-cert.pub`, where it is there and can be read.
    pub(crate) certificate: Option<Certificate>,
}

/// The private half of a key.
pub(crate) enum Private {
    /// It is here.
    Open(Arc<PrivateKey>),
    /// It wants its passphrase.
    Locked,
    /// It can't be used, and why.
    Unusable(String),
}

impl KeyFile {
    /// How it is told in errors.
    pub(crate) fn label(&self) -> String {
        self.path.display().to_string()
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Reads a key file, and what lies beside it. `None`: a default file that isn't there.
pub(crate) fn read(identity: &Identity, keyring: &Keyring) -> Option<KeyFile> {
    let path = &identity.path;
    // A public key alone may stand for one that the agent holds.
    let public = load_public_key(beside(path, ".pub")).or_else(|_| load_public_key(path)).ok();
    let mut file = KeyFile {
        path: path.clone(),
        named: identity.named,
        public,
        private: Private::Locked,
        certificate: Certificate::read_file(&beside(path, "-cert.pub")).ok(),
    };
    if let Some(key) = keyring.opened(path) {
        file.public = Some(key.public_key().clone());
        file.private = Private::Open(key);
        return Some(file);
    }
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
            file.private = Private::Unusable(format!("can't be read: {error}"));
            return Some(file);
        }
    };
    // OpenSSH's own format has the public key in clear even where the private one is encrypted.
    let encrypted = match PrivateKey::from_openssh(text.as_bytes()) {
        Ok(key) => {
            file.public = Some(key.public_key().clone());
            key.is_encrypted()
        }
        Err(_) => false,
    };
    file.private = match decode_secret_key(&text, None) {
        _ if encrypted => Private::Locked,
        Ok(key) => {
            file.public = Some(key.public_key().clone());
            Private::Open(Arc::new(key))
        }
        Err(KeyError::KeyIsEncrypted | KeyError::SshKey(ssh_key::Error::Encrypted)) => {
            Private::Locked
        }
        Err(_) if text.contains("ENCRYPTED") => Private::Locked,
        // The decoder's own words could repeat parts of the file.
        Err(_) => Private::Unusable("is not a private key that can be used".to_owned()),
    };
    Some(file)
}

/// Whether a key file is there, encrypted, and not opened yet.
pub(crate) fn is_locked(identity: &Identity, keyring: &Keyring) -> bool {
    read(identity, keyring).is_some_and(|file| matches!(file.private, Private::Locked))
}

/// The text of a private key, if only its owner can read it.
pub(crate) fn private_text(path: &Path) -> io::Result<Zeroizing<String>> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "its mode {:o} lets others read it; chmod 600",
            mode & 0o777
        )));
    }
    fs::read_to_string(path).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

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
            let file = read(&identity(path), &Keyring::default()).unwrap();
            assert!(matches!(file.private, Private::Open(_)), "{name}");
        }
    }

    fn problem(path: PathBuf) -> String {
        match read(&identity(path), &Keyring::default()).unwrap().private {
            Private::Unusable(problem) => problem,
            Private::Open(_) => "open".into(),
            Private::Locked => "locked".into(),
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
            assert!(read(&identity(path.clone()), &Keyring::default()).unwrap().public.is_some());
            assert_eq!(problem(path), "locked", "{name}");
        }
        let open = directory.path().join("open");
        keygen(&open, "ed25519", &["-N", ""]);
        fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(problem(open).contains("chmod 600"));

        let absent = directory.path().join("absent");
        assert!(problem(absent.clone()).contains("can't be read"));
        assert!(read(&Identity { path: absent, named: false }, &Keyring::default()).is_none());

        let garbage = directory.path().join("garbage");
        fs::write(&garbage, "SECRETSECRET").unwrap();
        fs::set_permissions(&garbage, fs::Permissions::from_mode(0o600)).unwrap();
        let problem = problem(garbage);
        assert!(problem.contains("not a private key") && !problem.contains("SECRET"));
    }
}
