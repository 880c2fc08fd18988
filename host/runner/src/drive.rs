//! The loop: one task owns the job, everything else reports to it.
use crate::{
    Live, Nodetool, NodetoolCall,
    discover::read_anew,
    effects::{Forgets, LAST_WORD, NodeEffects, Note, log},
    here::Told,
    journal::Journal,
    rounds::Rounds,
    strategy::{groups, strategy_view},
};
use quorate_contract::{NodeFacts, NodeState, RunContext};
use quorate_journal::{Created, Place, Record, Stamped, TargetHost, follow};
use quorate_ports::{
    Clock, CommandHost, Outputs, RunEnd, RunInput, Store, StoreError, StrategyHost, Target,
    Transport,
};
use quorate_ring::{NodeId, Topology};
use quorate_schedule::{Effect, End, Event, Job, Outcome, Reason, Round, Transition};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
};

/// How long the end of a job waits for the removal of outputs on nodes.
const TIDY: Duration = Duration::from_secs(10);

/// Everything that a running job needs from the world.
#[derive(Clone)]
pub struct Deps {
    /// Reaches nodes.
    pub transport: Arc<dyn Transport>,
    /// Keeps the journal.
    pub store: Arc<dyn Store>,
    /// Keeps outputs.
    pub outputs: Arc<dyn Outputs>,
    /// The command.
    pub command: Arc<dyn CommandHost>,
    /// The strategy's component, where the job has one.
    pub strategy: Option<Arc<dyn StrategyHost>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How nodetool is called.
    pub nodetool: NodetoolCall,
    /// Variables of single nodes: in the environment of every action there. They may hold secrets, and aren't journalled.
    pub variables: BTreeMap<NodeId, Vec<(String, String)>>,
}

/// What this run of a job is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakeUp {
    /// Start no more than so many nodes.
    pub stop_after: Option<u32>,
    /// Run nodes that failed again.
    pub retry_failed: bool,
}

/// What a person asks of a running job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// Nothing.
    #[default]
    No,
    /// Start no further node; wait for those that run.
    Starting,
    /// Leave at once; what runs on nodes goes on there.
    Now,
}

/// Why a job couldn't go on. What is journalled stays true.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunnerError {
    /// The journal can't be written: nothing further may be done.
    #[error("the journal can't be written: {0}")]
    Store(#[from] StoreError),
}

/// Runs a job until it is over or a person stops it. `job` is new, or folded from its records, and so are
/// `hosts`; its creation is journalled already. `None`: it was left while nodes ran.
///
/// # Errors
/// The journal can't be written.
pub async fn drive(
    deps: Deps,
    created: &Created,
    hosts: Vec<TargetHost>,
    job: Job,
    take_up: TakeUp,
    live: mpsc::UnboundedSender<Live>,
    stop: watch::Receiver<Stop>,
) -> Result<Option<End>, RunnerError> {
    let (notes, inbox) = mpsc::unbounded_channel();
    let (store, clock) = (deps.store.clone(), deps.clock.clone());
    let broken = {
        let notes = notes.clone();
        move |error| drop(notes.send(Note::Broken(error)))
    };
    let journal = Journal::new(created.job.clone(), store, clock, live, broken);
    let targets = targets(&hosts);
    let limit = Duration::from_millis(job.policy().nodetool_timeout_ms);
    let nodetool = Nodetool::new(deps.transport.clone(), deps.nodetool.clone(), limit);
    let rounds = Arc::new(Rounds {
        nodetool: nodetool.clone(),
        topology: job.topology().clone(),
        targets: targets.clone(),
        clock: deps.clock.clone(),
    });
    let facts = facts(job.topology(), &targets);
    let job_topology = job.topology().clone();
    let driver = Driver {
        deps,
        created,
        job,
        journal,
        nodetool,
        hosts,
        mapped: job_topology,
        targets,
        facts,
        rounds,
        notes,
        inbox,
        round: None,
        runs: JoinSet::new(),
        handles: BTreeMap::new(),
        waiters: BTreeMap::new(),
        shown: Vec::new(),
        forgets: Forgets::default(),
        stop,
    };
    driver.run(take_up).await
}

struct Driver<'a> {
    deps: Deps,
    created: &'a Created,
    job: Job,
    journal: Journal,
    nodetool: Nodetool,
    hosts: Vec<TargetHost>,
    /// The map that `hosts`, `targets`, `facts` and `rounds` belong to.
    mapped: Topology,
    targets: Arc<[Target]>,
    facts: Arc<[NodeFacts]>,
    rounds: Arc<Rounds>,
    notes: mpsc::UnboundedSender<Note>,
    inbox: mpsc::UnboundedReceiver<Note>,
    /// The round under way; at most one.
    round: Option<oneshot::Receiver<Result<Round, String>>>,
    runs: JoinSet<()>,
    handles: BTreeMap<NodeId, AbortHandle>,
    waiters: BTreeMap<NodeId, oneshot::Sender<()>>,
    shown: Vec<(NodeId, Reason)>,
    forgets: Forgets,
    stop: watch::Receiver<Stop>,
}

/// What woke the loop.
enum Woken {
    Note(Note),
    Round(Result<Round, String>),
    Stop(Stop),
    Time,
}

impl Driver<'_> {
    async fn run(mut self, take_up: TakeUp) -> Result<Option<End>, RunnerError> {
        let TakeUp { stop_after, retry_failed } = take_up;
        self.job.handle(Event::TakeUp { stop_after, retry_failed }, self.now());
        loop {
            if let Some(end) = self.carry_out().await? {
                // Runs that were cancelled write down how their actions ended.
                while self.runs.join_next().await.is_some() {}
                self.journal.flush().await;
                self.tidy_up().await;
                return Ok(Some(end));
            }
            let event = match self.woken().await {
                Woken::Note(Note::Event(event)) => event,
                Woken::Note(Note::Healthy(node, waiter)) => {
                    // A run whose time is over is told so at once: its waiter is dropped.
                    if self.handles.contains_key(&node) {
                        self.waiters.insert(node, waiter);
                    }
                    Event::WaitHealthy(node)
                }
                Woken::Note(Note::Broken(error)) => return Err(error.into()),
                Woken::Round(Ok(round)) => Event::Observed(round),
                Woken::Round(Err(why)) => Event::RoundFailed(why),
                Woken::Stop(Stop::No) | Woken::Time => Event::Tick,
                Woken::Stop(Stop::Starting) => Event::Stop,
                Woken::Stop(Stop::Now) => return Ok(None),
            };
            self.job.handle(event, self.now());
        }
    }

    fn now(&self) -> u64 {
        self.deps.clock.now()
    }

    /// Waits for the removals on nodes, but not for long: what stays behind does no harm.
    async fn tidy_up(&self) {
        let mut forgets =
            std::mem::take(&mut *self.forgets.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while forgets.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(TIDY, all).await;
    }

    /// Waits for whatever comes first. A round that is due is begun on the way.
    async fn woken(&mut self) -> Woken {
        let mut deadline = self.job.next_deadline();
        if self.round.is_none()
            && let Some(at) = self.job.next_round(self.now())
        {
            if at <= self.now() {
                let (done, round) = oneshot::channel();
                let request = self.job.round(self.now());
                let made = self.rounds.clone().make(request);
                tokio::spawn(async move {
                    // The job may have ended meanwhile.
                    let _ = done.send(made.await);
                });
                self.round = Some(round);
            } else {
                deadline = Some(deadline.map_or(at, |deadline| deadline.min(at)));
            }
        }
        let pause = deadline.map(|at| Duration::from_millis(at.saturating_sub(self.now())));
        tokio::select! {
            Some(note) = self.inbox.recv() => Woken::Note(note),
            round = wait_for(&mut self.round) => {
                self.round = None;
                Woken::Round(round)
            }
            Some(joined) = self.runs.join_next() => match joined {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                _ => Woken::Time,
            },
            Ok(()) = self.stop.changed() => Woken::Stop(*self.stop.borrow_and_update()),
            () = sleep(pause) => Woken::Time,
        }
    }

    /// Carries out what the job asks for, in order; what is to be recorded is on disk before what
    /// follows it happens.
    async fn carry_out(&mut self) -> Result<Option<End>, RunnerError> {
        let mut records = Vec::new();
        let mut over = None;
        while let Some(effect) = self.job.poll() {
            if let Effect::Record(transition) = effect {
                let at = self.now();
                if let Transition::Mapped(topology) = &transition {
                    self.remap(topology);
                }
                records.push(Stamped { at, record: Record::Step(transition) });
                continue;
            }
            self.flush(&mut records).await?;
            match effect {
                Effect::Record(_) => {}
                Effect::Start { node, attempt } => self.start(node, attempt),
                Effect::Healthy(node) => {
                    if let Some(waiter) = self.waiters.remove(&node) {
                        // The run may have given up waiting.
                        let _ = waiter.send(());
                    }
                }
                Effect::Cancel(node) => self.cancel(node),
                Effect::ReadMap(nodes) => self.read_map(&nodes),
                Effect::Propose => self.propose(),
                Effect::Over(end) => over = Some(end),
            }
        }
        self.flush(&mut records).await?;
        self.show_holds();
        Ok(over)
    }

    async fn flush(&self, records: &mut Vec<Stamped>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        self.journal.append(std::mem::take(records)).await
    }

    fn show_holds(&mut self) {
        let holds: Vec<_> = self.job.holds().iter().map(|(id, r)| (*id, r.clone())).collect();
        if holds != self.shown {
            self.shown.clone_from(&holds);
            // Nobody may be watching.
            let _ = self.journal.live.send(Live::Holds(holds));
        }
    }

    /// The nodes' names and addresses follow a new map.
    fn remap(&mut self, topology: &Topology) {
        follow(&mut self.hosts, &self.created.addresses, &self.mapped, topology);
        self.mapped = topology.clone();
        self.targets = targets(&self.hosts);
        self.facts = facts(topology, &self.targets);
        self.rounds = Arc::new(Rounds {
            nodetool: self.nodetool.clone(),
            topology: topology.clone(),
            targets: self.targets.clone(),
            clock: self.deps.clock.clone(),
        });
        // It is of the old map: its nodes may be others.
        self.round = None;
    }

    fn read_map(&self, nodes: &[NodeId]) {
        let nodes: Vec<Target> = nodes.iter().map(|id| self.targets[id.index()].clone()).collect();
        let (nodetool, notes) = (self.nodetool.clone(), self.notes.clone());
        let given = self.job.policy().guarantee.replications.clone();
        let read = tokio::spawn(async move { read_anew(&nodetool, &nodes, &given).await });
        tokio::spawn(async move {
            let event = match read.await {
                Ok(Ok(topology)) => Event::Mapped(topology.into()),
                Ok(Err(why)) => Event::MapFailed(why),
                Err(panic) => Event::MapFailed(panic.to_string()),
            };
            // The job may have ended meanwhile.
            let _ = notes.send(Note::Event(event));
        });
    }

    fn propose(&mut self) {
        let view = strategy_view(self.created, &self.hosts, &mut self.job);
        let (strategy, notes) = (self.deps.strategy.clone(), self.notes.clone());
        let journal = self.journal.clone();
        tokio::spawn(async move {
            let answer = match strategy {
                Some(strategy) => {
                    let answer = strategy.propose(view).await;
                    for (level, text) in answer.lines {
                        journal.write_later(log(None, level, text));
                    }
                    answer.proposal.map_err(|e| e.to_string())
                }
                None => Err("the strategy's component isn't there".into()),
            };
            // The job may have ended meanwhile.
            let _ = notes.send(Note::Event(Event::Proposed(answer.map(groups))));
        });
    }

    fn start(&mut self, node: NodeId, attempt: u32) {
        let target = self.targets[node.index()].clone();
        let output = match self.deps.outputs.open(&self.created.job, &target.node) {
            Ok(output) => output,
            Err(error) => {
                let outcome =
                    Outcome::Failed { code: "outputs".into(), message: error.to_string() };
                // The loop itself holds the other end.
                let _ = self.notes.send(Note::Event(Event::Ended(node, outcome)));
                return;
            }
        };
        let mut facts = self.facts[node.index()].clone();
        if let Some(status) = self.job.not_up().get(&node) {
            facts.state = NodeState(status.map_or("??".into(), |status| status.to_string()));
        }
        let cluster = self.job.topology().cluster.to_string();
        let told = match self.created.place {
            Place::Node => None,
            Place::Here { .. } => Some(Told::of(&facts, &target, &cluster)),
        };
        let policy = self.job.policy();
        let lost = Arc::new(AtomicBool::new(false));
        let effects = NodeEffects {
            node,
            output,
            target,
            facts: self.facts.clone(),
            targets: self.targets.clone(),
            stage: self.created.command.stage.clone(),
            attempt,
            observes: policy.observes(),
            deadline: policy.timeout_ms.map(|limit| self.now().saturating_add(limit)),
            sequence: AtomicU32::new(0),
            lost: lost.clone(),
            transport: self.deps.transport.clone(),
            nodetool: self.nodetool.clone(),
            variables: self.deps.variables.get(&node).cloned().unwrap_or_default(),
            told,
            journal: self.journal.clone(),
            cluster,
            notes: self.notes.clone(),
            forgets: self.forgets.clone(),
        };
        let input = RunInput {
            seed: seed(&self.created.job.0, &facts.key, attempt),
            now_ms: self.now(),
            node: facts,
            context: RunContext {
                job: self.created.job.0.clone(),
                stage: self.created.command.stage.clone(),
                attempt,
                cluster: effects.cluster.clone(),
                arguments: self.created.command.arguments.clone(),
                timeout_ms: policy.timeout_ms,
            },
        };
        let (command, notes) = (self.deps.command.clone(), self.notes.clone());
        let handle = self.runs.spawn(async move {
            let outcome = match command.run(input, Arc::new(effects)).await {
                RunEnd::Done(text) => Outcome::Done(text),
                RunEnd::Skipped(text) => Outcome::Skipped(text),
                RunEnd::Failed { code, message } => Outcome::Failed { code, message },
            };
            let unknown = lost.load(Ordering::Relaxed) && matches!(outcome, Outcome::Failed { .. });
            // The loop may be gone: then the run is left behind on purpose. That it is lost comes
            // first: the end may be the job's.
            if unknown {
                let _ = notes.send(Note::Event(Event::Lost(node)));
            }
            let _ = notes.send(Note::Event(Event::Ended(node, outcome)));
        });
        self.handles.insert(node, handle);
    }

    /// Ends a run whose node's time is over, once its action has had the time to end and to say so.
    fn cancel(&mut self, node: NodeId) {
        self.waiters.remove(&node);
        if let Some(run) = self.handles.remove(&node) {
            tokio::spawn(async move {
                tokio::time::sleep(LAST_WORD + LAST_WORD / 3).await;
                run.abort();
            });
        }
    }
}

fn targets(hosts: &[TargetHost]) -> Arc<[Target]> {
    let host = |h: &TargetHost| Target { node: h.key.clone(), host: h.host.clone() };
    hosts.iter().map(host).collect()
}

async fn wait_for(
    round: &mut Option<oneshot::Receiver<Result<Round, String>>>,
) -> Result<Round, String> {
    match round {
        Some(round) => round.await.unwrap_or_else(|_| Err("the round was given up".into())),
        None => std::future::pending().await,
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

/// Seeds a run's chance: the same for every replay of it.
fn seed(job: &str, node: &str, attempt: u32) -> u64 {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(format!("{job}/{node}/{attempt}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(bytes)
}

fn facts(topology: &Topology, targets: &[Target]) -> Arc<[NodeFacts]> {
    let fact = |(node, target): (&quorate_ring::Node, &Target)| NodeFacts {
        key: target.node.0.clone(),
        host_id: node.host_id.as_ref().map(ToString::to_string),
        address: node.address.to_string(),
        data_center: node.data_center.to_string(),
        rack: node.rack.to_string(),
        state: NodeState(node.status.to_string()),
        version: node.version.clone(),
    };
    topology.nodes.iter().zip(targets).map(fact).collect()
}
