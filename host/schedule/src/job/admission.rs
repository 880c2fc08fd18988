//! Which waiting nodes start now, and why the others wait.
use super::{Effect, Job, NodeRun, Phase, Ready};
use crate::{
    Guard, OutCause, Outs, Reason, StopCause, Transition, Verdict, may_start, order,
    strategy::{Apart, Occupied},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use quorate_ring::NodeId;

/// Age at which a node's generation is read again before it is started.
pub(super) const BASELINE_AGE_MS: u64 = 30_000;

/// Who starts, and why the others wait.
pub(super) struct Selection {
    pub(super) admitted: Vec<NodeId>,
    pub(super) holds: BTreeMap<NodeId, Reason>,
    pub(super) next_pause_end: Option<u64>,
}

/// What a selection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// To start whom it admits: needs a look that is new enough.
    Starting,
    /// To know who would start, were the cluster just seen as it was seen last.
    Asking,
    /// To say what holds each node by itself as things are, whoever else might start.
    Explaining,
}

impl Job {
    pub(super) fn start(&mut self, now: u64) {
        self.leave_down(now);
        let selection = self.select(now, For::Starting);
        self.next_pause_end = selection.next_pause_end;
        self.holds = selection.holds;
        for node in selection.admitted {
            let attempt = self.state.nodes[&node].attempt + 1;
            let read = self.generations.get(&node).and_then(|(_, read)| read.as_ref().ok());
            let generation = read.copied().flatten();
            // What was seen of one that is tried again was seen before its command.
            self.watched.remove(&node);
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
        let down: Vec<_> =
            self.state.down.iter().copied().filter(|id| self.is_waiting(*id)).collect();
        for node in down {
            self.step(Transition::LeftDown { node }, now);
        }
    }

    /// Makes what follows from the map and the policy, where it isn't there.
    fn make_ready(&mut self) -> Ready {
        self.ready.take().unwrap_or_else(|| {
            let guard = Guard::new(&self.topology, &self.policy);
            let targets = self.state.nodes.keys().copied().collect();
            let order = order::best(&self.topology, &guard, &self.policy, &targets).order;
            Ready { outs: guard.nobody_out(), guard, apart: Apart::default(), order }
        })
    }

    /// Who starts now and why the others wait.
    pub(super) fn select(&mut self, now: u64, purpose: For) -> Selection {
        let mut ready = self.make_ready();
        let selection = self.select_with(&mut ready, now, purpose);
        self.ready = Some(ready);
        selection
    }

    fn select_with(&self, ready: &mut Ready, now: u64, purpose: For) -> Selection {
        let fresh = purpose == For::Starting;
        let Ready { guard, outs, apart, order } = ready;
        self.bring_up_to_date(guard, outs);
        let order = self.preferred(order);
        let waiting: Vec<_> = order.into_iter().filter(|id| self.is_waiting(*id)).collect();
        let observes = self.policy.observes();
        // The first down target, and the one that runs now, if any: each goes alone.
        let down = observes.then(|| self.down_first(&waiting)).flatten();
        let mut occupied = Occupied::new(
            &self.topology,
            &self.policy,
            guard,
            &self.state.nodes,
            self.state.proposed.as_ref(),
            apart,
            now,
        );
        let mut selection = Selection {
            admitted: Vec::new(),
            holds: BTreeMap::new(),
            next_pause_end: occupied.next_pause_end(),
        };
        let stale = if observes && fresh { self.stale(now) } else { None };
        let mut started = self.state.started as usize;
        for node in waiting {
            let guarded = || match may_start(&self.topology, guard, outs, node) {
                Verdict::Admit => None,
                Verdict::Hold(reason) => Some(reason),
            };
            let held = match self.holds_back(node, started, down, &occupied) {
                // The guard knows more: the range, its level, and everybody who is out.
                Some(shares @ Reason::NeighbourRuns { .. }) => Some(guarded().unwrap_or(shares)),
                other => other,
            };
            let held = held
                .or_else(|| stale.clone())
                .or_else(guarded)
                .or_else(|| if fresh { self.baseline_holds(node, now) } else { None });
            match held {
                Some(reason) => {
                    selection.holds.insert(node, reason);
                }
                None => {
                    selection.admitted.push(node);
                    // One that can't be read won't start: whoever comes after it is read as well.
                    let unreadable = matches!(self.generations.get(&node), Some((_, Err(_))));
                    if fresh || purpose == For::Asking && !unreadable {
                        started += 1;
                        occupied.occupy(node);
                        if observes {
                            outs.put_out(guard, node, OutCause::Job(Phase::Running));
                        }
                    }
                }
            }
        }
        selection
    }

    fn bring_up_to_date(&self, guard: &Guard, outs: &mut Outs) {
        outs.update(guard, &self.state.not_up, &self.state.down, self.out_by_job());
    }

    /// The order in which targets are tried: the component's, where there is one.
    fn preferred(&self, order: &[NodeId]) -> Vec<NodeId> {
        match &self.state.proposed {
            None => order.to_vec(),
            Some(proposed) => {
                let named: Vec<NodeId> =
                    proposed.groups.iter().flat_map(|group| group.nodes.iter().copied()).collect();
                let known: BTreeSet<NodeId> = named.iter().copied().collect();
                let rest = order.iter().copied().filter(|id| !known.contains(id));
                named.iter().copied().chain(rest).collect()
            }
        }
    }

    /// Why each waiting node would wait now, were the cluster just seen as it was seen last: for one who
    /// reads the records of a job that runs elsewhere, or has ended.
    pub fn explain(&mut self, now: u64) -> BTreeMap<NodeId, Reason> {
        self.select(now, For::Explaining).holds
    }

    /// Per target the least number of further nodes that may go out in any of its replica sets; absent for
    /// nodes that are in no guarded set.
    pub fn slack(&mut self) -> BTreeMap<NodeId, u32> {
        let mut ready = self.make_ready();
        self.bring_up_to_date(&ready.guard, &mut ready.outs);
        let slack = |id: &NodeId| Some((*id, ready.guard.slack(&ready.outs, *id)?));
        let slack = self.state.nodes.keys().filter_map(slack).collect();
        self.ready = Some(ready);
        slack
    }

    pub(super) fn is_waiting(&self, node: NodeId) -> bool {
        self.state.nodes.get(&node).is_some_and(|run| run.phase == Phase::Waiting)
    }

    /// A target that was down when this run of the job began: one that has been started and isn't confirmed,
    /// or else the first that waits. One that goes down later holds its neighbours and nobody else.
    fn down_first(&self, waiting: &[NodeId]) -> Option<NodeId> {
        let listed = self.state.down_first.as_ref()?;
        self.active().find(|id| listed.contains(id)).or_else(|| {
            // One that can't even be asked won't be started: it holds nobody.
            let unreadable = |id: &NodeId| matches!(self.generations.get(id), Some((_, Err(_))));
            let is_down = |id: &NodeId| listed.contains(id) && self.state.down.contains(id);
            waiting.iter().copied().find(|id| is_down(id) && !unreadable(id))
        })
    }

    pub(super) fn active(&self) -> impl Iterator<Item = NodeId> {
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
        let by_job =
            self.state.not_up.keys().all(|id| self.state.nodes.get(id).is_some_and(|r| r.out));
        let held = |reason: &Reason| match reason {
            Reason::ReplicaSet(set) => !set.may_pass(),
            Reason::MaxOut { .. } => by_job,
            Reason::NeighbourRuns { .. }
            | Reason::OneAtATime(_)
            | Reason::Concurrency(_)
            | Reason::DataCenterFirst(_)
            | Reason::LaterGroup { .. }
            | Reason::GroupFull(_) => true,
            _ => false,
        };
        given_up && self.next_pause_end.is_none() && self.holds.values().all(held)
    }

    /// A start needs a round that began after the last node was released, and whose views are new.
    fn stale(&self, now: u64) -> Option<Reason> {
        if let Some(why) = &self.round_error {
            return Some(Reason::RoundFailed(why.clone()));
        }
        if let Some(why) = &self.outdated {
            return Some(Reason::NewMap(why.clone()));
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
        let order = self.ready.as_ref().map(|ready| self.preferred(&ready.order));
        for node in order.unwrap_or_default().iter() {
            let Some(reason) = self.holds.get(node) else {
                continue;
            };
            if !centers.insert(&self.topology.node(*node).data_center) {
                continue;
            }
            let passing =
                matches!(reason, Reason::NoFreshRound | Reason::Stopping(_) | Reason::Proposing);
            if !passing && self.state.nodes[node].held.as_ref() != Some(reason) {
                changed.push((*node, reason.clone()));
            }
        }
        for (node, reason) in changed {
            self.step(Transition::Held { node, reason }, now);
        }
    }
}
