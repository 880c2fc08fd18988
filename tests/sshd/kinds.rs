//! Servers as they are met: old and careful, full, on IPv6; and this machine's own ends.
use crate::{
    logins::succeeds,
    server::{Server, keygen, user},
};
use quorate_ports::FaultKind;
use std::{fs, sync::Arc};

#[tokio::test(flavor = "multi_thread")]
async fn an_old_and_careful_server_is_talked_to() {
    let mut server = Server::start_with(
        "KexAlgorithms diffie-hellman-group14-sha256\nCiphers aes128-ctr\nMACs hmac-sha2-256\nMaxAuthTries 2",
    );
    server.kill();
    let key = server.path("host_key");
    fs::remove_file(&key).unwrap();
    keygen(&key, &["rsa", "-b", "2048"]);
    assert!(server.listen());
    succeeds(&server.ssh()).await;
    assert!(fs::read_to_string(server.known_hosts()).unwrap().contains(" ssh-rsa "));
    succeeds(&server.ssh()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_defaults_of_distributions_are_talked_to() {
    for (name, more) in [
        // /etc/ssh/sshd_config of Debian 12, what of it isn't a comment.
        ("Debian", "X11Forwarding yes\nAcceptEnv LANG LC_*\nSubsystem sftp internal-sftp"),
        // /etc/ssh/sshd_config and 50-redhat.conf of RHEL 9, with its DEFAULT policy's algorithms.
        (
            "RHEL",
            "SyslogFacility AUTHPRIV\nGSSAPIAuthentication no\nX11Forwarding yes\n\
             Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-gcm@openssh.com,aes128-ctr\n\
             MACs hmac-sha2-256-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha1,umac-128@openssh.com,hmac-sha2-512\n\
             KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512\n\
             RequiredRSASize 2048",
        ),
        // A hardened one: the guide of ssh-audit.
        (
            "hardened",
            "KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256,diffie-hellman-group18-sha512\n\
             Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com\nMACs hmac-sha2-512-etm@openssh.com\n\
             HostKeyAlgorithms ssh-ed25519,rsa-sha2-512\nPubkeyAcceptedAlgorithms ssh-ed25519",
        ),
    ] {
        let server = Server::start_with(more);
        let answer = server.ssh().query(&["echo", name]).await.unwrap();
        assert_eq!(answer.stdout, format!("{name}\n").into_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_logins_at_once_get_into_a_server_that_drops_most() {
    let server = Server::start_with("MaxStartups 2:90:4");
    server.configure("Host n*\n HostName 127.0.0.1\n");
    let client = Arc::new(server.ssh());
    let logins: Vec<_> = (0..60)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.query_at(&format!("n{n}"), &["true"]).await })
        })
        .collect();
    for login in logins {
        login.await.unwrap().unwrap();
    }
    let log = server.log();
    assert_eq!(log.matches("Accepted publickey").count(), 60);
    assert!(log.contains("MaxStartups") || log.contains("drop connection"), "none was dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_ipv6_are_hosts_like_others() {
    let server = Server::start_with("ListenAddress ::1");
    let client = server.ssh();
    client.query_at("::1", &["true"]).await.unwrap();
    let known = fs::read_to_string(server.known_hosts()).unwrap();
    assert!(known.starts_with(&format!("[::1]:{} ssh-ed25519 ", server.port)), "{known}");
    // What was learnt is known, to us and to ssh-keygen.
    server.configure(&format!(
        "StrictHostKeyChecking yes\nHost six\n HostName ::1\n Port {}\n",
        server.port
    ));
    server.ssh_with(|options| options.port = None).query_at("six", &["true"]).await.unwrap();
    let name = format!("[::1]:{}", server.port);
    let found = std::process::Command::new("ssh-keygen")
        .args(["-F", &name, "-f"])
        .arg(server.known_hosts())
        .output()
        .unwrap();
    assert!(found.status.success(), "{found:?}");
    // As a jump host, and behind one.
    let node = Server::start_with("ListenAddress ::1");
    server.authorize(&node.client().join(".ssh/id_ed25519.pub"));
    let jump = format!("{}@[::1]:{}", user(), server.port);
    let client = node.ssh_with(|options| options.jump = Some(jump));
    client.query_at("::1", &["true"]).await.unwrap();
    assert_eq!(server.log().matches("Accepted publickey").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_come_from_the_address_that_is_configured() {
    let server = Server::start();
    server.configure("BindAddress 127.0.0.9\n");
    succeeds(&server.ssh()).await;
    assert!(server.log().contains("from 127.0.0.9 port"), "{}", server.log());
    server.configure("BindAddress 192.0.2.1\n");
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_list_revokes_is_refused() {
    let server = Server::start();
    let list = server.client().join("revoked");
    fs::copy(server.path("host_key.pub"), &list).unwrap();
    server.configure("RevokedHostKeys ~/revoked\nStrictHostKeyChecking no\n");
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::HostKey);
    assert!(error.message.contains("revoked by"), "{error}");
    fs::write(&list, "").unwrap();
    succeeds(&server.ssh()).await;
}
