//! Signing for a login: with a key of ours, or by the agent.
use crate::{
    fault::one_line,
    identity::{AgentConnection, Candidate, Signer},
    keyring::Keyring,
};
use russh::{
    SendError,
    keys::{
        HashAlg, PrivateKey,
        agent::AgentIdentity,
        signature::Signer as _,
        ssh_encoding::Encode,
        ssh_key::{Signature, private::KeypairData},
    },
};
use std::future::Future;

/// Why nothing was signed, in words.
#[derive(Debug)]
pub(crate) struct Unsigned(pub(crate) String);

impl From<SendError> for Unsigned {
    fn from(error: SendError) -> Self {
        Self(error.to_string())
    }
}

/// Signs with one key. russh asks only when the server has said that it takes the key: nobody is asked for a passphrase in vain.
pub(crate) struct Hand<'a> {
    key: &'a Candidate,
    agent: Option<&'a mut AgentConnection>,
    keyring: &'a Keyring,
    /// A passphrase was needed.
    pub(crate) asked: bool,
}

impl<'a> Hand<'a> {
    /// For a key.
    pub(crate) fn new(
        key: &'a Candidate,
        agent: Option<&'a mut AgentConnection>,
        keyring: &'a Keyring,
    ) -> Self {
        Self { key, agent, keyring, asked: false }
    }

    async fn sign(
        &mut self,
        identity: &AgentIdentity,
        hash: Option<HashAlg>,
        text: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        let plain = AgentIdentity::from(self.key.public.clone());
        let identity = match &self.key.signer {
            Signer::File(private) => return with(private, hash, text),
            Signer::Locked(path) => {
                self.asked = true;
                let private = self.keyring.unlock(path).await.map_err(Unsigned)?;
                return with(&private, hash, text);
            }
            // An agent knows nothing of a certificate that lies in a file.
            Signer::Agent => &plain,
            Signer::AgentCertificate => identity,
        };
        let Some(agent) = &mut self.agent else { return Err(Unsigned("the agent is gone".into())) };
        let signed = agent.sign_request(identity, hash, text).await;
        signed.map_err(|error| {
            Unsigned(format!("the agent did not sign: {}", one_line(&error.to_string())))
        })
    }
}

impl russh::Signer for Hand<'_> {
    type Error = Unsigned;

    fn auth_sign(
        &mut self,
        key: &AgentIdentity,
        hash_alg: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send {
        self.sign(key, hash_alg, to_sign)
    }
}

/// The text with its signature behind it, as a string of RFC 4251.
fn with(key: &PrivateKey, hash: Option<HashAlg>, mut text: Vec<u8>) -> Result<Vec<u8>, Unsigned> {
    let signed: Result<Signature, _> = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(&text),
        pair => pair.try_sign(&text),
    };
    let encode = || {
        let mut blob = Vec::new();
        signed
            .map_err(|error| error.to_string())?
            .encode(&mut blob)
            .map_err(|error| error.to_string())?;
        blob.as_slice().encode(&mut text).map_err(|error| error.to_string())
    };
    encode().map_err(|error: String| Unsigned(format!("it can't sign: {}", one_line(&error))))?;
    Ok(text)
}
