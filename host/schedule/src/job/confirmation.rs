//! What a round, an end or the time says of nodes that have been started.
use super::{Effect, Job, NodeRun, Phase, admission::BASELINE_AGE_MS};
use crate::{GateFailure, GatePolicy, Outcome, Round, Transition, judge};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use quorate_ring::NodeId;

impl Job {
    pub(super) fn observed(&mut self, round: Round, now: u64) {
        let out = self.out();
        self.look(&round, now);
        // Before this look releases anybody: the release asks for a new look, which may release the next one. Where
        // many come back one after the other, those that nothing holds any more would wait for all of them.
        if self.state.end.is_none() {
            self.start_allowed(now);
        }
        self.confirm(&round, &out, now);
    }

    /// Takes in what a round shows of the cluster.
    fn look(&mut self, round: &Round, now: u64) {
        self.rounds += 1;
        self.last_round = now;
        self.round_took = round.ended.saturating_sub(round.began);
        self.round_error = None;
        // Without a view there is only the silence of those that were asked for their own.
        if !round.views.is_empty() {
            self.seen = Some((round.began, round.seen));
            let trouble = |id: NodeId| Some((id, round.trouble(id)?.1));
            let not_up: BTreeMap<_, _> = self.topology.ids().filter_map(trouble).collect();
            let down = not_up.keys().copied().filter(|id| round.all_show_down(*id)).collect();
            let first = self.state.down_first.is_none();
            if first || (&not_up, &down) != (&self.state.not_up, &self.state.down) {
                self.step(Transition::Looked { not_up, down }, now);
            }
            self.compare(round, now);
            for (node, read) in &round.generations {
                // One that can't be read now doesn't undo what was read a moment ago.
                let known = self.generations.get(node).is_some_and(|(at, known)| {
                    known.is_ok() && round.ended.saturating_sub(*at) <= BASELINE_AGE_MS
                });
                if read.is_ok() || !known {
                    self.generations.insert(*node, (round.ended, read.clone()));
                }
            }
        }
    }

    /// Judges the nodes that wait for their confirmation.
    fn confirm(&mut self, round: &Round, out: &BTreeSet<NodeId>, now: u64) {
        let watched: Vec<_> = self.watched.iter().map(|(id, w)| (*id, *w)).collect();
        for (node, (eligible, since)) in watched {
            if round.began < eligible {
                continue;
            }
            // Who was merely too slow for this round has lost nothing by it.
            let late = round.selves.iter().any(|own| own.node == node && own.late);
            if since.is_some() && late && round.trouble(node).is_none() {
                continue;
            }
            let run = &self.state.nodes[&node];
            // Nothing to do, or failed, perhaps before it stopped anything: the old process may stay.
            let waived = matches!(run.outcome, Some(Outcome::Skipped(_) | Outcome::Failed { .. }));
            let gates = GatePolicy { new_process: self.policy.gates.new_process && !waived };
            let before = &self.schema_before;
            match judge(round, node, out, gates, run.generation, before) {
                Err(gate) => {
                    self.watched.insert(node, (eligible, None));
                    self.unconfirmed(node, gate, now);
                }
                Ok(()) => {
                    if since.is_none() {
                        self.step(Transition::Healthy { node }, now);
                    }
                    let since = since.unwrap_or(round.ended);
                    self.watched.insert(node, (eligible, Some(since)));
                    self.healthy(node, round.ended.saturating_sub(since), now);
                }
            }
        }
    }

    fn healthy(&mut self, node: NodeId, stable_ms: u64, now: u64) {
        if self.waits.remove(&node) {
            self.effects.push_back(Effect::Healthy(node));
        }
        let ended = self.state.nodes[&node].phase != Phase::Running;
        if ended && stable_ms >= self.policy.stable_ms {
            self.watched.remove(&node);
            self.step(Transition::Confirmed { node }, now);
            self.propose_if_dynamic();
        }
    }

    pub(super) fn unconfirmed(&mut self, node: NodeId, gate: GateFailure, now: u64) {
        if self.state.nodes[&node].gate.as_ref() != Some(&gate) {
            self.step(Transition::Unconfirmed { node, gate }, now);
        }
    }

    pub(super) fn ended(&mut self, node: NodeId, outcome: Outcome, now: u64) {
        self.waits.remove(&node);
        if self.state.nodes.get(&node).is_none_or(|run| run.phase != Phase::Running) {
            return; // Its time was over before; the end comes too late to count.
        }
        self.step(Transition::Ended { node, outcome }, now);
        self.propose_if_dynamic();
        let given_up = self.state.nodes.get(&node).is_some_and(|run| run.stays_out);
        if self.policy.observes() && !given_up {
            self.watched.entry(node).or_insert((now, None));
        }
    }

    pub(super) fn deadline(&self, run: &NodeRun) -> Option<u64> {
        let awaited = match run.phase {
            Phase::Running | Phase::Confirming => true,
            Phase::Failed => run.out,
            _ => false,
        };
        if !awaited || run.stays_out || self.state.end.is_some() {
            return None;
        }
        // A runner that was away didn't watch: the node's time counts from its return.
        let since = run.started_at?.max(self.state.taken_up_at);
        Some(since.saturating_add(self.policy.timeout_ms?))
    }

    pub(super) fn time_out(&mut self, now: u64) {
        let Some(limit_ms) = self.policy.timeout_ms else {
            return;
        };
        let over: Vec<_> = self
            .state
            .nodes
            .iter()
            .filter(|(_, run)| self.deadline(run).is_some_and(|deadline| deadline <= now))
            .map(|(id, run)| (*id, run.phase, run.gate.clone()))
            .collect();
        for (node, phase, gate) in over {
            self.watched.remove(&node);
            self.waits.remove(&node);
            if phase == Phase::Failed {
                self.step(Transition::GivenUp { node }, now);
                continue;
            }
            self.step(Transition::TimedOut { node, limit_ms, gate }, now);
            self.propose_if_dynamic();
            if phase == Phase::Running {
                self.effects.push_back(Effect::Cancel(node));
            }
        }
    }
}
