use crate::server::{Agent, Client, Server, keygen, keygen_with, user};
use quorate_ports::{Exit, FaultKind};
use std::{fs, process::Command};

pub(crate) async fn succeeds(client: &Client) {
    assert_eq!(client.query(&["true"]).await.unwrap().exit, Exit::Code(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_key_logs_in_by_file_and_by_agent() {
    let server = Server::start();
    fs::remove_file(server.client().join(".ssh/id_ed25519")).unwrap();
    let agent = Agent::start(&server.client());
    for (name, kind) in [
        ("ed25519", &["ed25519"][..]),
        ("ecdsa256", &["ecdsa", "-b", "256"]),
        ("ecdsa384", &["ecdsa", "-b", "384"]),
        ("ecdsa521", &["ecdsa", "-b", "521"]),
        ("rsa", &["rsa", "-b", "2048"]),
        ("rsa-pem", &["rsa", "-b", "2048", "-m", "PEM"]),
    ] {
        let key = server.client().join(name);
        keygen(&key, kind);
        server.authorize_nobody();
        server.authorize(&key.with_extension("pub"));
        succeeds(&server.ssh_with(|options| options.identity_files = vec![key.clone()])).await;
        agent.add(&key);
        fs::remove_file(&key).unwrap();
        fs::remove_file(key.with_extension("pub")).unwrap();
        succeeds(&server.ssh_with(|options| options.agent_socket = Some(agent.socket.clone())))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_key_signs_with_the_strongest_hash_that_the_server_names() {
    // Without negotiation SHA-256 would be taken, and refused here.
    let server = Server::start_with("PubkeyAcceptedAlgorithms rsa-sha2-512");
    let key = server.client().join("rsa");
    keygen(&key, &["rsa", "-b", "2048"]);
    server.authorize(&key.with_extension("pub"));
    let agent = Agent::start(&server.client());
    agent.add(&key);
    succeeds(&server.ssh_with(|options| options.identity_files = vec![key.clone()])).await;
    fs::remove_file(&key).unwrap();
    fs::remove_file(key.with_extension("pub")).unwrap();
    succeeds(&server.ssh_with(|options| options.agent_socket = Some(agent.socket.clone()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_key_is_offered_before_all_that_an_agent_holds() {
    let server = Server::start_with("MaxAuthTries 2");
    let agent = Agent::start(&server.client());
    for n in 0..5 {
        let key = server.client().join(format!("other{n}"));
        keygen(&key, &["ed25519"]);
        agent.add(&key);
    }
    let right = server.client().join(".ssh/id_ed25519");
    let named = |options: &mut quorate_transport::SshOptions| {
        options.agent_socket = Some(agent.socket.clone());
        options.identity_files = vec![right.clone()];
    };
    succeeds(&server.ssh_with(named)).await;
    // Held by the agent, only the public half in a file.
    agent.add(&right);
    fs::remove_file(&right).unwrap();
    succeeds(&server.ssh_with(named)).await;
    server.configure("IdentitiesOnly yes\nIdentityFile ~/.ssh/id_ed25519\n");
    succeeds(&server.ssh_with(|options| options.agent_socket = Some(agent.socket.clone()))).await;

    // Without a name they come in the agent's order, and the server's patience ends: all that is told.
    server.configure("");
    let error = server
        .ssh_with(|options| options.agent_socket = Some(agent.socket.clone()))
        .query(&["true"])
        .await
        .unwrap_err();
    assert_eq!(error.kind, FaultKind::Authentication);
    assert!(error.message.contains("Too many authentication failures"), "{error}");
    assert!(error.message.contains("a test") && error.message.contains("SHA256:"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_says_what_was_tried() {
    let server = Server::start();
    let key = server.client().join(".ssh/id_ed25519");
    let print = Command::new("ssh-keygen").arg("-lf").arg(&key).output().unwrap().stdout;
    let print = String::from_utf8(print).unwrap().split(' ').nth(1).unwrap().to_owned();

    let error = server
        .ssh_with(|options| options.user = Some("nobody-here".into()))
        .query(&["true"])
        .await
        .unwrap_err();
    assert_eq!(error.kind, FaultKind::Authentication);
    for part in ["login as nobody-here failed", "publickey", &key.display().to_string(), &print] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    assert!(
        error.hint.contains("--ssh-identity-file") && error.hint.contains("nobody-here@127.0.0.1"),
        "{}",
        error.hint
    );

    fs::remove_file(&key).unwrap();
    let locked = server.client().join(".ssh/id_ecdsa");
    keygen_with(&locked, &["ecdsa"], "a passphrase");
    server.authorize(&locked.with_extension("pub"));
    let missing = server.client().join("missing");
    let error = server
        .ssh_with(|options| options.agent_socket = Some(missing.clone()))
        .query(&["true"])
        .await
        .unwrap_err();
    for part in
        ["no key could be used", "is encrypted", "ssh-add", &format!("agent {}", missing.display())]
    {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    assert!(!format!("{error:?}").contains("a passphrase"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_more_than_a_key_is_told() {
    let server = Server::start_with(
        "KbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive",
    );
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Authentication);
    assert!(
        error.message.contains("wants another method")
            && error.message.contains("keyboard-interactive"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_before_the_host_is_that_user() {
    let server = Server::start();
    let client = server.ssh_with(|options| options.local_user = "somebody-else".into());
    let host = format!("{}@127.0.0.1", user());
    assert_eq!(client.query_at(&host, &["true"]).await.unwrap().exit, Exit::Code(0));
    assert_eq!(client.query(&["true"]).await.unwrap_err().kind, FaultKind::Authentication);
}
