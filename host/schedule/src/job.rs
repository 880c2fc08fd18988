//! The state machine of a job.

mod admission;
mod confirmation;
mod looks;
mod map;

use crate::{
    GateFailure, Group, Guard, Outcome, Outs, Policy, Proposed, Reason, Round, SchemaView,
    StopCause, Transition, state::State, strategy::Apart,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    format,
    string::String,
    vec::Vec,
};
use quorate_ring::{NodeId, Topology};
use serde::{Deserialize, Serialize};

pub use crate::state::NodeRun;

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

impl Phase {
    /// One word, the same everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Confirming => "confirming",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
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
        /// Nodes that failed are run again.
        retry_failed: bool,
    },
    /// A round ended.
    Observed(Round),
    /// A round failed; why.
    RoundFailed(String),
    /// An action begins on the node: whatever was observed of it before counts no more.
    Acting(NodeId),
    /// The node's command waits until the node is healthy.
    WaitHealthy(NodeId),
    /// The node's command ended.
    Ended(NodeId, Outcome),
    /// It isn't known what the node's failed command did: it stays out in this run of the job.
    Lost(NodeId),
    /// The cluster was read anew.
    Mapped(Box<Topology>),
    /// It couldn't be read; why.
    MapFailed(String),
    /// The strategy's component answered, or why it didn't.
    Proposed(Result<Vec<Group>, String>),
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
    },
    /// All gates of a node whose command waits hold.
    Healthy(NodeId),
    /// End the node's command: its time is over.
    Cancel(NodeId),
    /// Read the cluster anew, from one of these nodes.
    ReadMap(Vec<NodeId>),
    /// Ask the strategy's component.
    Propose,
    /// The job is over.
    Over(End),
}

/// A round that should be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRequest {
    /// Whom to ask for the cluster's state.
    pub observers: Vec<NodeId>,
    /// Whom to ask for their own: nodes that wait for their confirmation.
    pub subjects: Vec<NodeId>,
    /// Whose gossip generation to read: nodes that are about to start.
    pub starters: Vec<NodeId>,
    /// The observers' views are wanted at any rate. Otherwise they needn't be asked before one of the
    /// subjects answers: a node that is still starting.
    pub look: bool,
    /// Something would start now: who is late isn't waited for as long.
    pub hurry: bool,
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
    /// Per release the number of schema versions when the job was made.
    schema_before: BTreeMap<String, usize>,
    state: State,
    /// What is guarded and in which order targets are tried; made when it is first needed, which a fold
    /// over records never does.
    ready: Option<Ready>,
    /// When the newest usable round began and when it was seen.
    seen: Option<(u64, u64)>,
    /// Gossip generations of nodes that were about to start, and when they were read.
    generations: BTreeMap<NodeId, (u64, Result<Option<u64>, String>)>,
    /// How long the newest round took.
    round_took: u64,
    round_error: Option<String>,
    last_round: u64,
    rounds: u64,
    /// Since when a node may be judged healthy, and since when its gates hold.
    watched: BTreeMap<NodeId, (u64, Option<u64>)>,
    /// Nodes whose command waits for health.
    waits: BTreeSet<NodeId>,
    /// Why the map doesn't hold any more, and whether a new one is being read.
    outdated: Option<String>,
    reading_map: bool,
    /// The strategy's component is being asked, and has to be asked again.
    proposing: bool,
    propose_again: bool,
    holds: BTreeMap<NodeId, Reason>,
    next_pause_end: Option<u64>,
    effects: VecDeque<Effect>,
}

/// What follows from the map and the policy.
#[derive(Clone, Debug)]
struct Ready {
    guard: Guard,
    outs: Outs,
    apart: Apart,
    order: Vec<NodeId>,
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
        let nodes = targets.iter().map(|id| (*id, NodeRun::default())).collect();
        Ok(Self {
            schema_before: SchemaView::of(&topology).counts(),
            topology,
            policy,
            state: State { nodes, ..State::default() },
            ready: None,
            seen: None,
            generations: BTreeMap::new(),
            round_took: 0,
            round_error: None,
            last_round: 0,
            rounds: 0,
            watched: BTreeMap::new(),
            waits: BTreeSet::new(),
            outdated: None,
            reading_map: false,
            proposing: false,
            propose_again: false,
            holds: BTreeMap::new(),
            next_pause_end: None,
            effects: VecDeque::new(),
        })
    }

    /// The cluster as it was read last for this job.
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
        &self.state.not_up
    }

    /// Nodes that every observer of the newest round showed as down.
    pub fn down(&self) -> &BTreeSet<NodeId> {
        &self.state.down
    }

    /// The groups of the strategy's component, once it has answered.
    pub fn proposed(&self) -> Option<&Proposed> {
        self.state.proposed.as_ref()
    }

    /// The nodes that this job has out, and what each of them does.
    pub fn out_by_job(&self) -> BTreeMap<NodeId, crate::OutCause> {
        let out = self.state.nodes.iter().filter(|(_, run)| run.out);
        out.map(|(id, run)| (*id, crate::OutCause::Job(run.phase))).collect()
    }

    /// Why each waiting node waits, as of the newest event.
    pub fn holds(&self) -> &BTreeMap<NodeId, Reason> {
        &self.holds
    }

    /// Applies a journalled transition: how a view, or the next run of the job, learns what happened.
    pub fn apply(&mut self, transition: &Transition, at: u64) {
        if let Transition::Mapped(topology) = transition {
            self.topology = (**topology).clone();
            self.ready = None;
        }
        self.state.apply(transition, at, self.policy.observes());
    }

    /// Takes the next effect.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Tells the job what happened. `now` is milliseconds since 1970.
    pub fn handle(&mut self, event: Event, now: u64) {
        match event {
            Event::TakeUp { stop_after, retry_failed } => {
                self.step(Transition::TakenUp { stop_after }, now);
                if retry_failed {
                    self.retry_failed(now);
                }
                self.propose();
                let ids = self.state.nodes.iter().filter(|(_, run)| run.out);
                self.watched = ids.map(|(id, _)| (*id, (now, None))).collect();
            }
            Event::Observed(round) => self.observed(round.with_views(), now),
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
            Event::Acting(node) => {
                self.watched.remove(&node);
            }
            // A run whose time is over may still ask; nobody looks at its node any more.
            Event::WaitHealthy(node) if self.phase(node) == Some(Phase::Running) => {
                self.waits.insert(node);
                self.watched.entry(node).or_insert((now, None));
            }
            Event::WaitHealthy(_) => {}
            Event::Ended(node, outcome) => self.ended(node, outcome, now),
            Event::Lost(node) => {
                self.watched.remove(&node);
                self.step(Transition::GivenUp { node }, now);
            }
            Event::Mapped(topology) => self.mapped(*topology, now),
            Event::MapFailed(why) => {
                self.reading_map = false;
                self.outdated = Some(format!("it can't be read: {why}"));
            }
            Event::Proposed(answer) => self.proposal(answer, now),
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

    fn retry_failed(&mut self, now: u64) {
        let failed = self.state.nodes.iter().filter(|(_, run)| run.phase == Phase::Failed);
        for node in failed.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.step(Transition::Retried { node }, now);
        }
    }

    fn phase(&self, node: NodeId) -> Option<Phase> {
        self.state.nodes.get(&node).map(|run| run.phase)
    }

    fn step(&mut self, transition: Transition, now: u64) {
        self.state.apply(&transition, now, self.policy.observes());
        self.effects.push_back(Effect::Record(transition));
    }

    fn out(&self) -> BTreeSet<NodeId> {
        self.state.nodes.iter().filter(|(_, run)| run.out).map(|(id, _)| *id).collect()
    }

    fn stop(&mut self, cause: StopCause, now: u64) {
        if self.state.stopping.is_none() {
            self.step(Transition::Stopping { cause }, now);
        }
    }

    fn advance(&mut self, now: u64) {
        if self.state.end.is_some() {
            return;
        }
        self.start_allowed(now);
        self.record_holds(now);
        self.finish(now);
    }

    /// Starts who may, unless something ends the starting first.
    fn start_allowed(&mut self, now: u64) {
        self.time_out(now);
        let allowed = self.policy.max_failures.allowed(self.state.nodes.len());
        if self.state.failed as usize > allowed {
            let cause = StopCause::Failures { failed: self.state.failed, allowed: allowed as u32 };
            self.stop(cause, now);
        }
        self.pause_between_groups(now);
        self.start(now);
    }

    fn finish(&mut self, now: u64) {
        let count = |phase: Phase| self.state.nodes.values().filter(|r| r.phase == phase).count();
        let (left, failed) = (count(Phase::Waiting) as u32, count(Phase::Failed) as u32);
        if count(Phase::Running) + count(Phase::Confirming) > 0 {
            return;
        }
        if left > 0 && self.state.stopping.is_none() {
            if self.proposing {
                return;
            }
            let unnamed = |reason: &Reason| matches!(reason, Reason::NotProposed);
            let cause = match self.holds.values().all(unnamed) {
                true => StopCause::NotProposed,
                false if self.is_stuck() => StopCause::Stuck,
                false => return,
            };
            self.stop(cause, now);
        }
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
