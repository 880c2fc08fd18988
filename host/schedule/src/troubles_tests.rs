use super::*;
use crate::preflight::{NoVersion, Sharer, Skew};

/// A node with nothing amiss.
fn fine() -> Probe {
    Probe {
        user: "cassandra".into(),
        directory: "/var/lib/cassandra/.quorate".into(),
        free_kib: Some(10 << 20),
        free_files: Some(100_000),
        file_system: Some("ext4".into()),
        detaching: Detaching::Setsid,
        skew: Some(Skew { least_ms: -80, most_ms: 40 }),
        boot: Some("boot".into()),
        outlives: Some(true),
        sessions: Some(8),
        ..Probe::default()
    }
}

fn checked(node: u32, probe: Probe) -> Checked {
    Checked { node: NodeId(node), probe: Ok(probe), version: Some(Ok("5.0.4".into())) }
}

fn look(probes: Vec<Probe>) -> Look {
    let nodes = (0..).zip(probes).map(|(node, probe)| checked(node, probe)).collect();
    Look { nodes, ..Look::default() }
}

/// The only trouble of one such node among two.
fn only(change: impl FnOnce(&mut Probe)) -> Trouble {
    let mut probe = fine();
    change(&mut probe);
    let found = troubles(&look([fine(), probe].into()));
    let [one] = <[Trouble; 1]>::try_from(found).unwrap();
    assert_eq!(one.nodes, [NodeId(1)]);
    assert!(!one.text.is_empty() && !one.cure.is_empty());
    one
}

#[test]
fn a_cluster_with_nothing_amiss_has_no_trouble() {
    assert_eq!(troubles(&look([fine(), fine()].into())), []);
    assert_eq!(troubles(&Look::default()), []);
    let mut brief = fine();
    (brief.outlives, brief.sessions, brief.free_files) = (None, None, None);
    (brief.free_kib, brief.file_system, brief.skew) = (None, None, None);
    assert_eq!(troubles(&look([brief].into())), []);
}

#[test]
fn what_would_break_a_job_breaks_it() {
    use TroubleKind::*;
    for (kind, text, change) in [
        (
            Directory,
            "/.quorate can't be written to by cassandra: Read-only file system",
            (|probe| probe.unwritable = Some("Read-only file system".into())) as fn(&mut Probe),
        ),
        (Space, "No space left", |probe| {
            (probe.unwritable, probe.free_kib) = (Some("No space left on device".into()), Some(0));
        }),
        (Space, "512 KiB are free", |probe| probe.free_kib = Some(512)),
        (Space, "no more than 3 files", |probe| probe.free_files = Some(3)),
        (Tools, "dd, ls -ln", |probe| probe.missing = ["dd".into(), "ls -ln".into()].into()),
        (Program, "nodetool isn't in the PATH", |probe| probe.absent = ["nodetool".into()].into()),
        (Detachment, "neither setsid", |probe| probe.detaching = Detaching::Impossible),
        (Detachment, "ends what was started", |probe| probe.outlives = Some(false)),
        (Sessions, "1 of the 8 sessions", |probe| probe.sessions = Some(1)),
    ] {
        let one = only(change);
        assert!(one.breaks && one.kind == kind && one.text.contains(text), "{one:?}");
    }
    assert!(only(|probe| probe.outlives = Some(false)).cure.contains("enable-linger cassandra"));
}

#[test]
fn what_a_job_bears_is_a_warning() {
    use TroubleKind::*;
    for (kind, text, change) in [
        (Space, "60000 KiB are free", (|probe| probe.free_kib = Some(60_000)) as fn(&mut Probe)),
        (Sessions, "4 of the 8", |probe| probe.sessions = Some(4)),
        (Volatile, "on tmpfs", |probe| probe.file_system = Some("tmpfs".into())),
        (Remote, "on nfs4", |probe| probe.file_system = Some("nfs4".into())),
        (Live, "action n1,main,1,1 of job k3f9", |probe| {
            probe.live = [LiveAction { job: "k3f9".into(), action: "n1,main,1,1".into() }].into();
        }),
        (Clock, "its clock is 4.5 s behind this machine's", |probe| {
            probe.skew = Some(Skew { least_ms: -4600, most_ms: -4300 });
        }),
    ] {
        let one = only(change);
        assert!(!one.breaks && one.kind == kind && one.text.contains(text), "{one:?}");
    }
}

#[test]
fn a_clock_counts_as_far_as_it_is_certain() {
    let with = |least_ms, most_ms| {
        let probe = Probe { skew: Some(Skew { least_ms, most_ms }), ..fine() };
        troubles(&look([fine(), probe].into())).len()
    };
    assert_eq!(with(-9000, 900), 0, "a slow answer proves nothing");
    assert_eq!(with(1001, 60_000), 1);
    assert_eq!(with(-60_000, -1001), 1);
    assert_eq!(with(-1000, 1000), 0);
    // It is the operator's clock where most nodes agree.
    let ahead = || Probe { skew: Some(Skew { least_ms: 29_900, most_ms: 30_100 }), ..fine() };
    let odd = Probe { skew: Some(Skew { least_ms: 33_900, most_ms: 34_100 }), ..fine() };
    let found = troubles(&look([ahead(), ahead(), odd, ahead()].into()));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].text.contains("this machine's clock is 30 s behind that of most nodes"),
        "{found:?}"
    );
    assert_eq!(found[0].nodes, [NodeId(0), NodeId(1), NodeId(3)]);
    assert!(found[1].text.contains("its clock is 4 s ahead of most nodes'"), "{found:?}");
    assert_eq!(found[1].nodes, [NodeId(2)]);
}

#[test]
fn the_same_trouble_of_many_nodes_is_told_once_and_the_worst_comes_first() {
    let slow = || Probe { file_system: Some("tmpfs".into()), ..fine() };
    let bare = || Probe { absent: ["nodetool".into()].into(), ..slow() };
    let found = troubles(&look([slow(), bare(), fine(), bare()].into()));
    let told: Vec<_> = found.iter().map(|one| (one.kind, one.nodes.len())).collect();
    assert_eq!(told, [(TroubleKind::Program, 2), (TroubleKind::Volatile, 3)]);
}

#[test]
fn a_directory_of_several_machines_is_told_and_one_of_one_machine_is_not() {
    let sharing = |boot: Option<&str>| {
        let sharer = Sharer { node: "10.0.0.2".into(), boot: boot.map(Into::into) };
        troubles(&look([Probe { sharing: [sharer].into(), ..fine() }].into())).len()
    };
    assert_eq!(sharing(Some("another")), 1);
    assert_eq!(sharing(None), 1);
    assert_eq!(sharing(Some("boot")), 0);
}

#[test]
fn an_action_of_the_job_itself_is_no_news() {
    let live = [LiveAction { job: "k3f9".into(), action: "n1,main,1,1".into() }].into();
    let mut look = look([Probe { live, ..fine() }].into());
    look.job = Some("k3f9".into());
    assert_eq!(troubles(&look), []);
}

#[test]
fn who_is_down_may_have_no_nodetool_but_must_be_reached() {
    let no_version = || NoVersion { message: "connection refused".into(), hint: "look".into() };
    let mut look = look([fine(), fine()].into());
    look.nodes[0].version = Some(Err(no_version()));
    assert_eq!(troubles(&look)[0].text, "connection refused");
    look.down = [NodeId(0)].into();
    assert_eq!(troubles(&look), []);
    for (kind, expected) in [
        (UnreachedKind::NoAnswer, "--ignore-down-nodes"),
        (UnreachedKind::NoLogin, "try another key"),
    ] {
        let (message, hint) = ("refused".into(), "try another key".into());
        look.nodes[0].probe = Err(Unreached { kind, message, hint });
        let found = troubles(&look);
        assert!(found[0].breaks && found[0].cure.contains(expected), "{found:?}");
    }
}
