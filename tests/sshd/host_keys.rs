use crate::server::{Server, keygen};
use quorate_ports::{Exit, FaultKind};
use std::{fs, process::Command};

fn fingerprint(path: &std::path::Path) -> String {
    let output = Command::new("ssh-keygen").arg("-lf").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_learnt_once_and_a_changed_key_is_refused_then() {
    let mut server = Server::start();
    let key = server.path("host_key.pub");
    let first = fingerprint(&key);
    let client = server.ssh();
    client.query(&["true"]).await.unwrap();
    assert!(client.told().iter().any(|line| line.contains(&first)), "{:?}", client.told());
    let known = fs::read_to_string(server.known_hosts()).unwrap();
    assert!(known.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", server.port)), "{known}");
    let again = server.ssh();
    again.query(&["true"]).await.unwrap();
    assert_eq!(again.told(), Vec::<String>::new());

    server.kill();
    fs::remove_file(server.path("host_key")).unwrap();
    fs::remove_file(&key).unwrap();
    keygen(&server.path("host_key"), &["ed25519"]);
    assert!(server.listen());
    for client in [server.ssh(), client] {
        let error = client.query(&["true"]).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::HostKey);
        for part in [&format!("{}:1", server.known_hosts().display()), &first, &fingerprint(&key)] {
            assert!(error.message.contains(part.as_str()), "{part}: {error}");
        }
        assert!(
            error.hint.contains(&format!("ssh-keygen -R '[127.0.0.1]:{}'", server.port)),
            "{}",
            error.hint
        );
    }
    assert_eq!(fs::read_to_string(server.known_hosts()).unwrap(), known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_policy_refuses_what_it_does_not_know() {
    let server = Server::start();
    server.configure("StrictHostKeyChecking yes\n");
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::HostKey);
    assert!(error.message.contains(&fingerprint(&server.path("host_key.pub"))), "{error}");
    assert!(!server.known_hosts().exists());
    assert!(!server.log().contains("Accepted"), "a login was tried at a host that isn't trusted");

    let key = fs::read_to_string(server.path("host_key.pub")).unwrap();
    let key: Vec<_> = key.split(' ').take(2).collect();
    fs::write(server.known_hosts(), format!("[127.0.0.1]:{} {}\n", server.port, key.join(" ")))
        .unwrap();
    assert_eq!(server.ssh().query(&["true"]).await.unwrap().exit, Exit::Code(0));

    // What ssh-keygen hashes, we read.
    let hashed = Command::new("ssh-keygen").arg("-Hf").arg(server.known_hosts()).output().unwrap();
    assert!(
        hashed.status.success()
            && fs::read_to_string(server.known_hosts()).unwrap().starts_with("|1|")
    );
    assert_eq!(server.ssh().query(&["true"]).await.unwrap().exit, Exit::Code(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_learnt_hashed_is_found_by_openssh() {
    let server = Server::start();
    server.configure("HashKnownHosts yes\n");
    server.ssh().query(&["true"]).await.unwrap();
    assert!(fs::read_to_string(server.known_hosts()).unwrap().starts_with("|1|"));
    let name = format!("[127.0.0.1]:{}", server.port);
    let found = Command::new("ssh-keygen")
        .args(["-F", &name, "-f"])
        .arg(server.known_hosts())
        .output()
        .unwrap();
    assert!(found.status.success(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_several_keys_shows_the_one_that_is_known() {
    for kind in [&["rsa", "-b", "3072"][..], &["ecdsa", "-b", "256"], &["ecdsa", "-b", "521"]] {
        let mut server = Server::start();
        server.kill();
        let other = server.path("other_key");
        keygen(&other, kind);
        let key = fs::read_to_string(other.with_extension("pub")).unwrap();
        let key: Vec<_> = key.split(' ').take(2).collect();
        fs::write(server.known_hosts(), format!("[127.0.0.1]:{} {}\n", server.port, key.join(" ")))
            .unwrap();
        server.also(&format!("HostKey {}", other.display()));
        assert!(server.listen());
        server.configure("StrictHostKeyChecking yes\n");
        assert_eq!(server.ssh().query(&["true"]).await.unwrap().exit, Exit::Code(0), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_even_without_checking() {
    let server = Server::start();
    let key = fs::read_to_string(server.path("host_key.pub")).unwrap();
    let key: Vec<_> = key.split(' ').take(2).collect();
    fs::write(server.known_hosts(), format!("@revoked * {}\n", key.join(" "))).unwrap();
    server.configure("StrictHostKeyChecking no\n");
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::HostKey);
    assert!(error.message.contains("revoked"), "{error}");
}
