//! The SSH side of a simulated node, seen by a client.
#![allow(clippy::unwrap_used, missing_docs)]

mod ssh;

use std::path::Path;
use std::time::Duration;

use quorate_sim::{NodetoolFault, Sim, SimError, SimSpec};
use russh::Sig;
use ssh::{LIMIT, collect, connect, fast, first_output, run};

async fn three() -> Sim {
    Sim::start(fast(SimSpec::uniform(1, 3, 1))).await.unwrap()
}

/// Asks again until it holds: for what happens to processes, which nobody reports.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect(what);
}

fn runs(pid: &str) -> bool {
    // A process that ended but wasn't collected has no environment any more.
    std::fs::read(Path::new("/proc").join(pid).join("environ"))
        .is_ok_and(|environment| !environment.is_empty())
}

const TOOLS: &str = "for tool in nodetool service systemctl sudo; do command -v $tool; done";

#[tokio::test]
async fn commands_run_in_a_real_shell_in_the_nodes_home() {
    let sim = three().await;
    let node = connect(&sim, 1).await.unwrap();
    let ran = node
        .run("echo one two | tr a-z A-Z; pwd; echo $HOME; echo $USER; echo complaint >&2; exit 7")
        .await;
    let home = sim.home(1).display().to_string();
    assert_eq!(ran.text(), format!("ONE TWO\n{home}\n{home}\ncassandra\n"));
    assert_eq!(ran.error_text(), "complaint\n");
    assert_eq!((ran.code, ran.signal), (Some(7), None));
    assert_eq!(node.run(TOOLS).await.text().lines().count(), 4);
    assert_eq!((sim.commands_run(1), sim.commands_run(0)), (2, 0));
    assert_eq!(sim.commands(1)[1], TOOLS);
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_that_a_signal_ended_is_told_as_such() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    let ran = node.run("kill -TERM $$").await;
    assert_eq!((ran.code, ran.signal), (None, Some("TERM".to_owned())));
    let mut channel = node.start("echo ready; exec sleep 1000").await;
    first_output(&mut channel).await;
    channel.signal(Sig::KILL).await.unwrap();
    assert_eq!(collect(channel).await.signal.as_deref(), Some("KILL"));
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn input_reaches_the_program_and_its_end_closes_it() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    let input: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    let channel = node.start("cat").await;
    let (mut reader, writer) = channel.split();
    let send = async {
        writer.data(&input[..]).await.unwrap();
        writer.eof().await.unwrap();
    };
    let receive = async {
        let mut back = Vec::new();
        while let Some(message) = reader.wait().await {
            if let russh::ChannelMsg::Data { data } = message {
                back.extend_from_slice(&data);
            }
        }
        back
    };
    let ((), back) =
        tokio::time::timeout(LIMIT, async { tokio::join!(send, receive) }).await.unwrap();
    assert!(back == input, "{} bytes came back", back.len());
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_waits_while_nobody_takes_its_output() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    // The client's window is 2 MiB; nothing of it is given back before the channel is read.
    let counted = sim.home(0).join("written");
    let script = "i=0; while [ $i -lt 1024 ]; do head -c 65536 /dev/zero || exit 1; i=$((i+1)); echo $i >written; done";
    let channel = node.start(script).await;
    let written = || {
        std::fs::read_to_string(&counted)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    eventually("some output", || written() > 8).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(written() < 1024, "64 MiB were swallowed by somebody");
    let ran = tokio::time::timeout(LIMIT, collect(channel)).await.unwrap();
    assert_eq!((ran.out.len(), ran.code), (64 << 20, Some(0)));
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn many_sessions_share_a_connection_up_to_the_limit() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    let mut open = Vec::new();
    for number in 0..10 {
        let mut channel = node.start(&format!("echo {number}; cat")).await;
        assert_eq!(first_output(&mut channel).await, format!("{number}\n").as_bytes());
        open.push(channel);
    }
    assert!(node.handle.channel_open_session().await.is_err(), "an eleventh session");
    let last = open.pop().unwrap();
    last.eof().await.unwrap();
    assert_eq!(collect(last).await.code, Some(0));
    assert_eq!(node.run("echo again").await.text(), "again\n");
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_cut_connection_ends_the_program_but_not_what_left_its_session() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    let detached = sim.home(0).join("detached");
    let script = "setsid sh -c 'touch detached; exec sleep 1000' </dev/null >/dev/null 2>&1 & \
                  echo $$; sleep 1000";
    let mut channel = node.start(script).await;
    let shell = String::from_utf8(first_output(&mut channel).await).unwrap().trim().to_owned();
    let shell = shell.as_str();
    eventually("all three run", || detached.exists() && sim.processes().len() >= 3).await;
    assert!(runs(shell));
    assert_eq!(sim.drop_connections(0), 1);
    assert!(tokio::time::timeout(LIMIT, collect(channel)).await.unwrap().code.is_none());
    eventually("the shell ends", || !runs(shell)).await;
    eventually("only the detached one stays", || sim.processes().len() == 1).await;
    assert_eq!(run(&sim, 0, "echo back").await.text(), "back\n");
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_simulation_leaves_no_process_and_no_file() {
    let sim = three().await;
    let root = sim.ssh_config().parent().unwrap().to_owned();
    let node = connect(&sim, 0).await.unwrap();
    let mut channel = node.start("for i in 1 2 3; do setsid sleep 1000 & done; (trap '' HUP TERM; while :; do sleep 0.01; done) & echo ready; wait").await;
    first_output(&mut channel).await;
    sim.break_nodetool(1, Some(NodetoolFault::Hangs)).unwrap();
    let other = connect(&sim, 1).await.unwrap();
    let _hanging = other.start("nodetool status").await;
    eventually("the call has arrived", || sim.nodetool_calls(1) == 1).await;
    let pids: Vec<String> = sim.processes().iter().map(u32::to_string).collect();
    assert!(pids.len() >= 6, "{pids:?}");
    sim.stop().await.unwrap();
    assert!(!pids.iter().any(|pid| runs(pid)));
    assert!(!root.exists());
}

#[tokio::test]
async fn dropping_it_cleans_up_as_well() {
    let sim = three().await;
    let root = sim.ssh_config().parent().unwrap().to_owned();
    let node = connect(&sim, 2).await.unwrap();
    let mut channel = node.start("setsid sleep 1000 & echo ready; wait").await;
    first_output(&mut channel).await;
    let pids: Vec<String> = sim.processes().iter().map(u32::to_string).collect();
    assert!(!pids.is_empty());
    drop(sim);
    assert!(!pids.iter().any(|pid| runs(pid)));
    assert!(!root.exists());
}

#[tokio::test]
async fn an_ssh_server_can_go_away_and_come_back() {
    let sim = three().await;
    let node = connect(&sim, 0).await.unwrap();
    sim.sshd_down(0).await;
    assert!(connect(&sim, 0).await.is_err());
    assert!(
        tokio::time::timeout(LIMIT, node.handle.channel_open_session()).await.unwrap().is_err()
    );
    assert_eq!(
        run(&sim, 1, "nodetool status").await.text().matches("UN  ").count(),
        3,
        "Cassandra isn't touched"
    );
    sim.sshd_up(0).await.unwrap();
    assert_eq!(run(&sim, 0, "echo back").await.text(), "back\n");
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn a_changed_host_key_is_refused_until_it_is_trusted() {
    let sim = three().await;
    sim.change_host_key(0).unwrap();
    assert!(connect(&sim, 0).await.is_err());
    sim.trust_all().unwrap();
    assert_eq!(run(&sim, 0, "echo hello").await.text(), "hello\n");
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn only_the_user_of_the_spec_may_log_in() {
    let sim = Sim::start(SimSpec {
        ssh_user: "ops".to_owned(),
        ssh_password: Some("opensesame".to_owned()),
        ..SimSpec::uniform(1, 1, 1)
    })
    .await
    .unwrap();
    assert_eq!(run(&sim, 0, "echo $USER").await.text(), "ops\n");
    for (user, password, right) in
        [("ops", "opensesame", true), ("ops", "wrong", false), ("root", "opensesame", false)]
    {
        assert_eq!(
            ssh::password_accepted(&sim, 0, user, password).await,
            right,
            "{user} {password}"
        );
    }
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn openssh_logs_in_with_the_ssh_config_alone() {
    if std::process::Command::new("ssh").arg("-V").output().is_err() {
        return;
    }
    let sim = three().await;
    let ssh = tokio::process::Command::new("ssh")
        .arg("-F")
        .arg(sim.ssh_config())
        .arg(sim.seed())
        .args(["nodetool version; exit 3"])
        .output()
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&ssh.stdout),
        "ReleaseVersion: 5.0.4\n",
        "{}",
        String::from_utf8_lossy(&ssh.stderr)
    );
    assert_eq!(ssh.status.code(), Some(3));
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn simulations_don_t_share_addresses() {
    let (one, two) = (three().await, three().await);
    assert_ne!(one.seed(), two.seed());
    assert_eq!(one.nodes()[0].host_id, two.nodes()[0].host_id, "only the addresses differ");
    one.stop().await.unwrap();
    assert_eq!(run(&two, 0, "nodetool version").await.code, Some(0));
    two.stop().await.unwrap();
}

#[tokio::test]
async fn a_spec_that_makes_no_sense_is_refused() {
    let empty = SimSpec::uniform(1, 3, 0);
    assert!(matches!(Sim::start(empty).await, Err(SimError::Spec(_))));
    let mut twice = SimSpec::uniform(2, 3, 1);
    twice.data_centers[1].name = "dc1".to_owned();
    assert!(matches!(Sim::start(twice).await, Err(SimError::Spec(_))));
}
