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
        let members = members(&read("status.txt"), &read("ring.txt"), &read("gossipinfo.txt"));
        let spec = SimSpec {
            version,
            vnodes: members[0].tokens.len(),
            keyspaces: keyspaces(&read("describecluster.txt")),
            ..SimSpec::default()
        };
        Self { folder, version, world: world(spec, members) }
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
        text.replace(&schema, &self.world.schema_version(0, false))
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

fn world(spec: SimSpec, members: Vec<Member>) -> World {
    let members: Arc<[Member]> = members.into();
    let held: Vec<_> =
        spec.keyspaces.iter().map(|keyspace| place(&members, &keyspace.replication)).collect();
    let judge = Judge::new(&members, &spec.keyspaces, &held);
    let cluster = Cluster::new(
        Arc::clone(&members),
        Timings::fast(),
        FreshView::Absent,
        1_795_308_475,
        judge,
    );
    World::new(spec, PathBuf::new(), members, held, cluster)
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

/// The addresses of each list in order, which means nothing in 4.0.
fn lists_in_order(text: &str) -> String {
    let line = |line: &str| match line.split_once(": [") {
        Some((name, list)) => {
            let mut items: Vec<&str> = list.trim_end_matches(']').split(", ").collect();
            items.sort_unstable();
            format!("{name}: [{}]\n", items.join(", "))
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
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

/// Samples of the commands that matter most.
const ALL: [(Version, &str); 5] = [
    (Version::V5_0_4, "normal"),
    (Version::V5_0_4, "2dc"),
    (Version::V4_1_9, "normal"),
    (Version::V4_0_17, "normal"),
    (Version::V4_0_17, "2dc"),
];

/// Samples of every command.
const WHOLE: [(Version, &str); 3] = [ALL[0], ALL[1], ALL[2]];

#[tokio::test]
async fn status_prints_the_bytes_of_real_nodes() {
    for (version, state) in ALL {
        let sample = Sample::load(version, state);
        sample.same_lines("status", "status").await;
        sample.same_lines("status app_rf3", "status_ks").await;
        if version != Version::V4_0_17 {
            sample.same_lines("status app_rf1", "status_ks_rf1").await;
        }
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
            lists_in_order(&text(&sample.printed("describecluster").await)),
            lists_in_order(&sample.expected("describecluster.txt")),
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
        if version != Version::V4_0_17 {
            sample.same_shape("getcompactionthroughput", "getcompactionthroughput").await;
        }
    }
}

#[tokio::test]
async fn short_answers_are_those_of_real_nodes() {
    for (version, state) in WHOLE {
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
    for (version, state) in WHOLE {
        let sample = Sample::load(version, state);
        let reply = sample.printed("nosuchcommand").await;
        assert_eq!((text(&reply), reply.code), (sample.expected("badcmd.txt"), 1));
        // No release that is simulated has it. Seen on 5.0.4.
        let reply = sample.printed("-h 127.0.0.1 cms describe").await;
        let told = "nodetool: Found unexpected parameters: [cms, describe]\nSee 'nodetool help' or 'nodetool help <command>'.\n";
        assert_eq!((text(&reply), reply.code, &*reply.err), (told.to_owned(), 1, &b""[..]));
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

/// One token per node, two data centers, of which the second has one node. There are no samples of such rings: the lines are
/// those of the program of 4.1.9 and 5.0.4 (`Ring.execute`, `Ring.printDc`).
#[tokio::test]
async fn a_ring_of_single_tokens_has_no_warning_and_a_single_one_is_not_repeated() {
    let node = |last: u8, dc: &str, token: i64| Member {
        address: [127, 0, 0, last].into(),
        dc: dc.to_owned(),
        rack: "rack1".to_owned(),
        host_id: String::new(),
        tokens: vec![token],
        load_bytes: 100 * 1024,
    };
    let nodes = vec![node(1, "dc1", -5), node(2, "dc1", 7), node(3, "dc2", 6)];
    let columns = |cells: [&str; 7]| {
        let [address, rack, status, state, load, owns, token] = cells;
        format!("{address:14}  {rack:12}{status:7}{state:8}{load:16}{owns:20}{token:44}\n")
    };
    let row = |address: &str, owns: &str, token: &str| {
        columns([address, "rack1", "Up", "Normal", "100 KiB", owns, token])
    };
    let heading = columns(["Address", "Rack", "Status", "State", "Load", "Owns", "Token"]);
    let printed = |owns: [&str; 3]| {
        format!(
            "\nDatacenter: dc1\n==========\n{heading}{}{}{}\nDatacenter: dc2\n==========\n{heading}\n{}\n\n  ",
            columns(["", "", "", "", "", "", "7"]),
            row("127.0.0.1", owns[0], "-5"),
            row("127.0.0.2", owns[1], "7"),
            row("127.0.0.3", owns[2], "6"),
        )
    };
    let ring = async |keyspaces: Vec<KeyspaceSpec>| {
        let spec = SimSpec { vnodes: 1, keyspaces, ..SimSpec::default() };
        text(&run(&world(spec, nodes.clone()), 0, &["ring".to_owned()]).await)
    };
    let shop = KeyspaceSpec::network_topology("shop", &[("dc1", 2)]);
    assert_eq!(ring(vec![shop.clone()]).await, printed(["100.00%", "100.00%", "0.00%"]));
    let note = format!("Note: {}\n", super::MEANINGLESS);
    let other = KeyspaceSpec::simple("other", 1);
    assert_eq!(ring(vec![shop, other]).await, printed(["?"; 3]) + &note);
}
