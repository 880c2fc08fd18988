//! Which waiting nodes start now, and why the others wait.
use super::{Effect, Job, NodeRun, Phase};
use crate::{ClusterState, Reason, StopCause, Transition, Verdict, may_start, strategy::Occupied};
use alloc::{collections::BTreeSet, vec::Vec};
use quorate_ring::NodeId;

impl Job {
    pub(super) fn start(&mut self, now: u64) {
        self.holds.clear();
        let waiting: Vec<_> =
            self.order.iter().copied().filter(|id| self.is_waiting(*id)).collect();
        let mut state = ClusterState { out: self.out(), not_up: self.not_up.clone() };
        let observes = self.policy.observes();
        if observes && self.policy.ignore_down_nodes && self.state.stopping.is_none() {
            for node in waiting.iter().copied().filter(|id| state.not_up.contains_key(id)) {
                self.step(Transition::LeftDown { node }, now);
            }
        }
        // The first down target, and the one that runs now, if any: each goes alone.
        let down = observes.then(|| self.down_first(&waiting, &state)).flatten();
        let mut occupied = Occupied::new(&self.topology, &self.policy, &self.state, now);
        self.next_pause_end = occupied.next_pause_end();
        let mut admitted = Vec::new();
        for node in waiting {
            if !self.is_waiting(node) {
                continue;
            }
            let started = self.state.started as usize + admitted.len();
            let reason = self.holds_start(node, started, down, &occupied, &state, now);
            match reason {
                Some(reason) => {
                    self.holds.insert(node, reason);
                }
                None => {
                    occupied.occupy(node);
                    if observes {
                        state.out.insert(node);
                    }
                    admitted.push(node);
                }
            }
        }
        self.alone.extend(down.filter(|down| admitted.contains(down)));
        for node in admitted {
            let attempt = self.state.nodes[&node].attempt + 1;
            self.step(Transition::Started { node, attempt }, now);
            let baseline = self.policy.gates.new_process;
            self.effects.push_back(Effect::Start { node, attempt, baseline });
        }
        if let Some(limit) = self.state.stop_after
            && self.state.started >= limit
            && self.state.nodes.values().any(|run| run.phase == Phase::Waiting)
        {
            self.stop(StopCause::StopAfter(limit), now);
        }
    }

    pub(super) fn is_waiting(&self, node: NodeId) -> bool {
        self.state.nodes[&node].phase == Phase::Waiting
    }

    /// A target that was down when it was started and isn't confirmed, or else the first that is down.
    fn down_first(&self, waiting: &[NodeId], state: &ClusterState) -> Option<NodeId> {
        self.active().find(|id| self.alone.contains(id)).or_else(|| {
            let down = |id: &NodeId| self.is_waiting(*id) && state.not_up.contains_key(id);
            waiting.iter().copied().find(down)
        })
    }

    fn active(&self) -> impl Iterator<Item = NodeId> {
        let active = |run: &NodeRun| matches!(run.phase, Phase::Running | Phase::Confirming);
        self.state.nodes.iter().filter(move |(_, run)| active(run)).map(|(id, _)| *id)
    }

    fn holds_start(
        &self,
        node: NodeId,
        started: usize,
        down: Option<NodeId>,
        occupied: &Occupied<'_>,
        state: &ClusterState,
        now: u64,
    ) -> Option<Reason> {
        if let Some(cause) = &self.state.stopping {
            return Some(Reason::Stopping(cause.clone()));
        }
        if let Some(limit) = self.state.stop_after.filter(|limit| started >= *limit as usize) {
            return Some(Reason::Stopping(StopCause::StopAfter(limit)));
        }
        match down {
            Some(down) if down != node => return Some(Reason::DownFirst(down)),
            Some(_) => {
                if let Some(other) = self.active().next() {
                    return Some(Reason::OneAtATime(other));
                }
            }
            None => {
                if let Some(reason) = occupied.holds(node) {
                    return Some(reason);
                }
            }
        }
        if self.policy.observes()
            && let Some(reason) = self.stale(now)
        {
            return Some(reason);
        }
        let replicas = &self.topology.replicas;
        match may_start(&self.topology, replicas, &self.policy, state, node) {
            Verdict::Admit => None,
            Verdict::Hold(reason) => Some(reason),
        }
    }

    /// A start needs a round that began after the last node was released and ended lately.
    fn stale(&self, now: u64) -> Option<Reason> {
        if let Some(why) = &self.round_error {
            return Some(Reason::RoundFailed(why.clone()));
        }
        let fresh = self.seen.is_some_and(|(began, ended)| {
            began >= self.state.released_at
                && began >= self.state.taken_up_at
                && now.saturating_sub(ended) <= self.policy.round_max_age_ms
        });
        (!fresh).then_some(Reason::NoFreshRound)
    }

    /// Records what holds the first waiting node of each data center, where it changed.
    pub(super) fn record_holds(&mut self, now: u64) {
        let mut centers = BTreeSet::new();
        let mut changed = Vec::new();
        for node in &self.order {
            let Some(reason) = self.holds.get(node) else {
                continue;
            };
            if !centers.insert(&self.topology.node(*node).data_center) {
                continue;
            }
            let passing = matches!(reason, Reason::NoFreshRound | Reason::Stopping(_));
            if !passing && self.state.nodes[node].held.as_ref() != Some(reason) {
                changed.push((*node, reason.clone()));
            }
        }
        for (node, reason) in changed {
            self.step(Transition::Held { node, reason }, now);
        }
    }
}
