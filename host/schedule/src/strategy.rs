//! The native strategies and the limits beside them: what they hold back before the guard is asked.
use crate::{Phase, Policy, Reason, Strategy, state::State};
use alloc::{collections::BTreeSet, vec::Vec};
use quorate_ring::{DataCenter, KeyspaceName, NodeId, Topology};

/// What is occupied at one moment.
pub(crate) struct Occupied<'a> {
    topology: &'a Topology,
    policy: &'a Policy,
    /// Running, unconfirmed or out.
    busy: BTreeSet<NodeId>,
    /// Confirmed, within `--node-done-pause`, with its end.
    pausing: Vec<(NodeId, u64)>,
    /// With data centers in turn: the one whose turn it is.
    turn: Option<DataCenter>,
}

impl<'a> Occupied<'a> {
    pub(crate) fn new(topology: &'a Topology, policy: &'a Policy, state: &State, now: u64) -> Self {
        let active = |phase: Phase| matches!(phase, Phase::Running | Phase::Confirming);
        let busy = state
            .nodes
            .iter()
            .filter(|(_, run)| active(run.phase) || run.out)
            .map(|(id, _)| *id)
            .collect();
        let ends = |run: &crate::NodeRun| {
            Some(run.confirmed_at.or(run.ended_at)? + policy.node_done_pause_ms)
        };
        let pausing = state
            .nodes
            .iter()
            .filter(|(_, run)| matches!(run.phase, Phase::Done | Phase::Skipped))
            .filter(|(_, run)| run.attempt > 0)
            .filter_map(|(id, run)| Some((*id, ends(run)?)))
            .filter(|(_, end)| *end > now)
            .collect();
        let turn = (!policy.dc_parallel).then(|| {
            let open = |run: &crate::NodeRun| run.phase == Phase::Waiting || active(run.phase);
            let first = state.nodes.iter().find(|(_, run)| open(run));
            first.map(|(id, _)| topology.node(*id).data_center.clone())
        });
        Self { topology, policy, busy, pausing, turn: turn.flatten() }
    }

    /// A node was admitted.
    pub(crate) fn occupy(&mut self, node: NodeId) {
        self.busy.insert(node);
    }

    /// When the first pause ends.
    pub(crate) fn next_pause_end(&self) -> Option<u64> {
        self.pausing.iter().map(|(_, end)| *end).min()
    }

    /// What holds the node back, whatever the guard says.
    pub(crate) fn holds(&self, node: NodeId) -> Option<Reason> {
        let dc = &self.topology.node(node).data_center;
        if let Some(turn) = self.turn.as_ref().filter(|turn| *turn != dc) {
            return Some(Reason::DataCenterFirst(turn.clone()));
        }
        self.strategy(node).or_else(|| self.concurrency())
    }

    fn concurrency(&self) -> Option<Reason> {
        let limit = self.policy.max_concurrency?;
        if self.busy.len() >= limit as usize {
            return Some(Reason::Concurrency(limit));
        }
        let (after, until) = self.pausing.first().copied()?;
        (self.busy.len() + self.pausing.len() >= limit as usize)
            .then_some(Reason::Pause { after, until })
    }

    fn strategy(&self, node: NodeId) -> Option<Reason> {
        let same_dc = |other: NodeId| {
            self.topology.node(other).data_center == self.topology.node(node).data_center
        };
        let shared = |other: NodeId| self.topology.replicas.shared(node, other);
        let pause = |near: &dyn Fn(NodeId) -> bool| {
            let (after, until) = self.pausing.iter().copied().find(|(other, _)| near(*other))?;
            Some(Reason::Pause { after, until })
        };
        match self.policy.strategy {
            Strategy::All => None,
            Strategy::One => {
                let running = self.busy.iter().copied().find(|other| same_dc(*other));
                running.map(Reason::OneAtATime).or_else(|| pause(&same_dc))
            }
            Strategy::Topology => {
                let out = self.busy.iter().find_map(|other| Some((*other, shared(*other)?)));
                let observes = self.policy.observes();
                let reason = |(out, keyspace): (NodeId, &KeyspaceName)| match observes {
                    true => Reason::NeighbourOut { out, keyspace: keyspace.clone() },
                    false => Reason::NeighbourRuns { other: out, keyspace: keyspace.clone() },
                };
                out.map(reason).or_else(|| pause(&|other| shared(other).is_some()))
            }
        }
    }
}

/// The order in which targets are tried: rack after rack within a data center, the data centers taking
/// turns, so that a limit on the whole is shared between them.
pub(crate) fn order(topology: &Topology, targets: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let mut centers: Vec<Vec<NodeId>> = Vec::new();
    for id in targets {
        match centers.last_mut() {
            Some(center) if same_center(topology, center, *id) => center.push(*id),
            _ => centers.push(alloc::vec![*id]),
        }
    }
    let longest = centers.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|i| centers.iter().filter_map(move |c| c.get(i).copied())).collect()
}

fn same_center(topology: &Topology, center: &[NodeId], node: NodeId) -> bool {
    center
        .last()
        .is_some_and(|last| topology.node(*last).data_center == topology.node(node).data_center)
}
