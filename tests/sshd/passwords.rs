//! Passwords, and passphrases of keys.
use crate::{
    logins::succeeds,
    server::{PASSWORD, Server, keygen, keygen_with},
};
use quorate_ports::{FaultKind, Secret};
use quorate_transport::SshOptions;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

fn with(password: &'static str) -> impl Fn(&mut SshOptions) {
    move |options| options.password = Some(Secret::new(password))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_leads_in_by_either_method_behind_the_keys() {
    for (more, method) in [
        ("KbdInteractiveAuthentication no", "password"),
        ("PasswordAuthentication no", "keyboard-interactive/pam"),
    ] {
        let Some(server) = Server::start_with_password(more) else { return };
        succeeds(&server.ssh_with(with(PASSWORD))).await;
        assert!(server.log().contains("Accepted publickey"), "keys come first");
        server.authorize_nobody();
        succeeds(&server.ssh_with(with(PASSWORD))).await;
        assert!(server.log().contains(&format!("Accepted {method}")), "{}", server.log());
        // Without keys, and without having been told which methods there are.
        server.configure("PubkeyAuthentication no\n");
        succeeds(&server.ssh_with(with(PASSWORD))).await;
        assert!(!server.log().contains(PASSWORD));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_and_not_told() {
    let Some(server) = Server::start_with_password("") else { return };
    server.authorize_nobody();
    let error = server.ssh_with(with("not this one")).query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Authentication);
    assert!(error.message.contains("the password was refused"), "{error}");
    assert!(!format!("{error:?}").contains("not this one"), "{error:?}");
    let failed = server.log().matches("Failed keyboard-interactive").count()
        + server.log().matches("Failed password").count();
    assert_eq!(failed, 1, "{}", server.log());
    // Nobody gave one: what would help is said.
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert!(error.hint.contains("--ask-ssh-password"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_switches_off_is_not_tried() {
    let Some(server) = Server::start_with_password("") else { return };
    server.authorize_nobody();
    for (config, accepted) in [
        ("KbdInteractiveAuthentication no\n", Some("Accepted password")),
        ("PreferredAuthentications password,publickey\n", Some("Accepted password")),
        ("PasswordAuthentication no\n", Some("Accepted keyboard-interactive")),
        ("PasswordAuthentication no\nKbdInteractiveAuthentication no\n", None),
        ("PreferredAuthentications publickey\n", None),
    ] {
        server.configure(config);
        let before = server.log().len();
        let answer = server.ssh_with(with(PASSWORD)).query(&["true"]).await;
        match accepted {
            Some(accepted) => {
                answer.unwrap();
                assert!(server.log()[before..].contains(accepted), "{config}: {}", server.log());
            }
            None => assert_eq!(answer.unwrap_err().kind, FaultKind::Authentication, "{config}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_methods_in_turn_where_the_server_wants_them() {
    for methods in [
        "publickey,password",
        "publickey,keyboard-interactive",
        "password,publickey",
        "publickey,publickey",
    ] {
        let more = format!("AuthenticationMethods {methods}");
        let Some(server) = Server::start_with_password(&more) else { return };
        let second = server.client().join("second");
        keygen(&second, &["ecdsa"]);
        server.authorize(&second.with_extension("pub"));
        server.configure("IdentityFile ~/.ssh/id_ed25519\nIdentityFile ~/second\n");
        succeeds(&server.ssh_with(with(PASSWORD))).await;
        if methods != "publickey,publickey" {
            let error = server.ssh_with(with("wrong")).query(&["true"]).await.unwrap_err();
            assert_eq!(error.kind, FaultKind::Authentication, "{methods}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_is_asked_for_once_for_many_hosts_and_only_if_they_take_it() {
    let server = Server::start_with("MaxStartups 100");
    let key = server.client().join("locked");
    keygen_with(&key, &["ed25519"], PASSWORD);
    let asked = Arc::new(AtomicUsize::new(0));
    let client = || {
        let (asked, key) = (asked.clone(), key.clone());
        server.ssh_with(|options| {
            options.identity_files = vec![key];
            options.ask = Some(Arc::new(move |question| {
                assert!(question.contains("/locked"), "{question}");
                let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
                Some(Secret::new(if first { "wrong" } else { PASSWORD }))
            }));
        })
    };
    // The server doesn't take the key: nobody is asked.
    assert_eq!(client().query(&["true"]).await.unwrap_err().kind, FaultKind::Authentication);
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    server.authorize(&key.with_extension("pub"));
    server.configure("Host n*\n HostName 127.0.0.1\n");
    let client = Arc::new(client());
    // Before a board has the screen.
    client.ssh.unlock(&(0..3).map(|n| format!("n{n}")).collect::<Vec<_>>()).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(server.log().matches("Accepted publickey").count(), 1, "one host is enough to ask");
    let queries: Vec<_> = (0..30)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.query_at(&format!("n{n}"), &["true"]).await.unwrap() })
        })
        .collect();
    for query in queries {
        query.await.unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2, "wrong once, then right, then never again");
    assert!(!client.told().join("\n").contains(PASSWORD));
    fs::remove_file(&key).unwrap();
}
