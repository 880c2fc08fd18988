//! Whether a consistency level holds.
use crate::{HeldRange, Member, Replication};
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

/// A range that hasn't the live replicas that a level needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The range's end.
    pub end: i64,
    /// Where the replicas were counted; none: over the whole cluster.
    pub dc: Option<String>,
    /// Who holds the range there, or will.
    pub members: BTreeSet<usize>,
    /// Of these, who holds it now.
    pub natural: BTreeSet<usize>,
    /// How many live ones are needed.
    pub need: usize,
}

/// Every place of every range at which the level doesn't hold while exactly these nodes are out.
pub fn broken(
    members: &[Member],
    ranges: &[HeldRange],
    replication: &Replication,
    level: Level,
    out: &BTreeSet<usize>,
) -> Vec<Broken> {
    let mut found = Vec::new();
    for range in ranges {
        for (dc, factor) in places(members, replication, level) {
            let here = |node: &&usize| dc.as_ref().is_none_or(|dc| members[**node].dc == *dc);
            let natural: BTreeSet<usize> = range.replicas.iter().filter(here).copied().collect();
            let pending: BTreeSet<usize> = range.pending.iter().filter(here).copied().collect();
            let transient: BTreeSet<usize> = range.transient.iter().filter(here).copied().collect();
            let need = pending.len()
                + match level {
                    Level::One | Level::LocalOne => 1,
                    Level::LocalQuorum | Level::Quorum => factor / 2 + 1,
                };
            let both: BTreeSet<usize> = natural.union(&pending).copied().collect();
            let mut judge = |who: &BTreeSet<usize>, need: usize| {
                if who.difference(out).count() < need {
                    let (dc, end) = (dc.clone(), range.end);
                    let natural = natural.intersection(who).copied().collect();
                    found.push(Broken { end, dc, members: who.clone(), natural, need });
                }
            };
            judge(&both, need);
            if !transient.is_empty() {
                judge(&natural.difference(&transient).copied().collect(), 1);
            }
        }
    }
    found
}

/// Where replicas are counted, and how many are configured there. Data centers without a node don't count.
fn places(
    members: &[Member],
    replication: &Replication,
    level: Level,
) -> Vec<(Option<String>, usize)> {
    match replication {
        Replication::Simple(factor) => vec![(None, factor.all)],
        Replication::NetworkTopology(factors) => {
            let lives = |dc: &str| members.iter().any(|member| member.dc == dc);
            let living = factors.iter().filter(|(dc, factor)| factor.all > 0 && lives(dc));
            match level {
                Level::LocalOne | Level::LocalQuorum => {
                    living.map(|(dc, factor)| (Some(dc.clone()), factor.all)).collect()
                }
                Level::One | Level::Quorum => match living.map(|(_, factor)| factor.all).sum() {
                    0 => Vec::new(),
                    all => vec![(None, all)],
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Factor, Mode, place};

    fn count(level: Level, out: &[usize], replication: &Replication) -> usize {
        let node = |dc: &str, rack: &str, token| Member {
            dc: dc.into(),
            rack: rack.into(),
            tokens: vec![token],
            mode: Mode::Normal,
        };
        let members = [
            node("a", "1", 0),
            node("a", "2", 1),
            node("a", "3", 2),
            node("b", "1", 3),
            node("b", "2", 4),
            node("b", "3", 5),
        ];
        let ranges = place(&members, replication);
        let out = out.iter().copied().collect();
        broken(&members, &ranges, replication, level, &out).len()
    }

    #[test]
    fn levels_need_what_they_say() {
        let rf = |all| Factor { all, transient: 0 };
        let three = Replication::NetworkTopology(vec![
            ("a".into(), rf(3)),
            ("b".into(), rf(3)),
            ("gone".into(), rf(3)),
        ]);
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
        // One transient of three: one of the two full ones must stay.
        let transient =
            Replication::NetworkTopology(vec![("a".into(), Factor { all: 3, transient: 1 })]);
        assert_eq!(count(Level::LocalOne, &[0], &transient), 0);
        assert!(count(Level::LocalOne, &[0, 1], &transient) > 0);
    }
}
