//! What the strategy and the operator's limits hold back, before the guard is asked.
use crate::{Guard, NodeRun, Phase, Policy, Proposed, Reason, Strategy};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use quorate_ring::{DataCenter, KeyspaceName, NodeId, Topology};

/// Nodes that strategy `topology` keeps apart from those that start, counted per replica set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apart {
    nodes: BTreeSet<NodeId>,
    in_set: Vec<u16>,
}

impl Apart {
    /// Replaces the nodes.
    fn update(&mut self, guard: &Guard, wanted: &BTreeSet<NodeId>) {
        self.in_set.resize(guard.set_count(), 0);
        let left: Vec<NodeId> = self.nodes.difference(wanted).copied().collect();
        for node in left {
            self.nodes.remove(&node);
            for set in guard.sets.of(node) {
                self.in_set[*set as usize] -= 1;
            }
        }
        for node in wanted {
            self.enter(guard, *node);
        }
    }

    fn enter(&mut self, guard: &Guard, node: NodeId) {
        if self.nodes.insert(node) {
            for set in guard.sets.of(node) {
                self.in_set[*set as usize] += 1;
            }
        }
    }
}

/// What is occupied at one moment.
pub(crate) struct Occupied<'a> {
    topology: &'a Topology,
    policy: &'a Policy,
    guard: &'a Guard,
    /// Running, unconfirmed or out.
    busy: BTreeSet<NodeId>,
    /// Confirmed, within `--node-done-pause`, with its end.
    pausing: Vec<(NodeId, u64)>,
    /// Busy and pausing nodes.
    apart: &'a mut Apart,
    /// With data centers in turn: the one whose turn it is.
    turn: Option<DataCenter>,
    /// Strategy `component`: the group whose turn it is, counted from 1, and each node's. 0: nodes of an
    /// earlier answer.
    groups: Option<(usize, BTreeMap<NodeId, usize>, &'a Proposed)>,
}

impl<'a> Occupied<'a> {
    pub(crate) fn new(
        topology: &'a Topology,
        policy: &'a Policy,
        guard: &'a Guard,
        nodes: &BTreeMap<NodeId, NodeRun>,
        proposed: Option<&'a Proposed>,
        apart: &'a mut Apart,
        now: u64,
    ) -> Self {
        let active = |phase: Phase| matches!(phase, Phase::Running | Phase::Confirming);
        // One that is to be tried again is out, and must not be in its own way; the guard counts it.
        let is_busy = |run: &NodeRun| active(run.phase) || run.out && run.phase != Phase::Waiting;
        let busy = nodes.iter().filter(|(_, run)| is_busy(run)).map(|(id, _)| *id);
        let ends =
            |run: &NodeRun| Some(run.confirmed_at.or(run.ended_at)? + policy.node_done_pause_ms);
        let pausing: Vec<(NodeId, u64)> = nodes
            .iter()
            .filter(|(_, run)| matches!(run.phase, Phase::Done | Phase::Skipped))
            .filter(|(_, run)| run.attempt > 0)
            .filter_map(|(id, run)| Some((*id, ends(run)?)))
            .filter(|(_, end)| *end > now)
            .collect();
        let open = |id: &NodeId| {
            nodes.get(id).is_some_and(|run| run.phase == Phase::Waiting || active(run.phase))
        };
        let group_of = |proposed: &'a Proposed| {
            let numbered = (1..).zip(&proposed.groups);
            let of: BTreeMap<NodeId, usize> = numbered
                .flat_map(|(i, group)| group.nodes.iter().map(move |id| (*id, i)))
                .collect();
            // Nodes of an earlier answer are a group before the first.
            let earlier = !policy.strategy_is_dynamic
                && nodes.iter().any(|(id, run)| active(run.phase) && !of.contains_key(id));
            let turn = proposed.groups.iter().position(|group| group.nodes.iter().any(open));
            let turn = if earlier { 0 } else { turn.unwrap_or(proposed.groups.len()) + 1 };
            (turn, of, proposed)
        };
        let groups = proposed.map(group_of);
        // Data centers take turns within a group.
        let in_turn = |id: &&NodeId| {
            let runs = nodes.get(*id).is_some_and(|run| active(run.phase));
            groups.as_ref().is_none_or(|(turn, of, _)| runs || of.get(*id) == Some(turn))
        };
        let turn = || {
            let center = |id: &NodeId| &topology.node(*id).data_center;
            nodes.keys().filter(|id| open(id)).filter(in_turn).map(center).min().cloned()
        };
        let turn = if policy.dc_parallel { None } else { turn() };
        let busy: BTreeSet<NodeId> = busy.collect();
        if policy.strategy == Strategy::Topology {
            let pausing = pausing.iter().map(|(id, _)| *id);
            apart.update(guard, &busy.iter().copied().chain(pausing).collect());
        }
        Self { topology, policy, guard, busy, pausing, apart, turn, groups }
    }

    /// A node was admitted.
    pub(crate) fn occupy(&mut self, node: NodeId) {
        self.busy.insert(node);
        if self.policy.strategy == Strategy::Topology {
            self.apart.enter(self.guard, node);
        }
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
        match self.policy.strategy {
            Strategy::All | Strategy::Quorum => None,
            Strategy::One => {
                let mut busy = self.busy.iter().copied();
                let running = busy.find(|other| self.same_center(node, *other));
                running.map(Reason::OneAtATime).or_else(|| {
                    let near = |(other, _): &&(NodeId, u64)| self.same_center(node, *other);
                    let (after, until) = self.pausing.iter().find(near).copied()?;
                    Some(Reason::Pause { after, until })
                })
            }
            Strategy::Topology => self.shares_with_busy(node),
            Strategy::Component => self.group(node),
        }
    }

    fn same_center(&self, a: NodeId, b: NodeId) -> bool {
        self.topology.node(a).data_center == self.topology.node(b).data_center
    }

    fn shares_with_busy(&self, node: NodeId) -> Option<Reason> {
        let shared = |set: &u32| {
            if self.apart.in_set[*set as usize] == 0 {
                return None;
            }
            let mut members = self.guard.sets.members(*set).iter().copied();
            let near = members
                .find(|other| self.apart.nodes.contains(other) && self.same_center(node, *other))?;
            Some((near, self.guard.sets.family(*set).keyspaces[0].clone()))
        };
        let (other, keyspace): (NodeId, KeyspaceName) =
            self.guard.sets.of(node).iter().find_map(shared)?;
        Some(match self.pausing.iter().find(|(pausing, _)| *pausing == other) {
            Some((after, until)) if !self.busy.contains(&other) => {
                Reason::Pause { after: *after, until: *until }
            }
            _ => Reason::NeighbourRuns { other, keyspace },
        })
    }

    fn group(&self, node: NodeId) -> Option<Reason> {
        let Some((turn, of, proposed)) = &self.groups else { return Some(Reason::Proposing) };
        let Some(group) = of.get(&node) else { return Some(Reason::NotProposed) };
        if group != turn {
            return Some(Reason::LaterGroup { turn: *turn as u32, group: *group as u32 });
        }
        let limit = proposed.groups[*group - 1].max_out?;
        let busy = self.busy.iter().filter(|id| of.get(id) == Some(group)).count();
        (busy >= limit as usize).then_some(Reason::GroupFull(limit))
    }
}
