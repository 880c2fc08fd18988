//! Holds every command against what real nodes printed: a world is built with the addresses, ids, tokens and loads of a sample, and then
//! must print the same bytes, apart from the order of rows and from numbers that only time decides.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::run;
use crate::cluster::Cluster;
use crate::judge::Judge;
use crate::members::Member;
use crate::placement::place;
use crate::requests::Reply;
use crate::spec::{FreshView, KeyspaceSpec, Replication, SimSpec, Timings, Version};
use crate::world::World;

struct Sample {
    folder: PathBuf,
    version: Version,
    world: World,
}

impl Sample {
    fn load(version: Version, state: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/cassandra/samples")
            .join(version.to_string())
            .join(state);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let members: Arc<[Member]> =
            members(&read("status.txt"), &read("ring.txt"), &read("gossipinfo.txt")).into();
        let spec = SimSpec {
            version,
            timings: Timings::fast(),
            keyspaces: keyspaces(&read("describecluster.txt")),
            ..SimSpec::default()
        };
        let held: Vec<_> =
            spec.keyspaces.iter().map(|keyspace| place(&members, &keyspace.replication)).collect();
        let judge = Judge::new(&members, &spec.keyspaces, &held);
        let cluster = Cluster::new(
            Arc::clone(&members),
            spec.timings,
            FreshView::Absent,
            1_795_308_475,
            judge,
        );
        let world = World::new(
            SimSpec { vnodes: members[0].tokens.len(), ..spec },
            PathBuf::new(),
            members,
            held,
            cluster,
        );
        Self { folder, version, world }
    }

    fn expected(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join(name)).unwrap();
        let schema = std::fs::read_to_string(self.folder.join("gossipinfo.txt")).unwrap();
        let schema = schema
            .lines()
            .find(|line| line.contains("SCHEMA"))
            .unwrap()
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned();
        text.replace(&schema, &self.world.schema_version(false))
    }

    async fn printed(&self, command: &str) -> Reply {
        let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
        run(&self.world, 0, &argv).await
    }

    /// The command prints the file's lines, in any order, with the same exit status.
    async fn same_lines(&self, command: &str, file: &str) {
        let reply = self.printed(command).await;
        let (printed, expected) = (text(&reply), self.expected(&format!("{file}.txt")));
        assert_eq!(sorted(&printed), sorted(&expected), "{} {command}", self.version);
        assert_eq!(reply.err, b"", "{command}");
        assert_eq!(reply.code, 0, "{command}");
    }

    /// The same, where numbers may differ.
    async fn same_shape(&self, command: &str, file: &str) {
        let printed = text(&self.printed(command).await);
        assert_eq!(
            without_numbers(&printed),
            without_numbers(&self.expected(&format!("{file}.txt"))),
            "{} {command}",
            self.version
        );
    }
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.out.clone()).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.sort_unstable();
    lines
}

/// Every run of digits (and the blanks that align it) as one sign.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for sign in text.chars() {
        let sign = if sign.is_ascii_digit() { '#' } else { sign };
        if sign == '#' {
            while out.ends_with([' ', '#']) {
                out.pop();
            }
        }
        out.push(sign);
    }
    out
}

fn members(status: &str, ring: &str, gossip: &str) -> Vec<Member> {
    let mut dc = "";
    let mut members = Vec::new();
    for line in status.lines() {
        if let Some(name) = line.strip_prefix("Datacenter: ") {
            dc = name;
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let ["UN" | "DN", address, load, "KiB", .., host_id, rack] = fields[..] {
            let tokens = ring.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let mut tokens: Vec<i64> = tokens
                .filter(|fields| fields.len() > 2 && fields[0] == address)
                .map(|fields| fields[fields.len() - 1].parse().unwrap())
                .collect();
            tokens.sort_unstable();
            // Gossip has the bytes, but may be older than what status shows.
            let shown: f64 = load.parse().unwrap();
            let bytes = (shown * 1024.0).round() as u64;
            assert!(gossip.contains(address));
            members.push(Member {
                address: address.parse().unwrap(),
                dc: dc.to_owned(),
                rack: rack.to_owned(),
                host_id: host_id.to_owned(),
                tokens,
                load_bytes: bytes,
            });
        }
    }
    members.sort_by_key(|member| member.address);
    members
}

fn keyspaces(describecluster: &str) -> Vec<KeyspaceSpec> {
    let lines = describecluster
        .lines()
        .filter_map(|line| line.trim().split_once(" -> Replication class: "));
    lines
        .map(|(name, replication)| {
            let (class, options) = replication.trim_end_matches('}').split_once(" {").unwrap();
            let options: Vec<(String, usize)> = options
                .rsplit(", ")
                .filter_map(|option| option.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.parse().unwrap()))
                .collect();
            let replication = match class {
                "NetworkTopologyStrategy" => Replication::NetworkTopology(options),
                "SimpleStrategy" => Replication::Simple(options[0].1),
                _ => Replication::Local,
            };
            KeyspaceSpec::new(name, replication)
        })
        .collect()
}

const ALL: [(Version, &str); 3] =
    [(Version::V5_0_4, "normal"), (Version::V5_0_4, "2dc"), (Version::V4_1_9, "normal")];

#[tokio::test]
async fn status_prints_the_bytes_of_real_nodes() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        sample.same_lines("status", "status").await;
        sample.same_lines("status app_rf3", "status_ks").await;
        sample.same_lines("status app_rf1", "status_ks_rf1").await;
        // Between the two 4.1.9 files the loads have changed.
        if version == Version::V5_0_4 {
            sample.same_lines("-h 127.0.0.1 -p 7199 -pp status", "status_port").await;
        }
    }
}

#[tokio::test]
async fn replicas_lie_where_real_nodes_have_them() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        for keyspace in ["app_rf3", "app_rf1", "system_auth", "system_traces"] {
            sample
                .same_lines(
                    &format!("describering {keyspace}"),
                    &format!("describering_{keyspace}"),
                )
                .await;
        }
        sample.same_lines("-pp describering app_rf3", "describering_port").await;
    }
}

#[tokio::test]
async fn the_ring_is_printed_as_by_real_nodes() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        assert_eq!(
            text(&sample.printed("ring").await),
            sample.expected("ring.txt"),
            "{version} {state}"
        );
        assert_eq!(
            text(&sample.printed("ring app_rf3").await),
            sample.expected("ring_ks.txt"),
            "{version} {state}"
        );
    }
}

#[tokio::test]
async fn the_cluster_is_described_as_by_real_nodes() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        assert_eq!(
            text(&sample.printed("describecluster").await),
            sample.expected("describecluster.txt"),
            "{version} {state}"
        );
    }
}

#[tokio::test]
async fn a_node_describes_itself_as_real_ones_do() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        sample.same_shape("info", "info").await;
        sample.same_shape("info -T", "info_T").await;
        sample.same_shape("netstats", "netstats").await;
        sample.same_shape("getcompactionthroughput", "getcompactionthroughput").await;
    }
}

#[tokio::test]
async fn short_answers_are_those_of_real_nodes() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        for command in
            ["statusbinary", "statusgossip", "statusbackup", "statushandoff", "version", "getseeds"]
        {
            sample.same_lines(command, command).await;
        }
    }
}

#[tokio::test]
async fn mistakes_are_told_as_by_real_nodes() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        let reply = sample.printed("nosuchcommand").await;
        assert_eq!((text(&reply), reply.code), (sample.expected("badcmd.txt"), 1));
        let reply = sample.printed("describering nosuchks").await;
        assert_eq!((text(&reply), reply.code), (sample.expected("describering_nosuchks.txt"), 2));
        let (printed, expected) =
            (String::from_utf8(reply.err).unwrap(), sample.expected("describering_nosuchks.err"));
        assert_eq!(
            printed.lines().take(5).collect::<Vec<_>>(),
            expected.lines().take(5).collect::<Vec<_>>()
        );
        assert!(printed.lines().all(|line| expected.contains(line)));
    }
}

#[tokio::test]
async fn gossip_has_the_keys_and_values_of_real_nodes() {
    // What real nodes print of a peer that runs since the last restart of the cluster, numbers apart.
    let sample = Sample::load(Version::V5_0_4, "normal");
    let peer = |text: &str| -> Vec<String> {
        text.lines()
            .skip_while(|line| *line != "/127.0.0.2")
            .take(16)
            .map(without_numbers)
            .collect()
    };
    assert_eq!(
        peer(&text(&sample.printed("gossipinfo").await)),
        peer(&sample.expected("gossipinfo.txt"))
    );
}

#[tokio::test]
async fn a_dead_node_shows_as_with_real_nodes() {
    let sample = Sample::load(Version::V5_0_4, "dn");
    sample.world.with(|cluster, now| {
        cluster.kill(now, 2);
        cluster.advance(now + Duration::from_secs(60));
    });
    sample.same_lines("status", "status").await;
    sample.same_lines("status app_rf3", "status_ks").await;
    sample.same_lines("describering app_rf3", "describering_app_rf3").await;
    sample.same_lines("ring", "ring").await;
    assert_eq!(
        text(&sample.printed("describecluster").await),
        sample.expected("describecluster.txt")
    );
}

#[tokio::test]
async fn a_killed_node_is_unreachable_before_gossip_knows() {
    let sample = Sample::load(Version::V5_0_4, "normal");
    sample.world.with(|cluster, now| cluster.kill(now, 2));
    sample.same_lines("status", "status").await;
    assert!(
        text(&sample.printed("describecluster").await).contains("\t\tUNREACHABLE: [127.0.0.3]\n")
    );
}

#[tokio::test]
async fn one_token_per_node_has_its_own_columns() {
    let mut sample = Sample::load(Version::V5_0_4, "normal");
    sample.world.spec.vnodes = 1;
    let printed = text(&sample.printed("status").await);
    let header = "--  Address    Load        Owns  Host ID                               Token                 Rack ";
    assert_eq!(printed.lines().nth(4), Some(header));
    assert!(printed.contains("UN  127.0.0.1  105.58 KiB  ?     b32e66dd-00e9-4b4d-833d-d29c4a2ecb8e  -7486155935075413938  rack1\n"), "{printed}");
}

#[tokio::test]
async fn a_single_replication_of_user_keyspaces_gives_effective_ownership() {
    let mut sample = Sample::load(Version::V5_0_4, "normal");
    sample
        .world
        .spec
        .keyspaces
        .retain(|keyspace| keyspace.is_system() || keyspace.name == "app_rf3");
    sample.world.held = sample
        .world
        .spec
        .keyspaces
        .iter()
        .map(|keyspace| place(&sample.world.members, &keyspace.replication))
        .collect();
    sample.same_lines("status", "status_ks").await;
    assert!(!text(&sample.printed("describecluster").await).contains("Note"));
}
