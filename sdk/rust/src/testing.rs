//! For native tests of logic: a host that plays a script to a command, and views for a strategy.
use crate::{
    CallError, Condition, Exit, Finished, Host, Level, Node, NodeFacts, NodeState, Nodetool,
    Output, Request, RunContext, Script, Shell, StrategyNode, StrategyView, Topology, WaitResult,
};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

/// Answers calls in the order of its script and fails the test on any other. Clones share one
/// script, so that a test keeps one and gives the other away.
///
/// Calls are written as text: `nodetool drain`, `shell service cassandra stop`,
/// `script [INTERPRETER] ARGS`, `wait healthy`, `refresh KEY`, `sleep 500`.
#[derive(Clone, Debug, Default)]
pub struct Scripted(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    script: VecDeque<(String, Reply)>,
    lines: Vec<String>,
    requests: Vec<Request>,
    limits: Vec<Option<u64>>,
    now_ms: u64,
}

/// What a call is answered with.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The action ended.
    Finished(Finished),
    /// The effect didn't come about.
    Error(CallError),
    /// A wait ended, or facts were read.
    Node(NodeFacts),
}

/// An action that ended with status 0 and printed nothing.
pub fn ok() -> Reply {
    exit(0, "")
}

/// An action that ended with a status and wrote to stderr.
pub fn exit(code: i32, stderr: &str) -> Reply {
    Reply::Finished(Finished {
        exit: Exit::Code(code),
        stdout: Output::default(),
        stderr: Output::whole(stderr),
    })
}

/// Facts of a node `n1` in a state such as `UN`.
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

impl Scripted {
    /// A host that expects these calls.
    pub fn new(script: impl IntoIterator<Item = (&'static str, Reply)>) -> Self {
        let script = script.into_iter().map(|(call, reply)| (call.to_owned(), reply)).collect();
        Self(Rc::new(RefCell::new(State { script, ..State::default() })))
    }

    /// The node `n1` in this state on this host.
    pub fn node(&self, state: &str) -> Node<Self> {
        let context = RunContext {
            job: "job".into(),
            stage: "main".into(),
            attempt: 1,
            cluster: "test".into(),
            arguments: BTreeMap::new(),
            timeout_ms: None,
        };
        Node::new(self.clone(), facts(state), context)
    }

    /// Progress as `> PHRASE` and log lines as `LEVEL: TEXT`, in order.
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone()
    }

    /// What belonged to each shell and script call, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.0.borrow().requests.clone()
    }

    /// The time limits of nodetool calls and waits, in order.
    pub fn limits(&self) -> Vec<Option<u64>> {
        self.0.borrow().limits.clone()
    }

    /// Fails the test where expected calls didn't come.
    ///
    /// # Panics
    /// With the calls that are left.
    pub fn assert_finished(&self) {
        let left: Vec<_> = self.0.borrow().script.iter().map(|(call, _)| call.clone()).collect();
        assert!(left.is_empty(), "calls that didn't come: {left:?}");
    }

    fn next(&self, call: &str) -> Reply {
        let next = self.0.borrow_mut().script.pop_front();
        match next {
            Some((expected, reply)) if expected == call => reply,
            Some((expected, _)) => panic!("called `{call}`, the script expects `{expected}`"),
            None => panic!("called `{call}` after the script's end"),
        }
    }

    fn action(&self, call: &str) -> Result<Finished, CallError> {
        match self.next(call) {
            Reply::Finished(finished) => Ok(finished),
            Reply::Error(error) => Err(error),
            Reply::Node(_) => panic!("`{call}` is an action and was scripted as facts"),
        }
    }

    fn node_facts(&self, call: &str) -> Result<NodeFacts, CallError> {
        match self.next(call) {
            Reply::Node(facts) => Ok(facts),
            Reply::Error(error) => Err(error),
            Reply::Finished(_) => panic!("`{call}` gives facts and was scripted as an action"),
        }
    }
}

/// A target that waits, is `UN`, and of which nothing more is known. Its key is `n` and its id.
pub fn target(id: u32, data_center: &str, rack: &str) -> StrategyNode {
    StrategyNode {
        id,
        key: format!("n{id}"),
        data_center: data_center.into(),
        rack: rack.into(),
        state: NodeState("UN".into()),
        phase: "waiting".into(),
        past_duration_ms: None,
        slack: None,
    }
}

/// These targets, in this order. Arguments go to the strategy beside it, by [`args`].
pub fn view(nodes: impl IntoIterator<Item = StrategyNode>) -> StrategyView {
    StrategyView {
        cluster: "test".into(),
        arguments: BTreeMap::new(),
        nodes: nodes.into_iter().collect(),
    }
}

/// Arguments from pairs of name and value.
pub fn args<const N: usize>(pairs: [(&str, Value); N]) -> crate::Args {
    crate::Args::new(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

impl Host for Scripted {
    fn log(&self, level: Level, text: &str) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.0.borrow_mut().lines.push(format!("{level}: {text}"));
    }

    fn progress(&self, text: &str) {
        self.0.borrow_mut().lines.push(format!("> {text}"));
    }

    fn sleep_ms(&self, duration_ms: u64) {
        self.next(&format!("sleep {duration_ms}"));
        self.0.borrow_mut().now_ms += duration_ms;
    }

    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn random(&self) -> u64 {
        4
    }

    fn topology(&self) -> Result<Topology, CallError> {
        let facts = self.node_facts("topology")?;
        Ok(Topology { cluster: "test".into(), nodes: vec![facts] })
    }

    fn refresh(&self, node: &str) -> Result<NodeFacts, CallError> {
        self.node_facts(&format!("refresh {node}"))
    }

    fn wait(
        &self,
        condition: &Condition,
        timeout_ms: Option<u64>,
    ) -> Result<WaitResult, CallError> {
        self.0.borrow_mut().limits.push(timeout_ms);
        let call = match condition {
            Condition::Healthy {} => "wait healthy",
        };
        self.node_facts(call).map(|node| WaitResult { waited_ms: 42_000, node })
    }
}

impl Nodetool for Scripted {
    fn run_nodetool(
        &self,
        args: &[String],
        timeout_ms: Option<u64>,
    ) -> Result<Finished, CallError> {
        self.0.borrow_mut().limits.push(timeout_ms);
        self.action(&format!("nodetool {}", args.join(" ")))
    }
}

impl Shell for Scripted {
    fn run_shell(&self, argv: &[String], request: &Request) -> Result<Finished, CallError> {
        self.0.borrow_mut().requests.push(request.clone());
        self.action(&format!("shell {}", argv.join(" ")))
    }
}

impl Script for Scripted {
    fn run_script(
        &self,
        _text: &str,
        interpreter: &str,
        args: &[String],
        request: &Request,
    ) -> Result<Finished, CallError> {
        self.0.borrow_mut().requests.push(request.clone());
        self.action(&format!("script [{interpreter}] {}", args.join(" ")))
    }
}
