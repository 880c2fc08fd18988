//! `nodetool status`.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Call;
use crate::cluster::Seen;
use crate::requests::Reply;

impl Call<'_> {
    /// What `status` and `ring` say of a keyspace that isn't there.
    pub(super) fn unknown_keyspace(&self) -> Option<Reply> {
        let name = self.keyspace?;
        let known = self.world.spec.keyspaces.iter().any(|keyspace| keyspace.name == name);
        let text = format!("\nError: The keyspace {name}, does not exist\n");
        (!known).then(|| Reply::of(1, text, ""))
    }

    pub(super) fn status(&self) -> Reply {
        if let Some(refusal) = self.unknown_keyspace() {
            return refusal;
        }
        let (owned, note) = match self.ownership() {
            Ok(owned) => (Some(owned), String::new()),
            Err(why) => (None, format!("Note: {why}\n")),
        };
        let single = self.world.spec.vnodes == 1;
        let owns = if owned.is_some() { "Owns (effective)" } else { "Owns" };
        let header: Vec<String> = if single {
            ["--", "Address", "Load", owns, "Host ID", "Token", "Rack"].map(str::to_owned).to_vec()
        } else {
            ["--", "Address", "Load", "Tokens", owns, "Host ID", "Rack"].map(str::to_owned).to_vec()
        };
        let mut by_dc: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        for seen in self.shuffled(self.cluster.view(self.node)) {
            let row = self.status_row(seen, owned.as_deref(), single);
            by_dc.entry(&self.world.members[seen.node].dc).or_default().push(row);
        }
        // One set of widths for all data centers.
        let mut widths: Vec<usize> = header.iter().map(String::len).collect();
        for row in by_dc.values().flatten() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        for (dc, rows) in by_dc {
            let title = format!("Datacenter: {dc}");
            let _ = writeln!(
                out,
                "{title}\n{}\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving",
                "=".repeat(title.len())
            );
            for row in std::iter::once(&header).chain(&rows) {
                let cells: Vec<String> =
                    row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
                let _ = writeln!(out, "{}", cells.join("  "));
            }
            out.push('\n');
        }
        out.push_str(&note);
        Reply::out(out)
    }

    fn status_row(&self, seen: Seen, owned: Option<&[f64]>, single: bool) -> Vec<String> {
        let member = &self.world.members[seen.node];
        let state = if seen.up { "UN" } else { "DN" }.to_owned();
        let owns = owned
            .map_or_else(|| "?".to_owned(), |owned| format!("{:.1}%", owned[seen.node] * 100.0));
        let (address, load) = (self.address(seen.node), member.load());
        let (host_id, rack) = (member.host_id.clone(), member.rack.clone());
        if single {
            let token = member.tokens.first().map(i64::to_string).unwrap_or_default();
            vec![state, address, load, owns, host_id, token, rack]
        } else {
            vec![state, address, load, member.tokens.len().to_string(), owns, host_id, rack]
        }
    }
}
