//! A topology out of the answers of one observer.
use crate::{
    Address, DataCenter, Keyspace, KeyspaceName, Mode, Node, NodeId, NodeStatus, Partitioner,
    Replacement, Replication, RingShape, Token, TokenRing, Topology, TopologyError,
    parse::{ClusterDescription, Described, RingRow, StatusRow},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

impl Topology {
    /// One guarded keyspace of every distinct replication: those whose ranges are worth comparing with the
    /// tokens. A user's keyspace is preferred to a system keyspace, then the
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
    /// `ranges` holds what `describering` shows for as many of [`Topology::distinct_replications`] as were
    /// asked for; where it says otherwise than the tokens, the topology has a [`Doubt`](crate::Doubt).
    /// The order of the answers changes nothing.
    ///
    /// # Errors
    /// Where the answers contradict each other; see [`TopologyError`].
    pub fn from_parts(
        rows: Vec<StatusRow>,
        cluster: ClusterDescription,
        ring: Vec<RingRow>,
        ranges: &[(Keyspace, Described)],
    ) -> Result<Self, TopologyError> {
        check_keyspaces(&cluster, ranges)?;
        let described: Vec<&Described> = ranges.iter().map(|(_, described)| described).collect();
        let mut topology = Self::without_doubts(rows, cluster, ring, &described)?;
        topology.hold_against(ranges)?;
        Ok(topology)
    }

    /// Puts the answers of one observer together that doesn't tell how keyspaces are replicated (before 4.0).
    ///
    /// `ranges` holds what `describering` shows for every keyspace whose placement follows the tokens; `cluster`
    /// lists no others than those that are known without it. How a keyspace is replicated is taken from `given`,
    /// what a person said of it, or read off its ranges.
    ///
    /// # Errors
    /// Where the answers contradict each other, or what was given.
    pub fn from_ranges(
        rows: Vec<StatusRow>,
        cluster: ClusterDescription,
        ring: Vec<RingRow>,
        ranges: Vec<(KeyspaceName, Described)>,
        given: &BTreeMap<KeyspaceName, Replication>,
    ) -> Result<Self, TopologyError> {
        let described: Vec<&Described> = ranges.iter().map(|(_, described)| described).collect();
        let mut topology = Self::without_doubts(rows, cluster, ring, &described)?;
        let mut told = Vec::new();
        for (name, described) in ranges {
            let replication = match given.get(&name) {
                Some(replication) => {
                    let keyspace =
                        Keyspace { name: name.clone(), replication: replication.clone() };
                    topology.check_given(&keyspace, &described)?;
                    told.push((keyspace, described));
                    replication.clone()
                }
                None => {
                    let inferred = topology.infer(&name, &described)?;
                    let first = inferred.readings[0].replication.clone();
                    topology.inferred.push(inferred);
                    first
                }
            };
            topology.keyspaces.push(Keyspace { name, replication });
        }
        topology.inferred.sort_by(|a, b| a.keyspace.cmp(&b.keyspace));
        topology.hold_against(&told)?;
        Ok(topology)
    }

    /// Checks what a person said of keyspaces against what the cluster tells.
    ///
    /// # Errors
    /// The first that is told otherwise. A keyspace that isn't there is no error here.
    pub fn check_by_hand(
        told: &[Keyspace],
        given: &BTreeMap<KeyspaceName, Replication>,
    ) -> Result<(), TopologyError> {
        let other = told.iter().find(|keyspace| {
            given.get(&keyspace.name).is_some_and(|given| *given != keyspace.replication)
        });
        match other {
            None => Ok(()),
            Some(keyspace) => Err(TopologyError::ToldOtherwise {
                keyspace: keyspace.name.clone(),
                told: keyspace.replication.clone(),
            }),
        }
    }

    fn without_doubts(
        rows: Vec<StatusRow>,
        cluster: ClusterDescription,
        ring: Vec<RingRow>,
        ranges: &[&Described],
    ) -> Result<Self, TopologyError> {
        let partitioner = Partitioner::from_class(&cluster.partitioner)
            .ok_or_else(|| TopologyError::UnknownPartitioner(cluster.partitioner.clone()))?;
        let shape = RingShape::of(&rows);
        let count = |row: &StatusRow| row.tokens.or(row.token.as_ref().map(|_| 1));
        let counts: Vec<_> = rows.iter().map(|row| (row.address, count(row))).collect();
        check_node_counts(&rows, &cluster)?;
        let dead = replaced_nodes(&rows, ranges);
        let nodes = nodes(rows, dead, &cluster)?;
        let strangers = strangers(&nodes, &cluster)?;
        let ring = token_ring(&nodes, &counts, ring, ranges, partitioner)?;
        Ok(Self {
            cluster: cluster.name,
            partitioner,
            nodes,
            gone: BTreeSet::new(),
            keyspaces: cluster.keyspaces,
            inferred: Vec::new(),
            schema_versions: cluster.schema_versions,
            ring,
            doubts: Vec::new(),
            metadata_service: Vec::new(),
            strangers,
            shape,
        })
    }

    /// Compares what `describering` shows with what follows from the tokens.
    fn hold_against(&mut self, ranges: &[(Keyspace, Described)]) -> Result<(), TopologyError> {
        let mut doubts = Vec::new();
        for (keyspace, ranges) in ranges {
            doubts.extend(self.compare(&keyspace.name, &keyspace.replication, ranges)?);
        }
        doubts.sort_by(|a, b| a.keyspace.cmp(&b.keyspace));
        self.doubts = doubts;
        Ok(())
    }
}

/// The owners of all tokens, checked against what `status` counts.
fn token_ring(
    nodes: &[Node],
    counts: &[(Address, Option<u32>)],
    rows: Vec<RingRow>,
    ranges: &[&Described],
    partitioner: Partitioner,
) -> Result<TokenRing, TopologyError> {
    let ids: BTreeMap<Address, NodeId> =
        (0..).map(NodeId).zip(nodes).map(|(id, node)| (node.address, id)).collect();
    let mut owned = Vec::with_capacity(rows.len());
    let mut listed: BTreeMap<Address, u32> = BTreeMap::new();
    for row in rows {
        let id = ids.get(&row.address).ok_or(TopologyError::UnknownOwner(row.address))?;
        *listed.entry(row.address).or_default() += 1;
        owned.push((row.token, *id));
    }
    for (address, counted) in counts {
        let listed = listed.get(address).copied().unwrap_or(0);
        if let Some(counted) = counted.filter(|counted| *counted != listed) {
            return Err(TopologyError::TokenCount { address: *address, counted, listed });
        }
    }
    let counted: BTreeSet<Address> = counts.iter().map(|(address, _)| *address).collect();
    let mut replaced = Vec::new();
    for (dead, node) in (0..).map(NodeId).zip(nodes) {
        if !counted.contains(&node.address) {
            let by = replacement(nodes, node, &owned, ranges, partitioner)
                .ok_or(TopologyError::UnclearReplacement(node.address))?;
            replaced.push(Replacement { dead, by });
        }
    }
    TokenRing::new(owned, replaced).map_err(TopologyError::DuplicateToken)
}

/// Endpoints of ranges that `status` doesn't list: dead nodes that are being replaced. While a node joins
/// with the tokens of a dead one, `status` and `ring` show the joining node instead; `describering` alone goes
/// on listing the dead one, which counts as a replica until the other has joined (seen on 5.0.4).
fn replaced_nodes(rows: &[StatusRow], ranges: &[&Described]) -> Vec<Node> {
    let shown: BTreeSet<Address> = rows.iter().map(|row| row.address).collect();
    let mut dead: BTreeMap<Address, Node> = BTreeMap::new();
    for (address, (data_center, rack)) in ranges.iter().flat_map(|described| &described.places) {
        if !shown.contains(address) {
            dead.insert(
                *address,
                Node {
                    host_id: None,
                    address: *address,
                    data_center: data_center.clone(),
                    rack: rack.clone(),
                    status: NodeStatus::DOWN_NORMAL,
                    version: None,
                },
            );
        }
    }
    dead.into_values().collect()
}

/// The joining node that takes a dead one's place: the only one of its data center at each of whose tokens
/// the dead one is a replica.
fn replacement(
    nodes: &[Node],
    dead: &Node,
    owned: &[(Token, NodeId)],
    ranges: &[&Described],
    partitioner: Partitioner,
) -> Option<NodeId> {
    let held: BTreeSet<Token> = ranges
        .iter()
        .flat_map(|described| &described.ranges)
        .filter(|range| range.endpoints.contains(&dead.address))
        .filter_map(|range| partitioner.parse_token(&range.end))
        .collect();
    let joins = |(id, node): &(NodeId, &Node)| {
        let mut tokens = owned.iter().filter(|(_, owner)| owner == id).peekable();
        node.status.mode == Mode::Joining
            && node.data_center == dead.data_center
            && tokens.peek().is_some()
            && tokens.all(|(token, _)| held.contains(token))
    };
    let mut found = (0..).map(NodeId).zip(nodes).filter(joins).map(|(id, _)| id);
    found.next().filter(|_| found.next().is_none())
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

fn nodes(
    rows: Vec<StatusRow>,
    dead: Vec<Node>,
    cluster: &ClusterDescription,
) -> Result<Vec<Node>, TopologyError> {
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
    Topology::order_nodes(rows.into_iter().map(node).chain(dead).collect())
}

/// Addresses that `describecluster` names and that are no node's; no section names one twice.
fn strangers(
    nodes: &[Node],
    cluster: &ClusterDescription,
) -> Result<BTreeSet<Address>, TopologyError> {
    let known: BTreeSet<Address> = nodes.iter().map(|node| node.address).collect();
    let schema = cluster.schema_versions.values().flatten();
    let mut told = BTreeSet::new();
    check_section("schema versions", schema, &mut told)?;
    check_section("unreachable nodes", cluster.unreachable.iter(), &mut told)?;
    let mut versions = BTreeSet::new();
    check_section("database versions", cluster.versions.values().flatten(), &mut versions)?;
    Ok(told.union(&versions).copied().filter(|address| !known.contains(address)).collect())
}

fn check_section<'a>(
    section: &'static str,
    addresses: impl Iterator<Item = &'a Address>,
    told: &mut BTreeSet<Address>,
) -> Result<(), TopologyError> {
    for &address in addresses {
        if !told.insert(address) {
            return Err(TopologyError::ListedTwice { section, address });
        }
    }
    Ok(())
}

/// Both commands count the nodes that have tokens.
fn check_node_counts(
    nodes: &[StatusRow],
    cluster: &ClusterDescription,
) -> Result<(), TopologyError> {
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

/// The ranges are those of keyspaces that exist as they were asked for.
fn check_keyspaces(
    cluster: &ClusterDescription,
    ranges: &[(Keyspace, Described)],
) -> Result<(), TopologyError> {
    let shown: BTreeMap<&KeyspaceName, &Replication> =
        cluster.keyspaces.iter().map(|k| (&k.name, &k.replication)).collect();
    match ranges.iter().find(|(ks, _)| shown.get(&ks.name) != Some(&&ks.replication)) {
        None => Ok(()),
        Some((keyspace, _)) => Err(TopologyError::OtherKeyspace(keyspace.name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClusterName, HostId, Rack, ReplicationFactor, parse::RangeReplicas};
    use alloc::{format, string::ToString};

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
                    token: None,
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

    /// One token for each row: 11 for 10.0.1.1, 12 for 10.0.1.2, …
    fn ring(rows: &[StatusRow]) -> Vec<RingRow> {
        let token = |row: &StatusRow| match row.address.0 {
            core::net::IpAddr::V4(ip) => {
                Token::Number(i64::from(ip.octets()[2]) * 10 + i64::from(ip.octets()[3]))
            }
            core::net::IpAddr::V6(_) => Token::Number(0),
        };
        let row = |row: &StatusRow| RingRow {
            address: row.address,
            mode: row.status.mode,
            token: token(row),
        };
        rows.iter().map(row).collect()
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
        let ring = ring(&rows);
        let topology = Topology::from_parts(rows, cluster, ring, &[]).unwrap();
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
        let ring = ring(&rows);
        let topology = Topology::from_parts(rows, cluster, ring, &[]).unwrap();
        let seen: Vec<_> =
            topology.nodes.iter().map(|n| (n.address, n.version.as_deref())).collect();
        assert_eq!(seen, [(at(1, 1), None), (at(1, 2), Some("4.1.9")), (at(2, 1), Some("5.0.4"))]);
    }

    type Ranges = Vec<(Keyspace, Described)>;
    type Answers = (Vec<StatusRow>, ClusterDescription, Vec<RingRow>, Ranges);

    /// A whole set of answers, to be spoilt: three nodes with the tokens 11, 12, 13.
    fn answers() -> Answers {
        let rows = rows(&[3]);
        let app = keyspace("app", &[("dc1", 2)]);
        let cluster = cluster(&rows, &[app.clone(), simple("s", 1)]);
        let held = |end: &str, endpoints: &[Address]| RangeReplicas {
            start: "0".into(),
            end: end.into(),
            endpoints: endpoints.into(),
        };
        let described = |ranges: Vec<RangeReplicas>| Described { ranges, places: BTreeMap::new() };
        let (a, b, c) = (at(1, 1), at(1, 2), at(1, 3));
        let ranges = [
            (
                app,
                described([held("11", &[a, b]), held("12", &[b, c]), held("13", &[c, a])].into()),
            ),
            (
                simple("s", 1),
                described([held("11", &[a]), held("12", &[b]), held("13", &[c])].into()),
            ),
        ];
        let ring = ring(&rows);
        (rows, cluster, ring, ranges.into())
    }

    #[test]
    fn answers_that_contradict_each_other_are_refused() {
        let (rows, cluster, ring, ranges) = answers();
        let whole = Topology::from_parts(rows, cluster, ring, &ranges);
        assert_eq!(whole.map(|topology| topology.doubts), Ok(Vec::new()));
        let refused = |spoil: &dyn Fn(&mut Answers)| {
            let mut answers = answers();
            spoil(&mut answers);
            let (rows, cluster, ring, ranges) = answers;
            Topology::from_parts(rows, cluster, ring, &ranges).unwrap_err().to_string()
        };
        let has = |text: String, part: &str| assert!(text.contains(part), "{text}");
        has(refused(&|a| a.0[0].address = a.0[1].address), "address 10.0.1.2 twice");
        has(refused(&|a| a.0[0].host_id = a.0[1].host_id.clone()), "host id 1-2 twice");
        has(refused(&|a| drop(a.0.remove(0))), "lists 2 nodes in data center dc1");
        has(refused(&|a| a.1.unreachable.push(at(1, 1))), "twice among its unreachable nodes");
        has(
            refused(&|a| drop(a.1.versions.insert("4.1.9".into(), [at(1, 1)].into()))),
            "twice among its database versions",
        );
        has(
            refused(&|a| a.1.data_centers.extend([(DataCenter::new("dc1"), 4)])),
            "lists 3 nodes in data center dc1, describecluster counts 4",
        );
        has(refused(&|a| a.1.data_centers.extend([(DataCenter::new("x"), 1)])), "center x");
        has(refused(&|a| a.1.partitioner = "OrderPreservingPartitioner".into()), "isn't known");
        has(refused(&|a| drop(a.1.keyspaces.remove(0))), "keyspace app were read");
        has(
            refused(&|a| a.1.keyspaces[0] = keyspace("app", &[("dc1", 3)])),
            "keyspace app were read",
        );
        has(refused(&|a| a.2[0].address = at(8, 8)), "ring names 10.0.8.8");
        has(refused(&|a| drop(a.2.remove(0))), "counts 1 tokens of 10.0.1.3");
        has(refused(&|a| a.2[0].token = a.2[1].token.clone()), "the token 12 twice");
        has(refused(&|a| a.3[0].1.ranges[0].endpoints.push(at(8, 8))), "names 10.0.8.8");
        has(refused(&|a| a.3[0].1.ranges[0].end = "14".into()), "ends at 14, which is no token");
    }

    #[test]
    fn ranges_that_do_not_follow_from_the_tokens_are_a_doubt_that_names_them() {
        let (rows, cluster, ring, mut ranges) = answers();
        ranges[0].1.ranges[1].endpoints = [at(1, 1), at(1, 2)].into();
        let topology = Topology::from_parts(rows, cluster, ring, &ranges).unwrap();
        let doubts: Vec<_> = topology.doubts.iter().map(|d| d.text(&topology)).collect();
        assert_eq!(
            doubts,
            [
                "app: describering shows the range (11, 12] on 10.0.1.1, 10.0.1.2, its tokens put it on \
              10.0.1.2, 10.0.1.3; both are guarded"
            ]
        );
    }

    #[test]
    fn the_order_of_the_answers_changes_nothing() {
        let (rows, cluster, ring, mut ranges) = answers();
        let one = Topology::from_parts(rows.clone(), cluster.clone(), ring.clone(), &ranges);
        ranges.reverse();
        let turn = |mut list: Vec<StatusRow>| {
            list.reverse();
            list
        };
        let ring = ring.into_iter().rev().collect();
        assert_eq!(Topology::from_parts(turn(rows), cluster, ring, &ranges), one);
    }

    #[test]
    fn who_lingers_in_gossip_or_is_about_to_join_is_a_stranger_and_no_more() {
        let (rows, mut cluster, ring, ranges) = answers();
        cluster.unreachable.push(at(9, 9));
        cluster.versions.insert("4.1.9".into(), [at(9, 9), at(9, 8)].into());
        let topology = Topology::from_parts(rows, cluster, ring, &ranges).unwrap();
        assert_eq!(topology.strangers, BTreeSet::from([at(9, 8), at(9, 9)]));
        assert_eq!(topology.nodes.len(), 3);
    }

    #[test]
    fn two_replacements_that_cannot_be_told_apart_are_refused() {
        let (mut rows, mut cluster, ring, mut ranges) = answers();
        // 10.0.1.2 and 10.0.1.3 join with the tokens of dead nodes of which each range shows both.
        for row in &mut rows[..2] {
            row.status = NodeStatus::from_letters("UJ").unwrap();
        }
        ranges.truncate(1);
        cluster.keyspaces.truncate(1);
        let place = (DataCenter::new("dc1"), Rack::new("r"));
        for dead in [at(1, 8), at(1, 9)] {
            ranges[0].1.places.insert(dead, place.clone());
        }
        for range in &mut ranges[0].1.ranges {
            range.endpoints = [at(1, 8), at(1, 9)].into();
        }
        let error = Topology::from_parts(rows, cluster, ring, &ranges).unwrap_err();
        assert_eq!(error, TopologyError::UnclearReplacement(at(1, 8)));
    }

    #[test]
    fn nodes_keep_their_numbers_in_a_later_map() {
        let (rows, cluster, ring, _) = answers();
        let first = Topology::from_parts(rows, cluster, ring, &[]).unwrap();
        // 10.0.1.1 has left, 10.0.0.9 has come, 10.0.1.2 has another address.
        let mut rows = self::rows(&[3]);
        rows[2].address = at(0, 9);
        rows[2].host_id = Some(HostId::new("new"));
        rows[1].address = at(1, 200);
        let cluster = self::cluster(&rows, &[]);
        let shown = self::ring(&rows);
        let later = Topology::from_parts(rows, cluster, shown, &[]).unwrap().renumbered(&first);
        let addresses: Vec<_> = later.nodes.iter().map(|node| node.address).collect();
        assert_eq!(addresses, [at(1, 1), at(1, 200), at(1, 3), at(0, 9)]);
        assert_eq!(later.gone, BTreeSet::from([NodeId(0)]));
        assert_eq!(later.by_address(at(1, 1)), None);
        let owners: Vec<_> = later.ring.owned().iter().map(|(_, id)| id.0).collect();
        assert_eq!(owners, [3, 2, 1]);
        assert_eq!(later.in_order(), [NodeId(3), NodeId(2), NodeId(1)]);
    }
}
