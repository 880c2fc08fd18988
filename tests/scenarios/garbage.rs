//! A nodetool that prints garbage, nothing, or a hundred megabytes: refused before anything is touched, in little
//! memory; in the middle of a job nothing starts by it.
use crate::stage::{Stage, end_of, peak};
use quorate_sim::NodetoolFault;
use std::{fs, time::Duration};

const HUGE: NodetoolFault = NodetoolFault::Huge { bytes: 100 << 20 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_of_nodetool_are_refused_in_little_memory() {
    const PEAK_KB: u64 = 160 << 10;
    let stage = Stage::new(1, 1, 2).await;
    stage.sim.break_nodetool(0, Some(HUGE)).unwrap();
    let mut child = stage.spawn("restart", &[]);
    let peak = peak(&mut child).await;
    let said = end_of(child).await.code(3);
    said.complains(&stage.sim.seed()).complains("nodetool").complains("nothing was touched");
    assert!(peak > 0 && peak < PEAK_KB, "peak {peak} kB");
    println!("100 MB of output: {peak} kB at most");
    assert_eq!(stage.sim.max_down("dc1"), 0);
    stage.end().await;
}

/// Two of three observers print what can't be read: the third alone admits nothing. Mended, the job goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observers_that_cannot_be_read_hold_every_start() {
    for fault in [NodetoolFault::Garbage, NodetoolFault::Silent, HUGE] {
        let stage = Stage::new(1, 3, 1).await;
        for node in [1, 2] {
            stage.sim.break_nodetool(node, Some(fault.clone())).unwrap();
        }
        let ran = stage.home.path().join("ran");
        let command = format!("echo run >> {}", ran.display());
        let child = stage.spawn("run", &["--command", &command]);
        let asked = async {
            while stage.sim.nodetool_calls(1) < 3 || stage.sim.nodetool_calls(2) < 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), asked).await.expect("nobody asks them");
        assert!(!ran.exists(), "{fault:?}: a node was started");
        for node in [1, 2] {
            stage.sim.break_nodetool(node, None).unwrap();
        }
        end_of(child).await.code(0).says("all 3 nodes done");
        assert_eq!(fs::read_to_string(&ran).unwrap().lines().count(), 3);
        stage.end().await;
    }
}
