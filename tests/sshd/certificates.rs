//! Authorities that sign keys of users and of hosts.
use crate::{
    logins::succeeds,
    server::{Agent, Server, keygen, keygen_with, user},
};
use quorate_ports::{FaultKind, Secret};
use std::{fs, path::Path, process::Command, sync::Arc};

/// Signs a public key with an authority; gives where the certificate is.
fn sign(authority: &Path, key: &Path, options: &[&str]) -> std::path::PathBuf {
    let output = Command::new("ssh-keygen")
        .args(["-q", "-I", "a test", "-s"])
        .arg(authority)
        .args(options)
        .arg(key.with_extension("pub"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let name = format!("{}-cert.pub", key.file_name().unwrap().to_string_lossy());
    key.with_file_name(name)
}

/// A server that lets in whoever has a certificate of its authority, and nobody else.
fn trusting() -> (Server, std::path::PathBuf) {
    let mut server = Server::start();
    server.authorize_nobody();
    server.kill();
    let authority = server.path("users_ca");
    keygen(&authority, &["ed25519"]);
    server.also(&format!("TrustedUserCAKeys {}.pub", authority.display()));
    assert!(server.listen());
    (server, authority)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_certificate_leads_in_from_beside_the_key_from_a_file_and_from_the_agent() {
    let (server, authority) = trusting();
    for kind in [&["ed25519"][..], &["ecdsa"], &["rsa", "-b", "2048"]] {
        let key = server.client().join(format!("key_{}", kind[0]));
        keygen(&key, kind);
        let named = |options: &mut quorate_transport::SshOptions| {
            options.identity_files = vec![key.clone()]
        };
        let error = server.ssh_with(named).query(&["true"]).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Authentication);

        let beside = sign(&authority, &key, &["-n", &user()]);
        succeeds(&server.ssh_with(named)).await;

        let elsewhere = server.client().join("certificate.pub");
        fs::rename(&beside, &elsewhere).unwrap();
        server.configure("CertificateFile ~/certificate.pub\n");
        succeeds(&server.ssh_with(named)).await;

        // The agent holds the key, a file the certificate.
        let directory = server.path(&format!("agent_{}", kind[0]));
        fs::create_dir(&directory).unwrap();
        let agent = Agent::start(&directory);
        agent.add(&key);
        fs::remove_file(&key).unwrap();
        let by_agent = |options: &mut quorate_transport::SshOptions| {
            options.agent_socket = Some(agent.socket.clone());
            options.identity_files = vec![key.clone()];
        };
        succeeds(&server.ssh_with(by_agent)).await;
        server.configure("");
        fs::remove_file(&elsewhere).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_encrypted_key_asks_for_the_passphrase() {
    let (server, authority) = trusting();
    let key = server.client().join("locked");
    keygen_with(&key, &["ecdsa"], "open sesame");
    sign(&authority, &key, &["-n", &user()]);
    let client = server.ssh_with(|options| {
        options.identity_files = vec![key.clone()];
        options.ask = Some(Arc::new(|_| Some(Secret::new("open sesame"))));
    });
    succeeds(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_do_not_lead_in_are_named() {
    let (server, authority) = trusting();
    let key = server.client().join(".ssh/id_ed25519");
    sign(&authority, &key, &["-n", "somebody-else"]);
    server.configure("CertificateFile ~/nothing-there\nCertificateFile ~/a-host\n");
    let host = server.client().join("host");
    keygen(&host, &["ed25519"]);
    let signed = sign(&authority, &host, &["-h"]);
    fs::rename(signed, server.client().join("a-host")).unwrap();
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    for part in [
        "certificate \"a test\" of",
        "nothing-there: is not a certificate",
        "a-host: is the certificate of a host",
    ] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
}

/// A server that shows a certificate for these names.
fn certified(options: &[&str]) -> (Server, String) {
    let mut server = Server::start();
    server.kill();
    let authority = server.path("hosts_ca");
    keygen(&authority, &["ed25519"]);
    let mut all = vec!["-h"];
    all.extend(options);
    let certificate = sign(&authority, &server.path("host_key"), &all);
    server.also(&format!("HostCertificate {}", certificate.display()));
    assert!(server.listen());
    server.configure("StrictHostKeyChecking yes\n");
    let text = fs::read_to_string(authority.with_extension("pub")).unwrap();
    (server, text.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_certificate_is_trusted_where_its_authority_is() {
    let (server, authority) = certified(&["-n", "127.0.0.1,db1.example"]);
    for line in [
        format!("@cert-authority 127.0.0.* {authority}\n"),
        format!("@cert-authority [127.0.0.1]:{} {authority}\n", server.port),
    ] {
        fs::write(server.known_hosts(), &line).unwrap();
        succeeds(&server.ssh()).await;
        assert_eq!(fs::read_to_string(server.known_hosts()).unwrap(), line, "nothing is learnt");
    }
    // Hashed by ssh-keygen, which leaves authorities' patterns alone and hashes names.
    let name = format!("[127.0.0.1]:{}", server.port);
    fs::write(server.known_hosts(), format!("@cert-authority {name} {authority}\n")).unwrap();
    Command::new("ssh-keygen").arg("-qHf").arg(server.known_hosts()).output().unwrap();
    succeeds(&server.ssh()).await;
    // By another of its names.
    fs::write(server.known_hosts(), format!("@cert-authority *.example {authority}\n")).unwrap();
    server.configure("StrictHostKeyChecking yes\nHostKeyAlias db1.example\n");
    succeeds(&server.ssh()).await;
    // The key by itself counts where no authority is known: with the certificate in place.
    server.configure("StrictHostKeyChecking accept-new\n");
    fs::write(server.known_hosts(), "").unwrap();
    succeeds(&server.ssh()).await;
    assert!(fs::read_to_string(server.known_hosts()).unwrap().starts_with("[127.0.0.1]:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_certificate_that_is_not_valid_is_refused() {
    for (options, problem) in [
        (&["-n", "other"][..], "is for other, not for 127.0.0.1"),
        (&["-n", "127.0.0.1", "-V", "20200101:20200102"], "is not valid any more"),
    ] {
        let (server, authority) = certified(options);
        fs::write(server.known_hosts(), format!("@cert-authority * {authority}\n")).unwrap();
        server.configure("StrictHostKeyChecking no\n");
        let error = server.ssh().query(&["true"]).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::HostKey);
        assert!(error.message.contains(problem), "{error}");
        assert!(!server.log().contains("Accepted"));
    }
    let (server, authority) = certified(&["-n", "127.0.0.1"]);
    fs::write(
        server.known_hosts(),
        format!("@cert-authority * {authority}\n@revoked * {authority}\n"),
    )
    .unwrap();
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert!(error.message.contains("revoked"), "{error}");
}
