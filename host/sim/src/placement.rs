//! Which nodes hold which range, the naive way. It shares no code with the product's own placement on purpose: a bug must not be able
//! to hide in both. Every range walks the whole ring anew.
use std::collections::{BTreeMap, BTreeSet};

use crate::members::Member;
use crate::spec::Replication;

/// A range `(start, end]` and who holds it, nearest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldRange {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Indexes of nodes.
    pub(crate) replicas: Vec<usize>,
}

impl HeldRange {
    /// Its part of the whole ring.
    pub(crate) fn fraction(&self) -> f64 {
        let width = (i128::from(self.end) - i128::from(self.start)).rem_euclid(1 << 64);
        // A ring of one token is one range that holds everything.
        if width == 0 { 1.0 } else { width as f64 / (1_u128 << 64) as f64 }
    }
}

/// Every range of the ring with its replicas; empty for `LocalStrategy`, which has none.
pub(crate) fn place(members: &[Member], replication: &Replication) -> Vec<HeldRange> {
    if *replication == Replication::Local {
        return Vec::new();
    }
    let ring = ring(members);
    let racks = racks(members);
    let mut ranges = Vec::with_capacity(ring.len());
    for (position, (end, _)) in ring.iter().enumerate() {
        let before = if position == 0 { ring.len() - 1 } else { position - 1 };
        let replicas = match replication {
            Replication::NetworkTopology(per_dc) => {
                let met = walk(&ring, position, members.len(), |met| {
                    decided(members, &racks, met, per_dc)
                });
                network_topology(members, &met, per_dc)
            }
            Replication::Simple(rf) => walk(&ring, position, members.len(), |met| met.len() >= *rf),
            Replication::Local => Vec::new(),
        };
        ranges.push(HeldRange { start: ring[before].0, end: *end, replicas });
    }
    ranges
}

/// All tokens with their owners, ascending.
pub(crate) fn ring(members: &[Member]) -> Vec<(i64, usize)> {
    let mut ring: Vec<(i64, usize)> = members
        .iter()
        .enumerate()
        .flat_map(|(node, member)| member.tokens.iter().map(move |token| (*token, node)))
        .collect();
    ring.sort_unstable();
    ring
}

/// The nodes of each rack, by data center and rack.
fn racks(members: &[Member]) -> BTreeMap<(&str, &str), usize> {
    let mut racks = BTreeMap::new();
    for member in members {
        *racks.entry((member.dc.as_str(), member.rack.as_str())).or_default() += 1;
    }
    racks
}

/// Every node once, in the order in which the ring is met from `position`, until there are enough.
fn walk(
    ring: &[(i64, usize)],
    position: usize,
    nodes: usize,
    enough: impl Fn(&[usize]) -> bool,
) -> Vec<usize> {
    let mut order = Vec::new();
    for step in 0..ring.len() {
        if order.len() == nodes || enough(&order) {
            break;
        }
        let node = ring[(position + step) % ring.len()].1;
        if !order.contains(&node) {
            order.push(node);
        }
    }
    order
}

/// Whether no node further along the ring can be a replica: every data center has shown as many nodes as it needs, from as many racks.
fn decided(
    members: &[Member],
    racks: &BTreeMap<(&str, &str), usize>,
    met: &[usize],
    per_dc: &[(String, usize)],
) -> bool {
    per_dc.iter().all(|(dc, rf)| {
        let all = || racks.iter().filter(|((of, _), _)| of == dc);
        let local: Vec<&Member> =
            met.iter().map(|node| &members[*node]).filter(|member| member.dc == *dc).collect();
        let met_racks: BTreeSet<&str> = local.iter().map(|member| member.rack.as_str()).collect();
        local.len() >= *rf.min(&all().map(|(_, nodes)| nodes).sum())
            && met_racks.len() >= *rf.min(&all().count())
    })
}

/// Per data center: the first node of every rack, as many as RF allows; where the racks are fewer than RF, also the nearest of the
/// other nodes, as many as are missing. Then all of them in the order of the walk.
fn network_topology(members: &[Member], walk: &[usize], per_dc: &[(String, usize)]) -> Vec<usize> {
    let mut chosen = vec![false; members.len()];
    for (dc, rf) in per_dc {
        let local: Vec<usize> =
            walk.iter().copied().filter(|node| members[*node].dc == *dc).collect();
        let mut racks: Vec<&str> = Vec::new();
        let (mut first_of_rack, mut others) = (Vec::new(), Vec::new());
        for node in local {
            let rack = members[node].rack.as_str();
            if racks.contains(&rack) {
                others.push(node);
            } else {
                racks.push(rack);
                first_of_rack.push(node);
            }
        }
        let repeats = rf.saturating_sub(racks.len());
        for node in first_of_rack.into_iter().take(*rf).chain(others.into_iter().take(repeats)) {
            chosen[node] = true;
        }
    }
    walk.iter().copied().filter(|node| chosen[*node]).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// `dc/rack/token` per node.
    fn nodes(text: &str) -> Vec<Member> {
        text.split_whitespace()
            .map(|node| {
                let mut parts = node.split('/');
                let (dc, rack, tokens) =
                    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
                Member {
                    address: Ipv4Addr::LOCALHOST,
                    dc: dc.to_owned(),
                    rack: rack.to_owned(),
                    host_id: String::new(),
                    tokens: tokens.split(',').map(|token| token.parse().unwrap()).collect(),
                    load_bytes: 0,
                }
            })
            .collect()
    }

    fn replicas(text: &str, replication: &Replication) -> Vec<Vec<usize>> {
        place(&nodes(text), replication).into_iter().map(|range| range.replicas).collect()
    }

    fn dc1(rf: usize) -> Replication {
        Replication::NetworkTopology(vec![("dc1".to_owned(), rf)])
    }

    #[test]
    fn simple_strategy_takes_the_next_nodes() {
        let ring = "dc1/r1/10 dc1/r1/20 dc1/r1/30 dc1/r1/40";
        assert_eq!(
            replicas(ring, &Replication::Simple(3)),
            [[0, 1, 2], [1, 2, 3], [2, 3, 0], [3, 0, 1]]
        );
    }

    #[test]
    fn as_many_racks_as_replicas_put_one_in_each() {
        let ring = "dc1/r1/10 dc1/r1/20 dc1/r2/30 dc1/r2/40 dc1/r3/50 dc1/r3/60";
        assert_eq!(replicas(ring, &dc1(3))[0], [0, 2, 4]);
        assert_eq!(replicas(ring, &dc1(3))[1], [1, 2, 4]);
        assert_eq!(replicas(ring, &dc1(3))[5], [5, 0, 2]);
    }

    #[test]
    fn more_racks_than_replicas_use_the_nearest_racks() {
        let ring = "dc1/r1/10 dc1/r1/20 dc1/r2/30 dc1/r3/40 dc1/r4/50";
        assert_eq!(replicas(ring, &dc1(2))[0], [0, 2]);
        assert_eq!(replicas(ring, &dc1(2))[4], [4, 0]);
    }

    #[test]
    fn fewer_racks_than_replicas_repeat_the_nearest_nodes_but_keep_every_rack() {
        let ring = "dc1/r1/10 dc1/r1/20 dc1/r1/30 dc1/r2/40";
        // One repeat is allowed; the last place is kept for rack 2.
        assert_eq!(replicas(ring, &dc1(3))[0], [0, 1, 3]);
        assert_eq!(replicas(ring, &dc1(3))[2], [2, 3, 0]);
    }

    #[test]
    fn data_centers_are_placed_apart_and_told_in_ring_order() {
        let ring = "dc1/r1/10 dc2/r1/20 dc1/r2/30 dc2/r2/40 dc1/r3/50";
        let both = Replication::NetworkTopology(vec![("dc1".to_owned(), 2), ("dc2".to_owned(), 1)]);
        assert_eq!(replicas(ring, &both)[0], [0, 1, 2]);
        assert_eq!(replicas(ring, &both)[2], [2, 3, 4]);
    }

    #[test]
    fn a_data_center_smaller_than_rf_uses_all_its_nodes() {
        assert_eq!(replicas("dc1/r1/10 dc1/r1/20", &dc1(3)), [[0, 1], [1, 0]]);
    }

    #[test]
    fn stopping_the_walk_early_changes_no_replica() {
        use crate::random::Random;
        let mut random = Random::new(11);
        for _ in 0..300 {
            let count = 1 + random.below(9);
            let node = |random: &mut Random| {
                let (dc, rack) = (1 + random.below(3), 1 + random.below(4));
                format!(
                    "dc{dc}/r{rack}/{},{}",
                    random.next().cast_signed(),
                    random.next().cast_signed()
                )
            };
            let text: Vec<String> = (0..count).map(|_| node(&mut random)).collect();
            let members = nodes(&text.join(" "));
            let rf = |random: &mut Random| random.below(6) as usize;
            let per_dc = vec![
                ("dc1".to_owned(), rf(&mut random)),
                ("dc2".to_owned(), rf(&mut random)),
                ("gone".to_owned(), 3),
            ];
            let ring = ring(&members);
            for (position, range) in
                place(&members, &Replication::NetworkTopology(per_dc.clone())).iter().enumerate()
            {
                let whole = walk(&ring, position, members.len(), |_| false);
                assert_eq!(
                    range.replicas,
                    network_topology(&members, &whole, &per_dc),
                    "{text:?} {per_dc:?}"
                );
            }
        }
    }

    #[test]
    fn fractions_of_all_ranges_make_the_whole() {
        let total: f64 = place(&nodes("dc1/r1/-5000000000000000000,10 dc1/r1/20"), &dc1(1))
            .iter()
            .map(HeldRange::fraction)
            .sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        assert!((place(&nodes("dc1/r1/5"), &dc1(1))[0].fraction() - 1.0).abs() < 1e-9);
    }
}
