//! `doctor` over a cluster with one of each trouble, and over one with none.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod snapshot;

use quorate_fixtures::Cluster;
use quorate_ring::{NodeId, Topology};
use quorate_schedule::{
    Checked, Detaching, LiveAction, Look, NoVersion, NodeKey, Probe, Skew, Unreached,
    UnreachedKind, troubles,
};
use quorate_views::{DoctorView, unsettled};
use snapshot::check;

fn fine(number: u64) -> Probe {
    Probe {
        user: "cassandra".into(),
        directory: "/var/lib/cassandra/.quorate".into(),
        free_kib: Some((20 + number) << 20),
        free_files: Some(100_000),
        file_system: Some("ext4".into()),
        detaching: Detaching::Setsid,
        skew: Some(Skew { least_ms: -8, most_ms: 4 }),
        boot: Some("467e1aa8-167b-4558-909a-126a0aa7311f".into()),
        outlives: Some(true),
        sessions: Some(8),
        ..Probe::default()
    }
}

fn look(probes: Vec<Probe>) -> Look {
    let version = Some(Ok("5.0.4".into()));
    let of =
        |(node, probe)| Checked { node: NodeId(node), probe: Ok(probe), version: version.clone() };
    Look { nodes: (0..).zip(probes).map(of).collect(), ..Look::default() }
}

fn keys(topology: &Topology) -> Vec<NodeKey> {
    topology.nodes.iter().map(|node| NodeKey(node.address.to_string())).collect()
}

fn printed(topology: &Topology, look: &Look) -> String {
    let (keys, found, unsettled) = (keys(topology), troubles(look), unsettled(topology));
    let view = DoctorView {
        topology,
        keys: &keys,
        look,
        troubles: &found,
        unsettled: &unsettled,
        notes: &["shop bears no replica out".into()],
    };
    format!("{}\n{}\n", view.text(), serde_json::to_string_pretty(&view.json()).unwrap())
}

#[test]
fn identical_nodes_are_one_row() {
    let topology = Cluster::new("dc1 r1 40, dc1 r2 40").keyspace("shop", "dc1=3").topology();
    let view = printed(&topology, &look((0..80).map(fine).collect()));
    let text = view.split("\n{").next().unwrap();
    check("doctor_fine.txt", &format!("{text}\n"));
}

#[test]
fn each_trouble_has_a_line_and_a_cure() {
    let topology = Cluster::new("dc1 r1 6, dc1 r2 6").keyspace("shop", "dc1=3").topology();
    let mut look = look((0..12).map(fine).collect());
    let probe = |look: &mut Look, node: usize, change: fn(&mut Probe)| {
        change(look.nodes[node].probe.as_mut().unwrap());
    };
    probe(&mut look, 1, |probe| {
        (probe.unwritable, probe.free_kib) = (Some("No space left on device".into()), Some(0));
    });
    for node in [2, 3, 4, 5] {
        probe(&mut look, node, |probe| probe.outlives = Some(false));
    }
    probe(&mut look, 6, |probe| {
        probe.file_system = Some("tmpfs".into());
        probe.skew = Some(Skew { least_ms: 4300, most_ms: 4400 });
    });
    probe(&mut look, 7, |probe| probe.absent = vec!["nodetool".into()]);
    look.nodes[7].version = None;
    probe(&mut look, 8, |probe| {
        probe.live = vec![LiveAction { job: "k3f9".into(), action: "10.0.0.9,main,1,1".into() }];
    });
    let refused = |kind, message: &str, hint: &str| Unreached {
        kind,
        message: message.into(),
        hint: hint.into(),
    };
    look.nodes[9].probe = Err(refused(
        UnreachedKind::NoAnswer,
        "port 22: Connection refused",
        "does sshd run there?",
    ));
    look.nodes[10].probe = Err(refused(
        UnreachedKind::SudoDenied,
        "sudo denied: it wants a password of ann to become cassandra",
        "ann ALL=(cassandra) NOPASSWD: ALL",
    ));
    (look.nodes[9].version, look.nodes[10].version) = (None, None);
    look.nodes[11].version = Some(Err(NoVersion {
        message: "nodetool version ended with exit status 1: Connection refused".into(),
        hint: "ssh 10.0.0.12 'nodetool version'".into(),
    }));
    check("doctor_troubles.txt", &printed(&topology, &look));
}
