//! Who holds which range.
use std::collections::{BTreeMap, BTreeSet};

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its data center.
    pub dc: String,
    /// Its rack; racks of two data centers may have one name.
    pub rack: String,
    /// Its tokens.
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
    /// A factor per data center.
    NetworkTopology(Vec<(String, Factor)>),
    /// The next nodes, wherever they are.
    Simple(Factor),
}

/// A range `(start, end]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRange {
    /// Exclusive.
    pub start: i64,
    /// Inclusive.
    pub end: i64,
    /// Who holds it, by number.
    pub replicas: BTreeSet<usize>,
    /// Those of them that are transient.
    pub transient: BTreeSet<usize>,
    /// Who will hold it, and doesn't yet.
    pub pending: BTreeSet<usize>,
}

/// Every range of the ring, cut at every token there is.
pub fn place(members: &[Member], replication: &Replication) -> Vec<HeldRange> {
    let mut cuts: Vec<i64> = members.iter().flat_map(|m| m.tokens.clone()).collect();
    cuts.sort_unstable();
    let everybody = || 0..members.len();
    let now: Vec<usize> = everybody().filter(|n| members[*n].mode != Mode::Joining).collect();
    let stay: Vec<usize> = everybody().filter(|n| members[*n].mode == Mode::Normal).collect();
    let mut ranges = Vec::new();
    for (place, end) in cuts.iter().enumerate() {
        let (replicas, transient) = holders(members, &now, *end, replication);
        let mut pending = BTreeSet::new();
        // Who takes over from those that leave.
        if stay.len() < now.len() {
            let (then, _) = holders(members, &stay, *end, replication);
            pending.extend(then.difference(&replicas));
        }
        // Who joins, each for itself.
        for joining in everybody().filter(|n| members[*n].mode == Mode::Joining) {
            let with: Vec<usize> = stay.iter().copied().chain([joining]).collect();
            let (then, _) = holders(members, &with, *end, replication);
            if then.contains(&joining) {
                pending.insert(joining);
            }
        }
        let start = cuts[(place + cuts.len() - 1) % cuts.len()];
        ranges.push(HeldRange { start, end: *end, replicas, transient, pending });
    }
    ranges
}

/// Who of these nodes holds the range that ends at a token, and who of them is transient.
fn holders(
    members: &[Member],
    nodes: &[usize],
    end: i64,
    replication: &Replication,
) -> (BTreeSet<usize>, BTreeSet<usize>) {
    // The ring from the token on, around to before it, every node where it is first met.
    let mut ring: Vec<(i64, usize)> =
        nodes.iter().flat_map(|n| members[*n].tokens.iter().map(move |t| (*t, *n))).collect();
    ring.sort_unstable();
    let from = ring.iter().position(|(token, _)| *token >= end).unwrap_or(0);
    ring.rotate_left(from);
    let mut met: Vec<usize> = Vec::new();
    for (_, node) in ring {
        if !met.contains(&node) {
            met.push(node);
        }
    }
    let mut all = BTreeSet::new();
    let mut transient = BTreeSet::new();
    let mut take = |chosen: Vec<usize>, factor: &Factor| {
        // Who comes last is transient; where there are fewer nodes than replicas, fewer are.
        let lacking = factor.all - chosen.len();
        let count = factor.transient.saturating_sub(lacking);
        transient.extend(chosen.iter().rev().take(count));
        all.extend(chosen);
    };
    match replication {
        Replication::Simple(factor) => take(met.into_iter().take(factor.all).collect(), factor),
        Replication::NetworkTopology(factors) => {
            for (dc, factor) in factors {
                let local: Vec<usize> =
                    met.iter().copied().filter(|n| members[*n].dc == *dc).collect();
                take(racks_first(members, &local, factor.all), factor);
            }
        }
    }
    (all, transient)
}

/// One node of every rack, as many as are wanted; where there are fewer racks, the nearest others besides.
fn racks_first(members: &[Member], local: &[usize], wanted: usize) -> Vec<usize> {
    let mut racks: BTreeMap<&str, usize> = BTreeMap::new();
    for node in local {
        racks.entry(members[*node].rack.as_str()).or_insert(*node);
    }
    let mut repeats = wanted.saturating_sub(racks.len());
    let mut chosen = Vec::new();
    for node in local {
        let first_of_its_rack = racks[members[*node].rack.as_str()] == *node;
        if chosen.len() == wanted {
            break;
        }
        if first_of_its_rack {
            chosen.push(*node);
        } else if repeats > 0 {
            repeats -= 1;
            chosen.push(*node);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dc1 r1 0 40 / dc1 r2 10`: nodes with their tokens.
    fn members(text: &str) -> Vec<Member> {
        let member = |text: &str| {
            let mut words = text.split_whitespace();
            let (dc, rack) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            let tokens = words.map(|word| word.parse().unwrap()).collect();
            Member { dc, rack, tokens, mode: Mode::Normal }
        };
        text.split('/').map(member).collect()
    }

    fn nts(dc: &str, all: usize, transient: usize) -> Replication {
        Replication::NetworkTopology(vec![(dc.into(), Factor { all, transient })])
    }

    fn held(ranges: &[HeldRange]) -> Vec<(i64, Vec<usize>)> {
        ranges.iter().map(|r| (r.end, r.replicas.iter().copied().collect())).collect()
    }

    #[test]
    fn every_rack_has_a_replica_where_there_are_enough_racks() {
        // Around the ring: r1 (0), r1 (1), r2 (2), r3 (3).
        let members = members("dc r1 0 / dc r1 10 / dc r2 20 / dc r3 30");
        let ranges = place(&members, &nts("dc", 3, 0));
        let expected =
            [(0, vec![0, 2, 3]), (10, vec![1, 2, 3]), (20, vec![0, 2, 3]), (30, vec![0, 2, 3])];
        assert_eq!(held(&ranges), expected);
    }

    #[test]
    fn fewer_racks_are_filled_up_with_the_nearest() {
        let members = members("dc r1 0 / dc r1 10 / dc r1 20 / dc r2 30");
        // From 0: 0, then 1 as the only repeat, not 2, then 3 of the other rack.
        let expected =
            [(0, vec![0, 1, 3]), (10, vec![1, 2, 3]), (20, vec![0, 2, 3]), (30, vec![0, 1, 3])];
        assert_eq!(held(&place(&members, &nts("dc", 3, 0))), expected);
    }

    #[test]
    fn who_joins_or_leaves_makes_others_pending() {
        let mut members = members("dc r 0 / dc r 10 / dc r 20 / dc r 15");
        members[3].mode = Mode::Joining;
        let ranges = place(&members, &nts("dc", 2, 0));
        let pending: Vec<_> = ranges.iter().map(|r| (r.end, r.pending.len())).collect();
        // It will be the second replica of what ends at 10, and the first of what ends at 15.
        assert_eq!(pending, [(0, 0), (10, 1), (15, 1), (20, 0)]);
        members[3].mode = Mode::Leaving;
        let ranges = place(&members, &nts("dc", 2, 0));
        let pending: Vec<_> =
            ranges.iter().map(|r| r.pending.iter().copied().collect::<Vec<_>>()).collect();
        assert_eq!(pending, [vec![], vec![2], vec![0], vec![]]);
    }

    #[test]
    fn the_farthest_replicas_are_transient() {
        let members = members("dc r1 0 / dc r2 10 / dc r3 20");
        let ranges = place(&members, &nts("dc", 3, 1));
        let transient: Vec<_> =
            ranges.iter().map(|r| r.transient.iter().copied().collect::<Vec<_>>()).collect();
        assert_eq!(transient, [[2], [0], [1]]);
        let ranges = place(&members, &Replication::Simple(Factor { all: 2, transient: 0 }));
        assert_eq!(held(&ranges), [(0, vec![0, 1]), (10, vec![1, 2]), (20, vec![0, 2])]);
    }
}
