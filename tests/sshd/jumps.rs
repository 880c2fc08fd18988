//! Jump hosts and proxy commands.
use crate::server::{Agent, Client, Server, Watch, action, user, wait_for};
use quorate_ports::{ActionEnd, Exit, FaultKind};
use std::{fs, path::Path, sync::Arc, time::Duration};

/// A node behind jump hosts, all of which accept the node's client, and no key but its.
fn behind(jumps: &[Server], node: &Server, hosts: &str) -> Client {
    let key = node.client().join(".ssh/id_ed25519.pub");
    let mut config = String::new();
    let mut names = Vec::new();
    for (at, jump) in jumps.iter().enumerate() {
        jump.authorize_nobody();
        jump.authorize(&key);
        config.push_str(&format!("Host jump{at}\n HostName 127.0.0.1\n Port {}\n", jump.port));
        names.push(format!("jump{at}"));
    }
    config.push_str(&format!(
        "Host {hosts}\n HostName 127.0.0.1\n Port {}\n ProxyJump {}\n",
        node.port,
        names.join(",")
    ));
    node.configure(&config);
    node.ssh_with(|options| options.port = None)
}

fn logins(server: &Server) -> usize {
    server.log().matches("Accepted publickey").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_share_two_jump_hosts_with_one_connection_each() {
    // Sessions aren't what jump hosts are asked for.
    let mut jumps = [Server::start_with("MaxSessions 1"), Server::start_with("MaxSessions 1")];
    let node = Server::start_with("MaxStartups 100");
    let client = Arc::new(behind(&jumps, &node, "n*"));
    let all = async |round: usize| {
        let queries: Vec<_> = (0..20)
            .map(|n| {
                let client = client.clone();
                tokio::spawn(async move {
                    let text = format!("{round}-{n}");
                    let answer = client.query_at(&format!("n{n}"), &["echo", &text]).await.unwrap();
                    assert_eq!(answer.stdout, format!("{text}\n").into_bytes());
                })
            })
            .collect();
        for query in queries {
            query.await.unwrap();
        }
    };
    all(1).await;
    assert_eq!((logins(&jumps[0]), logins(&jumps[1]), logins(&node)), (1, 1, 20));

    // The first one breaks, and everything behind it: each connection is made anew, once.
    jumps[0].kill();
    assert!(jumps[0].listen());
    all(2).await;
    assert_eq!((logins(&jumps[0]), logins(&jumps[1]), logins(&node)), (2, 2, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_not_forwarded_leads_through_a_jump_host() {
    let jumps = [Server::start()];
    let node = Server::start();
    behind(&jumps, &node, "n1");
    let agent = Agent::start(&node.client());
    let key = node.client().join(".ssh/id_ed25519");
    agent.add(&key);
    fs::remove_file(&key).unwrap();
    let client = node.ssh_with(|options| {
        options.port = None;
        options.agent_socket = Some(agent.socket.clone());
    });
    let answer = client.query_at("n1", &["sh", "-c", "echo [$SSH_AUTH_SOCK]"]).await.unwrap();
    assert_eq!(answer.stdout, b"[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn much_flows_both_ways_at_once_through_a_jump_host() {
    let jumps = [Server::start()];
    let node = Server::start();
    let client = behind(&jumps, &node, "127.0.0.1");
    let mut action = action(&["cat"]);
    action.stdin = (0..1_500_000).flat_map(|n: u32| format!("{n:09}\n").into_bytes()).collect();
    let watch = Watch::default();
    let end = tokio::time::timeout(Duration::from_secs(120), client.act(&action, &watch));
    assert_eq!(end.await.unwrap().unwrap(), ActionEnd::Exited(Exit::Code(0)));
    assert!(watch.text().into_bytes() == action.stdin);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_host_that_breaks_does_not_break_an_action() {
    let mut jumps = [Server::start()];
    let node = Server::start();
    let client = behind(&jumps, &node, "127.0.0.1");
    let watch = Watch::default();
    let command = "echo begun; while [ ! -f $HOME/go ]; do sleep 0.02; done; echo ended";
    let action = action(&["sh", "-c", command]);
    let run = client.act(&action, &watch);
    let breaks = async {
        watch.has_printed(6).await;
        jumps[0].kill();
        watch.was_told("attaching again").await;
        fs::write(node.node().join("go"), "").unwrap();
        assert!(jumps[0].listen());
    };
    let (end, ()) = tokio::join!(run, breaks);
    assert_eq!(end.unwrap(), ActionEnd::Exited(Exit::Code(0)));
    assert_eq!(watch.text(), "begun\nended\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_behind_and_of_a_jump_host_name_it_and_the_node() {
    let jumps = [Server::start()];
    let mut node = Server::start();
    let client = behind(&jumps, &node, "n1 n2");
    node.kill();
    let error = client.query_at("n1", &["true"]).await.unwrap_err();
    let jump = format!("{}@127.0.0.1:{}", user(), jumps[0].port);
    assert_eq!((error.kind, error.host.as_str()), (FaultKind::Unreachable, "n1"));
    assert!(error.message.contains(&format!("the jump host {jump} can't connect")), "{error}");
    assert!(!error.message.contains("unreachable jump host"), "{error}");

    jumps[0].authorize_nobody();
    let client = node.ssh_with(|options| options.port = None);
    let error = client.query_at("n2", &["true"]).await.unwrap_err();
    assert_eq!((error.kind, error.host.as_str()), (FaultKind::Authentication, "n2"));
    assert!(error.message.starts_with(&format!("jump host {jump}: login as")), "{error}");

    let jumps = [Server::start_with("AllowTcpForwarding no")];
    let error = behind(&jumps, &node, "n1").query_at("n1", &["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Configuration);
    assert!(error.hint.contains("AllowTcpForwarding"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_option_wins_over_the_configuration() {
    let jumps = [Server::start()];
    let node = Server::start();
    behind(&jumps, &node, "n1");
    let client = node.ssh_with(|options| {
        options.port = None;
        options.jump = Some("none".into());
    });
    client.query_at("n1", &["true"]).await.unwrap();
    assert_eq!(logins(&jumps[0]), 0);
    let client = node.ssh_with(|options| {
        options.jump = Some(format!("{}@127.0.0.1:{}", user(), jumps[0].port));
    });
    client.query(&["true"]).await.unwrap();
    assert_eq!(logins(&jumps[0]), 1);
}

/// `ssh -W` through a jump host, as people had it before there was `ProxyJump`; what runs writes its process id down.
fn command(jump: &Server, node: &Server, pid: &Path) -> String {
    format!(
        "sh -c 'echo $$ >{}; exec ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i {}/.ssh/id_ed25519 -p {} -W %h:%p %r@127.0.0.1'",
        pid.display(),
        node.client().display(),
        jump.port
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_command_is_the_way_and_ends_with_the_connection() {
    let jump = Server::start();
    let node = Server::start();
    jump.authorize(&node.client().join(".ssh/id_ed25519.pub"));
    let pid = node.path("pid");
    node.configure(&format!("ProxyCommand {}\n", command(&jump, &node, &pid)));
    let client = node.ssh();
    client.query(&["true"]).await.unwrap();
    assert_eq!((logins(&jump), logins(&node)), (1, 1));
    let process = format!("/proc/{}", fs::read_to_string(&pid).unwrap().trim());
    assert!(Path::new(&process).exists());
    drop(client);
    wait_for("the end of the command", || {
        // Ended, or waiting for somebody to look.
        fs::read_to_string(format!("{process}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_command_says_is_in_the_error() {
    let jump = Server::start();
    let node = Server::start();
    jump.authorize_nobody();
    node.configure(&format!("ProxyCommand {}\n", command(&jump, &node, &node.path("pid"))));
    let error = node.ssh().query(&["true"]).await.unwrap_err();
    assert!(error.message.contains("Permission denied"), "{error}");
    assert!(error.hint.contains("ProxyCommand"), "{error:?}");
}
