//! Connections that break while actions run.
use crate::server::{Server, Watch, action, wait_for};
use quorate_ports::{ActionEnd, Exit};
use std::{fs, sync::Arc, time::Duration};

const DONE: ActionEnd = ActionEnd::Exited(Exit::Code(6));

#[tokio::test(flavor = "multi_thread")]
async fn an_action_runs_once_and_no_line_is_lost_or_repeated_while_sshd_dies() {
    let mut server = Server::start();
    let client = Arc::new(server.ssh());
    let lines = 400;
    // Every hundred lines it waits to be let on, so that no break comes too late. Lines are long, so that breaks fall
    // into the middle of one.
    let command = format!(
        "echo ran >>$HOME/count; n=0; while [ $n -lt {lines} ]; do \
         echo \"line $n of many that are all of them a little long\"; echo \"error $n\" >&2; \
         n=$((n+1)); sleep 0.01; \
         if [ $((n % 100)) -eq 0 ]; then while [ ! -f $HOME/go$n ]; do sleep 0.02; done; fi; done; exit 6"
    );
    fs::write(server.node().join("go400"), "").unwrap();
    let watch = Arc::new(Watch::default());
    let running = tokio::spawn({
        let (client, watch, action) =
            (client.clone(), watch.clone(), action(&["sh", "-c", &command]));
        async move { client.act(&action, &watch).await.unwrap() }
    });
    for hundred in 0..3 {
        // Some thirty lines into this hundred.
        watch.has_printed(hundred * 5_200 + 1_500).await;
        let told = watch.told().len();
        server.kill();
        // At least one attempt meets nobody.
        wait_for("the break to be told", || watch.told().len() > told + 1);
        assert!(server.listen(), "{}", server.log());
        wait_for("the new attachment", || {
            watch.told().last().is_some_and(|line| line.starts_with("attached again"))
        });
        fs::write(server.node().join(format!("go{}", (hundred + 1) * 100)), "").unwrap();
    }
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(60), running).await.unwrap().unwrap(),
        DONE
    );
    let expected = |word: &str, rest: &str| {
        (0..lines).map(|n| format!("{word} {n}{rest}\n")).collect::<String>()
    };
    assert_eq!(watch.text(), expected("line", " of many that are all of them a little long"));
    assert_eq!(watch.errors(), expected("error", ""));
    assert_eq!(fs::read_to_string(server.node().join("count")).unwrap(), "ran\n");
    let told = watch.told();
    assert!(told[0].contains("the action goes on there"), "{told:?}");
    assert!(
        told.iter().any(|line| line.starts_with("still not attached") && line.contains("refused")),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_whose_delivery_broke_is_delivered_again_and_runs_once() {
    let mut server = Server::start();
    let client = Arc::new(server.ssh());
    let mut action = action(&["sh", "-c", "echo ran >>$HOME/count; wc -c; exit 6"]);
    action.stdin = vec![b'x'; 40_000_000];
    let watch = Arc::new(Watch::default());
    let running = tokio::spawn({
        let (client, watch, action) = (client.clone(), watch.clone(), action.clone());
        async move { client.act(&action, &watch).await.unwrap() }
    });
    let directory = server.node().join(".quorate/actions/j1/127.0.0.1,main,1,1");
    // In the middle of the bundle.
    wait_for("the delivery", || {
        fs::read_dir(&directory).is_ok_and(|mut all| {
            all.any(|entry| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("bundle"))
            })
        })
    });
    server.kill();
    watch.was_told("delivering again").await;
    assert!(!directory.join("run").exists(), "the delivery was over before it was broken");
    assert!(server.listen());
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(60), running).await.unwrap().unwrap(),
        DONE
    );
    assert_eq!(watch.text().trim(), "40000000");
    assert_eq!(fs::read_to_string(server.node().join("count")).unwrap(), "ran\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_ends_while_nobody_is_attached_and_its_end_is_known_later() {
    let mut server = Server::start();
    let client = Arc::new(server.ssh());
    let watch = Arc::new(Watch::default());
    let action = action(&[
        "sh",
        "-c",
        "echo begun; while [ ! -f $HOME/go ]; do sleep 0.02; done; echo ended; exit 6",
    ]);
    let running = tokio::spawn({
        let (client, watch, action) = (client.clone(), watch.clone(), action.clone());
        async move { client.act(&action, &watch).await.unwrap() }
    });
    watch.has_printed(6).await;
    server.kill();
    watch.was_told("attaching again").await;
    fs::write(server.node().join("go"), "").unwrap();
    let status = server.node().join(".quorate/actions/j1/127.0.0.1,main,1,1/status");
    wait_for("the action's end", || status.exists());
    assert!(server.listen());
    assert_eq!(running.await.unwrap(), DONE);
    assert_eq!(watch.text(), "begun\nended\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_future_leaves_the_action_running() {
    let server = Server::start();
    let action = action(&[
        "sh",
        "-c",
        "echo ran >>$HOME/count; echo begun; while [ ! -f $HOME/go ]; do sleep 0.02; done; exit 6",
    ]);
    {
        let client = server.ssh();
        let watch = Watch::default();
        tokio::select! {
            end = client.act(&action, &watch) => panic!("{end:?}"),
            () = watch.has_printed(6) => {}
        }
    }
    wait_for("the end of the first client's sessions", || server.sessions().is_empty());
    fs::write(server.node().join("go"), "").unwrap();
    // Another process of the operator's goes on with it.
    let watch = Watch::default();
    assert_eq!(server.ssh().act(&action, &watch).await.unwrap(), DONE);
    assert_eq!(watch.text(), "begun\n");
    assert_eq!(fs::read_to_string(server.node().join("count")).unwrap(), "ran\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_that_changes_meanwhile_is_told_and_not_accepted() {
    let mut server = Server::start();
    let client = Arc::new(server.ssh());
    let watch = Arc::new(Watch::default());
    let action =
        action(&["sh", "-c", "echo begun; while [ ! -f $HOME/go ]; do sleep 0.02; done; exit 6"]);
    let running = tokio::spawn({
        let (client, watch, action) = (client.clone(), watch.clone(), action.clone());
        async move { client.act(&action, &watch).await.unwrap() }
    });
    watch.has_printed(6).await;
    let key = server.path("host_key");
    let kept = server.path("kept");
    server.kill();
    fs::rename(&key, &kept).unwrap();
    crate::server::keygen(&key, &["ed25519"]);
    assert!(server.listen());
    watch.was_told("CHANGED").await;
    server.kill();
    fs::rename(&kept, &key).unwrap();
    fs::write(server.node().join("go"), "").unwrap();
    assert!(server.listen());
    assert_eq!(running.await.unwrap(), DONE);
}
