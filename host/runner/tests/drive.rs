//! The loop over made-up ports, in virtual time.
#![allow(clippy::unwrap_used)]
mod fake;

use fake::{Play, command, fault};
use quorate_contract::Condition;
use quorate_journal::{JobView, Place};
use quorate_ports::{
    ActionEnd, EffectError, Exit, FaultKind, OnLost, Program, RunEnd, Secret, Stream, Work,
    WorkKind,
};
use quorate_ring::NodeId;
use quorate_runner::{JmxPassword, JmxUser, RunnerError, Stop};
use quorate_schedule::{End, FailureBudget, Outcome, Phase, Policy};
use std::{sync::Arc, time::Duration};

fn shell(words: &[&str]) -> Work {
    Work {
        kind: WorkKind::Shell(words.iter().map(|w| (*w).to_owned()).collect()),
        stdin: Vec::new(),
        env: Vec::new(),
        timeout_ms: None,
        on_lost: OnLost::Fail,
    }
}

/// A command that runs `true` once and reports how that ended.
fn once() -> Arc<dyn quorate_ports::CommandHost> {
    command(|_, effects| {
        Box::pin(async move {
            match effects.act(shell(&["true"])).await {
                Ok(outcome) => RunEnd::Done(outcome.exit.to_string()),
                Err(error) => RunEnd::Failed { code: "act".into(), message: error.to_string() },
            }
        })
    })
}

#[tokio::test(start_paused = true)]
async fn an_action_is_on_disk_before_it_reaches_the_node_and_forgotten_after_its_end_is() {
    let play = Play::new(1, Policy::default(), once());
    assert_eq!(play.drive().await.unwrap(), Some(End::Completed));
    let order = ["\"intended\"", "act k1/10.0.0.1/main/1/1", "acted 1", "\"finished\"", "forget"];
    let places: Vec<_> = order.iter().map(|text| play.tale.place(text)).collect();
    assert!(places.is_sorted(), "{places:?} {:#?}", play.tale.all());
    assert!(play.tale.place("\"started\"") < places[0]);
}

#[tokio::test(start_paused = true)]
async fn the_records_alone_give_the_job_again() {
    let play = Play::new(3, Policy::default(), once());
    assert_eq!(play.drive().await.unwrap(), Some(End::Completed));
    let view = JobView::fold(play.store.records.lock().unwrap().iter()).unwrap();
    assert_eq!(view.job.end(), Some(&End::Completed));
    assert!(view.job.nodes().values().all(|run| run.phase == Phase::Done && !run.out));
    assert_eq!(view.last_exit(NodeId(2)), Some(Exit::Code(0)));
    let acted: Vec<_> = play.tale.all().into_iter().filter(|l| l.starts_with("act ")).collect();
    assert_eq!(acted.len(), 3, "each node once: {acted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_stops_everything_before_anything_happens() {
    let play = Play::with(2, Policy::default(), once(), |_| {}, 1);
    let error = play.drive().await.unwrap_err();
    assert!(matches!(error, RunnerError::Store(_)));
    assert!(play.tale.all().iter().all(|line| !line.starts_with("act ")), "{:#?}", play.tale.all());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_in_the_middle_lets_no_further_action_out() {
    // The creation, the taking up and the start are written; the intended action isn't.
    let play = Play::with(2, Policy::default(), once(), |_| {}, 3);
    let error = play.drive().await.unwrap_err();
    assert!(error.to_string().contains("no space left"), "{error}");
    assert!(play.tale.all().iter().all(|line| !line.starts_with("act ")), "{:#?}", play.tale.all());
}

#[tokio::test(start_paused = true)]
async fn output_goes_to_disk_whole_and_to_the_component_by_its_ends() {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let run = {
        let seen = seen.clone();
        command(move |_, effects| {
            let seen = seen.clone();
            Box::pin(async move {
                *seen.lock().unwrap() = Some(effects.act(shell(&["cat"])).await.unwrap());
                RunEnd::Done(String::new())
            })
        })
    };
    let chunk = |byte: u8| (Stream::Stdout, vec![byte; 20_000]);
    let play = Play::with(
        1,
        Policy::default(),
        run,
        |cluster| cluster.prints = (b'a'..=b'z').map(chunk).collect(),
        usize::MAX,
    );
    play.drive().await.unwrap();
    let files = play.outputs.files.lock().unwrap();
    assert_eq!(files["10.0.0.1/Stdout"].len(), 520_000);
    assert_eq!(files["10.0.0.1/status"], b"exit status 0");
    let outcome = seen.lock().unwrap().clone().unwrap();
    assert_eq!((outcome.stdout.head.len(), outcome.stdout.tail.len()), (32 << 10, 32 << 10));
    assert_eq!((outcome.stdout.head[0], *outcome.stdout.tail.last().unwrap()), (b'a', b'z'));
    assert!(outcome.stdout.is_truncated() && outcome.stdout.total_bytes == 520_000);
    assert_eq!(outcome.stderr.total_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_node_is_healthy_and_not_before() {
    let waiting = command(|_, effects| {
        Box::pin(async move {
            match effects.wait(Condition::Healthy {}, Some(600_000)).await {
                Ok(result) => RunEnd::Done(format!("{}", result.waited_ms)),
                Err(error) => RunEnd::Failed { code: "wait".into(), message: error.to_string() },
            }
        })
    });
    let play = Play::new(2, Policy::default(), waiting);
    let cluster = play.cluster.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.down.lock().unwrap().insert(1);
        tokio::time::sleep(Duration::from_secs(60)).await;
        cluster.down.lock().unwrap().clear();
    });
    // Node 2 is held by node 1, which is out until it is healthy.
    assert_eq!(play.drive().await.unwrap(), Some(End::Completed));
    let view = JobView::fold(play.store.records.lock().unwrap().iter()).unwrap();
    let span = |n: u32| {
        let run = &view.job.nodes()[&NodeId(n)];
        (run.started_at.unwrap(), run.confirmed_at.unwrap())
    };
    assert!(span(0).1 <= span(1).0, "one after the other: {:?} {:?}", span(0), span(1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_its_own_limit() {
    let waiting = command(|_, effects| {
        Box::pin(async move {
            let end = effects.wait(Condition::Healthy {}, Some(30_000)).await;
            assert_eq!(end, Err(EffectError::TimedOut(30_000)));
            RunEnd::Failed { code: "wait".into(), message: "never healthy".into() }
        })
    });
    let play = Play::new(2, Policy::default(), waiting);
    let cluster = play.cluster.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.mute.lock().unwrap().insert(1);
    });
    assert_eq!(play.drive().await.unwrap(), Some(End::Failed { failed: 1, left: 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_fault_on_the_way_fails_the_node_with_its_cure() {
    let play = Play::new(2, Policy::default(), once());
    *play.cluster.ends.lock().unwrap() = Some(Err(fault(FaultKind::Unreachable, "refused")));
    assert_eq!(play.drive().await.unwrap(), Some(End::Failed { failed: 1, left: 1 }));
    let view = JobView::fold(play.store.records.lock().unwrap().iter()).unwrap();
    let message = "10.0.0.1: refused (look at it)".to_owned();
    let expected = Outcome::Failed { code: "act".into(), message };
    assert_eq!(view.job.nodes()[&NodeId(0)].outcome, Some(expected));
    assert!(play.tale.all().iter().all(|line| !line.starts_with("forget")));
}

#[tokio::test(start_paused = true)]
async fn a_lost_action_is_told_as_lost() {
    let play = Play::new(1, Policy::default(), once());
    *play.cluster.ends.lock().unwrap() = Some(Ok(ActionEnd::Lost("its pid is gone".into())));
    assert_eq!(play.drive().await.unwrap(), Some(End::Failed { failed: 1, left: 0 }));
    assert!(play.tale.place("its pid is gone") > 0);
}

#[tokio::test(start_paused = true)]
async fn most_observers_must_answer_before_a_node_starts() {
    let play = Play::new(4, Policy::default(), once());
    play.cluster.mute.lock().unwrap().extend([2, 3, 4]);
    let cluster = play.cluster.clone();
    let tale = play.tale.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert!(tale.all().iter().all(|line| !line.starts_with("act ")));
        cluster.mute.lock().unwrap().clear();
    });
    assert_eq!(play.drive().await.unwrap(), Some(End::Completed));
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_a_node_bounds_its_actions_and_ends_its_run() {
    let policy = Policy {
        timeout_ms: Some(20_000),
        max_failures: FailureBudget::Percent(100),
        ..Policy::default()
    };
    let run = command(|input, effects| {
        Box::pin(async move {
            assert_eq!(input.context.timeout_ms, Some(20_000));
            effects.act(shell(&["sleep", "forever"])).await.unwrap();
            unreachable!("the run is dropped when the node's time is over")
        })
    });
    let slow = |cluster: &mut fake::Cluster| cluster.takes = Duration::from_secs(86_400);
    let play = Play::with(1, policy, run, slow, usize::MAX);
    assert_eq!(play.drive().await.unwrap(), Some(End::Failed { failed: 1, left: 0 }));
    assert!(play.tale.all().iter().all(|line| !line.starts_with("acted")));
}

#[tokio::test(start_paused = true)]
async fn a_person_can_stop_the_starting_or_leave_at_once() {
    for (stop, end) in [(Stop::Starting, Some(End::Stopped { left: 2 })), (Stop::Now, None)] {
        let slow = |cluster: &mut fake::Cluster| cluster.takes = Duration::from_secs(60);
        let play = Play::with(3, Policy::default(), once(), slow, usize::MAX);
        let sender = play.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(10)).await;
            sender.send_replace(stop);
        });
        assert_eq!(play.drive().await.unwrap(), end);
        let acted = play.tale.all().iter().filter(|line| line.starts_with("acted")).count();
        assert_eq!(acted, usize::from(stop == Stop::Starting), "{stop:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_secret_reaches_the_node_and_no_record() {
    let command = command(|_, effects| {
        Box::pin(async move {
            let drain = WorkKind::Nodetool(vec!["drain".into()]);
            let own = vec![("A".to_owned(), "mine".to_owned())];
            let work = Work { kind: drain, env: own, ..shell(&[]) };
            match effects.act(work).await {
                Ok(outcome) => RunEnd::Done(outcome.exit.to_string()),
                Err(error) => RunEnd::Failed { code: "act".into(), message: error.to_string() },
            }
        })
    });
    let digests = async |password: &str, token: &str| {
        let mut play = Play::new(1, Policy::default(), command.clone());
        let password = JmxPassword::Given(Secret::new(password));
        play.deps.nodetool.user = Some(JmxUser { name: "ops".into(), password });
        let variables = [("A", "the node's"), ("TOKEN", token)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        play.deps.variables.insert(NodeId(0), variables.to_vec());
        assert_eq!(play.drive().await.unwrap(), Some(End::Completed));
        let told = play.tale.all();
        let records: Vec<_> = told.into_iter().filter(|line| line.starts_with("record ")).collect();
        assert!(!records.concat().contains("s3cret"), "{records:#?}");
        let intended: Vec<_> =
            records.iter().filter(|line| line.contains("\"intended\"")).collect();
        assert!(intended[0].contains("\"nodetool drain\""), "{intended:?}");
        let acted = play.cluster.acted.lock().unwrap().clone();
        let action = &acted[0];
        // The command's own value wins: the last of a name does.
        let values = |name: &str| {
            let of = action.env.iter().filter(|(known, _)| known == name);
            of.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (values("A"), values("TOKEN")),
            (vec!["the node's".into(), "mine".into()], vec![token.into()])
        );
        assert!(action.private[0].bytes.expose().ends_with(b"\n"));
        assert!(!format!("{:?}", action.private).contains("s3cret"));
        intended[0].split("\"digest\":").nth(1).unwrap().to_owned()
    };
    // A password could be guessed from a digest that it is part of.
    assert_eq!(digests("s3cret-1", "s3cret-2").await, digests("s3cret-3", "s3cret-4").await);
}

#[tokio::test(start_paused = true)]
async fn what_runs_here_is_told_of_its_node_and_runs_no_nodetool_there() {
    let command = command(|_, effects| {
        Box::pin(async move {
            let drain = WorkKind::Nodetool(vec!["drain".into()]);
            let drained = effects.act(Work { kind: drain, ..shell(&[]) }).await.is_ok();
            let own = vec![("NODE_DC".to_owned(), "mine".to_owned())];
            let work = Work { env: own, ..shell(&["ssh", "ann@{}", "id"]) };
            match effects.act(work).await {
                Ok(_) => RunEnd::Done(format!("drained: {drained}")),
                Err(error) => RunEnd::Failed { code: "act".into(), message: error.to_string() },
            }
        })
    });
    for nodetool in [false, true] {
        let mut play = Play::new(2, Policy::default(), command.clone());
        play.created.place = Place::Here { directory: "/".into(), nodetool };
        play.deps.nodetool.from_here = nodetool;
        let variables = [("NODE_RACK".to_owned(), "somebody's".to_owned())];
        play.deps.variables.insert(NodeId(0), variables.to_vec());
        assert_eq!(play.drive().await.unwrap(), Some(End::Completed));
        let acted = play.cluster.acted.lock().unwrap().clone();
        if nodetool {
            // It is run, on this machine, against the node.
            let argv = ["nodetool", "-h", "10.0.0.1", "drain"].map(String::from).to_vec();
            assert_eq!(acted[0].program, Program::Argv(argv));
            continue;
        }
        for (action, address) in acted.iter().zip(["10.0.0.1", "10.0.0.2"]) {
            let argv = ["ssh", &format!("ann@{address}"), "id"].map(String::from).to_vec();
            assert_eq!(action.program, Program::Argv(argv));
            // The last of a name counts.
            let value = |name: &str| {
                let mut all = action.env.iter().rev();
                all.find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap()
            };
            assert_eq!(value("NODE_ADDRESS"), address);
            assert_eq!((value("NODE_DC"), value("NODE_RACK")), ("dc1".into(), "r1".into()));
            assert_eq!(
                (value("NODE_STATUS"), value("NODE_CLUSTER").is_empty()),
                ("UN".into(), false)
            );
        }
        assert_eq!(acted.len(), 2);
    }
}
