//! A topology out of the answers of one observer.
use crate::{
    Address, DataCenter, Keyspace, KeyspaceName, Mode, Node, RangeReplicas, ReplicaMap,
    Replication, ReplicationFactor, Topology, TopologyError,
    parse::{ClusterDescription, StatusRow},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

impl Topology {
    /// One guarded keyspace of every distinct replication: those whose ranges
    /// [`Topology::from_parts`] needs. A user's keyspace is preferred to a system keyspace, then the
    /// first by name. Keyspaces without a living replica are left out; see
    /// [`Topology::phantom_keyspaces`].
    pub fn distinct_replications(
        cluster: &ClusterDescription,
        rows: &[StatusRow],
    ) -> Vec<Keyspace> {
        let living = data_centers(rows);
        let mut chosen: BTreeMap<&Replication, &Keyspace> = BTreeMap::new();
        for keyspace in &cluster.keyspaces {
            if keyspace.is_guarded() && has_replicas(&keyspace.replication, &living) {
                let known = chosen.entry(&keyspace.replication).or_insert(keyspace);
                if preference(keyspace) < preference(known) {
                    *known = keyspace;
                }
            }
        }
        let mut keyspaces: Vec<Keyspace> = chosen.into_values().cloned().collect();
        keyspaces.sort_by(|a, b| preference(a).cmp(&preference(b)));
        keyspaces
    }

    /// Guarded keyspaces that no node replicates, because every data center that they list has no
    /// node (or a factor of 0): a finding to report. They have no ranges and hold nothing.
    pub fn phantom_keyspaces(cluster: &ClusterDescription, rows: &[StatusRow]) -> Vec<Keyspace> {
        let living = data_centers(rows);
        let is_phantom = |k: &&Keyspace| k.is_guarded() && !has_replicas(&k.replication, &living);
        cluster.keyspaces.iter().filter(is_phantom).cloned().collect()
    }

    /// Puts the answers of one observer together and checks that they fit.
    ///
    /// `ranges` holds, for each of [`Topology::distinct_replications`], the keyspace and its ranges, in
    /// any order: the same answers make the same topology.
    ///
    /// # Errors
    /// Where the answers contradict each other; see [`TopologyError`].
    pub fn from_parts(
        rows: Vec<StatusRow>,
        cluster: ClusterDescription,
        mut ranges: Vec<(Keyspace, Vec<RangeReplicas>)>,
    ) -> Result<Self, TopologyError> {
        ranges.sort_by(|(a, _), (b, _)| preference(a).cmp(&preference(b)));
        let wanted = Self::distinct_replications(&cluster, &rows);
        let nodes = nodes(rows, &cluster)?;
        check_addresses(&nodes, &cluster)?;
        check_node_counts(&nodes, &cluster)?;
        check_keyspaces(&cluster, &wanted, &ranges)?;
        let replicas = ReplicaMap::new(&nodes, &ranges)?;
        for (keyspace, ranges) in &ranges {
            check_replica_counts(&nodes, keyspace, ranges)?;
        }
        Ok(Self {
            cluster: cluster.name,
            partitioner: cluster.partitioner,
            nodes,
            keyspaces: cluster.keyspaces,
            schema_versions: cluster.schema_versions,
            replicas,
        })
    }
}

fn data_centers(rows: &[StatusRow]) -> BTreeSet<&DataCenter> {
    rows.iter().map(|row| &row.data_center).collect()
}

/// Whether any living data center holds a replica.
fn has_replicas(replication: &Replication, living: &BTreeSet<&DataCenter>) -> bool {
    match replication {
        Replication::NetworkTopology(factors) => {
            factors.iter().any(|(name, factor)| factor.all > 0 && living.contains(name))
        }
        _ => true,
    }
}

/// Explanations name the keyspace that is chosen: one that people know comes first.
fn preference(keyspace: &Keyspace) -> (bool, &KeyspaceName) {
    (keyspace.name.as_str().starts_with("system_"), &keyspace.name)
}

fn nodes(rows: Vec<StatusRow>, cluster: &ClusterDescription) -> Result<Vec<Node>, TopologyError> {
    let versions: BTreeMap<Address, &String> = cluster
        .versions
        .iter()
        .flat_map(|(version, nodes)| nodes.iter().map(move |address| (*address, version)))
        .collect();
    let node = |row: StatusRow| Node {
        host_id: row.host_id,
        address: row.address,
        data_center: row.data_center,
        rack: row.rack,
        status: row.status,
        version: versions.get(&row.address).map(|version| (*version).clone()),
    };
    Topology::order_nodes(rows.into_iter().map(node).collect())
}

/// Every address that `describecluster` names is a node's, and no section names it twice.
fn check_addresses(nodes: &[Node], cluster: &ClusterDescription) -> Result<(), TopologyError> {
    let known: BTreeSet<Address> = nodes.iter().map(|node| node.address).collect();
    let schema = cluster.schema_versions.values().flatten();
    let mut told = BTreeSet::new();
    check_section("schema versions", schema, &known, &mut told)?;
    check_section("unreachable nodes", cluster.unreachable.iter(), &known, &mut told)?;
    let versions = cluster.versions.values().flatten();
    check_section("database versions", versions, &known, &mut BTreeSet::new())
}

fn check_section<'a>(
    section: &'static str,
    addresses: impl Iterator<Item = &'a Address>,
    known: &BTreeSet<Address>,
    told: &mut BTreeSet<Address>,
) -> Result<(), TopologyError> {
    for &address in addresses {
        if !known.contains(&address) {
            return Err(TopologyError::UnknownAddress { section, address });
        }
        if !told.insert(address) {
            return Err(TopologyError::ListedTwice { section, address });
        }
    }
    Ok(())
}

/// Both commands count the nodes that have tokens.
fn check_node_counts(nodes: &[Node], cluster: &ClusterDescription) -> Result<(), TopologyError> {
    let mut rows: BTreeMap<&DataCenter, u32> = BTreeMap::new();
    for node in nodes {
        *rows.entry(&node.data_center).or_default() += 1;
    }
    let names: BTreeSet<&DataCenter> =
        rows.keys().copied().chain(cluster.data_centers.keys()).collect();
    for name in names {
        let counts = (
            rows.get(name).copied().unwrap_or(0),
            cluster.data_centers.get(name).copied().unwrap_or(0),
        );
        if counts.0 != counts.1 {
            return Err(TopologyError::NodeCount {
                data_center: name.clone(),
                rows: counts.0,
                counted: counts.1,
            });
        }
    }
    Ok(())
}

/// The ranges are those of keyspaces that exist as they were asked for, and none is missing.
fn check_keyspaces(
    cluster: &ClusterDescription,
    wanted: &[Keyspace],
    ranges: &[(Keyspace, Vec<RangeReplicas>)],
) -> Result<(), TopologyError> {
    let shown: BTreeMap<&KeyspaceName, &Replication> =
        cluster.keyspaces.iter().map(|k| (&k.name, &k.replication)).collect();
    for (keyspace, _) in ranges {
        if shown.get(&keyspace.name) != Some(&&keyspace.replication) {
            return Err(TopologyError::OtherKeyspace(keyspace.name.clone()));
        }
    }
    let given: BTreeSet<&Replication> = ranges.iter().map(|(k, _)| &k.replication).collect();
    match wanted.iter().find(|keyspace| !given.contains(&keyspace.replication)) {
        None => Ok(()),
        Some(keyspace) => Err(TopologyError::MissingRanges(keyspace.name.clone())),
    }
}

/// Every range has as many replicas as configured, or every node that could be one: otherwise the
/// ranges are of another time, or of another cluster.
fn check_replica_counts(
    nodes: &[Node],
    keyspace: &Keyspace,
    ranges: &[RangeReplicas],
) -> Result<(), TopologyError> {
    let places: Vec<(Option<&DataCenter>, ReplicationFactor)> = match &keyspace.replication {
        Replication::NetworkTopology(factors) => {
            let mut places: BTreeMap<&DataCenter, ReplicationFactor> =
                nodes.iter().map(|n| (&n.data_center, ReplicationFactor::default())).collect();
            for (name, factor) in factors {
                // A data center without nodes shows no replica, whatever is configured.
                places.entry(name).and_modify(|known| *known = *factor);
            }
            places.into_iter().map(|(name, factor)| (Some(name), factor)).collect()
        }
        Replication::Simple(factor) => [(None, *factor)].into(),
        Replication::Everywhere | Replication::Local | Replication::Meta(_) => return Ok(()),
    };
    let by_address: BTreeMap<Address, &Node> = nodes.iter().map(|n| (n.address, n)).collect();
    for (place, factor) in places {
        let is_here = |node: &Node| place.is_none_or(|name| node.data_center == *name);
        // A node that joins replicates nothing yet.
        let able = nodes.iter().filter(|n| is_here(n) && n.status.mode != Mode::Joining).count();
        let expected = factor.all.min(able as u32);
        for range in ranges {
            let here =
                range.endpoints.iter().filter_map(|a| by_address.get(a)).filter(|n| is_here(n));
            let found = here.count() as u32;
            // More than the able ones: a node that just ended joining.
            if found < expected || found > factor.all {
                return Err(TopologyError::ReplicaCount {
                    keyspace: keyspace.name.clone(),
                    end: range.end.clone(),
                    place: place.map_or("the cluster".into(), |name| format!("data center {name}")),
                    found,
                    expected,
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClusterName, HostId, NodeStatus, Rack};
    use alloc::string::ToString;

    /// Nodes 10.0.DC.1 … of data centers `dc1`, `dc2`, …
    fn rows(counts: &[u8]) -> Vec<StatusRow> {
        let mut rows = Vec::new();
        for (dc, count) in (1..).zip(counts) {
            for n in 1..=*count {
                rows.push(StatusRow {
                    status: NodeStatus::UP_NORMAL,
                    address: at(dc, n),
                    load: "?".into(),
                    tokens: Some(1),
                    owns: "?".into(),
                    host_id: Some(HostId::new(format!("{dc}-{n}"))),
                    rack: Rack::new("r"),
                    data_center: DataCenter::new(format!("dc{dc}")),
                });
            }
        }
        rows.reverse();
        rows
    }

    fn at(dc: u8, n: u8) -> Address {
        Address([10, 0, dc, n].into())
    }

    fn keyspace(name: &str, factors: &[(&str, u32)]) -> Keyspace {
        let factor = |(name, all): &(&str, u32)| {
            (DataCenter::new(*name), ReplicationFactor { all: *all, transient: 0 })
        };
        Keyspace {
            name: KeyspaceName::new(name),
            replication: Replication::NetworkTopology(factors.iter().map(factor).collect()),
        }
    }

    fn simple(name: &str, all: u32) -> Keyspace {
        let factor = ReplicationFactor { all, transient: 0 };
        Keyspace { name: KeyspaceName::new(name), replication: Replication::Simple(factor) }
    }

    fn cluster(rows: &[StatusRow], keyspaces: &[Keyspace]) -> ClusterDescription {
        let addresses: Vec<Address> = rows.iter().map(|row| row.address).collect();
        let mut data_centers = BTreeMap::new();
        for row in rows {
            *data_centers.entry(row.data_center.clone()).or_insert(0) += 1;
        }
        ClusterDescription {
            name: ClusterName::new("c"),
            partitioner: "Murmur3Partitioner".into(),
            schema_versions: BTreeMap::from([("v".into(), addresses.clone())]),
            unreachable: Vec::new(),
            data_centers,
            versions: BTreeMap::from([("5.0.4".into(), addresses)]),
            keyspaces: keyspaces.to_vec(),
        }
    }

    fn range(endpoints: &[Address]) -> RangeReplicas {
        RangeReplicas { start: "0".into(), end: "0".into(), endpoints: endpoints.into() }
    }

    fn names(keyspaces: &[Keyspace]) -> Vec<&str> {
        keyspaces.iter().map(|k| k.name.as_str()).collect()
    }

    #[test]
    fn one_keyspace_stands_for_all_of_its_replication() {
        let rows = rows(&[3]);
        let cluster = cluster(
            &rows,
            &[
                keyspace("system_auth", &[("dc1", 3)]),
                keyspace("b", &[("dc1", 3)]),
                keyspace("a", &[("dc1", 3)]),
                keyspace("z", &[("dc1", 2)]),
                simple("s", 3),
                simple("system_traces", 2),
                Keyspace { name: KeyspaceName::new("system"), replication: Replication::Local },
            ],
        );
        assert_eq!(names(&Topology::distinct_replications(&cluster, &rows)), ["a", "s", "z"]);
        assert_eq!(names(&Topology::phantom_keyspaces(&cluster, &rows)), [""; 0]);
    }

    #[test]
    fn a_keyspace_of_removed_data_centers_only_is_left_out_and_reported() {
        let rows = rows(&[2]);
        let keyspaces = [
            keyspace("beside", &[("dc1", 2), ("gone", 3)]),
            keyspace("gone", &[("gone", 3)]),
            keyspace("zero", &[("dc1", 0), ("gone", 3)]),
            keyspace("nowhere", &[]),
        ];
        let cluster = cluster(&rows, &keyspaces);
        assert_eq!(names(&Topology::distinct_replications(&cluster, &rows)), ["beside"]);
        assert_eq!(
            names(&Topology::phantom_keyspaces(&cluster, &rows)),
            ["gone", "zero", "nowhere"]
        );
        let ranges = [(keyspaces[0].clone(), [range(&[at(1, 1), at(1, 2)])].into())].into();
        let topology = Topology::from_parts(rows, cluster, ranges).unwrap();
        assert_eq!(topology.keyspaces.len(), 4);
    }

    #[test]
    fn nodes_are_ordered_and_know_their_version() {
        let rows = rows(&[2, 1]);
        let app = keyspace("app", &[("dc1", 2), ("dc2", 1)]);
        let mut cluster = cluster(&rows, core::slice::from_ref(&app));
        cluster.versions = BTreeMap::from([
            ("4.1.9".into(), [at(1, 2)].into()),
            ("5.0.4".into(), [at(2, 1)].into()),
        ]);
        let ranges = [(app, [range(&[at(1, 1), at(1, 2), at(2, 1)])].into())].into();
        let topology = Topology::from_parts(rows, cluster, ranges).unwrap();
        let seen: Vec<_> =
            topology.nodes.iter().map(|n| (n.address, n.version.as_deref())).collect();
        assert_eq!(seen, [(at(1, 1), None), (at(1, 2), Some("4.1.9")), (at(2, 1), Some("5.0.4"))]);
        let neighbours: Vec<_> = topology.replicas.neighbours(crate::NodeId(0)).collect();
        assert_eq!(neighbours.len(), 1);
    }

    type Ranges = Vec<(Keyspace, Vec<RangeReplicas>)>;

    /// A whole set of answers, to be spoilt.
    fn answers() -> (Vec<StatusRow>, ClusterDescription, Ranges) {
        let rows = rows(&[3]);
        let app = keyspace("app", &[("dc1", 2)]);
        let cluster = cluster(&rows, &[app.clone(), simple("s", 1)]);
        let ranges = [
            (app, [range(&[at(1, 1), at(1, 2)])].into()),
            (simple("s", 1), [range(&[at(1, 3)])].into()),
        ];
        (rows, cluster, ranges.into())
    }

    #[test]
    fn answers_that_contradict_each_other_are_refused() {
        let (rows, cluster, ranges) = answers();
        let whole = Topology::from_parts(rows.clone(), cluster.clone(), ranges.clone());
        assert!(whole.is_ok(), "{whole:?}");
        type Spoil = dyn Fn(&mut Vec<StatusRow>, &mut ClusterDescription, &mut Ranges);
        let refused = |spoil: &Spoil| {
            let (mut rows, mut cluster, mut ranges) = answers();
            spoil(&mut rows, &mut cluster, &mut ranges);
            Topology::from_parts(rows, cluster, ranges).unwrap_err().to_string()
        };
        let has = |text: String, part: &str| assert!(text.contains(part), "{text}");
        has(refused(&|rows, _, _| rows[0].address = rows[1].address), "address 10.0.1.2 twice");
        has(refused(&|rows, _, _| rows[0].host_id = rows[1].host_id.clone()), "host id 1-2 twice");
        has(
            refused(&|rows, _, _| drop(rows.remove(0))),
            "names 10.0.1.3 among its schema versions",
        );
        has(
            refused(&|_, c, _| c.unreachable.push(at(9, 9))),
            "10.0.9.9 among its unreachable nodes",
        );
        has(refused(&|_, c, _| c.unreachable.push(at(1, 1))), "twice among its unreachable nodes");
        has(
            refused(&|_, c, _| drop(c.versions.insert("4.1.9".into(), [at(1, 1)].into()))),
            "twice among its database versions",
        );
        has(
            refused(&|_, c, _| c.data_centers.extend([(DataCenter::new("dc1"), 4)])),
            "lists 3 nodes in data center dc1, describecluster counts 4",
        );
        has(refused(&|_, c, _| c.data_centers.extend([(DataCenter::new("x"), 1)])), "center x");
        has(refused(&|_, _, r| drop(r.remove(0))), "the ranges of keyspace app are missing");
        has(refused(&|_, c, _| drop(c.keyspaces.remove(0))), "keyspace app were read");
        has(
            refused(&|_, c, _| c.keyspaces[0] = keyspace("app", &[("dc1", 3)])),
            "keyspace app were read",
        );
        has(refused(&|_, _, r| r[0].1.clear()), "describering app shows no range");
        has(refused(&|_, _, r| r[0].1[0].endpoints.clear()), "shows no replica");
        has(refused(&|_, _, r| r[0].1[0].endpoints.push(at(8, 8))), "names 10.0.8.8");
        has(
            refused(&|_, _, r| r[0].1[0].endpoints.truncate(1)),
            "shows 1 replicas in data center dc1 for the range that ends at 0, but its replication makes that 2",
        );
        has(refused(&|_, _, r| r[0].1[0].endpoints.push(at(1, 3))), "shows 3 replicas");
        has(refused(&|_, _, r| r[1].1[0].endpoints.push(at(1, 1))), "2 replicas in the cluster");
    }

    #[test]
    fn the_order_of_the_answers_changes_nothing() {
        let (rows, mut cluster, mut ranges) = answers();
        let both = simple("s", 2);
        cluster.keyspaces[1] = both.clone();
        ranges[1] = (both, [range(&[at(1, 2), at(1, 1)])].into());
        let one = Topology::from_parts(rows.clone(), cluster.clone(), ranges.clone()).unwrap();
        ranges.reverse();
        let mut turned = rows;
        turned.reverse();
        assert_eq!(Topology::from_parts(turned, cluster, ranges), Ok(one.clone()));
        let (a, b) = (crate::NodeId(0), crate::NodeId(1));
        assert_eq!(one.replicas.shared(a, b).map(|k| k.as_str()), Some("app"));
    }

    #[test]
    fn fewer_nodes_than_the_factor_are_enough_and_joining_ones_do_not_count() {
        let mut rows = rows(&[3]);
        rows[0].status = NodeStatus::from_letters("UJ").unwrap();
        let app = keyspace("app", &[("dc1", 3)]);
        let cluster = cluster(&rows, core::slice::from_ref(&app));
        let two = [(app.clone(), [range(&[at(1, 1), at(1, 2)])].into())];
        assert!(Topology::from_parts(rows.clone(), cluster.clone(), two.into()).is_ok());
        let one = [(app, [range(&[at(1, 1)])].into())];
        assert!(Topology::from_parts(rows, cluster, one.into()).is_err());
    }
}
