//! Encrypted key files: each one's passphrase is asked for once, whoever needs the key.
use crate::{key_file::private_text, options::Ask};
use russh::keys::{PrivateKey, decode_secret_key};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Mutex as AsyncMutex;

/// Wrong passphrases until a key is given up, as in OpenSSH.
const TRIES: u32 = 3;

/// The keys that were opened. Passphrases aren't kept.
#[derive(Default)]
pub(crate) struct Keyring {
    ask: Option<Ask>,
    opened: Mutex<HashMap<PathBuf, Arc<PrivateKey>>>,
    /// Held while somebody is asked: one question at a time. With the files that nobody opened, and why.
    asking: AsyncMutex<HashMap<PathBuf, String>>,
}

impl Keyring {
    /// A ring without keys, and whom to ask.
    pub(crate) fn new(ask: Option<Ask>) -> Self {
        Self { ask, ..Self::default() }
    }

    /// A key that was opened before.
    pub(crate) fn opened(&self, path: &Path) -> Option<Arc<PrivateKey>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Opens a key, asking for its passphrase where that hasn't been done.
    ///
    /// # Errors
    /// Nobody can be asked, or nobody knows it: in words, without it.
    pub(crate) async fn unlock(&self, path: &Path) -> Result<Arc<PrivateKey>, String> {
        let mut shut = self.asking.lock().await;
        if let Some(key) = self.opened(path) {
            return Ok(key);
        }
        if let Some(problem) = shut.get(path) {
            return Err(problem.clone());
        }
        let Some(ask) = self.ask.clone() else { return Err(NOBODY.to_owned()) };
        let file = path.to_owned();
        let asked = tokio::task::spawn_blocking(move || open(&file, &ask)).await;
        match asked.map_err(|error| error.to_string()).and_then(|opened| opened) {
            Ok(key) => {
                let key = Arc::new(key);
                let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
                opened.insert(path.to_owned(), key.clone());
                Ok(key)
            }
            Err(problem) => {
                shut.insert(path.to_owned(), problem.clone());
                Err(problem)
            }
        }
    }
}

const NOBODY: &str = "is encrypted, and nobody can be asked for its passphrase here; add it to an agent with ssh-add";

fn open(path: &Path, ask: &Ask) -> Result<PrivateKey, String> {
    let text = private_text(path).map_err(|error| format!("can't be read: {error}"))?;
    for attempt in 0..TRIES {
        let again = if attempt == 0 { "" } else { "wrong; " };
        let question = format!("{again}passphrase of {}: ", path.display());
        let Some(passphrase) = ask(&question) else { return Err(NOBODY.to_owned()) };
        let Ok(passphrase) = std::str::from_utf8(passphrase.expose()) else { continue };
        if let Ok(key) = decode_secret_key(&text, Some(passphrase)) {
            return Ok(key);
        }
    }
    Err(format!(
        "is encrypted, and {TRIES} passphrases were wrong; add it to an agent with ssh-add"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_ports::Secret;
    use std::{
        process::Command,
        sync::atomic::{AtomicUsize, Ordering},
    };

    fn locked(directory: &Path, more: &[&str]) -> PathBuf {
        let path = directory.join("key");
        let output = Command::new("ssh-keygen")
            .args(["-q", "-N", "open sesame", "-f"])
            .arg(&path)
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        path
    }

    fn answering(answers: &'static [&'static str]) -> (Keyring, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let ask: Ask = Arc::new(move |question| {
            assert!(question.contains("key: "), "{question}");
            answers.get(count.fetch_add(1, Ordering::SeqCst)).map(|text| Secret::new(*text))
        });
        (Keyring::new(Some(ask)), asked)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_is_asked_for_once_however_many_need_it() {
        for more in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048", "-m", "PEM"]] {
            let directory = tempfile::tempdir().unwrap();
            let path = locked(directory.path(), more);
            let (keyring, asked) = answering(&["wrong", "open sesame"]);
            let keyring = Arc::new(keyring);
            let all: Vec<_> = (0..50)
                .map(|_| {
                    let (keyring, path) = (keyring.clone(), path.clone());
                    tokio::spawn(async move { keyring.unlock(&path).await.is_ok() })
                })
                .collect();
            for one in all {
                assert!(one.await.unwrap());
            }
            assert_eq!(asked.load(Ordering::SeqCst), 2, "{more:?}");
            assert!(keyring.opened(&path).is_some());
        }
    }

    #[tokio::test]
    async fn a_key_that_nobody_opens_is_not_asked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = locked(directory.path(), &["-t", "ed25519"]);
        let (keyring, asked) = answering(&["a", "b", "c", "d"]);
        for _ in 0..2 {
            let problem = keyring.unlock(&path).await.unwrap_err();
            assert!(problem.contains("ssh-add") && problem.contains("wrong"), "{problem}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        let problem = Keyring::default().unlock(&path).await.unwrap_err();
        assert!(problem.contains("nobody can be asked"), "{problem}");
    }
}
