//! One observation round: every observer and every waiting node asked at the same time.
use crate::{Nodetool, NodetoolError};
use quorate_ports::{Clock, Target};
use quorate_ring::{NodeId, NodeStatus, Topology, parse, parse::StatusRow};
use quorate_schedule::{Round, RoundRequest, SelfAnswer, SelfView, View};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// What a round needs. Shared, so that a round runs beside everything else.
pub(crate) struct Rounds {
    pub(crate) nodetool: Nodetool,
    pub(crate) topology: Topology,
    pub(crate) targets: Arc<[Target]>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// How long those are waited for who haven't answered when most observers have.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same, where a node would start.
const HURRY: Duration = Duration::from_secs(3);

enum Answer {
    View(NodeId, Result<BTreeMap<NodeId, NodeStatus>, NodetoolError>),
    Own(NodeId, Result<SelfAnswer, NodetoolError>),
    Generation(NodeId, Result<Option<u64>, NodetoolError>),
}

/// What has come in.
#[derive(Default)]
struct Answers {
    views: Vec<View>,
    selves: BTreeMap<NodeId, Result<SelfAnswer, String>>,
    generations: BTreeMap<NodeId, Result<Option<u64>, String>>,
    failures: Vec<String>,
    /// When each view came.
    times: Vec<u64>,
}

impl Answers {
    fn add(&mut self, answer: Answer, now: u64) {
        let told = |error: NodetoolError| error.to_string();
        match answer {
            Answer::View(observer, Ok(statuses)) => {
                self.views.push(View { observer, statuses });
                self.times.push(now);
            }
            Answer::View(_, Err(error)) => self.failures.push(error.to_string()),
            Answer::Own(node, answer) => {
                self.selves.insert(node, answer.map_err(told));
            }
            Answer::Generation(node, answer) => {
                self.generations.insert(node, answer.map_err(told));
            }
        }
    }
}

impl Rounds {
    /// Makes a round.
    ///
    /// # Errors
    /// In words: no more than half of the observers answered, and what the first of the others said.
    pub(crate) async fn make(self: Arc<Self>, request: RoundRequest) -> Result<Round, String> {
        let began = self.clock.now();
        let mut answers = Answers::default();
        let mut asked = JoinSet::new();
        for id in request.subjects.iter().copied() {
            let rounds = self.clone();
            asked.spawn(async move { Answer::Own(id, rounds.own(id).await) });
        }
        if !request.look {
            // A node that is still starting: its neighbours are spared until it answers by itself.
            self.gather(
                &mut asked,
                &mut answers,
                &RoundRequest { observers: Vec::new(), ..request.clone() },
            )
            .await;
            if answers.selves.values().all(Result::is_err) {
                return Ok(self.round(began, answers, &request));
            }
        }
        for id in request.observers.iter().copied() {
            let rounds = self.clone();
            asked.spawn(async move { Answer::View(id, rounds.view(id).await) });
        }
        for id in request.starters.iter().copied() {
            let rounds = self.clone();
            asked.spawn(async move { Answer::Generation(id, rounds.generation(id).await) });
        }
        self.gather(&mut asked, &mut answers, &request).await;
        if answers.views.len() * 2 <= request.observers.len() && !request.observers.is_empty() {
            let (asked, given) = (request.observers.len(), answers.views.len());
            let first = answers.failures.into_iter().next();
            let first = first.map(|first| format!("; {first}")).unwrap_or_default();
            return Err(format!("{} of {asked} nodes gave no view of it{first}", asked - given));
        }
        Ok(self.round(began, answers, &request))
    }

    /// Takes answers until all are there, or most observers have answered and the rest is late.
    async fn gather(
        &self,
        asked: &mut JoinSet<Answer>,
        answers: &mut Answers,
        request: &RoundRequest,
    ) {
        let patience = if request.hurry { HURRY } else { PATIENCE };
        let mut late: Option<Instant> = None;
        loop {
            let blind = request.observers.is_empty();
            let most = match blind {
                true => !answers.selves.is_empty(),
                false => answers.views.len() * 2 > request.observers.len(),
            };
            if late.is_none() && most {
                late = Some(Instant::now() + if blind { HURRY } else { patience });
            }
            let joined = match late {
                Some(late) => timeout_at(late, asked.join_next()).await,
                None => Ok(asked.join_next().await),
            };
            match joined {
                Ok(Some(Ok(answer))) => answers.add(answer, self.clock.now()),
                Ok(Some(Err(error))) if error.is_panic() => {
                    std::panic::resume_unwind(error.into_panic())
                }
                Ok(Some(Err(_))) => {}
                Ok(None) => return,
                Err(_) => return asked.abort_all(),
            }
        }
    }

    fn round(&self, began: u64, mut answers: Answers, request: &RoundRequest) -> Round {
        let late = || "no answer in time".to_owned();
        let ended = self.clock.now();
        let selves = request.subjects.iter().map(|node| {
            let answer = answers.selves.remove(node);
            let late = answer.is_none();
            let answer = answer.unwrap_or_else(|| Err("no answer in time".into()));
            SelfView { node: *node, answer, late }
        });
        let selves = selves.collect();
        let starters = request.starters.iter();
        let generations = starters
            .map(|node| (*node, answers.generations.remove(node).unwrap_or_else(|| Err(late()))))
            .collect();
        answers.views.sort_by_key(|view| view.observer);
        let seen = answers.times.get(request.observers.len() / 2).copied().unwrap_or(ended);
        Round { began, ended, seen, views: answers.views, selves, generations }
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

    /// A node's gossip generation; absent where nothing listens for JMX: the process is gone, and any
    /// later one is a new one.
    async fn generation(&self, node: NodeId) -> Result<Option<u64>, NodetoolError> {
        let target = &self.targets[node.index()];
        match self.nodetool.ask(target, &["info"], parse::info).await {
            Ok(info) => Ok(Some(info.generation)),
            Err(NodetoolError::Failed { message, .. })
                if message.contains("Connection refused") =>
            {
                Ok(None)
            }
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
