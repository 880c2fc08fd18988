//! Judges from outside whether a cluster ever lost a quorum. It knows the truth about every node and nothing of the product.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate_oracle::{Demand, HeldRange, Level, demands};

use crate::members::Member;
use crate::placement::{oracle_members, oracle_replication};
use crate::spec::KeyspaceSpec;

/// A quorum that the nodes of one place (a data center, or the whole cluster) that hold one range have together.
#[derive(Debug)]
struct Quorum {
    keyspace: String,
    demand: Demand,
    lost: bool,
}

/// Watches the quorum of every replica set of the guarded keyspaces.
#[derive(Debug)]
pub(crate) struct Judge {
    quorums: Vec<Quorum>,
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
        let nodes = oracle_members(members);
        let mut quorums = Vec::new();
        for (keyspace, ranges) in
            keyspaces.iter().zip(held).filter(|(keyspace, _)| keyspace.guarded)
        {
            // Ranges with the same holders stand and fall together.
            let mut known = BTreeSet::new();
            let replication = oracle_replication(&keyspace.replication);
            for demand in demands(&nodes, ranges, &replication, Level::LocalQuorum) {
                // Too few nodes even when all are up: no order of restarts can help or harm it.
                if demand.members.len() >= demand.need
                    && known.insert((demand.dc.clone(), demand.members.clone()))
                {
                    let keyspace = keyspace.name.clone();
                    quorums.push(Quorum { keyspace, demand, lost: false });
                }
            }
        }
        Self {
            quorums,
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
        for Quorum { keyspace, demand, lost } in &mut self.quorums {
            let alive = demand.members.iter().filter(|member| self.live[**member]).count();
            let is_lost = alive < demand.need;
            if is_lost && !*lost {
                let out: Vec<&str> = demand
                    .members
                    .iter()
                    .filter(|member| !self.live[**member])
                    .map(|member| self.names[*member].0.as_str())
                    .collect();
                self.losses.push(format!(
                    "at {:.3} s: range ({}, {}] of {keyspace} had {alive} of {} live replicas in {} where {} are needed; out: {}",
                    at.as_secs_f64(),
                    demand.start,
                    demand.end,
                    demand.factor,
                    demand.dc.as_deref().unwrap_or("all data centers"),
                    demand.need,
                    out.join(", ")
                ));
            }
            *lost = is_lost;
        }
    }

    pub(crate) fn losses(&self) -> &[String] {
        &self.losses
    }

    pub(crate) fn max_down(&self, dc: &str) -> usize {
        self.max_down.get(dc).copied().unwrap_or(0)
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
