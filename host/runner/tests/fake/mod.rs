//! Ports of a made-up cluster: nodes that answer nodetool, a store in memory, a command that is a
//! closure. Time is tokio's, which the tests pause.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code)]

use quorate_contract::{Impact, Manifest, PlanContext, PlanDocument};
use quorate_fixtures::Cluster as Made;
use quorate_journal::{Created, Record, Stamped};
use quorate_ports::{
    Action, ActionEnd, ActionId, ActionWatch, Answer, BoxFuture, Clock, CommandError, CommandHost,
    Effects, Exit, FaultKind, JobId, NodeKey, NodeOutput, Outputs, OutputsError, Query, RunEnd,
    RunInput, Store, StoreError, Stream, Target, Transport, TransportError,
};
use quorate_ring::{Address, HostId, Topology};
use quorate_runner::{Deps, Live, NodetoolCall, Stop, TakeUp};
use quorate_schedule::{Job, Policy};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// Every pair of these nodes shares a range. The nodes are 10.0.0.1, 10.0.0.2, …, with 4 tokens each.
pub fn topology(nodes: u8) -> Topology {
    let mut cluster = Made::new(&format!("dc1 r1 {nodes}")).vnodes(4).keyspace("shop", "dc1=3");
    // As the sample of `describecluster` has it.
    cluster.schema_version = "4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76".into();
    for (n, node) in (1..).zip(&mut cluster.nodes) {
        node.host_id = Some(HostId::new(host_id(n)));
        node.address = Address([10, 0, 0, n].into());
    }
    cluster.topology()
}

fn host_id(n: u8) -> String {
    format!("00000000-0000-0000-0000-0000000000{n:02x}")
}

/// Everything that the ports do and see, in order.
#[derive(Default)]
pub struct Tale {
    pub lines: Mutex<Vec<String>>,
}

impl Tale {
    pub fn tell(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    pub fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Where the first line with this text is.
    pub fn place(&self, text: &str) -> usize {
        let all = self.all();
        all.iter().position(|l| l.contains(text)).unwrap_or_else(|| panic!("no {text} in {all:#?}"))
    }
}

#[derive(Default)]
pub struct Cluster {
    pub nodes: u8,
    /// Not `UN` for anyone.
    pub down: Mutex<BTreeSet<u8>>,
    /// nodetool of these fails.
    pub mute: Mutex<BTreeSet<u8>>,
    pub tale: Arc<Tale>,
    /// How long an action takes and what it prints.
    pub takes: Duration,
    pub prints: Vec<(Stream, Vec<u8>)>,
    pub ends: Mutex<Option<Result<ActionEnd, TransportError>>>,
    /// The actions that came.
    pub acted: Mutex<Vec<Action>>,
}

impl Cluster {
    fn number(target: &Target) -> u8 {
        target.node.0.rsplit('.').next().unwrap().parse().unwrap()
    }

    fn status(&self) -> String {
        let mut text = String::from(
            "Datacenter: dc1\n===============\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n\
             --  Address    Load        Tokens  Owns  Host ID                               Rack\n",
        );
        for n in 1..=self.nodes {
            let state = if self.down.lock().unwrap().contains(&n) { "DN" } else { "UN" };
            writeln!(text, "{state}  10.0.0.{n}  91.42 KiB   4       ?     {}  r1", host_id(n))
                .unwrap();
        }
        text.push('\n');
        text
    }

    fn describecluster(&self) -> String {
        let nodes: Vec<String> = (1..=self.nodes).map(|n| format!("10.0.0.{n}")).collect();
        include_str!("../../../../tests/cassandra/samples/5.0.4/normal/describecluster.txt")
            .replace("127.0.0.1, 127.0.0.2, 127.0.0.3", &nodes.join(", "))
            .replace("127.0.0.1:7000, 127.0.0.2:7000, 127.0.0.3:7000", &nodes.join(", "))
    }

    fn info(&self, n: u8) -> String {
        include_str!("../../../../tests/cassandra/samples/5.0.4/normal/info.txt")
            .replace("b32e66dd-00e9-4b4d-833d-d29c4a2ecb8e", &host_id(n))
    }
}

impl Transport for Cluster {
    fn query<'a>(
        &'a self,
        target: &'a Target,
        query: Query,
    ) -> BoxFuture<'a, Result<Answer, TransportError>> {
        Box::pin(async move {
            let n = Self::number(target);
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.tale.tell(format!("query {n} {}", query.argv[1..].join(" ")));
            // Before it come flags, each with a value.
            let flags = query.argv[1..].iter().step_by(2).take_while(|word| word.starts_with('-'));
            let command = &query.argv[1 + 2 * flags.count()];
            if self.mute.lock().unwrap().contains(&n) {
                let stderr = b"nodetool: Failed to connect to '127.0.0.1:7199'\n".to_vec();
                return Ok(Answer { exit: Exit::Code(1), stdout: Vec::new(), stderr });
            }
            let stdout = match command.as_str() {
                "status" => self.status(),
                "info" => self.info(n),
                "describecluster" => self.describecluster(),
                "netstats" => {
                    include_str!("../../../../tests/cassandra/samples/5.0.4/normal/netstats.txt")
                        .into()
                }
                "version" => "ReleaseVersion: 5.0.4\n".into(),
                other => panic!("nodetool {other}"),
            };
            Ok(Answer { exit: Exit::Code(0), stdout: stdout.into(), stderr: Vec::new() })
        })
    }

    fn act<'a>(
        &'a self,
        target: &'a Target,
        action: &'a Action,
        watch: &'a dyn ActionWatch,
    ) -> BoxFuture<'a, Result<ActionEnd, TransportError>> {
        Box::pin(async move {
            self.tale.tell(format!("act {} {:?}", action.id, action.program));
            self.acted.lock().unwrap().push(action.clone());
            for (stream, bytes) in &self.prints {
                watch.output(*stream, bytes).unwrap();
            }
            tokio::time::sleep(self.takes).await;
            self.tale.tell(format!("acted {}", Self::number(target)));
            self.ends.lock().unwrap().clone().unwrap_or(Ok(ActionEnd::Exited(Exit::Code(0))))
        })
    }

    fn forget<'a>(
        &'a self,
        _: &'a Target,
        id: &'a ActionId,
    ) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            self.tale.tell(format!("forget {id}"));
            Ok(())
        })
    }
}

pub struct MemoryStore {
    pub records: Mutex<Vec<Stamped>>,
    pub tale: Arc<Tale>,
    /// Appends from this one on fail.
    pub full_at: usize,
}

impl Store for MemoryStore {
    fn append<'a>(
        &'a self,
        _: &'a JobId,
        records: Vec<Stamped>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if self.records.lock().unwrap().len() >= self.full_at {
                let message = "no space left on device".into();
                return Err(StoreError::Storage { path: "state.db".into(), message });
            }
            for record in &records {
                let line = quorate_journal::encode(record).unwrap();
                self.tale.tell(format!("record {}", line.split_once("\"record\":").unwrap().1));
            }
            self.records.lock().unwrap().extend(records);
            Ok(())
        })
    }
}

#[derive(Default)]
pub struct MemoryOutputs {
    pub files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

struct NodeFile(String, Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Outputs for MemoryOutputs {
    fn open(&self, _: &JobId, node: &NodeKey) -> Result<Arc<dyn NodeOutput>, OutputsError> {
        Ok(Arc::new(NodeFile(node.0.clone(), self.files.clone())))
    }
}

impl NodeOutput for NodeFile {
    fn append(&self, stream: Stream, bytes: &[u8]) -> Result<(), OutputsError> {
        let name = format!("{}/{stream:?}", self.0);
        self.1.lock().unwrap().entry(name).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn status(&self, exit: Exit) -> Result<(), OutputsError> {
        self.1.lock().unwrap().insert(format!("{}/status", self.0), exit.to_string().into());
        Ok(())
    }
}

pub struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> u64 {
        1_000_000 + self.0.elapsed().as_millis() as u64
    }
}

type Run = dyn Fn(RunInput, Arc<dyn Effects>) -> BoxFuture<'static, RunEnd> + Send + Sync;

pub struct FakeCommand {
    manifest: Manifest,
    run: Box<Run>,
}

impl CommandHost for FakeCommand {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn digest(&self) -> &str {
        "00"
    }

    fn plan(&self, _: PlanContext) -> BoxFuture<'_, Result<PlanDocument, CommandError>> {
        Box::pin(async { Ok(PlanDocument::default()) })
    }

    fn run(&self, input: RunInput, effects: Arc<dyn Effects>) -> BoxFuture<'_, RunEnd> {
        (self.run)(input, effects)
    }
}

pub fn command(
    run: impl Fn(RunInput, Arc<dyn Effects>) -> BoxFuture<'static, RunEnd> + Send + Sync + 'static,
) -> Arc<dyn CommandHost> {
    let manifest = Manifest {
        name: "fake".into(),
        version: "1".into(),
        summary: String::new(),
        arguments: Vec::new(),
        strategy: None,
        dc_parallel: false,
        impact: Impact::Down,
        gates: Vec::new(),
        programs: Vec::new(),
        minimum_host: None,
    };
    Arc::new(FakeCommand { manifest, run: Box::new(run) })
}

pub struct Play {
    pub cluster: Arc<Cluster>,
    pub store: Arc<MemoryStore>,
    pub outputs: Arc<MemoryOutputs>,
    pub tale: Arc<Tale>,
    pub created: Created,
    pub job: Job,
    pub stop: watch::Sender<Stop>,
    pub deps: Deps,
}

impl Play {
    pub fn new(nodes: u8, policy: Policy, command: Arc<dyn CommandHost>) -> Self {
        Self::with(nodes, policy, command, |_| {}, usize::MAX)
    }

    pub fn with(
        nodes: u8,
        policy: Policy,
        command: Arc<dyn CommandHost>,
        change: impl FnOnce(&mut Cluster),
        full_at: usize,
    ) -> Self {
        let tale = Arc::new(Tale::default());
        let mut cluster = Cluster {
            nodes,
            tale: tale.clone(),
            takes: Duration::from_secs(1),
            ..Cluster::default()
        };
        change(&mut cluster);
        let topology = topology(nodes);
        let targets: BTreeSet<_> = topology.ids().collect();
        let job = Job::new(topology.clone(), &targets, policy.clone()).unwrap();
        let created = quorate_fixtures::created(topology, policy);
        let first = Stamped { at: 0, record: Record::Created(Box::new(created.clone())) };
        let records = Mutex::new(vec![first]);
        let store = Arc::new(MemoryStore { records, tale: tale.clone(), full_at });
        let outputs = Arc::new(MemoryOutputs::default());
        let cluster = Arc::new(cluster);
        let deps = Deps {
            transport: cluster.clone(),
            store: store.clone(),
            outputs: outputs.clone(),
            command,
            strategy: None,
            clock: Arc::new(TokioClock(Instant::now())),
            nodetool: NodetoolCall::default(),
            variables: BTreeMap::new(),
        };
        let (stop, _) = watch::channel(Stop::No);
        Self { cluster, store, outputs, tale, created, job, stop, deps }
    }

    pub async fn drive(
        &self,
    ) -> Result<Option<quorate_schedule::End>, quorate_runner::RunnerError> {
        let (live, _events) = mpsc::unbounded_channel::<Live>();
        let limit = Duration::from_secs(3600);
        let driven = quorate_runner::drive(
            self.deps.clone(),
            &self.created,
            self.created.hosts.clone(),
            self.job.clone(),
            TakeUp::default(),
            live,
            self.stop.subscribe(),
        );
        tokio::time::timeout(limit, driven).await.expect("an hour wasn't enough")
    }
}

pub fn fault(kind: FaultKind, message: &str) -> TransportError {
    TransportError {
        host: "10.0.0.1".into(),
        kind,
        message: message.into(),
        hint: "look at it".into(),
    }
}
