//! A world in virtual time around one job: commands take a while, nodes go down and come back, rounds
//! show what observers would see.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code)]

use quorate_ring::{
    Address, ClusterName, DataCenter, HostId, Keyspace, KeyspaceName, Node, NodeId, NodeStatus,
    Rack, RangeReplicas, ReplicaMap, Replication, ReplicationFactor, Topology,
};
use quorate_schedule::{
    Effect, End, Event, Job, Outcome, Policy, Round, RoundRequest, SelfAnswer, SelfView,
    Transition, View,
};
use std::collections::{BTreeMap, BTreeSet};

/// `dc1 r1 4, dc1 r2 4`: nodes 10.0.0.0, 10.0.0.1, … in this order.
pub fn nodes(text: &str) -> Vec<Node> {
    let mut all = Vec::new();
    for rack in text.split(',') {
        let words: Vec<_> = rack.split_whitespace().collect();
        for _ in 0..words[2].parse::<usize>().unwrap() {
            let number = all.len();
            all.push(Node {
                host_id: Some(HostId::new(format!("host-{number}"))),
                address: Address(
                    format!("10.0.{}.{}", number / 250, number % 250).parse().unwrap(),
                ),
                data_center: DataCenter::new(words[0]),
                rack: Rack::new(words[1]),
                status: NodeStatus::UP_NORMAL,
                version: None,
            });
        }
    }
    all
}

/// A topology whose one keyspace has these replica sets, by node number.
pub fn with_sets(nodes: Vec<Node>, sets: &[Vec<usize>]) -> Topology {
    let factors =
        nodes.iter().map(|n| (n.data_center.clone(), ReplicationFactor { all: 3, transient: 0 }));
    let keyspace = Keyspace {
        name: KeyspaceName::new("shop"),
        replication: Replication::NetworkTopology(factors.collect()),
    };
    let range = |(i, set): (usize, &Vec<usize>)| RangeReplicas {
        start: i.to_string(),
        end: (i + 1).to_string(),
        endpoints: set.iter().map(|n| nodes[*n].address).collect(),
    };
    let ranges: Vec<_> = sets.iter().enumerate().map(range).collect();
    let replicas = ReplicaMap::new(&nodes, &[(keyspace.clone(), ranges)]).unwrap();
    Topology {
        cluster: ClusterName::new("test"),
        partitioner: "Murmur3Partitioner".into(),
        nodes,
        keyspaces: vec![keyspace],
        schema_versions: BTreeMap::new(),
        replicas,
    }
}

/// RF 3 over at least three racks a data center: any three nodes of three racks are replicas of some
/// range, as vnodes make it.
pub fn racked(text: &str) -> Topology {
    let nodes = nodes(text);
    let mut sets = Vec::new();
    for a in 0..nodes.len() {
        for b in a + 1..nodes.len() {
            if nodes[a].data_center == nodes[b].data_center && nodes[a].rack != nodes[b].rack {
                sets.push(vec![a, b]);
            }
        }
    }
    with_sets(nodes, &sets)
}

/// Every pair of a data center shares a range: one rack with vnodes.
pub fn meshed(text: &str) -> Topology {
    let nodes = nodes(text);
    let mut sets = Vec::new();
    for a in 0..nodes.len() {
        for b in a + 1..nodes.len() {
            if nodes[a].data_center == nodes[b].data_center {
                sets.push(vec![a, b]);
            }
        }
    }
    with_sets(nodes, &sets)
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

pub struct World {
    pub job: Job,
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

impl World {
    pub fn new(topology: Topology, policy: Policy) -> Self {
        let targets = topology.ids().collect();
        Self::with_targets(topology, targets, policy)
    }

    pub fn with_targets(topology: Topology, targets: BTreeSet<NodeId>, policy: Policy) -> Self {
        Self {
            job: Job::new(topology, &targets, policy).unwrap(),
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
        self.end = None;
        self.job.handle(Event::TakeUp { stop_after }, self.now);
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
        if self.round.is_none()
            && let Some(request) = self.job.wants_round(self.now)
            && request.not_before <= self.now
        {
            self.round = Some((self.now, request));
        }
        let ends = self.running.values().copied().min();
        let round = self.round.as_ref().map(|(began, _)| began + self.round_takes);
        let due = match self.round {
            Some(_) => None,
            None => self.job.wants_round(self.now).map(|r| r.not_before),
        };
        let next = [ends, round, due, self.job.next_deadline()].into_iter().flatten().min();
        self.now = next.unwrap_or(until).max(self.now).min(until);
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
                    false => Event::Observed(self.observe(began, &request)),
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
        if self.down.contains(&node) || self.running.contains_key(&node) || late {
            NodeStatus::DOWN_NORMAL
        } else {
            NodeStatus::UP_NORMAL
        }
    }

    fn statuses(&self) -> BTreeMap<NodeId, NodeStatus> {
        self.job.topology().ids().map(|id| (id, self.status(id))).collect()
    }

    pub fn observe(&self, began: u64, request: &RoundRequest) -> Round {
        let view = |id: &NodeId| {
            let mut statuses = self.statuses();
            for node in &self.dissent {
                if request.observers.iter().find(|observer| *observer != node) == Some(id) {
                    statuses.insert(*node, NodeStatus::DOWN_NORMAL);
                }
            }
            View { observer: *id, statuses }
        };
        let own = |id: &NodeId| {
            let (manner, since) = (self.of(*id), self.since_end(*id).unwrap_or(0));
            let mut statuses = self.statuses();
            statuses.insert(*id, NodeStatus::UP_NORMAL);
            if since < manner.sees_after {
                statuses.retain(|other, _| other == id);
            }
            let generation = if manner.new_process { 2 } else { 1 };
            let serving = since >= manner.serves_after;
            let answer = Ok(SelfAnswer { statuses, serving, generation });
            SelfView { node: *id, answer, late: false }
        };
        Round {
            began,
            ended: self.now,
            seen: began + self.seen_after.unwrap_or(self.round_takes),
            views: request.observers.iter().map(view).collect(),
            selves: request.subjects.iter().map(own).collect(),
            generations: request.starters.iter().map(|id| (*id, self.generation(id))).collect(),
        }
    }

    fn effects(&mut self) {
        while let Some(effect) = self.job.poll() {
            match effect {
                Effect::Record(transition) => self.record.push((self.now, transition)),
                Effect::Start { node, .. } => {
                    if self.down.remove(&node) {
                        self.rescued.insert(node);
                    }
                    self.ended.remove(&node);
                    self.starts.push((self.now, node));
                    self.running.insert(node, self.now + self.of(node).takes);
                }
                Effect::Cancel(node) => {
                    self.running.remove(&node);
                }
                Effect::Healthy(_) => {}
                Effect::Over(end) => self.end = Some(end),
            }
        }
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
