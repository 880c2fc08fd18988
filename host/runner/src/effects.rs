//! What a running component's wishes turn into: actions through the transport, waits on the rounds,
//! each written down before and after.
use crate::{Nodetool, here::Told, journal::Journal, journal::Live};
use quorate_contract::{Condition, NodeFacts, NodeState, WaitResult};
use quorate_journal::{ActionClose, Level, Record};
use quorate_ports::{
    Action, ActionEnd, ActionId, ActionOutcome, ActionWatch, BoxFuture, Captured, EffectError,
    Effects, LogLevel, NodeOutput, OnLost, Program, Stream, Target, Transport, TransportError,
    Work, WorkKind,
};
use quorate_ring::{NodeId, parse};
use quorate_schedule::Event;
use sha2::{Digest, Sha256};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc::UnboundedSender, oneshot},
    task::JoinSet,
};

/// Bytes of each end of a stream that a component gets to see.
const CAPTURE: usize = 32 << 10;

/// How often an action is begun that may be repeated where it was lost.
const TRIES: usize = 3;

/// How long the end of an action may come after its node's time: a supervisor gives a program ten
/// seconds between the two signals.
pub(crate) const LAST_WORD: Duration = Duration::from_secs(15);

/// Bytes of one piece of output that those who watch get to see.
const SHOWN: usize = 16 << 10;

/// What a node's run tells the loop.
pub(crate) enum Note {
    /// Something for the job.
    Event(Event),
    /// Wake this run when the node is healthy.
    Healthy(NodeId, oneshot::Sender<()>),
    /// The journal can't be written any more.
    Broken(quorate_ports::StoreError),
}

/// Removals on nodes under way: nobody waits for one, the runner waits for all at its end.
pub(crate) type Forgets = Arc<Mutex<JoinSet<()>>>;

/// The effects of one node's run.
pub(crate) struct NodeEffects {
    pub(crate) node: NodeId,
    pub(crate) target: Target,
    pub(crate) facts: Arc<[NodeFacts]>,
    pub(crate) targets: Arc<[Target]>,
    /// Whether rounds are made: without them there is no health to wait for.
    pub(crate) observes: bool,
    pub(crate) stage: String,
    pub(crate) attempt: u32,
    /// The node's time is over at this moment, in milliseconds since 1970.
    pub(crate) deadline: Option<u64>,
    pub(crate) sequence: AtomicU32,
    /// It isn't known how an action of this run ended.
    pub(crate) lost: Arc<AtomicBool>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) nodetool: Nodetool,
    /// The node's own variables, for every action.
    pub(crate) variables: Vec<(String, String)>,
    /// Actions run on the operator's machine, and are told this of the node.
    pub(crate) told: Option<Told>,
    pub(crate) output: Arc<dyn NodeOutput>,
    pub(crate) journal: Journal,
    pub(crate) cluster: String,
    pub(crate) notes: UnboundedSender<Note>,
    pub(crate) forgets: Forgets,
}

fn other(code: &str, message: String) -> EffectError {
    EffectError::Other { code: code.into(), message }
}

impl NodeEffects {
    async fn write(&self, records: Vec<Record>) -> Result<(), EffectError> {
        self.journal.write(records).await.map_err(|error| {
            let _ = self.notes.send(Note::Broken(error.clone()));
            other("journal", error.to_string())
        })
    }

    fn action(&self, work: Work) -> Action {
        let (program, private) = match work.kind {
            WorkKind::Shell(argv) => (Program::Argv(argv), Vec::new()),
            WorkKind::Nodetool(args) => {
                let (argv, private) = self.nodetool.call().command(&self.target.host, &args);
                (Program::Argv(argv), private)
            }
            WorkKind::Script { text, interpreter, args } => {
                (Program::Script { text, interpreter, args }, Vec::new())
            }
        };
        let (mut program, mut env) = (program, work.env);
        if let Some(told) = &self.told {
            program = told.address_in(program);
            // The last of a name counts: what it is told of the node is true.
            env.extend(told.variables.iter().cloned());
        }
        let left = self.deadline.map(|at| at.saturating_sub(self.journal.clock.now()).max(1));
        Action {
            id: ActionId {
                job: self.journal.job.clone(),
                node: self.target.node.clone(),
                stage: self.stage.clone(),
                attempt: self.attempt,
                seq: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            },
            program,
            stdin: work.stdin,
            env,
            // The node's supervisor ends what the host no longer waits for.
            timeout_ms: work.timeout_ms.into_iter().chain(left).min(),
            private,
        }
    }

    /// Runs an action; again, as a new one, where it was lost and may be repeated.
    async fn run(&self, work: Work) -> Result<ActionOutcome, EffectError> {
        if work.on_lost == OnLost::Expected {
            let what = "an action that takes its own shell away isn't supported by this version";
            return Err(EffectError::Invalid(what.into()));
        }
        let on_node = self.told.is_none() || self.nodetool.call().from_here;
        if matches!(work.kind, WorkKind::Nodetool(_)) && !on_node {
            let what = "where actions run here, nodetool on the node is no action";
            return Err(EffectError::Invalid(what.into()));
        }
        let tries = if work.on_lost == OnLost::Again { TRIES } else { 1 };
        let mut end = self.once(work.clone()).await;
        for _ in 1..tries {
            if !matches!(end, Err(EffectError::Lost(_))) {
                break;
            }
            self.lost.store(true, Ordering::Relaxed);
            end = self.once(work.clone()).await;
        }
        match end {
            // The last try is known to have run: whatever became of those before, it came after.
            Ok(_) => self.lost.store(false, Ordering::Relaxed),
            Err(EffectError::Lost(_)) => self.lost.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        end
    }

    async fn once(&self, work: Work) -> Result<ActionOutcome, EffectError> {
        // A run whose node's time is over starts nothing more.
        let now = self.journal.clock.now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(other("time-over", "the node's time is over".into()));
        }
        let own_limit = work.timeout_ms;
        let summary = summary(&work.kind);
        let mut action = self.action(work);
        let digest = digest(&action, &self.variables);
        // The command's own variables win.
        action.env.splice(..0, self.variables.iter().cloned());
        // What was observed of the node before this action counts no more.
        let _ = self.notes.send(Note::Event(Event::Acting(self.node)));
        self.write(vec![Record::Intended {
            action: action.id.clone(),
            node: self.node,
            digest,
            summary,
        }])
        .await?;
        let watch = Watch { effects: self, captures: Mutex::default() };
        let end = self.until_late(self.transport.act(&self.target, &action, &watch)).await;
        let captures = watch.captures.into_inner().unwrap_or_else(PoisonError::into_inner);
        let close = match &end {
            Ok(ActionEnd::Exited(exit)) => ActionClose::Exited(*exit),
            Ok(ActionEnd::TimedOut { limit_ms }) => ActionClose::TimedOut(*limit_ms),
            Ok(ActionEnd::Lost(why)) => ActionClose::Lost(why.clone()),
            Err(error) => ActionClose::NotStarted(error.to_string()),
        };
        let node = self.node;
        let finished = Record::Finished { action: action.id.clone(), node, close: close.clone() };
        self.write(vec![finished]).await?;
        if let ActionClose::Exited(exit) = close {
            self.output.status(exit).map_err(|e| other("outputs", e.to_string()))?;
        }
        // What is lost stays there, for whoever looks at the node.
        if matches!(end, Ok(ActionEnd::Exited(_) | ActionEnd::TimedOut { .. })) {
            self.forget(action.id);
        }
        match end {
            Ok(ActionEnd::Exited(exit)) => {
                let [stdout, stderr] = captures;
                Ok(ActionOutcome { exit, stdout: stdout.finish(), stderr: stderr.finish() })
            }
            Ok(ActionEnd::TimedOut { limit_ms }) => {
                Err(EffectError::TimedOut(own_limit.unwrap_or(limit_ms)))
            }
            Ok(ActionEnd::Lost(why)) => Err(EffectError::Lost(why)),
            Err(error) if error.hint.is_empty() => Err(other("transport", error.to_string())),
            Err(error) => Err(other("transport", format!("{error} ({})", error.hint))),
        }
    }

    /// An action whose node's time is over is ended by its supervisor, which then says so; one from
    /// which no such word comes is lost.
    async fn until_late(
        &self,
        act: BoxFuture<'_, Result<ActionEnd, TransportError>>,
    ) -> Result<ActionEnd, TransportError> {
        let Some(deadline) = self.deadline else {
            return act.await;
        };
        let left = Duration::from_millis(deadline.saturating_sub(self.journal.clock.now()));
        match tokio::time::timeout(left + LAST_WORD, act).await {
            Ok(end) => end,
            Err(_) => {
                Ok(ActionEnd::Lost("the node's time is over, and no word came of its end".into()))
            }
        }
    }

    /// Removes the outputs from the node, beside everything else: the action's end is journalled.
    fn forget(&self, id: ActionId) {
        let (transport, target) = (self.transport.clone(), self.target.clone());
        let mut forgets = self.forgets.lock().unwrap_or_else(PoisonError::into_inner);
        forgets.spawn(async move {
            // What stays behind is small, and says which job it is of.
            let _ = transport.forget(&target, &id).await;
        });
        while forgets.try_join_next().is_some() {}
    }

    async fn observed(&self, request: &str, answer: &str) -> Result<(), EffectError> {
        self.write(vec![Record::Observed {
            node: self.node,
            request: request.to_owned(),
            answer: answer.to_owned(),
        }])
        .await
    }

    async fn read_facts(&self, index: usize) -> Result<NodeFacts, EffectError> {
        let target = &self.targets[index];
        let asked = |e: crate::NodetoolError| other("nodetool", e.to_string());
        let (version, rows) = tokio::try_join!(
            self.nodetool.ask(target, &["version"], parse::version),
            self.nodetool.ask(target, &["status"], parse::status),
        )
        .map_err(asked)?;
        let mut facts = self.facts[index].clone();
        facts.version = Some(version);
        let same = |row: &&parse::StatusRow| match (&row.host_id, &facts.host_id) {
            (Some(a), Some(b)) => a.as_str() == b,
            _ => row.address.to_string() == facts.address,
        };
        let row = rows.iter().find(same).ok_or_else(|| {
            other("nodetool", format!("{}: its own nodetool status doesn't list it", target.host))
        })?;
        facts.state = NodeState(row.status.to_string());
        Ok(facts)
    }

    async fn wait_healthy(&self, timeout_ms: Option<u64>) -> Result<WaitResult, EffectError> {
        if !self.observes {
            let what = "with --impact none nodes aren't observed: there is no health to wait for";
            return Err(EffectError::Invalid(what.into()));
        }
        let began = self.journal.clock.now();
        let (wake, woken) = oneshot::channel();
        let _ = self.notes.send(Note::Healthy(self.node, wake));
        let woken = match timeout_ms {
            None => woken.await.is_ok(),
            Some(limit) => match tokio::time::timeout(Duration::from_millis(limit), woken).await {
                Ok(woken) => woken.is_ok(),
                Err(_) => return Err(EffectError::TimedOut(limit)),
            },
        };
        if !woken {
            return Err(other("stopped", "the job, or the time of its node, is over".into()));
        }
        let mut node = self.facts[self.node.index()].clone();
        node.state = NodeState("UN".into());
        Ok(WaitResult { waited_ms: self.journal.clock.now().saturating_sub(began), node })
    }
}

impl Effects for NodeEffects {
    fn act(&self, work: Work) -> BoxFuture<'_, Result<ActionOutcome, EffectError>> {
        Box::pin(self.run(work))
    }

    fn wait(
        &self,
        condition: Condition,
        timeout_ms: Option<u64>,
    ) -> BoxFuture<'_, Result<WaitResult, EffectError>> {
        Box::pin(async move {
            let Condition::Healthy {} = condition;
            let result = self.wait_healthy(timeout_ms).await;
            let answer = match &result {
                Ok(result) => format!("healthy after {} ms", result.waited_ms),
                Err(error) => error.to_string(),
            };
            self.observed("wait healthy", &answer).await?;
            result
        })
    }

    fn refresh(&self, node: String) -> BoxFuture<'_, Result<NodeFacts, EffectError>> {
        Box::pin(async move {
            let place = self.targets.iter().position(|target| target.node.0 == node);
            let place = place.ok_or_else(|| {
                EffectError::Invalid(format!("{node} isn't a node of this cluster"))
            })?;
            let facts = self.read_facts(place).await?;
            let text = serde_json::to_string(&facts).map_err(|e| other("json", e.to_string()))?;
            self.observed(&format!("refresh {node}"), &text).await?;
            Ok(facts)
        })
    }

    fn topology(&self) -> BoxFuture<'_, Result<quorate_contract::Topology, EffectError>> {
        let (cluster, nodes) = (self.cluster.clone(), self.facts.to_vec());
        Box::pin(async move { Ok(quorate_contract::Topology { cluster, nodes }) })
    }

    fn sleep(&self, duration_ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(duration_ms)))
    }

    fn now(&self) -> BoxFuture<'_, u64> {
        Box::pin(async { self.journal.clock.now() })
    }

    fn log(&self, level: LogLevel, text: String) {
        self.journal.write_later(log(Some(self.node), level, text));
    }

    fn progress(&self, text: String) {
        self.journal.write_later(Record::Progress { node: self.node, text });
    }
}

/// A line of a component, as it is journalled.
pub(crate) fn log(node: Option<NodeId>, level: LogLevel, text: String) -> Record {
    let level = match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Warn => Level::Warn,
        LogLevel::Error => Level::Error,
    };
    Record::Log { node, level, text }
}

/// Passes an action's output on: to disk, to those who watch, and its ends to the component.
struct Watch<'a> {
    effects: &'a NodeEffects,
    captures: Mutex<[Capture; 2]>,
}

impl ActionWatch for Watch<'_> {
    fn output(&self, stream: Stream, bytes: &[u8]) -> Result<(), String> {
        self.effects.output.append(stream, bytes).map_err(|error| error.to_string())?;
        let mut captures = self.captures.lock().unwrap_or_else(PoisonError::into_inner);
        captures[usize::from(stream == Stream::Stderr)].add(bytes);
        // Only the newest part can be shown: 200 MB must not pile up before those who watch.
        let skipped = bytes.len().saturating_sub(SHOWN);
        let (node, bytes) = (self.effects.node, bytes[skipped..].to_vec());
        let _ = self.effects.journal.live.send(Live::Output { node, stream, skipped, bytes });
        Ok(())
    }

    fn connection(&self, text: &str) {
        let node = self.effects.node;
        self.effects.journal.write_later(Record::Connection { node, text: text.to_owned() });
    }
}

#[derive(Default)]
struct Capture {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
}

impl Capture {
    fn add(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = CAPTURE - self.head.len();
        let (first, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(first);
        self.tail.extend_from_slice(rest);
        // Cut rarely, so that each byte is moved about once.
        if self.tail.len() > 4 * CAPTURE {
            self.tail.drain(..self.tail.len() - CAPTURE);
        }
    }

    fn finish(mut self) -> Captured {
        let excess = self.tail.len().saturating_sub(CAPTURE);
        self.tail.drain(..excess);
        Captured { head: self.head, tail: self.tail, total_bytes: self.total }
    }
}

/// SHA-256 over everything that makes the action what it is, but for what may be secret: a password could be guessed from its
/// digest. Of the node's variables and the private files the names count.
fn digest(action: &Action, variables: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match &action.program {
        Program::Argv(argv) => {
            part(b"argv");
            argv.iter().for_each(|word| part(word.as_bytes()));
        }
        Program::Script { text, interpreter, args } => {
            part(b"script");
            part(text.as_bytes());
            part(interpreter.as_bytes());
            args.iter().for_each(|word| part(word.as_bytes()));
        }
    }
    part(&action.stdin);
    for (name, value) in &action.env {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    variables.iter().for_each(|(name, _)| part(name.as_bytes()));
    action.private.iter().for_each(|file| part(file.name.as_bytes()));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The program's name, for people. Arguments may hold what shouldn't be shown.
fn summary(work: &WorkKind) -> String {
    match work {
        WorkKind::Script { .. } => "script".into(),
        WorkKind::Nodetool(args) => match args.first() {
            Some(command) => format!("nodetool {command}"),
            None => "nodetool".into(),
        },
        WorkKind::Shell(argv) => match argv.as_slice() {
            [tool, command, ..] if tool.ends_with("nodetool") && !command.starts_with('-') => {
                format!("nodetool {command}")
            }
            [program, ..] => program.clone(),
            [] => String::new(),
        },
    }
}
