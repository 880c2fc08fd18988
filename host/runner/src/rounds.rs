//! One observation round: every observer and every waiting node asked at the same time.
use crate::{
    Nodetool, NodetoolError, Trouble,
    older::{releases, whole_for},
};
use quorate_ports::{Clock, Target};
use quorate_ring::{
    Address, NodeId, NodeStatus, RingShape, Topology,
    parse::{self, ClusterAnswer, StatusRow},
};
use quorate_schedule::{Round, RoundRequest, SchemaView, SelfAnswer, SelfView, View};
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

/// How many observers are asked for the schema versions, one after the other, until one tells them.
const TELLERS: usize = 2;

enum Answer {
    View(Result<View, NodetoolError>),
    Schema(Result<SchemaView, NodetoolError>),
    Own(NodeId, Result<SelfAnswer, NodetoolError>),
    Streams(NodeId, Result<Vec<String>, NodetoolError>),
    Generation(NodeId, Result<Option<u64>, NodetoolError>),
}

/// What has come in.
#[derive(Default)]
struct Answers {
    views: Vec<View>,
    schema: Option<SchemaView>,
    selves: BTreeMap<NodeId, Result<SelfAnswer, String>>,
    streams: BTreeMap<NodeId, Result<Vec<String>, String>>,
    generations: BTreeMap<NodeId, Result<Option<u64>, String>>,
    failures: Vec<String>,
    /// When each view came.
    times: Vec<u64>,
}

impl Answers {
    fn add(&mut self, answer: Answer, now: u64) {
        let told = |error: NodetoolError| error.to_string();
        match answer {
            Answer::View(Ok(view)) => {
                self.views.push(view);
                self.times.push(now);
            }
            Answer::Schema(Ok(schema)) => self.schema = Some(schema),
            Answer::View(Err(error)) | Answer::Schema(Err(error)) => {
                self.failures.push(error.to_string());
            }
            Answer::Own(node, answer) => {
                self.selves.insert(node, answer.map_err(told));
            }
            Answer::Streams(node, answer) => {
                self.streams.insert(node, answer.map_err(told));
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
            asked.spawn(async move { Answer::View(rounds.view(id).await) });
        }
        for id in request.subjects.iter().copied() {
            let rounds = self.clone();
            asked.spawn(async move { Answer::Streams(id, rounds.streams(id).await) });
        }
        // Whoever is asked tells the schema versions of all; where everybody is out, a waiting node.
        let tellers =
            if request.observers.is_empty() { &request.subjects } else { &request.observers };
        let (rounds, tellers) = (self.clone(), tellers.iter().copied().take(TELLERS).collect());
        asked.spawn(async move { Answer::Schema(rounds.schema(tellers).await) });
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
            let streams = answers.streams.remove(node);
            let is_late = answer.is_none() || matches!(answer, Some(Ok(_))) && streams.is_none();
            let streams = streams.unwrap_or_else(|| Err(late()));
            let answer = answer.unwrap_or_else(|| Err(late()));
            let answer = answer.and_then(|own| Ok(SelfAnswer { streams: streams?, ..own }));
            SelfView { node: *node, answer, late: is_late }
        });
        let selves = selves.collect();
        let starters = request.starters.iter();
        let generations = starters
            .map(|node| (*node, answers.generations.remove(node).unwrap_or_else(|| Err(late()))))
            .collect();
        answers.views.sort_by_key(|view| view.observer);
        let seen = answers.times.get(request.observers.len() / 2).copied().unwrap_or(ended);
        let Answers { views, schema, .. } = answers;
        Round { began, ended, seen, views, schema, selves, generations }
    }

    async fn view(&self, observer: NodeId) -> Result<View, NodetoolError> {
        let target = &self.targets[observer.index()];
        let rows = self.nodetool.ask(target, &["status"], parse::status).await?;
        let statuses = statuses(&self.topology, &rows);
        Ok(View { observer, statuses, shape: RingShape::of(&rows) })
    }

    /// The schema versions, from the first of these nodes that tells them.
    async fn schema(&self, tellers: Vec<NodeId>) -> Result<SchemaView, NodetoolError> {
        let mut answer = Ok(SchemaView::default());
        for teller in tellers {
            answer = self.schema_of(teller).await;
            if answer.is_ok() {
                break;
            }
        }
        answer
    }

    async fn schema_of(&self, teller: NodeId) -> Result<SchemaView, NodetoolError> {
        let target = &self.targets[teller.index()];
        let parse = parse::describecluster_of_any_version;
        match self.nodetool.ask(target, &["describecluster"], parse).await? {
            ClusterAnswer::Whole(told) => {
                Ok(schema(&self.topology, &told.schema_versions, &told.versions))
            }
            ClusterAnswer::SchemaOnly(told) => {
                let release = self.nodetool.ask(target, &["version"], parse::version);
                let gossip = self.nodetool.ask(target, &["gossipinfo"], parse::gossipinfo);
                let (release, gossip) = tokio::try_join!(release, gossip)?;
                whole_for(&target.host, &release)?;
                Ok(schema(&self.topology, &told.schema_versions, &releases(&gossip)))
            }
        }
    }

    async fn own(&self, node: NodeId) -> Result<SelfAnswer, NodetoolError> {
        let target = &self.targets[node.index()];
        let (rows, info) = tokio::join!(
            self.nodetool.ask(target, &["status"], parse::status),
            self.nodetool.ask(target, &["info"], parse::info),
        );
        // Where both fail it is always the same one that tells why.
        let (rows, info) = (rows?, info?);
        Ok(SelfAnswer {
            statuses: statuses(&self.topology, &rows),
            serving: info.native_transport_active,
            generation: info.generation,
            shape: RingShape::of(&rows),
            // Asked for by itself.
            streams: Vec::new(),
        })
    }

    /// The streams of a node that change who owns what.
    async fn streams(&self, node: NodeId) -> Result<Vec<String>, NodetoolError> {
        let target = &self.targets[node.index()];
        let stats = self.nodetool.ask(target, &["netstats"], parse::netstats).await?;
        Ok(stats.topology_streams().map(|s| s.operation.description().to_owned()).collect())
    }

    /// A node's gossip generation; absent where nothing listens for JMX: the process is gone, and any
    /// later one is a new one.
    async fn generation(&self, node: NodeId) -> Result<Option<u64>, NodetoolError> {
        let target = &self.targets[node.index()];
        match self.nodetool.ask(target, &["info"], parse::info).await {
            Ok(info) => Ok(Some(info.generation)),
            Err(error) if error.trouble() == Some(Trouble::Refused) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn schema(
    topology: &Topology,
    versions: &BTreeMap<String, Vec<Address>>,
    releases: &BTreeMap<String, Vec<Address>>,
) -> SchemaView {
    let ids: BTreeMap<Address, NodeId> =
        topology.ids().map(|id| (topology.node(id).address, id)).collect();
    let nodes = |addresses: &Vec<Address>| -> Vec<NodeId> {
        addresses.iter().filter_map(|address| ids.get(address).copied()).collect()
    };
    SchemaView {
        versions: versions
            .iter()
            .map(|(v, list)| (v.clone(), nodes(list).into_iter().collect()))
            .collect(),
        releases: releases
            .iter()
            .flat_map(|(release, list)| nodes(list).into_iter().map(|id| (id, release.clone())))
            .collect(),
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
