//! Rules of the guard that small rings at random don't reach: what isn't placed by tokens, what is read beside
//! them, and what an operator's options leave under guard.
#![allow(clippy::unwrap_used)]
mod world;

use quorate_fixtures::Cluster;
use quorate_ring::{
    Doubt, DoubtfulRange, Keyspace, KeyspaceName, Mode, NodeId, Replication, Topology, Unclear,
};
use quorate_schedule::{
    End, Guard, Impact, Level, OutCause, Outcome, Phase, Policy, Reason, Strategy, Verdict,
    may_start,
};
use world::{Manner, World, meshed, racked};

fn three_racks() -> Cluster {
    Cluster::new("dc1 r1 2, dc1 r2 2, dc1 r3 2").vnodes(16)
}

fn quorum() -> Policy {
    Policy { strategy: Strategy::Quorum, dc_parallel: true, ..Policy::default() }
}

/// Whom the guard holds while the job has these nodes out, and why.
fn held(topology: &Topology, policy: &Policy, out: &[u32]) -> Vec<(u32, Reason)> {
    let guard = Guard::new(topology, policy);
    let mut outs = guard.nobody_out();
    for node in out {
        outs.put_out(&guard, NodeId(*node), OutCause::Job(Phase::Running));
    }
    let hold = |id: NodeId| match may_start(topology, &guard, &outs, id) {
        Verdict::Admit => None,
        Verdict::Hold(reason) => Some((id.0, reason)),
    };
    topology.ids().filter_map(hold).collect()
}

fn nodes(held: &[(u32, Reason)]) -> Vec<u32> {
    held.iter().map(|(node, _)| *node).collect()
}

#[test]
fn the_cluster_metadata_service_keeps_its_quorum() {
    let mut topology = three_racks().topology();
    topology.keyspaces.push(Keyspace {
        name: KeyspaceName::new("system_cluster_metadata"),
        replication: Replication::Meta("MetaStrategy".into()),
    });
    assert_eq!(nodes(&held(&topology, &quorum(), &[0])), [0; 0], "nobody is a member");
    topology.metadata_service = vec![NodeId(0), NodeId(1), NodeId(4)];
    let waiting = held(&topology, &quorum(), &[0]);
    assert_eq!(nodes(&waiting), [1, 4]);
    let text = waiting[0].1.text(&topology);
    assert_eq!(text, "system_cluster_metadata needs 2 of 3; 10.0.0.0 is running");
    assert_eq!(nodes(&held(&topology, &quorum(), &[2])), [0; 0], "no member is out");
}

#[test]
fn an_accepted_outage_still_takes_one_replica_at_a_time() {
    let topology = three_racks().keyspace("shop", "dc1=2").topology();
    let mut policy = quorum();
    let before = held(&topology, &policy, &[0]);
    policy.guarantee.accepted.insert(KeyspaceName::new("shop"));
    assert_eq!(held(&topology, &policy, &[0]), before);
    assert!(before.len() >= 4, "whoever shares a range with it: {before:?}");
}

#[test]
fn a_node_that_moves_elsewhere_holds_what_is_counted_over_all() {
    let cluster = Cluster::new("dc1 r1 1, dc1 r2 1, dc1 r3 1, dc2 r1 1, dc2 r2 1, dc2 r3 1");
    let mut topology = cluster.vnodes(16).keyspace("shop", "dc1=3 dc2=3").topology();
    topology.nodes[0].status.mode = Mode::Moving;
    assert_eq!(nodes(&held(&topology, &quorum(), &[])), [0, 1, 2]);
    let mut over_all = quorum();
    over_all.guarantee.level = Level::Quorum;
    let waiting = held(&topology, &over_all, &[]);
    assert_eq!(nodes(&waiting), [0, 1, 2, 3, 4, 5]);
    let moves = Reason::TopologyChange(Unclear::Moving(NodeId(0)));
    assert!(waiting.iter().all(|(_, reason)| *reason == moves), "{waiting:?}");
    over_all.guarantee.allow_topology_change = true;
    assert_eq!(nodes(&held(&topology, &over_all, &[])), [0; 0]);
}

#[test]
fn replicas_that_are_described_count_beside_those_of_the_tokens() {
    let mut topology =
        three_racks().keyspace("shop", "dc1=3").keyspace("other", "dc1=1").topology();
    // Of rack r1 both: by their tokens they share nothing.
    assert!(!nodes(&held(&topology, &quorum(), &[0])).contains(&1));
    let doubt = |keyspace: usize| Doubt {
        keyspace: topology.keyspaces[keyspace].name.clone(),
        replication: topology.keyspaces[keyspace].replication.clone(),
        ranges: vec![DoubtfulRange {
            range: (0, 1),
            described: vec![NodeId(0), NodeId(1), NodeId(4)],
            computed: vec![NodeId(0), NodeId(2), NodeId(4)],
        }],
    };
    let (shop, other) = (doubt(0), doubt(1));
    topology.doubts = vec![shop];
    let waiting = held(&topology, &quorum(), &[0]);
    assert_eq!(nodes(&waiting), [1, 2, 3, 4, 5], "both tellings count");
    let text = waiting[0].1.text(&topology);
    assert!(text.ends_with("of shop needs 2 of 3 in dc1; 10.0.0.0 is running"), "{text}");
    // The doubt about one replication is none about another.
    topology.doubts = vec![other];
    assert!(!nodes(&held(&topology, &quorum(), &[0])).contains(&1));
}

#[test]
fn logins_are_kept_at_local_quorum_whatever_the_data_need() {
    let topology = three_racks().keyspace("system_auth", "dc1=3").topology();
    let mut one = quorum();
    one.guarantee.level = Level::One;
    assert_eq!(nodes(&held(&topology, &one, &[0])), [2, 3, 4, 5]);
    one.guarantee.keyspaces.insert(KeyspaceName::new("system_auth"), Level::One);
    assert_eq!(nodes(&held(&topology, &one, &[0])), [0; 0], "unless it is said");
}

#[test]
fn a_node_under_load_is_counted_like_one_that_is_down() {
    let topology = three_racks().keyspace("shop", "dc1=3").topology();
    let load = Policy { impact: Impact::Load, ..quorum() };
    assert_eq!(nodes(&held(&topology, &load, &[0])), [2, 3, 4, 5]);
    assert_eq!(held(&topology, &load, &[0]), held(&topology, &quorum(), &[0]));
    let none = Policy { impact: Impact::None, ..quorum() };
    assert_eq!(nodes(&held(&topology, &none, &[0])), [0; 0]);
}

#[test]
fn who_is_out_since_the_last_run_of_a_job_is_out_in_the_next() {
    // Everybody shows it as UN, and it serves nobody.
    let mut world = World::new(meshed("dc1 r1 3"), quorum());
    let outcome = Outcome::Failed { code: "exit".into(), message: "exit status 1".into() };
    world.manner(0, Manner { outcome, serves_after: u64::MAX, ..Manner::default() });
    assert_eq!(world.run(3_600_000), Some(End::Failed { failed: 1, left: 2 }));
    world.begin(None);
    assert_eq!(world.go_on(60_000), None);
    assert_eq!(world.order(), [0]);
    let text = world.job.holds()[&NodeId(1)].text(world.job.topology());
    assert!(text.ends_with("needs 2 of 3 in dc1; 10.0.0.0 failed and isn't back"), "{text}");
    world.manner(0, Manner::default());
    assert_eq!(world.go_on(3_600_000), Some(End::Failed { failed: 1, left: 0 }));
    assert_eq!(world.order(), [0, 1, 2]);
}

#[test]
fn a_new_map_needs_a_look_of_its_own() {
    // The look that told of the joining node knew nothing of it yet: not that it is down.
    let mut world = World::new(racked("dc1 r1 1, dc1 r2 1, dc1 r3 1"), quorum());
    world.cluster = world.cluster.clone().joining("dc1", "r1", 64);
    world.down.insert(NodeId(3));
    assert_eq!(world.run(60_000), None);
    assert_eq!(world.maps, 1);
    assert!(world.starts.is_empty(), "{:?}", world.order());
    world.down.clear();
    world.cluster.nodes[3].status.mode = Mode::Normal;
    assert_eq!(world.go_on(3_600_000), Some(End::Completed));
    assert_eq!(world.starts.len(), 3);
}
