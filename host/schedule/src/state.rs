//! What the transitions of a job add up to.
use crate::{End, GateFailure, Outcome, Phase, Proposed, Reason, StopCause, Transition};
use alloc::{
    borrow::ToOwned as _,
    collections::{BTreeMap, BTreeSet},
};
use quorate_ring::{NodeId, NodeStatus};

/// One target of a job. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRun {
    /// Where it is.
    pub phase: Phase,
    /// Attempts begun.
    pub attempt: u32,
    /// Started by this job and not confirmed since.
    pub out: bool,
    /// Its time was over before its gates held: it isn't confirmed any more.
    pub stays_out: bool,
    /// How the command ended, once it has.
    pub outcome: Option<Outcome>,
    /// Start of the newest attempt.
    pub started_at: Option<u64>,
    /// End of the command.
    pub ended_at: Option<u64>,
    /// Confirmation.
    pub confirmed_at: Option<u64>,
    /// Its gossip generation before the command.
    pub generation: Option<u64>,
    /// The gate that last failed to hold, until all hold.
    pub gate: Option<GateFailure>,
    /// Since when all gates hold.
    pub healthy_at: Option<u64>,
    /// What last held its start.
    pub held: Option<Reason>,
}

/// The state of a job, as far as it is journalled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) nodes: BTreeMap<NodeId, NodeRun>,
    pub(crate) stopping: Option<StopCause>,
    pub(crate) end: Option<End>,
    pub(crate) taken_up_at: u64,
    pub(crate) stop_after: Option<u32>,
    /// Of this run of the job.
    pub(crate) started: u32,
    /// Of this run of the job.
    pub(crate) failed: u32,
    /// When a node was last confirmed.
    pub(crate) released_at: u64,
    /// Whom some observer of the newest round didn't show as `UN`.
    pub(crate) not_up: BTreeMap<NodeId, Option<NodeStatus>>,
    /// Nodes that every observer of the newest round showed as down.
    pub(crate) down: BTreeSet<NodeId>,
    /// Targets that were down at the first look of this run of the job: they go first, each alone. Absent
    /// before that look.
    pub(crate) down_first: Option<BTreeSet<NodeId>>,
    /// The groups of the strategy's component.
    pub(crate) proposed: Option<Proposed>,
    /// The job stops once the nodes of an earlier answer have ended.
    pub(crate) pauses_first: bool,
}

impl State {
    /// Applies a transition. `observes`: whether the command's nodes go out at all.
    pub(crate) fn apply(&mut self, transition: &Transition, at: u64, observes: bool) {
        match transition {
            Transition::TakenUp { stop_after } => {
                self.taken_up_at = at;
                self.released_at = at;
                self.stop_after = *stop_after;
                self.started = 0;
                self.failed = 0;
                self.stopping = None;
                self.end = None;
                self.down_first = None;
                self.proposed = None;
                self.pauses_first = false;
                // A new run waits again for what the last one gave up.
                self.nodes.values_mut().for_each(|run| run.stays_out = false);
            }
            Transition::Stopping { cause } => self.stopping = Some(cause.clone()),
            Transition::Finished { end } => self.end = Some(end.clone()),
            Transition::Started { node, attempt, generation } => {
                self.started += 1;
                if let Some(run) = self.nodes.get_mut(node) {
                    *run = NodeRun {
                        phase: Phase::Running,
                        attempt: *attempt,
                        generation: *generation,
                        out: observes,
                        started_at: Some(at),
                        ..NodeRun::default()
                    };
                }
            }
            Transition::Retried { node } => self.change(*node, |run| {
                *run = NodeRun { attempt: run.attempt, out: run.out, ..NodeRun::default() };
            }),
            Transition::TimedOut { node, gate, .. } => {
                self.failed += 1;
                if let Some(run) = self.nodes.get_mut(node) {
                    run.phase = Phase::Failed;
                    run.stays_out = true;
                    run.ended_at.get_or_insert(at);
                    run.gate = gate.clone();
                }
            }
            Transition::Ended { node, outcome } => {
                self.failed += u32::from(matches!(outcome, Outcome::Failed { .. }));
                if let Some(run) = self.nodes.get_mut(node) {
                    run.ended_at = Some(at);
                    run.phase = match outcome {
                        Outcome::Failed { .. } => Phase::Failed,
                        _ if observes => Phase::Confirming,
                        Outcome::Done(_) => Phase::Done,
                        Outcome::Skipped(_) => Phase::Skipped,
                    };
                    run.outcome = Some(outcome.clone());
                }
            }
            Transition::Confirmed { node } => {
                self.released_at = at;
                if let Some(run) = self.nodes.get_mut(node) {
                    run.out = false;
                    run.confirmed_at = Some(at);
                    run.gate = None;
                    if run.phase == Phase::Confirming {
                        run.phase = match run.outcome {
                            Some(Outcome::Skipped(_)) => Phase::Skipped,
                            _ => Phase::Done,
                        };
                    }
                }
            }
            Transition::GivenUp { node } => self.change(*node, |run| run.stays_out = true),
            Transition::LeftDown { node } => self.change(*node, |run| {
                run.phase = Phase::Skipped;
                run.outcome = Some(Outcome::Skipped("it is down".into()));
            }),
            Transition::LeftCluster { node } => {
                self.failed += u32::from(
                    self.nodes.get(node).is_some_and(|run| run.phase == Phase::Confirming),
                );
                self.change(*node, |run| {
                    let left = "it left the cluster".to_owned();
                    match run.phase {
                        Phase::Waiting => {
                            run.phase = Phase::Skipped;
                            run.outcome = Some(Outcome::Skipped(left));
                        }
                        Phase::Confirming => {
                            run.phase = Phase::Failed;
                            run.outcome =
                                Some(Outcome::Failed { code: "left".into(), message: left });
                        }
                        _ => {}
                    }
                    // In no replica set any more.
                    run.out = false;
                    run.gate = None;
                });
            }
            Transition::Looked { not_up, down } => {
                self.not_up.clone_from(not_up);
                self.down.clone_from(down);
                self.down_first.get_or_insert_with(|| down.clone());
            }
            // The job itself has the map.
            Transition::Mapped(_) => {}
            Transition::Proposed(proposed) => {
                // A pause that an earlier answer asked for after nodes that still run is kept.
                let active = |id: &NodeId| {
                    let phase = self.nodes.get(id).map(|run| run.phase);
                    matches!(phase, Some(Phase::Running | Phase::Confirming))
                };
                let earlier = self.proposed.iter().flat_map(|before| &before.groups);
                self.pauses_first |=
                    earlier.clone().any(|g| g.pause_after && g.nodes.iter().any(active));
                self.proposed = Some(proposed.clone());
            }
            Transition::Held { node, reason } => {
                self.change(*node, |run| run.held = Some(reason.clone()));
            }
            Transition::Unconfirmed { node, gate } => self.change(*node, |run| {
                run.gate = Some(gate.clone());
                run.healthy_at = None;
            }),
            Transition::Healthy { node } => self.change(*node, |run| {
                run.gate = None;
                run.healthy_at = Some(at);
            }),
        }
    }

    fn change(&mut self, node: NodeId, change: impl FnOnce(&mut NodeRun)) {
        if let Some(run) = self.nodes.get_mut(&node) {
            change(run);
        }
    }
}
