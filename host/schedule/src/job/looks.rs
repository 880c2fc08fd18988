//! When to look at the cluster next, and whom to ask.
use super::{Job, Phase, RoundRequest, admission::For};
use crate::{Reason, observe};
use alloc::{collections::BTreeSet, vec::Vec};
use quorate_ring::{Liveness, NodeId};

/// Most nodes asked in one round.
const OBSERVERS: usize = 9;

impl Job {
    /// When the next round should begin, if one is wanted: milliseconds since 1970.
    pub fn next_round(&self, now: u64) -> Option<u64> {
        if !self.policy.observes() || self.state.end.is_some() {
            return None;
        }
        if self.watched.is_empty() && !self.wants_look() {
            return None;
        }
        // At once; but a look that wasn't new enough isn't repeated without a pause.
        let seen = self.seen.is_some_and(|(began, _)| {
            began >= self.state.released_at && began >= self.state.taken_up_at
        });
        Some(match self.is_stale() && self.round_error.is_none() {
            true if seen => self.after_pause().max(now),
            true => now,
            false => self.next_look(),
        })
    }

    /// Whom to ask in a round that begins now.
    pub fn round(&mut self, now: u64) -> RoundRequest {
        let look = self.wants_look();
        let starters = match self.policy.gates.new_process && look {
            true => self.select(now, For::Asking).admitted,
            false => Vec::new(),
        };
        let out = self.out();
        let down = match self.seen {
            Some(_) => self.state.down.clone(),
            // Nobody has looked yet: as it was when the job was made.
            None => {
                let down = |id: &NodeId| self.topology.node(*id).status.liveness == Liveness::Down;
                self.topology.ids().filter(down).collect()
            }
        };
        let unfit = [&out | &down, out, BTreeSet::new()];
        let pick = |unfit: &BTreeSet<NodeId>| {
            observe::observers(&self.topology, unfit, self.rounds, OBSERVERS)
        };
        // Where nobody is known to be fit, those are asked that aren't out; where everybody is out,
        // the waiting nodes' own views have to do.
        let candidates = if self.watched.is_empty() { &unfit[..] } else { &unfit[..2] };
        let observers = candidates.iter().map(pick).find(|chosen| !chosen.is_empty());
        RoundRequest {
            observers: observers.unwrap_or_default(),
            subjects: self.watched.keys().copied().collect(),
            starters,
            look: look || self.watched.values().any(|(_, since)| since.is_some()),
            hurry: self.is_stale(),
        }
    }

    fn is_stale(&self) -> bool {
        self.holds.values().any(|reason| matches!(reason, Reason::NoFreshRound))
    }

    /// Whether what holds a node may have changed by itself.
    fn wants_look(&self) -> bool {
        let blind = |reason: &Reason| match reason {
            Reason::NoFreshRound
            | Reason::Unsettled(_)
            | Reason::NoBaseline(_)
            | Reason::RoundFailed(_)
            | Reason::TopologyChange(_)
            | Reason::NewMap(_) => true,
            Reason::ReplicaSet(set) => set.may_pass(),
            Reason::MaxOut { .. } => !self.state.not_up.is_empty(),
            _ => false,
        };
        self.holds.values().any(blind)
    }

    /// When to look again: after the pause; but where all that is missing is the rest of a stable time,
    /// so that the look ends with it.
    fn next_look(&self) -> u64 {
        let regular = self.after_pause();
        let stable = |since: u64| since + self.policy.stable_ms;
        let end = |(node, (_, since)): (&NodeId, &(u64, Option<u64>))| {
            // One whose command goes on isn't confirmed by the time alone.
            if self.phase(*node) == Some(Phase::Running) { None } else { since.map(stable) }
        };
        let ends: Option<Vec<u64>> = self.watched.iter().map(end).collect();
        let Some(end) = ends.and_then(|ends| ends.into_iter().min()) else {
            return regular;
        };
        let last = end.saturating_sub(self.round_took / 2);
        // Another regular look fits in before it, or it is too late for that.
        let fits = regular + self.round_took + self.policy.round_pause_ms <= last;
        if fits { regular } else { last.max(self.last_round) }
    }

    fn after_pause(&self) -> u64 {
        self.last_round + self.policy.round_pause_ms
    }
}
