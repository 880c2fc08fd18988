//! Which nodes hold which range: the oracle's placement of this cluster. It shares no code with the product's own, so that
//! a bug can't hide in both.
use quorate_oracle::{Factor, HeldRange, Mode};

use crate::members::Member;
use crate::spec::Replication;

/// The nodes as the oracle wants them; here nobody joins or leaves.
pub(crate) fn oracle_members(members: &[Member]) -> Vec<quorate_oracle::Member> {
    let member = |member: &Member| quorate_oracle::Member {
        dc: member.dc.clone(),
        rack: member.rack.clone(),
        tokens: member.tokens.clone(),
        mode: Mode::Normal,
    };
    members.iter().map(member).collect()
}

/// A replication as the oracle wants it.
pub(crate) fn oracle_replication(replication: &Replication) -> quorate_oracle::Replication {
    let factor = |all: usize| Factor { all, transient: 0 };
    match replication {
        Replication::NetworkTopology(per_dc) => quorate_oracle::Replication::NetworkTopology(
            per_dc.iter().map(|(dc, rf)| (dc.clone(), factor(*rf))).collect(),
        ),
        Replication::Simple(rf) => quorate_oracle::Replication::Simple(factor(*rf)),
        Replication::Local => quorate_oracle::Replication::Local,
    }
}

/// Every range of the ring with its replicas; empty for `LocalStrategy`, which has none.
pub(crate) fn place(members: &[Member], replication: &Replication) -> Vec<HeldRange> {
    quorate_oracle::place(&oracle_members(members), &oracle_replication(replication))
}

/// A range's part of the whole ring.
pub(crate) fn fraction(range: &HeldRange) -> f64 {
    let width = (i128::from(range.end) - i128::from(range.start)).rem_euclid(1 << 64);
    // A ring of one token is one range that holds everything.
    if width == 0 { 1.0 } else { width as f64 / (1_u128 << 64) as f64 }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn range(start: i64, end: i64) -> HeldRange {
        let (replicas, transient, pending) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        HeldRange { start, end, replicas, transient, pending }
    }

    #[test]
    fn fractions_are_of_the_whole_ring() {
        let half = 1_i64 << 62;
        assert!((fraction(&range(-half, half)) - 0.5).abs() < 1e-9);
        // Around the end of the tokens, and all of it.
        assert!((fraction(&range(half, -half)) - 0.5).abs() < 1e-9);
        assert!((fraction(&range(5, 5)) - 1.0).abs() < 1e-9);
    }
}
