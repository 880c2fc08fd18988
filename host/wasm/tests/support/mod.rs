//! What the tests here share: the hostile components, and effects that only write down.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use quorate_contract::{Condition, NodeFacts, NodeState, RunContext, Topology, WaitResult};
use quorate_ports::{
    ActionOutcome, BoxFuture, Captured, CommandHost, EffectError, Effects, Exit, LogLevel,
    RunInput, Work, WorkKind,
};
use quorate_wasm::{Command, Engine, EngineOptions, Limits};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::sync::{Notify, Semaphore};

/// A component of `tests/hostile-plugins`, which is built by the first call.
pub fn hostile(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/hostile-plugins");
        let mut cargo = std::process::Command::new(std::env::var("CARGO").unwrap());
        cargo
            .args(["build", "--release", "--locked", "--examples", "--target", "wasm32-wasip2"])
            .arg("--manifest-path")
            .arg(root.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(root.join("target"));
        // Flags and wrappers of the build that runs these tests are for the host.
        for name in [
            "CARGO_BUILD_TARGET",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
        ] {
            cargo.env_remove(name);
        }
        let output = cargo.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tests/hostile-plugins can't be built:\n{text}");
        root.join("target/wasm32-wasip2/release/examples")
    });
    let path = built.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A bundled component.
pub fn bundled(name: &str) -> &'static [u8] {
    let commands = quorate_bundled::commands();
    commands.iter().find(|command| command.name == name).unwrap().bytes
}

pub fn engine(limits: Limits) -> Engine {
    Engine::new(EngineOptions { cache_dir: None, limits }).unwrap()
}

pub async fn load(engine: &Engine, name: &str) -> Arc<Command> {
    engine.load(name, hostile(name)).await.unwrap()
}

pub fn facts(state: &str) -> NodeFacts {
    NodeFacts {
        key: "n1".into(),
        host_id: None,
        address: "192.0.2.1".into(),
        data_center: "dc1".into(),
        rack: "r1".into(),
        state: NodeState(state.into()),
        version: Some("5.0.4".into()),
    }
}

pub fn input(state: &str, arguments: serde_json::Value) -> RunInput {
    RunInput {
        seed: 42,
        now_ms: 1_700_000_000_000,
        node: facts(state),
        context: RunContext {
            job: "j1".into(),
            stage: "main".into(),
            attempt: 1,
            cluster: "test".into(),
            arguments: serde_json::from_value::<BTreeMap<_, _>>(arguments).unwrap(),
            timeout_ms: None,
        },
    }
}

pub fn plain() -> RunInput {
    input("UN", serde_json::json!({}))
}

/// How the effects' sleep ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// At once.
    Short,
    /// When the test says so.
    UntilWoken,
}

/// Writes down what was asked, and answers actions in order: with status 0 where no answer is left.
pub struct Fake {
    pub answers: Mutex<VecDeque<Result<ActionOutcome, EffectError>>>,
    pub sleep: Sleep,
    /// Guests that sleep now.
    pub asleep: AtomicUsize,
    pub fell_asleep: Notify,
    pub wake: Semaphore,
    lines: Mutex<Vec<String>>,
    began: Instant,
}

impl Fake {
    pub fn new() -> Arc<Self> {
        Self::with(Sleep::Short, [])
    }

    pub fn sleeping() -> Arc<Self> {
        Self::with(Sleep::UntilWoken, [])
    }

    pub fn answering(
        answers: impl IntoIterator<Item = Result<ActionOutcome, EffectError>>,
    ) -> Arc<Self> {
        Self::with(Sleep::Short, answers)
    }

    fn with(
        sleep: Sleep,
        answers: impl IntoIterator<Item = Result<ActionOutcome, EffectError>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            sleep,
            asleep: AtomicUsize::new(0),
            fell_asleep: Notify::new(),
            wake: Semaphore::new(0),
            lines: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// Everything that was asked for, in order.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The same without log lines and progress.
    pub fn effects(&self) -> Vec<String> {
        let own = |line: &String| !line.starts_with("log ") && !line.starts_with("> ");
        self.lines().into_iter().filter(own).collect()
    }

    /// Waits until so many guests sleep.
    pub async fn until_asleep(&self, count: usize) {
        loop {
            let notified = self.fell_asleep.notified();
            if self.asleep.load(Ordering::SeqCst) >= count {
                return;
            }
            notified.await;
        }
    }

    fn note(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

/// Counts down also where the sleeping future is dropped.
struct Asleep<'a>(&'a Fake);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.asleep.fetch_sub(1, Ordering::SeqCst);
    }
}

pub fn exited(code: i32, stdout: &str, stderr: &str) -> Result<ActionOutcome, EffectError> {
    let captured = |text: &str| Captured {
        head: text.as_bytes().to_vec(),
        tail: Vec::new(),
        total_bytes: text.len() as u64,
    };
    Ok(ActionOutcome { exit: Exit::Code(code), stdout: captured(stdout), stderr: captured(stderr) })
}

impl Effects for Fake {
    fn act(&self, work: Work) -> BoxFuture<'_, Result<ActionOutcome, EffectError>> {
        let Work { kind, stdin, env, timeout_ms, on_lost } = work;
        let mut line = match kind {
            WorkKind::Shell(argv) => format!("shell {argv:?}"),
            WorkKind::Nodetool(args) => format!("nodetool {args:?}"),
            WorkKind::Script { text, interpreter, args } => {
                format!("script {text:?} {interpreter:?} {args:?}")
            }
        };
        if !stdin.is_empty() {
            line += &format!(" stdin={:?}", String::from_utf8_lossy(&stdin));
        }
        if !env.is_empty() {
            line += &format!(" env={env:?}");
        }
        if let Some(timeout_ms) = timeout_ms {
            line += &format!(" timeout={timeout_ms}");
        }
        self.note(format!("{line} lost={on_lost:?}"));
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(std::future::ready(answer.unwrap_or_else(|| exited(0, "", ""))))
    }

    fn wait(
        &self,
        condition: Condition,
        timeout_ms: Option<u64>,
    ) -> BoxFuture<'_, Result<WaitResult, EffectError>> {
        self.note(format!("wait {condition:?} {timeout_ms:?}"));
        Box::pin(std::future::ready(Ok(WaitResult { waited_ms: 61_500, node: facts("UN") })))
    }

    fn refresh(&self, node: String) -> BoxFuture<'_, Result<NodeFacts, EffectError>> {
        self.note(format!("refresh {node}"));
        Box::pin(std::future::ready(Ok(facts("UN"))))
    }

    fn topology(&self) -> BoxFuture<'_, Result<Topology, EffectError>> {
        self.note("topology".into());
        let topology = Topology { cluster: "test".into(), nodes: vec![facts("UN")] };
        Box::pin(std::future::ready(Ok(topology)))
    }

    fn sleep(&self, duration_ms: u64) -> BoxFuture<'_, ()> {
        self.note(format!("sleep {duration_ms}"));
        Box::pin(async move {
            if self.sleep == Sleep::UntilWoken {
                self.asleep.fetch_add(1, Ordering::SeqCst);
                let _asleep = Asleep(self);
                self.fell_asleep.notify_one();
                self.wake.acquire().await.unwrap().forget();
            }
        })
    }

    fn now(&self) -> BoxFuture<'_, u64> {
        Box::pin(std::future::ready(self.began.elapsed().as_millis() as u64))
    }

    fn log(&self, level: LogLevel, text: String) {
        self.note(format!("log {level:?} {text}"));
    }

    fn progress(&self, text: String) {
        self.note(format!("> {text}"));
    }
}

/// Runs a command to its end.
pub async fn run(
    command: &Arc<Command>,
    input: RunInput,
    effects: &Arc<Fake>,
) -> quorate_ports::RunEnd {
    command.run(input, Arc::<Fake>::clone(effects)).await
}
