//! The look at a node behind a real sshd.
use crate::{
    errors::shows,
    server::{Client, Server, Watch, action, target, user, wait_for},
};
use quorate_ports::{
    Detaching, FaultKind, NodeKey, Preflight, Probe, ProbeRequest, Target, TransportError,
};
use quorate_transport::{SshOptions, Sudo};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

fn request(thorough: bool) -> ProbeRequest {
    let programs = ["sh", "nodetool"].map(String::from).to_vec();
    ProbeRequest { look: "look1".into(), programs, thorough, timeout: Duration::from_secs(30) }
}

async fn probe(client: &Client, thorough: bool) -> Result<Probe, TransportError> {
    client.ssh.probe(&target("127.0.0.1"), &request(thorough)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_look_proves_that_what_is_started_outlives_its_connection() {
    let server = Server::start();
    let client = server.ssh();
    let told = probe(&client, true).await.unwrap();
    assert_eq!((told.user, told.outlives, told.sessions), (user(), Some(true), Some(8)));
    assert_eq!(told.directory, server.node().join(".quorate").display().to_string());
    assert_eq!((told.detaching, told.unwritable, told.missing), (Detaching::Setsid, None, vec![]));
    assert_eq!(told.absent, ["nodetool"]);
    let skew = told.skew.unwrap();
    assert!(skew.least_ms <= 0 && skew.most_ms >= 0, "one clock: {skew:?}");
    assert!(skew.most_ms - skew.least_ms < 20_000, "{skew:?}");
    // Two connections, and the first had ended before the second.
    let log = server.log();
    assert_eq!(log.matches("Accepted publickey").count(), 2, "{log}");
    let nap = server.node().join(".quorate/probes/127.0.0.1,nap");
    wait_for("the end of what was left running", || !nap.exists());
    // A brief one keeps its connection.
    probe(&client, false).await.unwrap();
    assert_eq!(server.log().matches("Accepted publickey").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_with_its_connection_is_told() {
    let server = Server::start();
    let client = server.ssh();
    let pid = server.node().join(".quorate/probes/127.0.0.1,nap/pid");
    // As logind does it where KillUserProcesses is set.
    let logind = std::thread::spawn(move || {
        let known = || fs::read_to_string(&pid).unwrap_or_default();
        wait_for("what is left running", || known().ends_with('\n'));
        let pid = known().split(' ').next().unwrap().to_owned();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    });
    let told = probe(&client, true).await.unwrap();
    logind.join().unwrap();
    assert_eq!(told.outlives, Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn few_sessions_are_counted() {
    let server = Server::start_with("MaxSessions 3");
    let told = probe(&server.ssh(), true).await.unwrap();
    assert_eq!((told.sessions, told.outlives), (Some(3), Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_written_is_a_fact_with_its_reason() {
    let server = Server::start();
    let client = server.ssh_with(|options| options.remote_dir = Some("/proc/none".into()));
    let told = probe(&client, true).await.unwrap();
    assert!(told.unwritable.unwrap().contains("/proc/none"));
    assert_eq!((told.outlives, told.file_system.as_deref()), (None, Some("proc")));

    // No byte fits into any file, as on a full disk.
    let full = Server::start_with(
        "ForceCommand ulimit -f 0; trap \"\" XFSZ; eval \"$SSH_ORIGINAL_COMMAND\"",
    );
    let told = probe(&full.ssh(), false).await.unwrap();
    assert!(told.unwritable.is_some(), "{told:?}");
}

/// A tiny file system in memory that ends with the test.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tiny"]).arg(&path);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(path))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        // Nothing is left to do where it can't be.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_without_a_free_block_is_full() {
    let server = Server::start();
    let Some(tiny) = Tiny::mount(server.path("tiny")) else {
        eprintln!("no file system can be mounted here: a full one is not tried");
        return;
    };
    // Writes what fits.
    let _ = fs::write(tiny.0.join("filler"), vec![b'x'; 1 << 20]);
    let directory = tiny.0.display().to_string();
    let client = server.ssh_with(|options| options.remote_dir = Some(directory));
    let told = probe(&client, false).await.unwrap();
    assert_eq!(told.free_kib, Some(0), "{told:?}");
    assert_eq!(told.file_system.as_deref(), Some("tmpfs"));
    assert!(told.unwritable.is_some(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_one_home_see_each_other() {
    let server = Server::start();
    let (client, request) = (server.ssh(), request(false));
    let host = "127.0.0.1".to_owned();
    let nodes =
        ["n1", "n2", "n3"].map(|key| Target { node: NodeKey(key.into()), host: host.clone() });
    let [one, two, three] = &nodes;
    let (one, two, three) = tokio::join!(
        client.ssh.probe(one, &request),
        client.ssh.probe(two, &request),
        client.ssh.probe(three, &request),
    );
    let seen: usize =
        [one, two, three].iter().map(|told| told.as_ref().unwrap().sharing.len()).sum();
    // Of every two at least one.
    assert!((3..=6).contains(&seen), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_shell_and_a_sudo_that_refuses_are_faults() {
    let server = Server::start_with("ForceCommand echo this account is closed; exit 1");
    let error = probe(&server.ssh(), true).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Node);
    assert!(error.message.contains("this account is closed"), "{error}");

    let server = Server::start();
    let bin = server.path("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("sudo"), "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
        .unwrap();
    assert!(Command::new("chmod").arg("755").arg(bin.join("sudo")).status().unwrap().success());
    let mut server = server;
    server.kill();
    let home = server.node();
    server.also(&format!("SetEnv PATH={}:/usr/bin:/bin HOME={}", bin.display(), home.display()));
    assert!(server.listen());
    let client = server.ssh_with(|options| options.sudo = Some(Sudo::default()));
    let error = probe(&client, false).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Sudo, "{error:?}");
    assert!(error.hint.contains("NOPASSWD"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_lacks_reads_as_expected() {
    let user = user();
    let known = [
        (format!("of {user} "), "of USER "),
        (format!("of {user};"), "of USER;"),
        (format!("line: {user} ALL"), "line: USER ALL"),
    ];
    let known: Vec<(&str, &str)> = known.iter().map(|(from, to)| (from.as_str(), *to)).collect();
    let full = "ForceCommand ulimit -f 0; trap \"\" XFSZ; eval \"$SSH_ORIGINAL_COMMAND\"";
    let denied = "ForceCommand echo sudo: a password is required >&2; exit 1";
    let absent = "ForceCommand PATH=/nowhere; eval \"$SSH_ORIGINAL_COMMAND\"";
    let nothing: fn(&mut SshOptions) = |_| {};
    let sudo: fn(&mut SshOptions) = |options| {
        options.sudo = Some(Sudo { user: Some("cassandra".into()), args: Vec::new() });
    };
    let read_only: fn(&mut SshOptions) = |options| options.remote_dir = Some("/proc/none".into());
    for (name, more, change) in [
        ("read-only home", "", read_only),
        ("full home", full, nothing),
        ("sudo denied", denied, sudo),
        ("sudo absent", absent, sudo),
    ] {
        let server = Server::start_with(more);
        let client = server.ssh_with(change);
        let error = client.act(&action(&["true"]), &Watch::default()).await.unwrap_err();
        let home = server.node().display().to_string();
        let mut known = known.clone();
        // The shell's own, with the number of a line.
        if name == "full home" {
            known.extend(error.message.rsplit("1,1: ").next().map(|words| (words, "WORDS")));
        }
        known.push((&home, "HOME"));
        shows(name, &error, &known);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_nodes_are_looked_at_at_once() {
    let server = Server::start_with("MaxStartups 300");
    // A connection for each name.
    server.configure("Host n*\nHostName 127.0.0.1\n");
    let client = Arc::new(server.ssh());
    let nodes: Vec<Target> = (1..=100)
        .map(|n| Target { node: NodeKey(format!("n{n}")), host: format!("n{n}") })
        .collect();
    let mut took = Vec::new();
    for round in ["a connection and `true`", "a look over it", "`true` over it", "a whole look"] {
        let begun = Instant::now();
        let mut asked = tokio::task::JoinSet::new();
        for node in nodes.clone() {
            let client = client.clone();
            asked.spawn(async move {
                match round {
                    "a look over it" => client.ssh.probe(&node, &request(false)).await.map(drop),
                    "a whole look" => client.ssh.probe(&node, &request(true)).await.map(drop),
                    _ => client.query_at(&node.host, &["true"]).await.map(drop),
                }
            });
        }
        while let Some(result) = asked.join_next().await {
            result.unwrap().unwrap();
        }
        took.push(begun.elapsed());
        println!("100 nodes, {round}: {:.1} s", begun.elapsed().as_secs_f64());
    }
    assert!(took[1] < Duration::from_secs(60), "{took:?}");
}
