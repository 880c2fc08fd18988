//! What is different in a later map of a cluster.
use crate::{Keyspace, KeyspaceName, Mode, Topology};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

impl Topology {
    /// What is different since an earlier map with the same numbers, a phrase each.
    pub fn changes(&self, earlier: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (place, node) in self.nodes.iter().enumerate() {
            let id = crate::NodeId(place as u32);
            let before = earlier.nodes.get(place).filter(|_| !earlier.gone.contains(&id));
            let name = node.address;
            let doing = match node.status.mode {
                Mode::Joining => "joins",
                Mode::Leaving => "leaves",
                Mode::Moving => "moves",
                Mode::Normal => "is a normal node",
                Mode::Stopped | Mode::Unknown => "is in an unknown state",
            };
            match before {
                _ if self.gone.contains(&id) => {
                    if before.is_some() {
                        changes.push(format!("{name} left the cluster"));
                    }
                }
                None => changes.push(format!("{name} is new, it {doing}")),
                Some(before) => {
                    if before.address != name {
                        changes.push(format!("{} has the address {name} now", before.address));
                    }
                    if before.status.mode != node.status.mode {
                        changes.push(format!("{name} {doing}"));
                    }
                    if (&before.data_center, &before.rack) != (&node.data_center, &node.rack) {
                        let (dc, rack) = (&node.data_center, &node.rack);
                        changes.push(format!("{name} is in rack {rack} of {dc} now"));
                    }
                }
            }
        }
        changes.extend(self.keyspace_changes(earlier));
        if changes.is_empty() && self.ring != earlier.ring {
            changes.push("tokens have other owners".into());
        }
        if changes.is_empty() {
            changes.push("the schema has another version, its keyspaces are the same".into());
        }
        changes
    }

    fn keyspace_changes(&self, earlier: &Self) -> Vec<String> {
        let by_name = |topology: &Self| -> BTreeMap<KeyspaceName, Keyspace> {
            topology.keyspaces.iter().map(|ks| (ks.name.clone(), ks.clone())).collect()
        };
        let (before, now) = (by_name(earlier), by_name(self));
        let mut changes = Vec::new();
        for (name, keyspace) in &now {
            match before.get(name) {
                None => changes.push(format!("keyspace {name} is new")),
                Some(known) if known.replication != keyspace.replication => {
                    changes.push(format!("keyspace {name} has another replication"));
                }
                Some(_) => {}
            }
        }
        let dropped = before.keys().filter(|name| !now.contains_key(*name));
        changes.extend(dropped.map(|name| format!("keyspace {name} was dropped")));
        changes
    }
}
