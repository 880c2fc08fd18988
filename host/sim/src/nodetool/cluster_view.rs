//! `nodetool describecluster`, `gossipinfo` and `failuredetector`: what a node knows of the others.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Call, MEANINGLESS};
use crate::cluster::Phase;
use crate::spec::Version;

impl Call<'_> {
    pub(super) fn describecluster(&self) -> String {
        let world = self.world;
        let view = self.cluster.view(self.node);
        let mut out = format!(
            "Cluster Information:\n\tName: {}\n\tSnitch: org.apache.cassandra.locator.GossipingPropertyFileSnitch\n\tDynamicEndPointSnitch: enabled\n\tPartitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\tSchema versions:\n",
            world.spec.cluster_name
        );
        // Every node is asked: one that gossip still believes up but that doesn't answer is unreachable.
        let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut unreachable = Vec::new();
        for seen in &view {
            let address = self.address(seen.node);
            if seen.node == self.node || (seen.up && self.cluster.answers(seen.node)) {
                let version =
                    world.schema_version(seen.node, self.cluster.node(seen.node).other_schema);
                versions.entry(version).or_default().push(address);
            } else {
                unreachable.push(address);
            }
        }
        let groups = versions
            .into_iter()
            .chain((!unreachable.is_empty()).then(|| ("UNREACHABLE".to_owned(), unreachable)));
        for (version, addresses) in groups {
            let _ = writeln!(out, "\t\t{version}: [{}]\n", addresses.join(", "));
        }
        if self.version() < Version::V4_0_17 {
            return out;
        }
        let live = view.iter().filter(|seen| seen.up).count();
        let _ = writeln!(
            out,
            "Stats for all nodes:\n\tLive: {live}\n\tJoining: 0\n\tMoving: 0\n\tLeaving: 0\n\tUnreachable: {}",
            view.len() - live
        );
        let meaningless = self.keyspace.is_none() && self.ownership() == Err(MEANINGLESS);
        if meaningless && self.version() != Version::V5_0_4 {
            let _ = writeln!(out, "Error: {MEANINGLESS}");
        }
        let mut dcs: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for seen in &view {
            let (nodes, down) = dcs.entry(&world.members[seen.node].dc).or_default();
            *nodes += 1;
            *down += usize::from(!seen.up);
        }
        out.push_str("\nData Centers: \n");
        for (dc, (nodes, down)) in dcs {
            let _ = writeln!(out, "\t{dc} #Nodes: {nodes} #Down: {down}");
        }
        let mut releases: BTreeMap<Version, Vec<String>> = BTreeMap::new();
        for seen in &view {
            let address = format!("{}:7000", world.members[seen.node].address);
            releases.entry(world.spec.version_of(seen.node)).or_default().push(address);
        }
        out.push_str("\nDatabase versions:\n");
        for (release, addresses) in releases {
            let _ = writeln!(out, "\t{release}: [{}]\n", addresses.join(", "));
        }
        out.push_str("Keyspaces:\n");
        for keyspace in &world.spec.keyspaces {
            let _ =
                writeln!(out, "\t{} -> Replication class: {}", keyspace.name, keyspace.replication);
        }
        if meaningless && self.version() == Version::V5_0_4 {
            let _ = writeln!(out, "\nNote: {MEANINGLESS}");
        }
        out
    }

    pub(super) fn gossipinfo(&self) -> String {
        let world = self.world;
        let mut out = String::new();
        for seen in self.cluster.view(self.node) {
            let member = &world.members[seen.node];
            let state = self.cluster.node(seen.node);
            let down = !seen.up && state.announced;
            let status = match member.tokens.first() {
                _ if down => "shutdown,true".to_owned(),
                Some(token) => format!("NORMAL,{token}"),
                None => "NORMAL".to_owned(),
            };
            let serving = seen.up && state.serves_clients();
            let heartbeat = state.uptime_s(self.now) + 60;
            let _ = writeln!(out, "/{}", self.address(seen.node));
            let _ = writeln!(out, "  generation:{}\n  heartbeat:{heartbeat}", state.generation);
            let old = self.version() < Version::V4_0_17;
            if old {
                let _ = writeln!(out, "  STATUS:22:{status}");
            }
            let _ = writeln!(out, "  LOAD:{}:{}.0", heartbeat - 10, member.load_bytes);
            let schema = world.schema_version(seen.node, state.other_schema);
            let _ = writeln!(out, "  SCHEMA:17:{schema}");
            let _ = writeln!(out, "  DC:13:{}\n  RACK:15:{}", member.dc, member.rack);
            let release = world.spec.version_of(seen.node);
            let _ = writeln!(out, "  RELEASE_VERSION:6:{release}");
            if old {
                let _ = writeln!(out, "  INTERNAL_IP:8:{0}\n  RPC_ADDRESS:4:{0}", member.address);
            }
            let net = if old { 11 } else { 12 };
            let _ = writeln!(out, "  NET_VERSION:2:{net}\n  HOST_ID:3:{}", member.host_id);
            let _ = writeln!(out, "  RPC_READY:25:{serving}");
            if !old {
                let _ = writeln!(
                    out,
                    "  INTERNAL_ADDRESS_AND_PORT:9:{0}:7000\n  NATIVE_ADDRESS_AND_PORT:4:{0}:9042",
                    member.address
                );
                let _ =
                    writeln!(out, "  STATUS_WITH_PORT:22:{status}\n  SSTABLE_VERSIONS:7:big-nb");
            }
            out.push_str("  TOKENS:21:<hidden>\n");
        }
        out.push('\n');
        out
    }

    /// `tablestats`: every keyspace with one table.
    pub(super) fn tablestats(&self) -> String {
        let keyspaces = &self.world.spec.keyspaces;
        let colon = if self.version() < Version::V5_0_4 { " :" } else { ":" };
        let mut out = format!("Total number of tables: {}\n----------------\n", keyspaces.len());
        for keyspace in keyspaces {
            let _ = writeln!(
                out,
                "Keyspace{colon} {}\n\tRead Count: 0\n\tRead Latency: NaN ms\n\tWrite Count: 0\n\tWrite Latency: NaN ms\n\tPending Flushes: 0\n\t\tTable: t\n\t\tSSTable count: 0\n\t\tSpace used (live): 0\n\t\tDropped Mutations: 0\n\n----------------",
                keyspace.name
            );
        }
        out
    }

    pub(super) fn failuredetector(&self) -> String {
        let mut out = String::from("  Endpoint,             Phi\n");
        for seen in self.cluster.view(self.node).into_iter().filter(|seen| seen.node != self.node) {
            let address = self.address(seen.node);
            // The suspicion grows while nothing is heard; a node is taken as down at 8.
            let phi = match self.cluster.node(seen.node).phase {
                Phase::Up => "0.35302921",
                _ if seen.up => "4.70912838",
                _ => "21.88372043",
            };
            let _ = writeln!(out, "/{address},      {phi}");
        }
        out
    }
}
