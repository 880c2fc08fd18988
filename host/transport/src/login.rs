//! Logging in: one key after the other, and an error that says what was tried.
use crate::{
    client::{Client, Farewell},
    config::HostConfig,
    fault::{Fault, one_line},
    identity::{AgentConnection, Candidate, Candidates, Signer, candidates},
};
use quorate_ports::FaultKind;
use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle},
    keys::{HashAlg, PrivateKeyWithHashAlg},
};

/// What was tried so far.
#[derive(Default)]
struct Attempts {
    /// Keys that the server refused, in order.
    refused: Vec<String>,
    /// What else is worth telling.
    notes: Vec<String>,
    /// What the server said that it takes.
    methods: Option<MethodSet>,
    /// A key was right and the server wants more.
    partial: bool,
}

/// Logs in over a connection whose host key was accepted.
///
/// # Errors
/// No key was accepted, or the connection ended meanwhile.
pub(crate) async fn login(
    session: &mut Handle<Client>,
    config: &HostConfig,
    farewell: &Farewell,
) -> Result<(), Fault> {
    let binding = session.agent_session_binding().cloned();
    let mut candidates = candidates(config, binding.as_ref()).await;
    let mut attempts =
        Attempts { notes: std::mem::take(&mut candidates.skipped), ..Attempts::default() };
    let Candidates { keys, mut agent, .. } = candidates;
    if keys.is_empty() {
        // Tells which methods there are; and some servers want none.
        let result = session.authenticate_none(&config.user).await;
        if attempts.note(None, result.map_err(|error| error.to_string())) {
            return Ok(());
        }
    }
    for key in keys {
        if session.is_closed() || attempts.partial {
            break;
        }
        if attempts
            .methods
            .as_ref()
            .is_some_and(|methods| !methods.contains(&MethodKind::PublicKey))
        {
            break;
        }
        let result = try_key(session, config, &key, agent.as_mut()).await;
        if attempts.note(Some(&key), result) {
            return Ok(());
        }
    }
    Err(attempts.fault(config, farewell))
}

async fn try_key(
    session: &mut Handle<Client>,
    config: &HostConfig,
    key: &Candidate,
    agent: Option<&mut AgentConnection>,
) -> Result<AuthResult, String> {
    let user = config.user.as_str();
    let hash = match key.public.algorithm().is_rsa() {
        true => rsa_hash(session).await?,
        false => None,
    };
    let told = |error: &dyn std::fmt::Display| one_line(&error.to_string());
    match (&key.signer, agent) {
        (Signer::File(private), _) => session
            .authenticate_publickey(user, PrivateKeyWithHashAlg::new(private.clone(), hash))
            .await
            .map_err(|error| told(&error)),
        (Signer::Agent, Some(agent)) => session
            .authenticate_publickey_with(user, key.public.clone(), hash, agent)
            .await
            .map_err(|error| format!("the agent did not sign: {}", told(&error))),
        (Signer::AgentCertificate(certificate), Some(agent)) => session
            .authenticate_certificate_with(user, (**certificate).clone(), hash, agent)
            .await
            .map_err(|error| format!("the agent did not sign: {}", told(&error))),
        (Signer::Agent | Signer::AgentCertificate(_), None) => Err("the agent is gone".to_owned()),
    }
}

/// The hash for a signature with an RSA key. SHA-1 is not made any more.
async fn rsa_hash(session: &Handle<Client>) -> Result<Option<HashAlg>, String> {
    match session.best_supported_rsa_hash().await {
        Ok(Some(Some(hash))) => Ok(Some(hash)),
        Ok(Some(None)) => {
            Err("the server takes RSA signatures with SHA-1 only, which is not safe".to_owned())
        }
        // It doesn't tell (RFC 8308 came later than RFC 8332's signatures did): the more common one.
        Ok(None) => Ok(Some(HashAlg::Sha256)),
        Err(error) => Err(one_line(&error.to_string())),
    }
}

impl Attempts {
    /// Takes a result in; true where the login succeeded.
    fn note(&mut self, key: Option<&Candidate>, result: Result<AuthResult, String>) -> bool {
        match result {
            Ok(AuthResult::Success) => return true,
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                self.partial = partial_success;
                // The end of the connection arrives as a failure with nothing left.
                if !remaining_methods.is_empty() {
                    self.methods = Some(remaining_methods);
                }
                self.refused.extend(key.map(|key| key.label.clone()));
            }
            Err(problem) => self.notes.push(match key {
                Some(key) => format!("{}: {problem}", key.label),
                None => problem,
            }),
        }
        false
    }

    fn fault(self, config: &HostConfig, farewell: &Farewell) -> Fault {
        let offered = match self.refused.len() {
            0 => "no key could be offered".to_owned(),
            n => format!(
                "{n} key{} offered: {}",
                if n == 1 { " was" } else { "s were" },
                self.refused.join(", ")
            ),
        };
        let mut message =
            format!("login as {} failed; method tried: publickey; {offered}", config.user);
        if self.partial {
            message.push_str(
                "; the last one was accepted, and the server wants another method as well",
            );
        }
        if let Some(methods) = &self.methods {
            let names: Vec<String> = methods.iter().map(String::from).collect();
            message.push_str(&format!("; the server takes: {}", names.join(", ")));
        }
        if !self.notes.is_empty() {
            message.push_str(&format!("; not used: {}", self.notes.join(", ")));
        }
        let said = farewell.text();
        if !said.is_empty() {
            message.push_str(&format!("; {said}"));
        }
        let port = if config.port == 22 { String::new() } else { format!(" -p {}", config.port) };
        Fault::new(FaultKind::Authentication, message).hint(format!(
            "check the user (--ssh-username) and the key (--ssh-identity-file, ssh-add -l); more: ssh -v{port} {}@{}",
            config.user, config.host_name
        ))
    }
}
