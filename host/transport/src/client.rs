//! What russh asks of a client: whether to trust a host.
use crate::{
    fault::Fault,
    known_hosts::{Accepted, HostKeys},
    options::Notice,
};
use russh::{
    client::{DisconnectReason, Handler},
    keys::PublicKeyOrCertificate,
};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a session ended, as far as it said so. Shared with the connection, which tells it in errors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Farewell(Arc<Mutex<Option<String>>>);

impl Farewell {
    /// What the server or the session's error said; empty where it ended without a word.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// The handler of one session.
pub(crate) struct Client {
    /// Judges the host's key.
    pub(crate) host_keys: HostKeys,
    /// Told about keys that were accepted.
    pub(crate) notice: Notice,
    /// Told about the end.
    pub(crate) farewell: Farewell,
}

/// How a handshake fails.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// In the protocol, or the connection.
    Ssh(russh::Error),
    /// The host's key was refused.
    HostKey(Fault),
}

impl From<russh::Error> for HandshakeError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl Handler for Client {
    type Error = HandshakeError;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let host_keys = self.host_keys.clone();
        let shown = match shown {
            PublicKeyOrCertificate::PublicKey { key, hash_alg } => {
                PublicKeyOrCertificate::PublicKey { key: key.clone(), hash_alg: *hash_alg }
            }
            PublicKeyOrCertificate::Certificate(certificate) => {
                PublicKeyOrCertificate::Certificate(certificate.clone())
            }
        };
        // Files are read and, for a new host, locked and written.
        let judged = tokio::task::spawn_blocking(move || host_keys.judge(&shown)).await;
        match judged.map_err(|error| russh::Error::IO(std::io::Error::other(error)))? {
            Ok(Accepted::Known) => Ok(true),
            Ok(Accepted::Told(text)) => {
                (self.notice)(&text);
                Ok(true)
            }
            Err(fault) => Err(HandshakeError::HostKey(fault)),
        }
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        self.farewell.set(match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                format!("the server said: {}", crate::fault::one_line(&info.message))
            }
            DisconnectReason::Error(HandshakeError::Ssh(error)) => error.to_string(),
            DisconnectReason::Error(HandshakeError::HostKey(fault)) => fault.message,
        });
        Ok(())
    }
}
