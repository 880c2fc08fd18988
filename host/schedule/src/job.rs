//! The state machine of a job.
use crate::{
    ClusterState, GateFailure, Outcome, Policy, Reason, Round, StopCause, Transition, Verdict,
    judge, may_start, observe,
    state::State,
    strategy::{self, Occupied},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};
use quorate_ring::{NodeId, Topology};
use serde::{Deserialize, Serialize};

pub use crate::state::NodeRun;

/// Most nodes asked in one round.
const OBSERVERS: usize = 9;

/// Where a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not started.
    #[default]
    Waiting,
    /// Its command runs.
    Running,
    /// Its command ended well; its gates don't hold yet, or not for long enough.
    Confirming,
    /// Its command ended well and it is confirmed.
    Done,
    /// There was nothing to do.
    Skipped,
    /// Its command failed, or its time was over.
    Failed,
}

/// How a job, or this run of it, ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Every target is done or skipped.
    Completed,
    /// Some failed; `left` were not started.
    Failed {
        /// Targets that failed.
        failed: u32,
        /// Targets that were not started.
        left: u32,
    },
    /// Nothing failed in this run; `left` were not started.
    Stopped {
        /// Targets that were not started.
        left: u32,
    },
}

/// What the job is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A runner takes it up.
    TakeUp {
        /// `--stop-after` of this run.
        stop_after: Option<u32>,
    },
    /// A round ended.
    Observed(Round),
    /// A round failed; why.
    RoundFailed(String),
    /// The node's generation was read, just before its command; `None` where the node was down.
    Baseline(NodeId, Option<u64>),
    /// An action begins on the node: whatever was observed of it before counts no more.
    Acting(NodeId),
    /// The node's command waits until the node is healthy.
    WaitHealthy(NodeId),
    /// The node's command ended.
    Ended(NodeId, Outcome),
    /// A person asks that no further node be started.
    Stop,
    /// Time has passed.
    Tick,
}

/// What the job asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write it down, durably, before any effect that follows.
    Record(Transition),
    /// Run the command on the node.
    Start {
        /// The node.
        node: NodeId,
        /// 1 for the first attempt.
        attempt: u32,
        /// Its gossip generation must be read first and told as [`Event::Baseline`].
        baseline: bool,
    },
    /// All gates of a node whose command waits hold.
    Healthy(NodeId),
    /// End the node's command: its time is over.
    Cancel(NodeId),
    /// The job is over.
    Over(End),
}

/// A round that should be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRequest {
    /// Not before this moment, in milliseconds since 1970.
    pub not_before: u64,
    /// Whom to ask for the cluster's state.
    pub observers: Vec<NodeId>,
    /// Whom to ask for their own: nodes that wait for their confirmation.
    pub subjects: Vec<NodeId>,
}

/// A job that can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// No target.
    #[error("there is no node to run on")]
    NoTargets,
    /// A target that isn't in the topology.
    #[error("a target isn't a node of the cluster")]
    UnknownTarget,
}

/// A job: its plan, what has happened, and what comes next.
#[derive(Clone, Debug)]
pub struct Job {
    topology: Topology,
    policy: Policy,
    order: Vec<NodeId>,
    state: State,
    /// When the newest usable round began and ended, and whom it doesn't show as `UN`.
    seen: Option<(u64, u64)>,
    not_up: BTreeMap<NodeId, Option<quorate_ring::NodeStatus>>,
    /// Nodes that no observer of the newest round showed as `UN`: not worth asking.
    unseen: BTreeSet<NodeId>,
    round_error: Option<String>,
    last_round: u64,
    rounds: u64,
    /// Since when a node may be judged healthy, and since when its gates hold.
    watched: BTreeMap<NodeId, (u64, Option<u64>)>,
    /// Nodes whose command waits for health.
    waits: BTreeSet<NodeId>,
    /// Nodes that were down when they were started: they run alone.
    alone: BTreeSet<NodeId>,
    holds: BTreeMap<NodeId, Reason>,
    next_pause_end: Option<u64>,
    effects: VecDeque<Effect>,
}

impl Job {
    /// A new job over these targets.
    ///
    /// # Errors
    /// No target, or one that isn't a node of the topology.
    pub fn new(
        topology: Topology,
        targets: &BTreeSet<NodeId>,
        policy: Policy,
    ) -> Result<Self, JobError> {
        if targets.is_empty() {
            return Err(JobError::NoTargets);
        }
        if targets.iter().any(|id| id.index() >= topology.nodes.len()) {
            return Err(JobError::UnknownTarget);
        }
        let order = strategy::order(&topology, targets);
        let nodes = targets.iter().map(|id| (*id, NodeRun::default())).collect();
        Ok(Self {
            topology,
            policy,
            order,
            state: State { nodes, ..State::default() },
            seen: None,
            not_up: BTreeMap::new(),
            unseen: BTreeSet::new(),
            round_error: None,
            last_round: 0,
            rounds: 0,
            watched: BTreeMap::new(),
            waits: BTreeSet::new(),
            alone: BTreeSet::new(),
            holds: BTreeMap::new(),
            next_pause_end: None,
            effects: VecDeque::new(),
        })
    }

    /// The cluster as it was read for this job.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// What bounds the job.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The targets and where they are.
    pub fn nodes(&self) -> &BTreeMap<NodeId, NodeRun> {
        &self.state.nodes
    }

    /// Why no further node is started, if so.
    pub fn stopping(&self) -> Option<&StopCause> {
        self.state.stopping.as_ref()
    }

    /// How the job ended, if it has.
    pub fn end(&self) -> Option<&End> {
        self.state.end.as_ref()
    }

    /// Nodes that the newest round didn't show as `UN`.
    pub fn not_up(&self) -> &BTreeMap<NodeId, Option<quorate_ring::NodeStatus>> {
        &self.not_up
    }

    /// Why each waiting node waits, as of the newest event.
    pub fn holds(&self) -> &BTreeMap<NodeId, Reason> {
        &self.holds
    }

    /// Why the newest round failed, if it has.
    pub fn round_error(&self) -> Option<&str> {
        self.round_error.as_deref()
    }

    /// Applies a journalled transition: how a view, or the next run of the job, learns what happened.
    pub fn apply(&mut self, transition: &Transition, at: u64) {
        self.state.apply(transition, at, self.policy.observes());
    }

    /// Takes the next effect.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Tells the job what happened. `now` is milliseconds since 1970.
    pub fn handle(&mut self, event: Event, now: u64) {
        match event {
            Event::TakeUp { stop_after } => {
                self.step(Transition::TakenUp { stop_after }, now);
                let unconfirmed = |run: &NodeRun| run.out && !run.stays_out;
                let ids = self.state.nodes.iter().filter(|(_, run)| unconfirmed(run));
                self.watched = ids.map(|(id, _)| (*id, (now, None))).collect();
            }
            Event::Observed(round) => self.observed(&round, now),
            Event::RoundFailed(why) => {
                self.rounds += 1;
                self.last_round = now;
                for (_, since) in self.watched.values_mut() {
                    *since = None;
                }
                let watched: Vec<_> = self.watched.keys().copied().collect();
                for node in watched {
                    self.unconfirmed(node, GateFailure::NoRound(why.clone()), now);
                }
                self.round_error = Some(why);
            }
            Event::Baseline(node, generation) => {
                self.step(Transition::Baseline { node, generation }, now);
            }
            Event::Acting(node) => {
                self.watched.remove(&node);
            }
            Event::WaitHealthy(node) => {
                self.waits.insert(node);
                self.watched.entry(node).or_insert((now, None));
            }
            Event::Ended(node, outcome) => self.ended(node, outcome, now),
            Event::Stop => self.stop(StopCause::Requested, now),
            Event::Tick => {}
        }
        self.advance(now);
    }

    /// The next moment at which time alone changes something.
    pub fn next_deadline(&self) -> Option<u64> {
        let timeouts = self.state.nodes.values().filter_map(|run| self.deadline(run));
        timeouts.chain(self.next_pause_end).min()
    }

    /// The round that should be made next, if any.
    pub fn wants_round(&self, now: u64) -> Option<RoundRequest> {
        if !self.policy.observes() || self.state.end.is_some() {
            return None;
        }
        let stale = self.holds.values().any(|r| matches!(r, Reason::NoFreshRound));
        let looking = stale
            || self
                .holds
                .values()
                .any(|r| matches!(r, Reason::NodeDown { .. } | Reason::RoundFailed(_)));
        if self.watched.is_empty() && !looking {
            return None;
        }
        let pause = self.last_round + self.policy.round_pause_ms;
        let not_before = if stale && self.round_error.is_none() { now } else { pause };
        let mut unfit = self.out();
        unfit.extend(&self.unseen);
        if unfit.len() == self.topology.nodes.len() {
            // Nobody is known to be fit. Those that wait are asked for their own view anyway; where
            // none waits, whoever may answer is asked.
            unfit.retain(|_| !self.watched.is_empty());
        }
        Some(RoundRequest {
            not_before,
            observers: observe::observers(&self.topology, &unfit, self.rounds, OBSERVERS),
            subjects: self.watched.keys().copied().collect(),
        })
    }

    fn step(&mut self, transition: Transition, now: u64) {
        self.state.apply(&transition, now, self.policy.observes());
        self.effects.push_back(Effect::Record(transition));
    }

    fn out(&self) -> BTreeSet<NodeId> {
        self.state.nodes.iter().filter(|(_, run)| run.out).map(|(id, _)| *id).collect()
    }

    fn observed(&mut self, round: &Round, now: u64) {
        self.rounds += 1;
        self.last_round = now;
        self.round_error = None;
        self.seen = Some((round.began, round.ended));
        let trouble = |id: NodeId| Some((id, round.trouble(id)?.1));
        self.not_up = self.topology.ids().filter_map(trouble).collect();
        self.unseen = self.not_up.keys().copied().filter(|id| !round.anybody_sees(*id)).collect();
        let out = self.out();
        let watched: Vec<_> = self.watched.iter().map(|(id, w)| (*id, *w)).collect();
        for (node, (eligible, since)) in watched {
            if round.began < eligible {
                continue;
            }
            let run = &self.state.nodes[&node];
            let waived = matches!(run.outcome, Some(Outcome::Skipped(_)));
            let gates = crate::GatePolicy { new_process: self.policy.gates.new_process && !waived };
            match judge(round, node, &out, gates, run.generation) {
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
        }
    }

    fn unconfirmed(&mut self, node: NodeId, gate: GateFailure, now: u64) {
        if self.state.nodes[&node].gate.as_ref() != Some(&gate) {
            self.step(Transition::Unconfirmed { node, gate }, now);
        }
    }

    fn ended(&mut self, node: NodeId, outcome: Outcome, now: u64) {
        self.waits.remove(&node);
        if self.state.nodes.get(&node).is_none_or(|run| run.phase != Phase::Running) {
            return; // Its time was over before; the end comes too late to count.
        }
        self.step(Transition::Ended { node, outcome }, now);
        if self.policy.observes() {
            self.watched.entry(node).or_insert((now, None));
        }
    }

    fn stop(&mut self, cause: StopCause, now: u64) {
        if self.state.stopping.is_none() {
            self.step(Transition::Stopping { cause }, now);
        }
    }

    fn deadline(&self, run: &NodeRun) -> Option<u64> {
        if !matches!(run.phase, Phase::Running | Phase::Confirming) || self.state.end.is_some() {
            return None;
        }
        // A runner that was away didn't watch: the node's time counts from its return.
        Some(run.started_at?.max(self.state.taken_up_at) + self.policy.timeout_ms?)
    }

    fn advance(&mut self, now: u64) {
        if self.state.end.is_some() {
            return;
        }
        self.time_out(now);
        let allowed = self.policy.max_failures.allowed(self.order.len());
        if self.state.failed as usize > allowed {
            let cause = StopCause::Failures { failed: self.state.failed, allowed: allowed as u32 };
            self.stop(cause, now);
        }
        self.start(now);
        self.record_holds(now);
        self.finish(now);
    }

    fn time_out(&mut self, now: u64) {
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
            self.step(Transition::TimedOut { node, limit_ms, gate }, now);
            if phase == Phase::Running {
                self.effects.push_back(Effect::Cancel(node));
            }
        }
    }

    fn start(&mut self, now: u64) {
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

    fn is_waiting(&self, node: NodeId) -> bool {
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
    fn record_holds(&mut self, now: u64) {
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

    fn finish(&mut self, now: u64) {
        let count = |phase: Phase| self.state.nodes.values().filter(|r| r.phase == phase).count();
        let left = count(Phase::Waiting) as u32;
        let active = count(Phase::Running) + count(Phase::Confirming);
        if active > 0 || left > 0 && self.state.stopping.is_none() {
            return;
        }
        let failed = count(Phase::Failed) as u32;
        let end = if failed > 0 {
            End::Failed { failed, left }
        } else if left > 0 {
            End::Stopped { left }
        } else {
            End::Completed
        };
        self.step(Transition::Finished { end: end.clone() }, now);
        self.effects.push_back(Effect::Over(end));
    }
}
