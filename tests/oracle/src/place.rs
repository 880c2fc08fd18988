//! Who holds which range.
//!
//! Written down from Cassandra's source as it stands there (4.1 and 5.0): natural replicas from
//! `NetworkTopologyStrategy.calculateNaturalReplicas` and `SimpleStrategy.calculateNaturalReplicas`, pending ones from
//! `TokenMetadata.calculatePendingRanges`.
use std::collections::{BTreeMap, BTreeSet};

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its data center.
    pub dc: String,
    /// Its rack; racks of two data centers may have one name.
    pub rack: String,
    /// Its tokens. A joining node that has those of another one replaces it.
    pub tokens: Vec<i64>,
    /// What it does in the ring.
    pub mode: Mode,
}

/// What a node does in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It owns its tokens.
    Normal,
    /// Its tokens will be its own.
    Joining,
    /// Its tokens are its own for a while yet.
    Leaving,
    /// It owns its tokens and will own others. Which aren't known here: nobody is pending because of it.
    Moving,
}

/// A replication factor; the transient replicas are among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Replicas.
    pub all: usize,
    /// Transient ones among them.
    pub transient: usize,
}

/// A replication strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// `NetworkTopologyStrategy`: a factor per data center.
    NetworkTopology(Vec<(String, Factor)>),
    /// `SimpleStrategy`: the next nodes, wherever they are.
    Simple(Factor),
    /// `EverywhereStrategy`: every node holds everything.
    Everywhere,
    /// `LocalStrategy`: every node for itself; there are no ranges to hold together.
    Local,
}

/// A range `(start, end]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRange {
    /// Exclusive. The end itself where the ring has one token: the range is the whole ring.
    pub start: i64,
    /// Inclusive.
    pub end: i64,
    /// Who holds it, by number, the nearest first; under `EverywhereStrategy` in the order of their numbers.
    pub replicas: Vec<usize>,
    /// Those of them that are transient.
    pub transient: BTreeSet<usize>,
    /// Who will hold it, and doesn't yet.
    pub pending: BTreeSet<usize>,
}

/// Every range of the ring, ascending, cut at every token there is, those of joining nodes too. None under
/// `LocalStrategy`.
pub fn place(members: &[Member], replication: &Replication) -> Vec<HeldRange> {
    if *replication == Replication::Local {
        return Vec::new();
    }
    let joins = |node: &usize| members[*node].mode == Mode::Joining;
    let leaves = |node: &usize| members[*node].mode == Mode::Leaving;
    let everybody = || 0..members.len();
    let now: Vec<usize> = everybody().filter(|node| !joins(node)).collect();
    let stay: Vec<usize> = now.iter().copied().filter(|node| !leaves(node)).collect();
    let today = Ring::new(members, &now, replication);
    let all_left = Ring::new(members, &stay, replication);
    // Each joining node for itself, as if it were the only one.
    let joined: Vec<(usize, Ring<'_>)> = everybody()
        .filter(joins)
        .map(|node| (node, Ring::new(members, &[&stay[..], &[node]].concat(), replication)))
        .collect();

    let cuts: BTreeSet<i64> = members.iter().flat_map(|member| member.tokens.clone()).collect();
    let Some(last) = cuts.last() else { return Vec::new() };
    let mut start = *last;
    let mut ranges = Vec::new();
    for end in cuts {
        let (replicas, transient) = today.holders(end);
        // Who takes over when all that leave have left.
        let (then, _) = all_left.holders(end);
        let mut pending: BTreeSet<usize> =
            then.into_iter().filter(|node| !replicas.contains(node)).collect();
        for (node, ring) in &joined {
            if ring.holders(end).0.contains(node) {
                pending.insert(*node);
            }
        }
        ranges.push(HeldRange { start, end, replicas, transient, pending });
        start = end;
    }
    ranges
}

/// A ring of some of the nodes.
struct Ring<'a> {
    members: &'a [Member],
    replication: &'a Replication,
    owners: BTreeMap<i64, usize>,
    /// What each data center of the replication needs; nothing under the other strategies.
    wanted: BTreeMap<&'a str, Wanted<'a>>,
}

/// How many replicas a data center still needs, in the middle of a walk along the ring.
#[derive(Clone)]
struct Wanted<'a> {
    replicas: usize,
    /// How many of these may come from a rack that has one already.
    repeats: usize,
    /// How many of these, the last, are transient.
    transient: usize,
    racks_met: BTreeSet<&'a str>,
}

impl<'a> Ring<'a> {
    /// Where two nodes have one token, it is that of the later one in `nodes`. The other one still counts among the
    /// nodes of its data center and its rack among the racks: that is what Cassandra does while a node is replaced.
    fn new(members: &'a [Member], nodes: &[usize], replication: &'a Replication) -> Self {
        let mut owners = BTreeMap::new();
        for node in nodes {
            owners.extend(members[*node].tokens.iter().map(|token| (*token, *node)));
        }
        let mut wanted = BTreeMap::new();
        if let Replication::NetworkTopology(factors) = replication {
            for (dc, factor) in factors {
                let here: Vec<&Member> = nodes
                    .iter()
                    .map(|node| &members[*node])
                    .filter(|member| member.dc == *dc && !member.tokens.is_empty())
                    .collect();
                let racks: BTreeSet<&str> = here.iter().map(|member| &*member.rack).collect();
                let replicas = factor.all.min(here.len());
                let wants = Wanted {
                    replicas,
                    repeats: factor.all.saturating_sub(racks.len()),
                    // Where replicas are missing for want of nodes, it is the transient ones that are.
                    transient: factor.transient.saturating_sub(factor.all - replicas),
                    racks_met: BTreeSet::new(),
                };
                wanted.insert(dc.as_str(), wants);
            }
        }
        Self { members, replication, owners, wanted }
    }

    /// Who holds what ends at a token, and who of them is transient.
    fn holders(&self, end: i64) -> (Vec<usize>, BTreeSet<usize>) {
        match self.replication {
            Replication::NetworkTopology(_) => self.by_racks(end),
            Replication::Simple(factor) => self.next_nodes(end, *factor),
            Replication::Everywhere => {
                let all: BTreeSet<usize> = self.owners.values().copied().collect();
                (all.into_iter().collect(), BTreeSet::new())
            }
            Replication::Local => (Vec::new(), BTreeSet::new()),
        }
    }

    /// The owners of all tokens from this one on, once around the ring.
    fn from(&self, end: i64) -> impl Iterator<Item = usize> {
        self.owners.range(end..).chain(self.owners.range(..end)).map(|(_, node)| *node)
    }

    fn next_nodes(&self, end: i64, factor: Factor) -> (Vec<usize>, BTreeSet<usize>) {
        let (mut replicas, mut transient) = (Vec::new(), BTreeSet::new());
        for node in self.from(end) {
            if replicas.len() == factor.all {
                break;
            }
            if replicas.contains(&node) {
                continue;
            }
            if replicas.len() >= factor.all.saturating_sub(factor.transient) {
                transient.insert(node);
            }
            replicas.push(node);
        }
        (replicas, transient)
    }

    fn by_racks(&self, end: i64) -> (Vec<usize>, BTreeSet<usize>) {
        let (mut replicas, mut transient) = (Vec::new(), BTreeSet::new());
        let mut wanted = self.wanted.clone();
        for node in self.from(end) {
            if wanted.values().all(|dc| dc.replicas == 0) {
                break;
            }
            let member = &self.members[node];
            let Some(dc) = wanted.get_mut(member.dc.as_str()) else { continue };
            if dc.replicas == 0 || replicas.contains(&node) {
                continue;
            }
            if !dc.racks_met.insert(&member.rack) {
                if dc.repeats == 0 {
                    continue;
                }
                dc.repeats -= 1;
            }
            if dc.replicas <= dc.transient {
                transient.insert(node);
            }
            dc.replicas -= 1;
            replicas.push(node);
        }
        (replicas, transient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dc1 r1 0 40 / dc1 r2 10 joining`: nodes with their tokens and, where it isn't normal, their mode.
    fn members(text: &str) -> Vec<Member> {
        let member = |text: &str| {
            let mut words = text.split_whitespace();
            let (dc, rack) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            let (mut tokens, mut mode) = (Vec::new(), Mode::Normal);
            for word in words {
                match word {
                    "joining" => mode = Mode::Joining,
                    "leaving" => mode = Mode::Leaving,
                    "moving" => mode = Mode::Moving,
                    token => tokens.push(token.parse().unwrap()),
                }
            }
            Member { dc, rack, tokens, mode }
        };
        text.split('/').map(member).collect()
    }

    fn rf(all: usize) -> Factor {
        Factor { all, transient: 0 }
    }

    fn dc(all: usize) -> Replication {
        Replication::NetworkTopology(vec![("dc".into(), rf(all))])
    }

    /// The end of each range and its replicas, nearest first.
    fn held(text: &str, replication: &Replication) -> Vec<(i64, Vec<usize>)> {
        place(&members(text), replication).into_iter().map(|r| (r.end, r.replicas)).collect()
    }

    fn transient(text: &str, replication: &Replication) -> Vec<Vec<usize>> {
        let ranges = place(&members(text), replication).into_iter();
        ranges.map(|r| r.transient.into_iter().collect()).collect()
    }

    /// The end of each range and who is pending there.
    fn pending(text: &str, replication: &Replication) -> Vec<(i64, Vec<usize>)> {
        let ranges = place(&members(text), replication).into_iter();
        ranges.map(|r| (r.end, r.pending.into_iter().collect())).collect()
    }

    #[test]
    fn ranges_go_from_token_to_token_and_around() {
        let ranges = place(&members("dc r 10 30 / dc r 20"), &dc(1));
        let ends: Vec<(i64, i64)> = ranges.iter().map(|r| (r.start, r.end)).collect();
        assert_eq!(ends, [(30, 10), (10, 20), (20, 30)]);
        let whole = place(&members("dc r 10"), &dc(1));
        assert_eq!((whole[0].start, whole[0].end, whole.len()), (10, 10, 1));
        assert_eq!(place(&[], &dc(1)), []);
    }

    #[test]
    fn as_many_racks_as_replicas_hold_one_each() {
        // From 0: 0 (r1); 1 is of r1 again and no repeat is allowed; 2 (r2); 3 (r3).
        // From 20: 2 (r2), 3 (r3), then around to 0 (r1). From 30: 3, 0; 1 is no use; 2.
        let expected =
            [(0, vec![0, 2, 3]), (10, vec![1, 2, 3]), (20, vec![2, 3, 0]), (30, vec![3, 0, 2])];
        assert_eq!(held("dc r1 0 / dc r1 10 / dc r2 20 / dc r3 30", &dc(3)), expected);
    }

    #[test]
    fn more_racks_than_replicas_lend_the_nearest() {
        // Four racks, RF 2: from 0 r1 and r2, 1 being of r1; from 20 r2 and r3; from 40 r4 and r1.
        let expected = [
            (0, vec![0, 2]),
            (10, vec![1, 2]),
            (20, vec![2, 3]),
            (30, vec![3, 4]),
            (40, vec![4, 0]),
        ];
        assert_eq!(held("dc r1 0 / dc r1 10 / dc r2 20 / dc r3 30 / dc r4 40", &dc(2)), expected);
    }

    #[test]
    fn fewer_racks_than_replicas_repeat_the_nearest_nodes_and_keep_every_rack() {
        // Two racks, RF 3: one repeat. From 0: 0, 1 as the repeat, not 2, then 3 of the other rack.
        // From 20: 2, 3 of r2, 0 as the repeat. From 30: 3, 0, and 1 as the repeat.
        let expected =
            [(0, vec![0, 1, 3]), (10, vec![1, 2, 3]), (20, vec![2, 3, 0]), (30, vec![3, 0, 1])];
        assert_eq!(held("dc r1 0 / dc r1 10 / dc r1 20 / dc r2 30", &dc(3)), expected);
    }

    #[test]
    fn a_data_center_smaller_than_rf_uses_all_its_nodes() {
        assert_eq!(held("dc r 0 / dc r 10", &dc(3)), [(0, vec![0, 1]), (10, vec![1, 0])]);
    }

    #[test]
    fn a_node_is_taken_once_however_many_tokens_it_has() {
        // RF 2. From 0: 0, again 0 at 10, then 1. From 20: 1, then 0.
        let expected = [(0, vec![0, 1]), (10, vec![0, 1]), (20, vec![1, 0])];
        assert_eq!(held("dc r 0 10 / dc r 20", &dc(2)), expected);
    }

    #[test]
    fn data_centers_are_filled_apart_in_one_walk() {
        // Racks of both have the same name, which must not matter. From 0: 0 of a, 1 of b, 2 of a; b needs one only.
        // From 30: 3 of b, then 4 and, around, 0 of a. Nodes of a data center that isn't listed hold nothing.
        let both = Replication::NetworkTopology(vec![
            ("a".into(), rf(2)),
            ("b".into(), rf(1)),
            ("gone".into(), rf(3)),
        ]);
        let ring = "a r1 0 / b r1 10 / a r2 20 / b r2 30 / a r3 40 / c r1 50";
        let expected = [
            (0, vec![0, 1, 2]),
            (10, vec![1, 2, 4]),
            (20, vec![2, 3, 4]),
            (30, vec![3, 4, 0]),
            (40, vec![4, 0, 1]),
            (50, vec![0, 1, 2]),
        ];
        assert_eq!(held(ring, &both), expected);
    }

    #[test]
    fn simple_strategy_takes_the_next_nodes_wherever_they_are() {
        let expected = [(0, vec![0, 1]), (10, vec![1, 2]), (20, vec![2, 0]), (30, vec![0, 1])];
        let ring = "a r1 0 30 / b r1 10 / a r1 20";
        assert_eq!(held(ring, &Replication::Simple(rf(2))), expected);
        // Fewer nodes than replicas: all of them.
        assert_eq!(held("a r 0 / b r 10", &Replication::Simple(rf(3)))[1], (10, vec![1, 0]));
    }

    #[test]
    fn everywhere_is_everywhere_and_local_is_nowhere() {
        let ring = "a r 0 / b r 10 / b r 20 joining";
        let expected = [(0, vec![0, 1]), (10, vec![0, 1]), (20, vec![0, 1])];
        assert_eq!(held(ring, &Replication::Everywhere), expected);
        let to_come = [(0, vec![2]), (10, vec![2]), (20, vec![2])];
        assert_eq!(pending(ring, &Replication::Everywhere), to_come);
        assert_eq!(place(&members(ring), &Replication::Local), []);
    }

    #[test]
    fn the_farthest_replicas_are_transient() {
        let part = Factor { all: 3, transient: 1 };
        let by_racks = Replication::NetworkTopology(vec![("dc".into(), part)]);
        let ring = "dc r1 0 / dc r2 10 / dc r3 20";
        assert_eq!(transient(ring, &by_racks), [[2], [0], [1]]);
        assert_eq!(transient(ring, &Replication::Simple(part)), [[2], [0], [1]]);
        // Two nodes for three replicas: both are full, the transient one is the one that is missing.
        let few = "dc r1 0 / dc r2 10";
        assert_eq!(transient(few, &by_racks), [Vec::<usize>::new(), vec![]]);
        assert_eq!(transient(few, &Replication::Simple(part)), [Vec::<usize>::new(), vec![]]);
        // Two of five, and four nodes: one of the four.
        let two = Factor { all: 5, transient: 2 };
        let by_racks = Replication::NetworkTopology(vec![("dc".into(), two)]);
        let ring = "dc r 0 / dc r 10 / dc r 20 / dc r 30";
        assert_eq!(transient(ring, &by_racks), [[3], [0], [1], [2]]);
        assert_eq!(transient(ring, &Replication::Simple(two)), [[3], [0], [1], [2]]);
    }

    #[test]
    fn who_joins_is_pending_in_what_it_will_own_and_owns_nothing_yet() {
        // RF 2. With 3 at 15: what ends at 10 goes to 1 and 3, what ends at 15 to 3 and 2.
        // What ends at 0 stays with 0 and 1, what ends at 20 with 2 and 0.
        let ring = "dc r 0 / dc r 10 / dc r 20 / dc r 15 joining";
        assert_eq!(
            pending(ring, &dc(2)),
            [(0, vec![]), (10, vec![3]), (15, vec![3]), (20, vec![])]
        );
        let expected = [(0, vec![0, 1]), (10, vec![1, 2]), (15, vec![2, 0]), (20, vec![2, 0])];
        assert_eq!(held(ring, &dc(2)), expected);
    }

    #[test]
    fn nodes_that_join_together_are_pending_as_if_each_came_alone() {
        // RF 1. The range that ends at 20 is 2's; alone, 3 at 12 will own what ends at 12, and 4 at 14 all from 10 to 14,
        // what ends at 12 too.
        let ring = "dc r 0 / dc r 10 / dc r 20 / dc r 12 joining / dc r 14 joining";
        let expected = [(0, vec![]), (10, vec![]), (12, vec![3, 4]), (14, vec![4]), (20, vec![])];
        assert_eq!(pending(ring, &dc(1)), expected);
    }

    #[test]
    fn whoever_takes_over_from_a_leaving_node_is_pending() {
        // RF 2. Without 3 at 15: what ends at 10 (1, 3) goes to 1 and 2; what ends at 15 (3, 2) to 2 and 0.
        let ring = "dc r 0 / dc r 10 / dc r 20 / dc r 15 leaving";
        assert_eq!(
            pending(ring, &dc(2)),
            [(0, vec![]), (10, vec![2]), (15, vec![0]), (20, vec![])]
        );
        assert_eq!(held(ring, &dc(2))[1], (10, vec![1, 3]));
        // With it goes its rack: from then on a repeat is allowed. What ends at 0 is 0 (r1) and 2 (r2) now, and later
        // 0 and 1, as r1 is all there is.
        let ring = "dc r1 0 / dc r1 10 / dc r2 20 leaving";
        assert_eq!(pending(ring, &dc(2)), [(0, vec![1]), (10, vec![0]), (20, vec![1])]);
    }

    #[test]
    fn who_joins_while_another_leaves_is_pending_in_the_ring_without_it() {
        // RF 1: 2 leaves, 3 joins at 25. Of the ring of 0 and 1, 0 owns all from 10 on; with 3, that is 3's up to 25. Were 2
        // in it still, 3 would only get what comes after 20.
        let ring = "dc r 0 / dc r 10 / dc r 20 leaving / dc r 25 joining";
        let expected = [(0, vec![]), (10, vec![]), (20, vec![0, 3]), (25, vec![3])];
        assert_eq!(pending(ring, &dc(1)), expected);
    }

    #[test]
    fn a_replaced_node_keeps_its_ranges_and_who_replaces_it_is_pending_in_the_very_same() {
        // RF 2 of three nodes; 3 joins with the tokens of 2. 2 holds what ends at 10 (1, 2) and at 20 (2, 0).
        let ring = "dc r 0 / dc r 10 / dc r 20 / dc r 20 joining";
        assert_eq!(held(ring, &dc(2)), [(0, vec![0, 1]), (10, vec![1, 2]), (20, vec![2, 0])]);
        assert_eq!(pending(ring, &dc(2)), [(0, vec![]), (10, vec![3]), (20, vec![3])]);
        assert_eq!(
            pending(ring, &Replication::Simple(rf(2))),
            [(0, vec![]), (10, vec![3]), (20, vec![3])]
        );
    }

    #[test]
    fn the_rack_of_a_replaced_node_counts_until_it_is_gone() {
        // RF 3; 2 was alone in r3, 4 joins with its token in r2. While r3 counts, no rack may be repeated, and nobody of r3
        // is met: 4 is pending where it is the first of r2. From 0: 0, 1 of r2, and 4 would be a repeat. From 10 likewise:
        // 1 of r2. From 20: 4. From 30: 3 of r1, 1 of r2.
        let ring = "dc r1 0 / dc r2 10 / dc r3 20 / dc r1 30 / dc r2 20 joining";
        assert_eq!(pending(ring, &dc(3)), [(0, vec![]), (10, vec![]), (20, vec![4]), (30, vec![])]);
    }

    #[test]
    fn a_moving_node_holds_what_it_holds() {
        let ring = "dc r 0 / dc r 10 moving / dc r 20";
        assert_eq!(held(ring, &dc(1)), [(0, vec![0]), (10, vec![1]), (20, vec![2])]);
        assert_eq!(pending(ring, &dc(1)), [(0, vec![]), (10, vec![]), (20, vec![])]);
    }

    #[test]
    fn nodes_without_tokens_count_nowhere() {
        // Were 2 counted as a rack, no repeat would be allowed.
        let ring = "dc r1 0 / dc r1 10 / dc r2";
        assert_eq!(held(ring, &dc(2)), [(0, vec![0, 1]), (10, vec![1, 0])]);
    }
}
