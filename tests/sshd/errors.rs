//! Every error on the way to a node as a person sees it, held against `expected/errors.txt`.
//!
//! To add one: write a test that brings the error about and ends in `shows("its name", …)`, run it once with `UPDATE_EXPECTED=1` in the
//! environment, which writes the section of that name, and read what it wrote.
use crate::server::{Server, keygen, keygen_with, user};
use quorate_ports::TransportError;
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
};

/// As the command line prints it.
fn rendered(error: &TransportError) -> String {
    let mut text = format!("error: {}\n   at: {}\n", error.message, error.host);
    if !error.hint.is_empty() {
        text.push_str(&format!(" hint: {}\n", error.hint));
    }
    text
}

/// What differs from run to run, replaced: `known` are texts of this run and their names.
fn steady(text: &str, known: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in known {
        text = text.replace(from, to);
    }
    let user = user();
    for (before, after) in [("as ", " "), ("as ", ";"), ("for ", " "), ("for ", ":"), (" ", "@")] {
        text = text.replace(&format!("{before}{user}{after}"), &format!("{before}USER{after}"));
    }
    // Fingerprints: 43 characters of base64.
    let mut parts = text.split("SHA256:");
    let mut steady = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        steady.push_str("SHA256:…");
        steady.push_str(part.get(43..).unwrap_or(part));
    }
    steady
}

/// Compares an error with the section of this name.
pub(crate) fn shows(name: &str, error: &TransportError, known: &[(&str, &str)]) {
    shows_text(name, &steady(&rendered(error), known));
}

fn shows_text(name: &str, text: &str) {
    static FILE: Mutex<()> = Mutex::new(());
    let _alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sshd/expected/errors.txt");
    let all = fs::read_to_string(&path).unwrap_or_default();
    let mut sections: Vec<(String, String)> = all
        .split("## ")
        .skip(1)
        .map(|section| {
            let (name, text) = section.split_once('\n').unwrap();
            (name.to_owned(), format!("{}\n", text.trim_end()))
        })
        .collect();
    let expected = sections.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
    if expected == Some(text) {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_EXPECTED").is_some(),
        "{name}: this is shown\n{text}\nand expected is\n{}",
        expected.unwrap_or("nothing: no section has this name")
    );
    sections.retain(|(known, _)| known != name);
    sections.push((name.to_owned(), text.to_owned()));
    sections.sort();
    let all: Vec<_> = sections.iter().map(|(name, text)| format!("## {name}\n{text}")).collect();
    fs::write(&path, all.join("\n")).unwrap();
}

/// The error of a query, and the texts that differ.
async fn fails(server: &Server) -> TransportError {
    server.ssh().query(&["true"]).await.unwrap_err()
}

struct Steady(String, String);

impl Steady {
    fn of(server: &Server) -> Self {
        Self(server.client().display().to_string(), server.port.to_string())
    }

    fn known(&self) -> [(&str, &str); 2] {
        [(&self.0, "HOME"), (&self.1, "PORT")]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_user() {
    let server = Server::start();
    let client = server.ssh_with(|options| options.user = Some("nobody-here".into()));
    let error = client.query(&["true"]).await.unwrap_err();
    shows("wrong user", &error, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_accepted() {
    let server = Server::start();
    server.authorize_nobody();
    keygen(&server.client().join(".ssh/id_ecdsa"), &["ecdsa"]);
    shows("no key accepted", &fails(&server).await, &Steady::of(&server).known());
    let server = Server::start();
    fs::remove_file(server.client().join(".ssh/id_ed25519")).unwrap();
    shows("no key at all", &fails(&server).await, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_without_its_passphrase() {
    let server = Server::start();
    let key = server.client().join(".ssh/id_ed25519");
    fs::remove_file(&key).unwrap();
    keygen_with(&key, &["ed25519"], "open sesame");
    server.authorize(&key.with_extension("pub"));
    let error = fails(&server).await;
    assert!(!format!("{error:?}").contains("open sesame"));
    shows("encrypted key without passphrase", &error, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_revoked_and_unknown_host_keys() {
    let server = Server::start();
    let other = server.path("other");
    keygen(&other, &["ed25519"]);
    let key = |path: PathBuf| {
        let text = fs::read_to_string(path.with_extension("pub")).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    };
    let name = format!("[127.0.0.1]:{}", server.port);
    fs::write(server.known_hosts(), format!("{name} {}\n", key(other))).unwrap();
    shows("changed host key", &fails(&server).await, &Steady::of(&server).known());
    let shown = key(server.path("host_key"));
    fs::write(server.known_hosts(), format!("@revoked * {shown}\n")).unwrap();
    shows("revoked host key", &fails(&server).await, &Steady::of(&server).known());
    fs::write(server.known_hosts(), "").unwrap();
    server.configure("StrictHostKeyChecking yes\n");
    shows("unknown host key", &fails(&server).await, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn directives_that_are_not_supported_or_not_known() {
    let server = Server::start();
    server.configure("Host 127.*\n  KnownHostsCommand /usr/bin/keys %H\n");
    shows("unsupported directive", &fails(&server).await, &Steady::of(&server).known());
    server.configure("NoSuchDirective yes\n");
    let client = server.ssh();
    client.query(&["true"]).await.unwrap();
    let told: Vec<_> = client.told().into_iter().filter(|line| line.contains("config")).collect();
    let text = steady(&format!("quorate: {}\n", told.join("\n")), &Steady::of(&server).known());
    shows_text("unknown directive", &text);
    server.configure("Port twenty\n");
    let client = server.ssh_with(|options| options.port = None);
    let error = client.query(&["true"]).await.unwrap_err();
    shows("directive that makes no sense", &error, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_jump_host() {
    let mut server = Server::start();
    server.kill();
    server.configure(&format!(
        "Host jump\n  HostName 127.0.0.1\n  Port {}\nHost n1\n  ProxyJump jump\n",
        server.port
    ));
    let error = server.ssh().query_at("n1", &["true"]).await.unwrap_err();
    shows("unreachable jump host", &error, &Steady::of(&server).known());
    server.configure("Host n1\n  ProxyJump a\nHost a\n  ProxyJump b\nHost b\n  ProxyJump a\n");
    let error = server.ssh().query_at("n1", &["true"]).await.unwrap_err();
    shows("circle of jump hosts", &error, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_command_that_fails() {
    let server = Server::start();
    server.configure("ProxyCommand sh -c 'echo no route to %h >&2; exit 1'\n");
    shows("proxy command that fails", &fails(&server).await, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_address() {
    let server = Server::start();
    let error = server.ssh().query_at("no-such-host.invalid", &["true"]).await.unwrap_err();
    // The resolver's own words.
    let words = error.message.split_once("looked up: ").unwrap().1.to_owned();
    shows("name without an address", &error, &[(&words, "WORDS")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused() {
    let mut server = Server::start();
    server.kill();
    shows("refused", &fails(&server).await, &Steady::of(&server).known());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer() {
    let server = Server::start();
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    server.configure("ConnectTimeout 1\n");
    let client = server.ssh_with(|options| options.port = Some(port));
    let error = client.query(&["true"]).await.unwrap_err();
    shows("no answer", &error, &[(&port.to_string(), "PORT")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn banners_that_are_dropped() {
    let server = Server::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the process.
    thread::spawn(move || listener.incoming().for_each(drop));
    let client = server.ssh_with(|options| options.port = Some(port));
    let error = client.query(&["true"]).await.unwrap_err();
    shows("banner that is dropped", &error, &[(&port.to_string(), "PORT")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_without_a_shell() {
    let server = Server::start_with("ForceCommand /usr/sbin/nologin");
    shows("login shell nologin", &fails(&server).await, &Steady::of(&server).known());
    let server = Server::start_with("ForceCommand /bin/false");
    shows("login shell false", &fails(&server).await, &Steady::of(&server).known());
}
