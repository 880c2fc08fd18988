//! Which waiting nodes start now, and why the others wait.
use super::{Effect, Job, NodeRun, Phase};
use crate::{ClusterState, Reason, StopCause, Transition, Verdict, may_start, strategy::Occupied};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use quorate_ring::NodeId;

/// Age at which a node's generation is read again before it is started.
const BASELINE_AGE_MS: u64 = 30_000;

/// Who starts, and why the others wait.
pub(super) struct Selection {
    pub(super) admitted: Vec<NodeId>,
    pub(super) holds: BTreeMap<NodeId, Reason>,
    pub(super) next_pause_end: Option<u64>,
    pub(super) down: Option<NodeId>,
}

impl Job {
    pub(super) fn start(&mut self, now: u64) {
        self.leave_down(now);
        let selection = self.select(now, true);
        self.next_pause_end = selection.next_pause_end;
        self.holds = selection.holds;
        self.alone.extend(selection.down.filter(|down| selection.admitted.contains(down)));
        for node in selection.admitted {
            let attempt = self.state.nodes[&node].attempt + 1;
            let read = self.generations.get(&node).and_then(|(_, read)| read.as_ref().ok());
            let generation = read.copied().flatten();
            self.step(Transition::Started { node, attempt, generation }, now);
            self.effects.push_back(Effect::Start { node, attempt });
        }
        if let Some(limit) = self.state.stop_after
            && self.state.started >= limit
            && self.state.nodes.values().any(|run| run.phase == Phase::Waiting)
        {
            self.stop(StopCause::StopAfter(limit), now);
        }
    }

    /// Skips down targets, where that is wanted: seen just now, and by everybody.
    fn leave_down(&mut self, now: u64) {
        let wanted = self.policy.observes() && self.policy.ignore_down_nodes;
        if !wanted || self.state.stopping.is_some() || self.stale(now).is_some() {
            return;
        }
        let down: Vec<_> = self.down.iter().copied().filter(|id| self.is_waiting(*id)).collect();
        for node in down {
            self.step(Transition::LeftDown { node }, now);
        }
    }

    /// Who starts now and why the others wait. Without `fresh`: who would, were the cluster just seen
    /// as it was seen last.
    pub(super) fn select(&self, now: u64, fresh: bool) -> Selection {
        let waiting: Vec<_> =
            self.order.iter().copied().filter(|id| self.is_waiting(*id)).collect();
        let mut state =
            ClusterState { out: self.out(), not_up: self.not_up.clone(), down: self.down.clone() };
        let observes = self.policy.observes();
        // The first down target, and the one that runs now, if any: each goes alone.
        let down = observes.then(|| self.down_first(&waiting)).flatten();
        let mut occupied = Occupied::new(&self.topology, &self.policy, &self.state, now);
        let mut selection = Selection {
            admitted: Vec::new(),
            holds: BTreeMap::new(),
            next_pause_end: occupied.next_pause_end(),
            down,
        };
        let stale = if observes && fresh { self.stale(now) } else { None };
        let mut started = self.state.started as usize;
        for node in waiting {
            let held = self
                .holds_back(node, started, down, &occupied)
                .or_else(|| stale.clone())
                .or_else(|| self.guard_holds(node, &state))
                .or_else(|| if fresh { self.baseline_holds(node, now) } else { None });
            match held {
                Some(reason) => {
                    selection.holds.insert(node, reason);
                }
                None => {
                    selection.admitted.push(node);
                    // One that can't be read won't start: whoever comes after it is read as well.
                    if fresh || !matches!(self.generations.get(&node), Some((_, Err(_)))) {
                        started += 1;
                        occupied.occupy(node);
                        if observes {
                            state.out.insert(node);
                        }
                    }
                }
            }
        }
        selection
    }

    pub(super) fn is_waiting(&self, node: NodeId) -> bool {
        self.state.nodes.get(&node).is_some_and(|run| run.phase == Phase::Waiting)
    }

    /// A target that was down when it was started and isn't confirmed, or else the first that is down.
    fn down_first(&self, waiting: &[NodeId]) -> Option<NodeId> {
        self.active()
            .find(|id| self.alone.contains(id))
            .or_else(|| waiting.iter().copied().find(|id| self.down.contains(id)))
    }

    fn active(&self) -> impl Iterator<Item = NodeId> {
        let active = |run: &NodeRun| matches!(run.phase, Phase::Running | Phase::Confirming);
        self.state.nodes.iter().filter(move |(_, run)| active(run)).map(|(id, _)| *id)
    }

    /// What holds the node back before the cluster is looked at: the operator's limits and the strategy.
    fn holds_back(
        &self,
        node: NodeId,
        started: usize,
        down: Option<NodeId>,
        occupied: &Occupied<'_>,
    ) -> Option<Reason> {
        if let Some(cause) = &self.state.stopping {
            return Some(Reason::Stopping(cause.clone()));
        }
        if let Some(limit) = self.state.stop_after.filter(|limit| started >= *limit as usize) {
            return Some(Reason::Stopping(StopCause::StopAfter(limit)));
        }
        match down {
            Some(down) if down != node => Some(Reason::DownFirst(down)),
            Some(_) => self.active().next().map(Reason::OneAtATime),
            None => occupied.holds(node),
        }
    }

    fn guard_holds(&self, node: NodeId, state: &ClusterState) -> Option<Reason> {
        let replicas = &self.topology.replicas;
        match may_start(&self.topology, replicas, &self.policy, state, node) {
            Verdict::Admit => None,
            Verdict::Hold(reason) => Some(reason),
        }
    }

    /// Where a new process is asked for, the old one must be known first.
    fn baseline_holds(&self, node: NodeId, now: u64) -> Option<Reason> {
        if !self.policy.gates.new_process || !self.policy.observes() {
            return None;
        }
        match self.generations.get(&node) {
            Some((_, Err(why))) => Some(Reason::NoBaseline(why.clone())),
            Some((at, Ok(_))) if now.saturating_sub(*at) <= BASELINE_AGE_MS => None,
            _ => Some(Reason::NoFreshRound),
        }
    }

    /// Whether what waits is held by nodes that are out and waited for no more, and by nothing else.
    pub(super) fn is_stuck(&self) -> bool {
        let mut out = self.state.nodes.values().filter(|run| run.out).peekable();
        let given_up = out.peek().is_some() && out.all(|run| run.stays_out);
        let held = |reason: &Reason| {
            matches!(
                reason,
                Reason::NeighbourOut { .. }
                    | Reason::OneAtATime(_)
                    | Reason::Concurrency(_)
                    | Reason::DataCenterFirst(_)
            )
        };
        given_up && self.next_pause_end.is_none() && self.holds.values().all(held)
    }

    /// A start needs a round that began after the last node was released, and whose views are new.
    fn stale(&self, now: u64) -> Option<Reason> {
        if let Some(why) = &self.round_error {
            return Some(Reason::RoundFailed(why.clone()));
        }
        let fresh = self.seen.is_some_and(|(began, seen)| {
            began >= self.state.released_at
                && began >= self.state.taken_up_at
                && now.saturating_sub(seen) <= self.policy.round_max_age_ms
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
