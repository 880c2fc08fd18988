//! `nodetool ring` and `nodetool describering`.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quorate_oracle::HeldRange;

use super::Call;
use crate::placement::ring;
use crate::requests::Reply;
use crate::spec::{Replication, Version};

impl Call<'_> {
    pub(super) fn ring(&self) -> Reply {
        if let Some(refusal) = self.unknown_keyspace() {
            return refusal;
        }
        let (owned, note) = match self.ownership() {
            Ok(owned) => (Some(owned), String::new()),
            Err(why) => (None, format!("Note: {why}\n")),
        };
        let up: BTreeMap<usize, bool> =
            self.cluster.view(self.node).into_iter().map(|seen| (seen.node, seen.up)).collect();
        let mut by_dc: BTreeMap<&str, Vec<(i64, usize)>> = BTreeMap::new();
        for (token, node) in ring(&self.world.members) {
            if up.contains_key(&node) {
                by_dc.entry(&self.world.members[node].dc).or_default().push((token, node));
            }
        }
        // The widest endpoint counts with its port, printed or not.
        let width = up
            .keys()
            .map(|node| format!("{}:7000", self.world.members[*node].address).len())
            .max()
            .unwrap_or_default();
        let mut out = String::from("\n");
        for (dc, tokens) in by_dc {
            let _ = writeln!(out, "Datacenter: {dc}\n==========");
            let line = |out: &mut String, cells: [&str; 7]| {
                let [address, rack, status, state, load, owns, token] = cells;
                let _ = writeln!(
                    out,
                    "{address:width$}  {rack:<12}{status:<7}{state:<8}{load:<16}{owns:<20}{token:<44}"
                );
            };
            line(&mut out, ["Address", "Rack", "Status", "State", "Load", "Owns", "Token"]);
            match &tokens[..] {
                [.., _, (last, _)] => line(&mut out, ["", "", "", "", "", "", &last.to_string()]),
                // Of one token alone it isn't repeated: the line is empty.
                _ => out.push('\n'),
            }
            for (token, node) in tokens {
                let member = &self.world.members[node];
                let owns = owned
                    .as_ref()
                    .map_or_else(|| "?".to_owned(), |owned| format!("{:.2}%", owned[node] * 100.0));
                let status = if up[&node] { "Up" } else { "Down" };
                let (address, load, token) = (self.address(node), member.load(), token.to_string());
                let cells = [&*address, &member.rack, status, "Normal", &load, &owns, &token];
                line(&mut out, cells);
            }
            out.push('\n');
        }
        if self.world.spec.vnodes > 1 {
            out.push_str("  Warning: \"nodetool ring\" is used to output all the tokens of a node.\n  To view status related info of a node use \"nodetool status\" instead.\n\n");
        }
        let _ = write!(out, "\n  {note}");
        Reply::out(out)
    }

    pub(super) fn describering(&self) -> Reply {
        let world = self.world;
        let Some(name) = self.keyspace else {
            return Reply::of(
                1,
                "nodetool: Required parameters are missing: keyspace\nSee 'nodetool help' or 'nodetool help <command>'.\n",
                "",
            );
        };
        let schema = world.schema_version(self.node, self.cluster.node(self.node).other_schema);
        let mut out = format!("Schema Version:{schema}\nTokenRange: \n");
        let Some((keyspace, ranges)) = world
            .spec
            .keyspaces
            .iter()
            .zip(&world.held)
            .find(|(keyspace, _)| keyspace.name == name)
        else {
            return Reply::of(2, out, no_such_keyspace(name, self.version()));
        };
        let local;
        let ranges = if keyspace.replication == Replication::Local {
            local = self.own_ranges();
            &local
        } else {
            ranges
        };
        for range in self.shuffled(ranges.iter().collect()) {
            self.describe_range(&mut out, range);
        }
        Reply::out(out)
    }

    /// With `LocalStrategy` a node shows every range as its own.
    fn own_ranges(&self) -> Vec<HeldRange> {
        let ring = ring(&self.world.members);
        let before = ring.iter().cycle().skip(ring.len() - 1);
        ring.iter()
            .zip(before)
            .map(|((end, _), (start, _))| HeldRange {
                start: *start,
                end: *end,
                replicas: vec![self.node],
                transient: BTreeSet::new(),
                pending: BTreeSet::new(),
            })
            .collect()
    }

    fn describe_range(&self, out: &mut String, range: &HeldRange) {
        let members = &self.world.members;
        let endpoints: Vec<String> =
            range.replicas.iter().map(|node| self.address(*node)).collect();
        let endpoints = endpoints.join(", ");
        let rpc =
            if self.with_ports { endpoints.replace(":7000", ":9042") } else { endpoints.clone() };
        let detail = |node: &usize| {
            format!(
                "EndpointDetails(host:{}, datacenter:{}, rack:{})",
                self.address(*node),
                members[*node].dc,
                members[*node].rack
            )
        };
        let details: Vec<String> = range.replicas.iter().map(detail).collect();
        let _ = writeln!(
            out,
            "\tTokenRange(start_token:{}, end_token:{}, endpoints:[{endpoints}], rpc_endpoints:[{rpc}], endpoint_details:[{}])",
            range.start,
            range.end,
            details.join(", ")
        );
    }
}

fn no_such_keyspace(name: &str, version: Version) -> String {
    let (outer, inner) = match version {
        Version::V3_11_17 => (1940, 1920),
        Version::V4_0_17 => (2272, 2248),
        Version::V4_1_9 => (2430, 2406),
        Version::V5_0_4 => (2578, 2554),
    };
    format!(
        "error: No such keyspace: {name}\n-- StackTrace --\njava.io.IOException: No such keyspace: {name}\n\tat org.apache.cassandra.service.StorageService.describeRingJMX(StorageService.java:{outer})\n\tat org.apache.cassandra.service.StorageService.describeRingJMX(StorageService.java:{inner})\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n\n"
    )
}
