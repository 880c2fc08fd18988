//! Whether a consistency level holds.
use crate::{Factor, HeldRange, Member, Mode, Replication};
use std::collections::BTreeSet;

/// A consistency level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One replica anywhere.
    One,
    /// One in each data center.
    LocalOne,
    /// A quorum in each data center.
    LocalQuorum,
    /// A quorum over all.
    Quorum,
}

/// How many of some nodes must be live for a level to hold in one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The range's start, exclusive.
    pub start: i64,
    /// The range's end, inclusive.
    pub end: i64,
    /// Where the replicas are counted; none: over the whole cluster.
    pub dc: Option<String>,
    /// Who holds the range there, or will.
    pub members: BTreeSet<usize>,
    /// Of these, who holds it now.
    pub natural: BTreeSet<usize>,
    /// How many replicas are configured there, found or not.
    pub factor: usize,
    /// How many live ones are needed.
    pub need: usize,
}

impl Demand {
    /// How many of its members are live while exactly these nodes are out.
    pub fn live(&self, out: &BTreeSet<usize>) -> usize {
        self.members.difference(out).count()
    }
}

/// What a level asks of every range, in every place where it counts. With transient replicas there are two demands: the
/// usual one of all replicas, and one live replica of the full ones.
pub fn demands(
    members: &[Member],
    ranges: &[HeldRange],
    replication: &Replication,
    level: Level,
) -> Vec<Demand> {
    let places = places(members, replication, level);
    let mut found = Vec::new();
    for range in ranges {
        for (dc, factor) in &places {
            let here = |node: &&usize| dc.as_ref().is_none_or(|dc| members[**node].dc == *dc);
            let natural: BTreeSet<usize> = range.replicas.iter().filter(here).copied().collect();
            let pending: BTreeSet<usize> = range.pending.iter().filter(here).copied().collect();
            let full: BTreeSet<usize> = natural.difference(&range.transient).copied().collect();
            let few_are_enough = match level {
                Level::One | Level::LocalOne => 1,
                Level::LocalQuorum | Level::Quorum => factor.all / 2 + 1,
            };
            let demand = Demand {
                start: range.start,
                end: range.end,
                dc: dc.clone(),
                members: natural.union(&pending).copied().collect(),
                factor: factor.all,
                need: few_are_enough + pending.len(),
                natural,
            };
            let of_full = (full.len() < demand.natural.len()).then(|| Demand {
                members: full.clone(),
                natural: full,
                factor: factor.all.saturating_sub(factor.transient),
                need: 1,
                ..demand.clone()
            });
            found.push(demand);
            found.extend(of_full);
        }
    }
    found
}

/// Every demand that isn't met while exactly these nodes are out.
pub fn broken(
    members: &[Member],
    ranges: &[HeldRange],
    replication: &Replication,
    level: Level,
    out: &BTreeSet<usize>,
) -> Vec<Demand> {
    let mut found = demands(members, ranges, replication, level);
    found.retain(|demand| demand.live(out) < demand.need);
    found
}

/// Every demand that has one live node less when a candidate goes out besides, and that isn't met then; whether it was
/// before or not. None where the candidate is out already: nothing changes.
pub fn worsens(
    members: &[Member],
    ranges: &[HeldRange],
    replication: &Replication,
    level: Level,
    out: &BTreeSet<usize>,
    candidate: usize,
) -> Vec<Demand> {
    let mut then = out.clone();
    if !then.insert(candidate) {
        return Vec::new();
    }
    let mut found = broken(members, ranges, replication, level, &then);
    found.retain(|demand| demand.members.contains(&candidate));
    found
}

/// Where replicas are counted, and how many are configured there. Data centers without a node don't count.
fn places(
    members: &[Member],
    replication: &Replication,
    level: Level,
) -> Vec<(Option<String>, Factor)> {
    let lives = |dc: &str| members.iter().any(|member| member.dc == dc);
    let mut by_dc: Vec<(String, Factor)> = match replication {
        Replication::NetworkTopology(factors) => factors.clone(),
        Replication::Everywhere => everywhere(members),
        // Without data centers the local levels mean the whole ring.
        Replication::Simple(factor) => return vec![(None, *factor)],
        Replication::Local => return Vec::new(),
    };
    // Who counts over all counts what is configured, whether a node is there or not.
    let listed = by_dc.iter().map(|(_, factor)| factor.all).sum();
    by_dc.retain(|(dc, factor)| factor.all > 0 && lives(dc));
    match level {
        Level::LocalOne | Level::LocalQuorum => {
            by_dc.into_iter().map(|(dc, factor)| (Some(dc), factor)).collect()
        }
        Level::One | Level::Quorum if by_dc.is_empty() => Vec::new(),
        Level::One | Level::Quorum => {
            let all = listed;
            let transient = by_dc.iter().map(|(_, factor)| factor.transient).sum();
            vec![(None, Factor { all, transient })]
        }
    }
}

/// As many replicas in each data center as it has nodes that own tokens.
fn everywhere(members: &[Member]) -> Vec<(String, Factor)> {
    let owns = |member: &&Member| member.mode != Mode::Joining && !member.tokens.is_empty();
    let dcs: BTreeSet<&String> = members.iter().filter(owns).map(|member| &member.dc).collect();
    let nodes = |dc: &String| members.iter().filter(owns).filter(|member| member.dc == *dc).count();
    dcs.into_iter().map(|dc| (dc.clone(), Factor { all: nodes(dc), transient: 0 })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place;

    /// One rack and one token a node: each node is the first replica of what ends at its number.
    fn node(dc: &str, token: i64) -> Member {
        Member { dc: dc.into(), rack: "r".into(), tokens: vec![token], mode: Mode::Normal }
    }

    fn nts(factors: &[(&str, usize)]) -> Replication {
        let factor = |(dc, all): &(&str, usize)| ((*dc).into(), Factor { all: *all, transient: 0 });
        Replication::NetworkTopology(factors.iter().map(factor).collect())
    }

    fn simple(all: usize) -> Replication {
        Replication::Simple(Factor { all, transient: 0 })
    }

    fn six() -> Vec<Member> {
        ["a", "a", "a", "b", "b", "b"].iter().zip(0..).map(|(dc, token)| node(dc, token)).collect()
    }

    /// How many ranges of six nodes in two data centers are broken.
    fn count(level: Level, out: &[usize], replication: &Replication) -> usize {
        ends(&six(), level, out, replication).len()
    }

    /// The ends of the broken ranges.
    fn ends(
        members: &[Member],
        level: Level,
        out: &[usize],
        replication: &Replication,
    ) -> Vec<i64> {
        let ranges = place(members, replication);
        let out = out.iter().copied().collect();
        broken(members, &ranges, replication, level, &out).iter().map(|demand| demand.end).collect()
    }

    #[test]
    fn levels_need_what_they_say() {
        let three = nts(&[("a", 3), ("b", 3)]);
        // Every range is on every node. One of a data center's three may go, not two.
        assert_eq!(count(Level::LocalQuorum, &[0, 3], &three), 0);
        assert_eq!(count(Level::LocalQuorum, &[0, 1], &three), 6);
        // A quorum of six is four.
        assert_eq!(count(Level::Quorum, &[0, 1], &three), 0);
        assert_eq!(count(Level::Quorum, &[0, 1, 2], &three), 6);
        assert_eq!(count(Level::LocalOne, &[0, 1], &three), 0);
        assert_eq!(count(Level::LocalOne, &[0, 1, 2], &three), 6);
        assert_eq!(count(Level::One, &[0, 1, 2, 3, 4], &three), 0);
        assert_eq!(count(Level::One, &[0, 1, 2, 3, 4, 5], &three), 6);
    }

    #[test]
    fn a_demand_tells_what_it_counts() {
        let members = six();
        let replication = nts(&[("a", 2)]);
        let ranges = place(&members, &replication);
        // What ends at 0 is on 0 and 1; both are needed, and 1 is out.
        let found = broken(&members, &ranges, &replication, Level::LocalQuorum, &[1].into());
        let expected = Demand {
            start: 5,
            end: 0,
            dc: Some("a".into()),
            members: [0, 1].into(),
            natural: [0, 1].into(),
            factor: 2,
            need: 2,
        };
        assert_eq!(found[0], expected);
        assert_eq!(found[0].live(&[1].into()), 1);
        // What ends at 2 is on 2 and 0. What ends at b's tokens is on the next nodes of a, 0 and 1.
        assert_eq!(found.iter().map(|demand| demand.end).collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    }

    #[test]
    fn the_configured_factor_counts_not_the_number_of_nodes_found() {
        // RF 3 on two nodes: a quorum is two, and nobody may go.
        let two = [node("a", 0), node("a", 1)];
        assert_eq!(ends(&two, Level::LocalQuorum, &[], &nts(&[("a", 3)])), [0_i64; 0]);
        assert_eq!(ends(&two, Level::LocalQuorum, &[0], &nts(&[("a", 3)])), [0, 1]);
        // RF 5 on two nodes: never met.
        assert_eq!(ends(&two, Level::LocalQuorum, &[], &nts(&[("a", 5)])), [0, 1]);
    }

    #[test]
    fn phantom_data_centers_and_factors_of_zero_ask_for_nothing() {
        let gone = nts(&[("a", 3), ("gone", 6), ("b", 0)]);
        // But over all: a quorum of nine is five, and of a there are three.
        assert_eq!(count(Level::Quorum, &[], &gone), 6);
        assert_eq!(count(Level::LocalQuorum, &[0, 3, 4, 5], &gone), 0);
        for level in [Level::One, Level::LocalOne, Level::LocalQuorum, Level::Quorum] {
            assert_eq!(count(level, &[0, 1, 2, 3, 4, 5], &nts(&[("gone", 3)])), 0);
            assert_eq!(count(level, &[0, 1, 2, 3, 4, 5], &Replication::Local), 0);
        }
    }

    #[test]
    fn simple_strategy_counts_over_the_whole_ring_at_local_levels_too() {
        // What ends at 2 is on 2 (a), 3 and 4 (b). 3 and 4 are in the replica sets of what ends at 2 and 3, 4 with 5
        // and 0 at 4, 3 with 1 and 2 at 1.
        for level in [Level::LocalQuorum, Level::Quorum] {
            assert_eq!(ends(&six(), level, &[3, 4], &simple(3)), [2, 3]);
        }
        for level in [Level::LocalOne, Level::One] {
            assert_eq!(ends(&six(), level, &[3, 4], &simple(3)), [0_i64; 0]);
            assert_eq!(ends(&six(), level, &[2, 3, 4], &simple(3)), [2]);
        }
    }

    #[test]
    fn everywhere_asks_for_a_quorum_of_all_nodes_of_a_data_center() {
        assert_eq!(count(Level::LocalQuorum, &[0, 3], &Replication::Everywhere), 0);
        assert_eq!(count(Level::LocalQuorum, &[0, 1], &Replication::Everywhere), 6);
        assert_eq!(count(Level::Quorum, &[0, 1], &Replication::Everywhere), 0);
        // Who joins isn't one of the nodes yet, but pending everywhere: of three nodes two are needed, and one more.
        let mut members = vec![node("a", 0), node("a", 1), node("a", 2), node("a", 3)];
        members[3].mode = Mode::Joining;
        let all = Replication::Everywhere;
        assert_eq!(ends(&members, Level::LocalQuorum, &[0], &all), [0_i64; 0]);
        assert_eq!(ends(&members, Level::LocalQuorum, &[0, 3], &all), [0, 1, 2, 3]);
    }

    #[test]
    fn one_full_replica_must_stay_besides() {
        // One transient of three: what ends at 0 is on 0 and 1 in full and on 2 in part.
        let replication =
            Replication::NetworkTopology(vec![("a".into(), Factor { all: 3, transient: 1 })]);
        let three = [node("a", 0), node("a", 1), node("a", 2)];
        assert_eq!(ends(&three, Level::LocalOne, &[0], &replication), [0_i64; 0]);
        assert_eq!(ends(&three, Level::LocalOne, &[0, 1], &replication), [0]);
        // The transient one counts for the quorum.
        assert_eq!(ends(&three, Level::LocalQuorum, &[1], &replication), [0_i64; 0]);
        // Two out: no quorum in all three ranges, and no full one in the range of both.
        assert_eq!(ends(&three, Level::LocalQuorum, &[0, 1], &replication), [0, 0, 1, 2]);
    }

    #[test]
    fn pending_replicas_raise_the_bar_by_one_each() {
        // 3 replaces 2, which is out. RF 3: 2 and what 3 will own, so three are needed: 0, 1 and 3.
        let mut members = vec![node("a", 0), node("a", 1), node("a", 2), node("a", 2)];
        members[3].mode = Mode::Joining;
        let three = nts(&[("a", 3)]);
        for level in [Level::LocalQuorum, Level::Quorum] {
            assert_eq!(ends(&members, level, &[2], &three), [0_i64; 0]);
            assert_eq!(ends(&members, level, &[2, 0], &three), [0, 1, 2]);
            assert_eq!(ends(&members, level, &[2, 3], &three), [0, 1, 2]);
        }
        for level in [Level::LocalOne, Level::One] {
            assert_eq!(ends(&members, level, &[2, 0], &three), [0_i64; 0]);
            assert_eq!(ends(&members, level, &[2, 0, 1], &three), [0, 1, 2]);
        }
    }

    #[test]
    fn pending_replicas_raise_the_bar_of_their_own_data_center() {
        // 4 joins in b with the last token: what ends there will be its own and is 3's now. b needs two there, a as ever.
        let mut members =
            vec![node("a", 0), node("a", 1), node("a", 2), node("b", 3), node("b", 4)];
        members[4].mode = Mode::Joining;
        let both = nts(&[("a", 3), ("b", 1)]);
        let ranges = place(&members, &both);
        let found = broken(&members, &ranges, &both, Level::LocalQuorum, &[0, 4].into());
        let places: Vec<_> = found.iter().map(|d| (d.end, d.dc.as_deref(), d.need)).collect();
        assert_eq!(places, [(4, Some("b"), 2)]);
        // Over all: a quorum of four is three, and one more for 4.
        assert_eq!(ends(&members, Level::Quorum, &[0], &both), [0_i64; 0]);
        assert_eq!(ends(&members, Level::Quorum, &[0, 4], &both), [4]);
    }

    #[test]
    fn worse_is_what_has_the_candidate_and_is_broken_without_it() {
        // RF 2 at LOCAL_QUORUM: both are needed. What ends at 0 is on 0 and 1, at 1 on 1 and 2, at 2 on 2 and 0.
        let members = [node("a", 0), node("a", 1), node("a", 2)];
        let two = nts(&[("a", 2)]);
        let ranges = place(&members, &two);
        let worse = |level, out: &[usize], candidate| -> Vec<i64> {
            let out = out.iter().copied().collect();
            let found = worsens(&members, &ranges, &two, level, &out, candidate);
            found.iter().map(|demand| demand.end).collect()
        };
        assert_eq!(worse(Level::LocalQuorum, &[], 0), [0, 2]);
        // Broken before by 1: what is on 0 besides gets worse, what is on 1 and 2 doesn't.
        assert_eq!(worse(Level::LocalQuorum, &[1], 0), [0, 2]);
        assert_eq!(worse(Level::One, &[1], 0), [0]);
        // Out already: nothing changes.
        assert_eq!(worse(Level::LocalQuorum, &[0], 0), [0_i64; 0]);
    }

    #[test]
    fn a_pending_candidate_makes_worse_what_it_is_pending_for() {
        // RF 1: 2 joins at 5 and takes what ends there from 1. Needed: 1 and 2.
        let mut members = vec![node("a", 0), node("a", 10), node("a", 5)];
        members[2].mode = Mode::Joining;
        let one = nts(&[("a", 1)]);
        let ranges = place(&members, &one);
        let found = worsens(&members, &ranges, &one, Level::LocalQuorum, &BTreeSet::new(), 2);
        assert_eq!(found.iter().map(|demand| demand.end).collect::<Vec<_>>(), [5]);
        assert_eq!((found[0].need, &found[0].natural), (2, &[1].into()));
    }
}
