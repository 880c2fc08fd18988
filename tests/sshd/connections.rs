use crate::server::{Server, action, user, wait_for};
use quorate_ports::{Exit, FaultKind};
use quorate_transport::SshOptions;
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn many_queries_share_one_connection() {
    // Eight channels at most, however many want one.
    let server = Server::start_with("MaxSessions 8");
    let client = Arc::new(server.ssh());
    let queries: Vec<_> = (0..40)
        .map(|n: usize| {
            let client = client.clone();
            tokio::spawn(
                async move { client.query(&["echo", &n.to_string()]).await.unwrap().stdout },
            )
        })
        .collect();
    for (n, query) in queries.into_iter().enumerate() {
        assert_eq!(query.await.unwrap(), format!("{n}\n").into_bytes());
    }
    assert_eq!(server.log().matches("Accepted publickey").count(), 1, "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn long_actions_leave_room_for_queries() {
    let server = Server::start();
    let client = Arc::new(server.ssh());
    let actions: Vec<_> = (1..=12)
        .map(|seq| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut action =
                    action(&["sh", "-c", "while [ ! -f $HOME/go ]; do sleep 0.05; done"]);
                action.id.seq = seq;
                client.act(&action, &crate::server::Watch::default()).await.unwrap()
            })
        })
        .collect();
    wait_for("six actions", || {
        std::fs::read_dir(server.node().join(".quorate/actions/j1"))
            .is_ok_and(|all| all.count() >= 6)
    });
    assert_eq!(client.query(&["echo", "quick"]).await.unwrap().stdout, b"quick\n");
    std::fs::write(server.node().join("go"), "").unwrap();
    for action in actions {
        assert_eq!(action.await.unwrap(), quorate_ports::ActionEnd::Exited(Exit::Code(0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_port_is_told_after_a_few_tries() {
    let mut server = Server::start();
    server.kill();
    let begun = Instant::now();
    let error = server.ssh().query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable);
    assert!(
        error.message.contains(&format!("127.0.0.1:{}", server.port))
            && error.hint.contains("sshd"),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    let watch = crate::server::Watch::default();
    let error = server.ssh().act(&action(&["true"]), &watch).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable);
    let error = server.ssh().query_at("no-such-host.invalid", &["true"]).await.unwrap_err();
    assert_eq!((error.kind, error.host.as_str()), (FaultKind::Unreachable, "no-such-host.invalid"));
}

/// Accepts connections of its own and hands those from number `from` on to the server.
async fn dropping(
    server: &Server,
    from: usize,
) -> (u16, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, behind, count) =
        (listener.local_addr().unwrap().port(), server.port, Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if counted.fetch_add(1, Ordering::SeqCst) + 1 < from {
                continue;
            }
            tokio::spawn(async move {
                let mut to = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut to).await;
            });
        }
    });
    (port, count, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banner_that_is_dropped_is_tried_again() {
    let server = Server::start();
    let (port, count, task) = dropping(&server, 4).await;
    let client = server.ssh_with(|options| options.port = Some(port));
    assert_eq!(client.query(&["true"]).await.unwrap().exit, Exit::Code(0));
    assert_eq!(count.load(Ordering::SeqCst), 4);
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_drops_is_told() {
    let server = Server::start();
    let (port, _, task) = dropping(&server, usize::MAX).await;
    let error =
        server.ssh_with(|options| options.port = Some(port)).query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Disconnected);
    assert!(error.message.contains("handshake") && error.hint.contains("MaxStartups"), "{error:?}");
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_the_handshake_neither_blocks_nor_keeps_a_task() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        // Two tries are made.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"SSH-2.0-Stuck\r\n").unwrap();
            // Ends only when the client's task does.
            stream.read_to_end(&mut Vec::new()).ok();
        }
    });
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    std::fs::write(&config, "ConnectTimeout 1\n").unwrap();
    let mut options = SshOptions::new(home.path(), user());
    options.port = Some(port);
    options.config_file = Some(config);
    let ssh = quorate_transport::Ssh::new(options).unwrap();
    let client = crate::server::Client { ssh, notices: Arc::default() };
    let error = client.query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable);
    assert!(error.message.contains("within 1 s"), "{error}");
    wait_for("the end of the connections", || server.is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_outlives_the_transport() {
    let server = Server::start();
    let client = server.ssh();
    client.query(&["true"]).await.unwrap();
    assert!(!server.sessions().is_empty());
    drop(client);
    wait_for("the end of the sessions", || server.sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_while_idle_is_made_anew() {
    let server = Server::start();
    let client = server.ssh();
    for _ in 0..3 {
        client.query(&["true"]).await.unwrap();
        server.kill_sessions();
    }
    let watch = crate::server::Watch::default();
    client.act(&action(&["echo", "x"]), &watch).await.unwrap();
    assert_eq!(watch.text(), "x\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_alias_leads_to_its_name_port_user_and_key() {
    let server = Server::start();
    let key = server.client().join("other key");
    crate::server::keygen(&key, &["ed25519"]);
    server.authorize_nobody();
    server.authorize(&key.with_extension("pub"));
    server.configure(&format!(
        "Host db1\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile \"~/other key\"\nHost far\n  KnownHostsCommand x\n",
        server.port,
        user()
    ));
    let client = server.ssh_with(|options| {
        options.port = None;
        options.local_user = "somebody-else".into();
    });
    assert_eq!(client.query_at("db1", &["true"]).await.unwrap().exit, Exit::Code(0));
    let error = client.query_at("far", &["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Configuration);
    assert!(error.message.contains("config:7: knownhostscommand"), "{error}");
}
