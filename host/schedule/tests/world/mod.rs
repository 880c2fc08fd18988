//! A world in virtual time around one job: commands take a while, nodes go down and come back, rounds
//! show what observers would see.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code)]

use quorate_fixtures::Cluster;
use quorate_ring::{Liveness, Mode, NodeId, NodeStatus, RingShape, Topology};
use quorate_schedule::{
    Effect, End, Event, Group, Job, Outcome, Policy, Round, RoundRequest, SchemaView, SelfAnswer,
    SelfView, Transition, View,
};
use std::collections::{BTreeMap, BTreeSet};

/// Racks of replicas: nodes of different racks share ranges, nodes of one rack don't.
pub fn racked(text: &str) -> Cluster {
    Cluster::new(text).vnodes(64).shop()
}

/// Every pair of a data center shares a range: one rack, three replicas.
pub fn meshed(text: &str) -> Cluster {
    let cluster = Cluster::new(text).vnodes(64);
    let centers: BTreeSet<String> =
        cluster.nodes.iter().map(|node| format!("{}=3", node.data_center)).collect();
    cluster.keyspace("shop", &centers.into_iter().collect::<Vec<_>>().join(" "))
}

/// How one node behaves.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The command's time.
    pub takes: u64,
    /// How it ends.
    pub outcome: Outcome,
    /// After the command's end, when everybody sees it as `UN`, it sees everybody, and it serves.
    pub up_after: u64,
    pub sees_after: u64,
    pub serves_after: u64,
    /// Whether its process is a new one.
    pub new_process: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            takes: 1000,
            outcome: Outcome::Done("done".into()),
            up_after: 0,
            sees_after: 0,
            serves_after: 0,
            new_process: true,
        }
    }
}

/// Nodes that started at one moment.
pub struct Batch {
    pub starts: BTreeSet<NodeId>,
    /// Who was out before: because of the job, or down when the cluster was last looked at.
    pub out_before: BTreeSet<NodeId>,
    /// The cluster as it was then.
    pub seen: Cluster,
}

pub struct World {
    pub batches: Vec<Batch>,
    /// As the newest successful look found it: the cluster, and who wasn't up.
    pub seen: (Cluster, BTreeSet<NodeId>),
    out_before: BTreeSet<NodeId>,
    pub job: Job,
    /// The cluster as it is; the job has a map of it.
    pub cluster: Cluster,
    /// When a new map is read, where one is.
    pub map_read: Option<u64>,
    pub maps: usize,
    /// What the strategy's component answers.
    pub groups: Result<Vec<Group>, String>,
    pub proposals: usize,
    /// More schema versions, and who has them.
    pub schemas: BTreeMap<String, BTreeSet<NodeId>>,
    /// Nobody tells the schema's version.
    pub no_schema: bool,
    /// Another ring, which one observer shows.
    pub other_ring: Option<Cluster>,
    /// What a node streams.
    pub streams: BTreeMap<NodeId, String>,
    pub now: u64,
    pub manners: BTreeMap<NodeId, Manner>,
    /// Down for everyone, whatever the job does.
    pub down: BTreeSet<NodeId>,
    /// Shown so by everyone, whatever the job does.
    pub shown: BTreeMap<NodeId, NodeStatus>,
    /// Whose gossip generation can't be read.
    pub unreadable: BTreeSet<NodeId>,
    /// Shown as down by one observer only.
    pub dissent: BTreeSet<NodeId>,
    /// Nodes that were down when they were started.
    pub rescued: BTreeSet<NodeId>,
    pub running: BTreeMap<NodeId, u64>,
    pub ended: BTreeMap<NodeId, u64>,
    pub record: Vec<(u64, Transition)>,
    pub starts: Vec<(u64, NodeId)>,
    pub most: usize,
    pub end: Option<End>,
    pub round: Option<(u64, RoundRequest)>,
    pub rounds_fail: bool,
    pub round_takes: u64,
    /// When half of the views are given; with the end where absent.
    pub seen_after: Option<u64>,
    pub rounds: usize,
}

fn called_down(round: &Round, node: NodeId) -> bool {
    let mut others = round.views.iter().filter(|view| view.observer != node).peekable();
    others.peek().is_some()
        && others.all(|view| {
            view.statuses.get(&node).is_some_and(|status| status.liveness == Liveness::Down)
        })
}

impl World {
    pub fn new(cluster: Cluster, policy: Policy) -> Self {
        let targets = cluster.topology().ids().collect();
        Self::with_targets(cluster, targets, policy)
    }

    pub fn with_targets(cluster: Cluster, targets: BTreeSet<NodeId>, policy: Policy) -> Self {
        Self {
            job: Job::new(cluster.topology(), &targets, policy).unwrap(),
            batches: Vec::new(),
            seen: (cluster.clone(), BTreeSet::new()),
            out_before: BTreeSet::new(),
            cluster,
            map_read: None,
            maps: 0,
            groups: Ok(Vec::new()),
            proposals: 0,
            schemas: BTreeMap::new(),
            no_schema: false,
            other_ring: None,
            streams: BTreeMap::new(),
            now: 1_000_000,
            manners: BTreeMap::new(),
            down: BTreeSet::new(),
            shown: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            dissent: BTreeSet::new(),
            rescued: BTreeSet::new(),
            running: BTreeMap::new(),
            ended: BTreeMap::new(),
            record: Vec::new(),
            starts: Vec::new(),
            most: 0,
            end: None,
            round: None,
            rounds_fail: false,
            round_takes: 200,
            seen_after: None,
            rounds: 0,
        }
    }

    pub fn manner(&mut self, node: u32, manner: Manner) {
        self.manners.insert(NodeId(node), manner);
    }

    pub fn of(&self, node: NodeId) -> Manner {
        self.manners.get(&node).cloned().unwrap_or_default()
    }

    pub fn begin(&mut self, stop_after: Option<u32>) {
        self.take_up(stop_after, false);
    }

    /// Takes the job up again, with those that failed.
    pub fn retry(&mut self, limit: u64) -> Option<End> {
        self.begin_again();
        self.go_on(limit)
    }

    /// The same, without letting time pass.
    pub fn begin_again(&mut self) {
        self.take_up(None, true);
    }

    fn take_up(&mut self, stop_after: Option<u32>, retry_failed: bool) {
        self.end = None;
        self.job.handle(Event::TakeUp { stop_after, retry_failed }, self.now);
        self.effects();
    }

    /// Runs until the job is over, or this much time has passed.
    pub fn run(&mut self, limit: u64) -> Option<End> {
        self.begin(None);
        self.go_on(limit)
    }

    /// Runs until the first node has started; what its command does then, the test plays.
    pub fn play_the_first_command(&mut self) {
        self.begin(None);
        while self.starts.is_empty() {
            self.go_on(100);
        }
        self.running.clear();
    }

    pub fn go_on(&mut self, limit: u64) -> Option<End> {
        let until = self.now + limit;
        while self.end.is_none() && self.now < until {
            self.step(until);
        }
        self.end.clone()
    }

    fn step(&mut self, until: u64) {
        if self.round.is_none() && self.job.next_round(self.now).is_some_and(|at| at <= self.now) {
            self.round = Some((self.now, self.job.round(self.now)));
        }
        let ends = self.running.values().copied().min();
        let round = self.round.as_ref().map(|(began, _)| began + self.round_takes);
        let due = match self.round {
            Some(_) => None,
            None => self.job.next_round(self.now),
        };
        let times = [ends, round, due, self.map_read, self.job.next_deadline()];
        self.now = times.into_iter().flatten().min().unwrap_or(until).max(self.now).min(until);
        if self.map_read.is_some_and(|at| at <= self.now) {
            self.map_read = None;
            self.maps += 1;
            self.tell(Event::Mapped(self.topology().into()));
        }
        let over: Vec<_> =
            self.running.iter().filter(|(_, at)| **at <= self.now).map(|(id, _)| *id).collect();
        for node in over {
            self.running.remove(&node);
            self.ended.insert(node, self.now);
            self.tell(Event::Ended(node, self.of(node).outcome));
        }
        if let Some((began, request)) = self.round.take() {
            if began + self.round_takes <= self.now {
                self.rounds += 1;
                let event = match self.rounds_fail {
                    true => Event::RoundFailed("nobody answers".into()),
                    false => {
                        let round = self.observe(began, &request);
                        let mut out = self.not_answering();
                        // Where everybody else calls a node down, it is down for all that can be known.
                        out.extend(self.dissent.iter().filter(|id| called_down(&round, **id)));
                        self.seen = (self.cluster.clone(), out);
                        Event::Observed(round)
                    }
                };
                self.tell(event);
            } else {
                self.round = Some((began, request));
            }
        }
        self.tell(Event::Tick);
    }

    pub fn tell(&mut self, event: Event) {
        self.job.handle(event, self.now);
        self.effects();
    }

    fn generation(&self, node: &NodeId) -> Result<Option<u64>, String> {
        match self.unreadable.contains(node) {
            true => Err("no answer".into()),
            false => Ok(Some(1)),
        }
    }

    fn since_end(&self, node: NodeId) -> Option<u64> {
        self.ended.get(&node).map(|at| self.now - at)
    }

    /// What everyone shows of a node.
    pub fn status(&self, node: NodeId) -> NodeStatus {
        if let Some(shown) = self.shown.get(&node) {
            return *shown;
        }
        let late = self.since_end(node).is_some_and(|since| since < self.of(node).up_after);
        let up = self.cluster.nodes[node.index()].status;
        if self.down.contains(&node) || self.running.contains_key(&node) || late {
            NodeStatus { liveness: NodeStatus::DOWN_NORMAL.liveness, ..up }
        } else {
            up
        }
    }

    /// A map of the cluster as it is, and as everyone shows it.
    pub fn topology(&self) -> Topology {
        let mut cluster = self.cluster.clone();
        for (number, node) in (0..).map(NodeId).zip(&mut cluster.nodes) {
            node.status = self.status(number);
        }
        cluster.topology()
    }

    fn shape(&self) -> RingShape {
        RingShape::of(&self.cluster.rows(|number| self.status(NodeId(number as u32))))
    }

    fn statuses(&self) -> BTreeMap<NodeId, NodeStatus> {
        self.job.topology().ids().map(|id| (id, self.status(id))).collect()
    }

    pub fn observe(&self, began: u64, request: &RoundRequest) -> Round {
        let shape = self.shape();
        let seen = self.statuses();
        let view = |id: &NodeId| {
            let mut statuses = seen.clone();
            for node in &self.dissent {
                if request.observers.iter().find(|observer| *observer != node) == Some(id) {
                    statuses.insert(*node, NodeStatus::DOWN_NORMAL);
                }
            }
            let other = self.other_ring.as_ref().filter(|_| request.observers.last() == Some(id));
            let other = other.map(|ring| RingShape::of(&ring.rows(|n| ring.nodes[n].status)));
            View { observer: *id, statuses, shape: other.unwrap_or_else(|| shape.clone()) }
        };
        let own = |id: &NodeId| {
            let (manner, since) = (self.of(*id), self.since_end(*id).unwrap_or(0));
            let mut statuses = seen.clone();
            statuses.insert(*id, NodeStatus::UP_NORMAL);
            if since < manner.sees_after {
                statuses.retain(|other, _| other == id);
            }
            let generation = if manner.new_process { 2 } else { 1 };
            let serving = since >= manner.serves_after;
            let streams = self.streams.get(id).cloned().into_iter().collect();
            let shape = shape.clone();
            let answer = Ok(SelfAnswer { statuses, serving, generation, shape, streams });
            SelfView { node: *id, answer, late: false }
        };
        Round {
            began,
            ended: self.now,
            seen: began + self.seen_after.unwrap_or(self.round_takes),
            schema: (!self.no_schema).then(|| self.schema()),
            views: request.observers.iter().map(view).collect(),
            selves: request.subjects.iter().map(own).collect(),
            generations: request.starters.iter().map(|id| (*id, self.generation(id))).collect(),
        }
    }

    fn schema(&self) -> SchemaView {
        let up = self.job.topology().ids().filter(|id| self.status(*id).is_up_normal());
        let others: BTreeSet<NodeId> = self.schemas.values().flatten().copied().collect();
        let rest = up.clone().filter(|id| !others.contains(id)).collect();
        let mut versions = self.schemas.clone();
        versions.insert(self.cluster.schema_version.clone(), rest);
        SchemaView { versions, releases: up.map(|id| (id, "5.0.4".to_owned())).collect() }
    }

    /// Nodes that don't answer as a node of the ring should.
    fn not_answering(&self) -> BTreeSet<NodeId> {
        let known = self.job.topology().nodes.len() as u32;
        let out = |id: &NodeId| {
            let status = self.status(*id);
            let joins = status.mode == Mode::Joining && status.liveness == Liveness::Up;
            !status.is_up_normal() && !joins
        };
        (0..known.min(self.cluster.nodes.len() as u32)).map(NodeId).filter(out).collect()
    }

    fn effects(&mut self) {
        let begun = self.starts.len();
        while let Some(effect) = self.job.poll() {
            match effect {
                Effect::Record(transition) => self.record.push((self.now, transition)),
                Effect::Start { node, .. } => {
                    if self.down.remove(&node) {
                        self.rescued.insert(node);
                    }
                    assert_ne!(self.cluster.nodes[node.index()].status.mode, Mode::Joining);
                    self.ended.remove(&node);
                    self.starts.push((self.now, node));
                    self.running.insert(node, self.now + self.of(node).takes);
                }
                Effect::Cancel(node) => {
                    self.running.remove(&node);
                }
                Effect::Healthy(_) => {}
                Effect::ReadMap(_) => self.map_read = Some(self.now + 500),
                Effect::Propose => {
                    self.proposals += 1;
                    let answer = self.groups.clone();
                    self.job.handle(Event::Proposed(answer), self.now);
                }
                Effect::Over(end) => self.end = Some(end),
            }
        }
        if self.starts.len() > begun {
            let starts: BTreeSet<NodeId> = self.starts[begun..].iter().map(|(_, id)| *id).collect();
            let out_before = self.out_before.union(&self.seen.1).copied().collect();
            let seen = self.seen.0.clone();
            self.batches.push(Batch { starts, out_before, seen });
        }
        let by_job = self.job.nodes().iter().filter(|(_, run)| run.out).map(|(id, _)| *id);
        self.out_before = by_job.collect();
        let out = self.job.nodes().values().filter(|run| run.out).count();
        self.most = self.most.max(out.max(self.running.len()));
    }

    /// The numbers of the nodes in the order of their starts.
    pub fn order(&self) -> Vec<u32> {
        self.starts.iter().map(|(_, id)| id.0).collect()
    }

    pub fn confirmed_at(&self, node: u32) -> Option<u64> {
        let wanted = Transition::Confirmed { node: NodeId(node) };
        self.record.iter().find(|(_, t)| *t == wanted).map(|(at, _)| *at)
    }

    pub fn started_at(&self, node: u32) -> Option<u64> {
        self.starts.iter().find(|(_, id)| id.0 == node).map(|(at, _)| *at)
    }
}
