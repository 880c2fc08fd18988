//! Asking a strategy's component.
use quorate_contract::{NodeState, Proposal, StrategyNode, StrategyView};
use quorate_journal::{Created, TargetHost};
use quorate_ring::NodeId;
use quorate_schedule::{Group, Job, Phase};

/// What a strategy's component is told of a job.
pub fn strategy_view(created: &Created, hosts: &[TargetHost], job: &mut Job) -> StrategyView {
    let slack = job.slack();
    let job = &*job;
    let state = |id: NodeId| match job.not_up().get(&id) {
        Some(Some(status)) => status.to_string(),
        Some(None) => "??".into(),
        None => job.topology().node(id).status.to_string(),
    };
    let node = |id: NodeId, phase: Phase| {
        let node = job.topology().node(id);
        StrategyNode {
            id: id.0,
            key: hosts[id.index()].key.0.clone(),
            data_center: node.data_center.to_string(),
            rack: node.rack.to_string(),
            state: NodeState(state(id)),
            phase: phase.word().into(),
            past_duration_ms: created.durations.get(&id).copied(),
            slack: slack.get(&id).copied(),
        }
    };
    let arguments = created.strategy.as_ref().map(|strategy| strategy.arguments.clone());
    StrategyView {
        cluster: job.topology().cluster.to_string(),
        arguments: arguments.unwrap_or_default(),
        nodes: job.nodes().iter().map(|(id, run)| node(*id, run.phase)).collect(),
    }
}

/// The groups of an answer.
pub fn groups(proposal: Proposal) -> Vec<Group> {
    let group = |group: quorate_contract::Group| Group {
        nodes: group.nodes.into_iter().map(NodeId).collect(),
        max_out: group.max_out,
        pause_after: group.pause_after,
    };
    proposal.groups.into_iter().map(group).collect()
}
