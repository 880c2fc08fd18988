//! Logging in: keys, then the password, in the order that the configuration wants; an error that says what was tried.
use crate::{
    client::{Client, Farewell},
    config::{HostConfig, Method},
    fault::{Fault, one_line},
    identity::{AgentConnection, Candidate, Candidates, Signer, candidates},
    keyring::Keyring,
    sign::{Hand, Unsigned},
};
use quorate_ports::{FaultKind, Secret};
use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{HashAlg, PrivateKeyWithHashAlg},
};
use std::{future::Future, time::Duration};
use tokio::time::timeout;

/// For one step. A person may have to touch a token or confirm in a dialog.
const STEP: Duration = Duration::from_secs(60);
/// For a step in which somebody may be asked for a passphrase.
const PERSON: Duration = Duration::from_secs(600);

/// What logins are made with, beside what the configuration names.
pub(crate) struct Means {
    /// The encrypted keys.
    pub(crate) keyring: Keyring,
    /// The password, where there is one.
    pub(crate) password: Option<Secret>,
}

/// What was tried so far.
#[derive(Default)]
struct Attempts {
    /// Keys that the server refused, in order.
    refused: Vec<String>,
    /// What else is worth telling.
    notes: Vec<String>,
    /// What the server said that it takes.
    methods: Option<MethodSet>,
    /// What was accepted, and the server wanted more.
    partial: Vec<String>,
    /// The methods that something was offered for.
    tried: Vec<&'static str>,
    /// The password was refused: it isn't tried as the answer to a question as well, or accounts get locked.
    password_refused: bool,
    /// A passphrase was asked for meanwhile.
    asked: bool,
}

/// What came of a method.
enum Outcome {
    /// The login succeeded.
    In,
    /// The server took it and wants another method as well.
    Partial,
    /// It didn't.
    Out,
}

/// One login.
struct Login<'a> {
    session: &'a mut Handle<Client>,
    config: &'a HostConfig,
    means: &'a Means,
    /// Not offered yet, the first one last.
    keys: Vec<Candidate>,
    agent: Option<AgentConnection>,
    attempts: Attempts,
}

/// Logs in over a connection whose host key was accepted.
///
/// # Errors
/// Nothing was accepted, or the connection ended meanwhile.
pub(crate) async fn login(
    session: &mut Handle<Client>,
    config: &HostConfig,
    means: &Means,
    farewell: &Farewell,
) -> Result<(), Fault> {
    let binding = session.agent_session_binding().cloned();
    let mut candidates = match config.methods.contains(&Method::PublicKey) {
        true => candidates(config, &means.keyring, binding.as_ref()).await,
        false => Candidates::default(),
    };
    candidates.keys.reverse();
    let attempts = Attempts { notes: candidates.skipped, ..Attempts::default() };
    let Candidates { keys, agent, .. } = Candidates { skipped: Vec::new(), ..candidates };
    let mut login = Login { session, config, means, keys, agent, attempts };
    match login.run().await {
        true => Ok(()),
        false => Err(login.fault(farewell)),
    }
}

impl Login<'_> {
    async fn run(&mut self) -> bool {
        if self.keys.is_empty() {
            // Tells which methods there are; and some servers want none.
            let result = step(STEP, self.session.authenticate_none(&self.config.user)).await;
            if matches!(self.attempts.note(None, result), Outcome::In) {
                return true;
            }
        }
        loop {
            let mut further = false;
            for method in self.config.methods.clone() {
                if self.session.is_closed() || !self.attempts.takes(method) {
                    continue;
                }
                match self.try_method(method).await {
                    Outcome::In => return true,
                    // Which methods are left is for the server to say.
                    Outcome::Partial => {
                        further = true;
                        break;
                    }
                    Outcome::Out => {}
                }
            }
            if !further {
                return false;
            }
        }
    }

    async fn try_method(&mut self, method: Method) -> Outcome {
        match method {
            Method::PublicKey => self.offer_keys().await,
            Method::Password | Method::KeyboardInteractive => {
                let Some(password) = self.means.password.clone() else { return Outcome::Out };
                if self.attempts.password_refused {
                    return Outcome::Out;
                }
                match method {
                    Method::Password => self.offer_password(&password).await,
                    _ => self.answer(&password).await,
                }
            }
        }
    }

    async fn offer_keys(&mut self) -> Outcome {
        while let Some(key) = self.keys.pop() {
            self.attempts.tries("publickey");
            let limit = if matches!(key.signer, Signer::Locked(_)) { PERSON } else { STEP };
            let result = match timeout(limit, self.offer_key(&key)).await {
                Ok(result) => result,
                Err(_) => Err(format!(
                    "no answer in {} s; does an agent wait for a confirmation or a touch?",
                    limit.as_secs()
                )),
            };
            match self.attempts.note(Some(&key), result) {
                Outcome::Out
                    if self.session.is_closed() || !self.attempts.takes(Method::PublicKey) =>
                {
                    break;
                }
                Outcome::Out => {}
                outcome => return outcome,
            }
        }
        Outcome::Out
    }

    async fn offer_key(&mut self, key: &Candidate) -> Result<AuthResult, String> {
        let user = self.config.user.as_str();
        let hash = match key.public.algorithm().is_rsa() {
            true => rsa_hash(self.session).await?,
            false => None,
        };
        if let (Signer::File(private), None) = (&key.signer, &key.certificate) {
            let key = PrivateKeyWithHashAlg::new(private.clone(), hash);
            let result = self.session.authenticate_publickey(user, key).await;
            return result.map_err(|error| one_line(&error.to_string()));
        }
        let mut hand = Hand::new(key, self.agent.as_mut(), &self.means.keyring);
        let result = match &key.certificate {
            Some(certificate) => {
                let certificate = (**certificate).clone();
                self.session.authenticate_certificate_with(user, certificate, hash, &mut hand).await
            }
            None => {
                let public = key.public.clone();
                self.session.authenticate_publickey_with(user, public, hash, &mut hand).await
            }
        };
        self.attempts.asked |= hand.asked;
        result.map_err(|Unsigned(problem)| problem)
    }

    async fn offer_password(&mut self, password: &Secret) -> Outcome {
        self.attempts.tries("password");
        let Ok(text) = std::str::from_utf8(password.expose()) else { return Outcome::Out };
        let result = step(STEP, self.session.authenticate_password(&self.config.user, text)).await;
        let outcome = self.attempts.note(None, result);
        self.attempts.password_refused = matches!(outcome, Outcome::Out);
        outcome
    }

    /// Answers the server's question, if it has one and doesn't let the answer be seen: it is for the password then.
    async fn answer(&mut self, password: &Secret) -> Outcome {
        use KeyboardInteractiveAuthResponse as Response;
        self.attempts.tries("keyboard-interactive");
        let Ok(text) = std::str::from_utf8(password.expose()) else { return Outcome::Out };
        let mut answered = false;
        let user = self.config.user.clone();
        let mut response =
            step(STEP, self.session.authenticate_keyboard_interactive_start(user, None)).await;
        loop {
            let answers = match response {
                Ok(Response::Success) => return Outcome::In,
                Ok(Response::Failure { remaining_methods, partial_success }) => {
                    let result = AuthResult::Failure { remaining_methods, partial_success };
                    let outcome = self.attempts.note(None, Ok(result));
                    self.attempts.password_refused = answered && matches!(outcome, Outcome::Out);
                    return outcome;
                }
                Err(problem) => return self.attempts.note(None, Err(problem)),
                Ok(Response::InfoRequest { prompts, .. }) => match prompts.as_slice() {
                    [] => Vec::new(),
                    [prompt] if !prompt.echo && !answered => {
                        answered = true;
                        vec![text.to_owned()]
                    }
                    more => {
                        let asked: Vec<_> =
                            more.iter().map(|prompt| one_line(&prompt.prompt)).collect();
                        self.attempts.notes.push(format!(
                            "keyboard-interactive: the server asks for more than a password: {}",
                            asked.join(", ")
                        ));
                        return Outcome::Out;
                    }
                },
            };
            response =
                step(STEP, self.session.authenticate_keyboard_interactive_respond(answers)).await;
        }
    }

    fn fault(self, farewell: &Farewell) -> Fault {
        let (attempts, config) = (self.attempts, self.config);
        if attempts.asked && self.session.is_closed() {
            // sshd's LoginGraceTime. The key is open now, and the next try is quick.
            return Fault::new(
                FaultKind::Disconnected,
                format!("the server did not wait for the passphrase: {}", farewell.text()),
            );
        }
        let wants_password = self.means.password.is_none()
            && (attempts.methods.as_ref()).is_some_and(|methods| {
                methods.contains(&MethodKind::Password)
                    || methods.contains(&MethodKind::KeyboardInteractive)
            });
        let port = if config.port == 22 { String::new() } else { format!(" -p {}", config.port) };
        let password = if wants_password { ", or a password (--ask-ssh-password)" } else { "" };
        Fault::new(FaultKind::Authentication, attempts.told(config, farewell)).hint(format!(
            "check the user (--ssh-username) and the key (--ssh-identity-file, ssh-add -l){password}; more: ssh -v{port} {}@{}",
            config.user, config.host_name
        ))
    }
}

/// One step of a login within its time.
async fn step<T>(
    limit: Duration,
    what: impl Future<Output = Result<T, russh::Error>>,
) -> Result<T, String> {
    match timeout(limit, what).await {
        Ok(result) => result.map_err(|error| one_line(&error.to_string())),
        Err(_) => Err(format!("no answer in {} s", limit.as_secs())),
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
    fn tries(&mut self, method: &'static str) {
        if !self.tried.contains(&method) {
            self.tried.push(method);
        }
    }

    /// Whether the server takes a method, as far as it has said.
    fn takes(&self, method: Method) -> bool {
        let kind = match method {
            Method::PublicKey => MethodKind::PublicKey,
            Method::KeyboardInteractive => MethodKind::KeyboardInteractive,
            Method::Password => MethodKind::Password,
        };
        self.methods.as_ref().is_none_or(|methods| methods.contains(&kind))
    }

    /// Takes a result in.
    fn note(&mut self, key: Option<&Candidate>, result: Result<AuthResult, String>) -> Outcome {
        match result {
            Ok(AuthResult::Success) => return Outcome::In,
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                // The end of the connection arrives as a failure with nothing left.
                if !remaining_methods.is_empty() {
                    self.methods = Some(remaining_methods);
                }
                if partial_success {
                    let what = key.map(|key| key.label.clone());
                    self.partial.push(what.unwrap_or_else(|| {
                        self.tried.last().copied().unwrap_or("none").to_owned()
                    }));
                    return Outcome::Partial;
                }
                self.refused.extend(key.map(|key| key.label.clone()));
            }
            Err(problem) => self.notes.push(match key {
                Some(key) => format!("{}: {problem}", key.label),
                None => problem,
            }),
        }
        Outcome::Out
    }

    fn told(self, config: &HostConfig, farewell: &Farewell) -> String {
        let offered = match self.refused.len() {
            0 if !self.partial.is_empty() => "no other key could be used".to_owned(),
            0 if self.tried.contains(&"publickey") => "no key could be used".to_owned(),
            0 => "no key could be offered".to_owned(),
            n => format!(
                "{n} key{} refused: {}",
                if n == 1 { " was" } else { "s were" },
                self.refused.join(", ")
            ),
        };
        let tried = match self.tried.as_slice() {
            [] => "no method could be tried".to_owned(),
            [one] => format!("method tried: {one}"),
            more => format!("methods tried: {}", more.join(", ")),
        };
        let mut message = format!("login as {} failed; {tried}; {offered}", config.user);
        if self.password_refused {
            message.push_str("; the password was refused");
        }
        if !self.partial.is_empty() {
            message.push_str(&format!(
                "; {} was accepted, and the server wants another method as well",
                self.partial.join(", ")
            ));
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
        message
    }
}
