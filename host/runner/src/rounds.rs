//! One observation round: every observer and every waiting node asked at the same time.
use crate::{Nodetool, NodetoolError};
use quorate_ports::{Clock, Target};
use quorate_ring::{NodeId, NodeStatus, Topology, parse, parse::StatusRow};
use quorate_schedule::{Round, RoundRequest, SelfAnswer, SelfView, View};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;

/// What a round needs. Shared, so that a round runs beside everything else.
pub(crate) struct Rounds {
    pub(crate) nodetool: Nodetool,
    pub(crate) topology: Topology,
    pub(crate) targets: Vec<Target>,
    pub(crate) clock: Arc<dyn Clock>,
}

enum Answer {
    View(NodeId, Result<BTreeMap<NodeId, NodeStatus>, NodetoolError>),
    Own(NodeId, Result<SelfAnswer, NodetoolError>),
}

impl Rounds {
    /// Makes a round.
    ///
    /// # Errors
    /// In words: fewer than half of the observers answered, and what the first of the others said.
    pub(crate) async fn make(self: Arc<Self>, request: RoundRequest) -> Result<Round, String> {
        let began = self.clock.now();
        let mut asked = JoinSet::new();
        for id in request.observers.iter().copied() {
            let rounds = self.clone();
            asked.spawn(async move { Answer::View(id, rounds.view(id).await) });
        }
        for id in request.subjects.iter().copied() {
            let rounds = self.clone();
            asked.spawn(async move { Answer::Own(id, rounds.own(id).await) });
        }
        let (mut views, mut selves, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(joined) = asked.join_next().await {
            match joined {
                Ok(Answer::View(observer, Ok(statuses))) => views.push(View { observer, statuses }),
                Ok(Answer::View(_, Err(error))) => failures.push(error.to_string()),
                Ok(Answer::Own(node, answer)) => {
                    let answer = answer.map_err(|error| error.to_string());
                    selves.push(SelfView { node, answer });
                }
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        if views.len() * 2 <= request.observers.len() && !request.observers.is_empty() {
            let (failed, asked) = (failures.len(), request.observers.len());
            let first = failures.into_iter().next().unwrap_or_default();
            return Err(format!("{failed} of {asked} nodes gave no view of it; {first}"));
        }
        views.sort_by_key(|view| view.observer);
        Ok(Round { began, ended: self.clock.now(), views, selves })
    }

    async fn view(&self, observer: NodeId) -> Result<BTreeMap<NodeId, NodeStatus>, NodetoolError> {
        let target = &self.targets[observer.index()];
        let rows = self.nodetool.ask(target, &["status"], parse::status).await?;
        Ok(statuses(&self.topology, &rows))
    }

    async fn own(&self, node: NodeId) -> Result<SelfAnswer, NodetoolError> {
        let target = &self.targets[node.index()];
        let (rows, info) = tokio::try_join!(
            self.nodetool.ask(target, &["status"], parse::status),
            self.nodetool.ask(target, &["info"], parse::info),
        )?;
        Ok(SelfAnswer {
            statuses: statuses(&self.topology, &rows),
            serving: info.native_transport_active,
            generation: info.generation,
        })
    }

    /// A node's gossip generation; absent where its Cassandra doesn't answer.
    pub(crate) async fn generation(&self, node: NodeId) -> Result<Option<u64>, NodetoolError> {
        let target = &self.targets[node.index()];
        match self.nodetool.ask(target, &["info"], parse::info).await {
            Ok(info) => Ok(Some(info.generation)),
            // Nothing listens for JMX: the process is gone, any later one is a new one.
            Err(NodetoolError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Rows by node. Nodes are known by host id, which a changed address doesn't change; a row of a node
/// that this job doesn't know is left out.
fn statuses(topology: &Topology, rows: &[StatusRow]) -> BTreeMap<NodeId, NodeStatus> {
    let mut by_host = BTreeMap::new();
    for row in rows {
        if let Some(host) = &row.host_id {
            by_host.insert(host, row.status);
        }
    }
    let status = |id: NodeId| {
        let node = topology.node(id);
        match &node.host_id {
            Some(host) => by_host.get(host).copied(),
            None => rows.iter().find(|r| r.address == node.address).map(|r| r.status),
        }
    };
    topology.ids().filter_map(|id| Some((id, status(id)?))).collect()
}
