//! Judges from outside whether a cluster ever lost a quorum. It knows the truth about every node and nothing of the product.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::members::Member;
use crate::placement::HeldRange;
use crate::spec::{KeyspaceSpec, Replication};

/// The nodes of one place (a data center, or the whole cluster) that hold one range together.
#[derive(Debug)]
struct ReplicaSet {
    keyspace: String,
    place: String,
    start: i64,
    end: i64,
    members: Vec<usize>,
    /// The configured number of replicas.
    rf: usize,
    lost: bool,
}

impl ReplicaSet {
    fn quorum(&self) -> usize {
        self.rf / 2 + 1
    }
}

/// Watches every replica set of the guarded keyspaces.
#[derive(Debug)]
pub(crate) struct Judge {
    sets: Vec<ReplicaSet>,
    names: Vec<(String, String)>,
    live: Vec<bool>,
    losses: Vec<String>,
    max_down: BTreeMap<String, usize>,
}

impl Judge {
    /// `held` has the ranges of `keyspaces` in the same order. Everybody is live at first.
    pub(crate) fn new(
        members: &[Member],
        keyspaces: &[KeyspaceSpec],
        held: &[Vec<HeldRange>],
    ) -> Self {
        let mut sets = Vec::new();
        for (keyspace, ranges) in
            keyspaces.iter().zip(held).filter(|(keyspace, _)| keyspace.guarded)
        {
            // Ranges with the same holders stand and fall together.
            let mut known = BTreeSet::new();
            for range in ranges {
                for (place, rf) in places(&keyspace.replication) {
                    let within =
                        |node: &usize| place.as_deref().is_none_or(|dc| members[*node].dc == dc);
                    let mut holders: Vec<usize> =
                        range.replicas.iter().copied().filter(within).collect();
                    holders.sort_unstable();
                    let set = ReplicaSet {
                        keyspace: keyspace.name.clone(),
                        place: place.clone().unwrap_or_else(|| "all data centers".to_owned()),
                        start: range.start,
                        end: range.end,
                        members: holders.clone(),
                        rf,
                        lost: false,
                    };
                    // Too few nodes even when all are up: no order of restarts can help or harm it.
                    if holders.len() >= set.quorum() && known.insert((place, holders)) {
                        sets.push(set);
                    }
                }
            }
        }
        Self {
            sets,
            names: members
                .iter()
                .map(|member| (member.address.to_string(), member.dc.clone()))
                .collect(),
            live: vec![true; members.len()],
            losses: Vec::new(),
            max_down: BTreeMap::new(),
        }
    }

    /// A node began or ceased to be a live replica at `at` (since the start of the simulation).
    pub(crate) fn turned(&mut self, at: Duration, node: usize, live: bool) {
        if self.live[node] == live {
            return;
        }
        self.live[node] = live;
        let dc = self.names[node].1.clone();
        let down = self
            .names
            .iter()
            .zip(&self.live)
            .filter(|((_, other), live)| *other == dc && !**live)
            .count();
        let most = self.max_down.entry(dc).or_default();
        *most = (*most).max(down);
        for set in &mut self.sets {
            let alive = set.members.iter().filter(|member| self.live[**member]).count();
            let lost = alive < set.quorum();
            if lost && !set.lost {
                let out: Vec<&str> = set
                    .members
                    .iter()
                    .filter(|member| !self.live[**member])
                    .map(|member| self.names[*member].0.as_str())
                    .collect();
                self.losses.push(format!(
                    "at {:.3} s: range ({}, {}] of {} had {alive} of {} live replicas in {} where {} are needed; out: {}",
                    at.as_secs_f64(),
                    set.start,
                    set.end,
                    set.keyspace,
                    set.rf,
                    set.place,
                    set.quorum(),
                    out.join(", ")
                ));
            }
            set.lost = lost;
        }
    }

    pub(crate) fn losses(&self) -> &[String] {
        &self.losses
    }

    pub(crate) fn max_down(&self, dc: &str) -> usize {
        self.max_down.get(dc).copied().unwrap_or(0)
    }
}

/// Where a quorum is counted: per data center, or (`None`) over all replicas.
fn places(replication: &Replication) -> Vec<(Option<String>, usize)> {
    match replication {
        Replication::NetworkTopology(per_dc) => {
            per_dc.iter().map(|(dc, rf)| (Some(dc.clone()), *rf)).collect()
        }
        Replication::Simple(rf) => vec![(None, *rf)],
        Replication::Local => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::members::members;
    use crate::placement::place;
    use crate::spec::SimSpec;

    fn judge(spec: &SimSpec) -> Judge {
        let addresses = vec![Ipv4Addr::LOCALHOST; spec.node_count()];
        let members = members(spec, &addresses);
        let held: Vec<_> =
            spec.keyspaces.iter().map(|keyspace| place(&members, &keyspace.replication)).collect();
        Judge::new(&members, &spec.keyspaces, &held)
    }

    #[test]
    fn a_whole_rack_may_be_out_but_not_a_node_of_a_second_one() {
        let mut judge = judge(&SimSpec::uniform(1, 3, 2));
        judge.turned(Duration::ZERO, 0, false);
        judge.turned(Duration::ZERO, 1, false);
        assert!(judge.losses().is_empty());
        assert_eq!(judge.max_down("dc1"), 2);
        judge.turned(Duration::from_millis(1500), 2, false);
        assert!(!judge.losses().is_empty());
        assert!(judge.losses()[0].starts_with("at 1.500 s: range ("), "{:?}", judge.losses());
        assert!(
            judge.losses()[0]
                .contains("of shop had 1 of 3 live replicas in dc1 where 2 are needed")
        );
    }

    #[test]
    fn data_centers_are_judged_apart() {
        let mut judge = judge(&SimSpec::uniform(2, 3, 1));
        judge.turned(Duration::ZERO, 0, false);
        judge.turned(Duration::ZERO, 3, false);
        assert!(judge.losses().is_empty());
        assert_eq!((judge.max_down("dc1"), judge.max_down("dc2")), (1, 1));
    }

    #[test]
    fn one_loss_is_told_once_until_it_is_healed() {
        let mut spec = SimSpec::uniform(1, 1, 3);
        spec.vnodes = 1;
        let mut judge = judge(&spec);
        for node in 0..3 {
            judge.turned(Duration::ZERO, node, false);
        }
        assert_eq!(judge.losses().len(), 1);
        for node in 0..3 {
            judge.turned(Duration::ZERO, node, true);
        }
        judge.turned(Duration::ZERO, 1, false);
        judge.turned(Duration::ZERO, 2, false);
        assert_eq!(judge.losses().len(), 2);
    }

    #[test]
    fn a_keyspace_of_a_data_center_that_is_gone_is_no_loss() {
        let mut spec = SimSpec::uniform(1, 3, 1);
        spec.keyspaces = vec![KeyspaceSpec::network_topology("old", &[("dc1", 3), ("gone", 3)])];
        let mut judge = judge(&spec);
        judge.turned(Duration::ZERO, 0, false);
        assert!(judge.losses().is_empty());
    }
}
