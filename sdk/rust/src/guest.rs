//! The component's side of the contract: bindings, and the glue that [`export_command!`] and
//! [`export_strategy!`] expand to.
//!
//! [`export_command!`]: crate::export_command
//! [`export_strategy!`]: crate::export_strategy
use crate::{
    Args, CallError, Condition, Exit, Failure, Finished, Host, Level, Node, NodeFacts, Nodetool,
    OnLost, Outcome, Output, PlanContext, PlanDocument, Proposal, Request, RunContext, Script,
    Shell, StrategyView, Topology, WaitResult,
};
use bindings::{
    exports::quorate::plugin::command_plugin as exported,
    quorate::plugin::{cluster, flow, log, nodetool, script, shell, types},
};

/// Every interface of the contract. A component imports those whose functions it calls: the others
/// are left out when it is linked.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/quorate-plugin.wit",
        inline: r#"
            package quorate:sdk;
            world everything {
                include quorate:plugin/command@0.1.0;
                import quorate:plugin/nodetool@0.1.0;
                import quorate:plugin/shell@0.1.0;
                import quorate:plugin/script@0.1.0;
            }
        "#,
        world: "quorate:sdk/everything",
        generate_all,
        pub_export_macro: true,
    });
}

/// The world of strategies.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod strategy_bindings {
    wit_bindgen::generate!({
        path: "../../wit/quorate-plugin.wit",
        world: "quorate:plugin/strategy",
        with: { "quorate:plugin/log@0.1.0": super::bindings::quorate::plugin::log },
        pub_export_macro: true,
    });
}

/// The real host.
#[derive(Clone, Copy, Debug)]
pub struct Real;

/// `describe`.
pub fn describe(manifest: &impl serde::Serialize) -> String {
    match serde_json::to_string(manifest) {
        Ok(text) => text,
        Err(error) => panic!("the manifest can't be written as JSON: {error}"),
    }
}

/// `plan`.
pub fn plan(
    context: &str,
    plan: impl FnOnce(&PlanContext) -> Result<PlanDocument, Failure>,
) -> Result<String, exported::Error> {
    let problem =
        |code: String, message: String| exported::Error::Other(types::Problem { code, message });
    let context = serde_json::from_str(context)
        .map_err(|error| problem("contract".into(), format!("plan context: {error}")))?;
    let document = plan(&context).map_err(|failure| problem(failure.code, failure.message))?;
    serde_json::to_string(&document)
        .map_err(|error| problem("contract".into(), format!("plan document: {error}")))
}

/// `propose`.
pub fn propose(
    view: &str,
    propose: impl FnOnce(&StrategyView, &Args) -> Result<Proposal, Failure>,
) -> Result<String, String> {
    let view: StrategyView = serde_json::from_str(view)
        .map_err(|error| format!("the host's view can't be read: {error}"))?;
    let args = Args::new(view.arguments.clone());
    let proposal = propose(&view, &args).map_err(|failure| failure.message)?;
    serde_json::to_string(&proposal).map_err(|error| format!("proposal: {error}"))
}

/// `run`.
pub fn run(
    node: &str,
    context: &str,
    run: impl FnOnce(&Node<Real>, &Args) -> Result<Outcome, Failure>,
) -> Result<exported::Outcome, exported::Failure> {
    match run_parsed(node, context, run) {
        Ok(Outcome::Done(what)) => Ok(exported::Outcome::Done(what)),
        Ok(Outcome::Skipped(reason)) => Ok(exported::Outcome::Skipped(reason)),
        Err(Failure { code, message }) => {
            Err(exported::Failure { code, message, extra: String::new() })
        }
    }
}

fn run_parsed(
    node: &str,
    context: &str,
    run: impl FnOnce(&Node<Real>, &Args) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    let unreadable = |what: &str, error: serde_json::Error| {
        Failure::new("contract", format!("the host's {what} can't be read: {error}"))
    };
    let facts: NodeFacts =
        serde_json::from_str(node).map_err(|error| unreadable("node facts", error))?;
    let context: RunContext =
        serde_json::from_str(context).map_err(|error| unreadable("run context", error))?;
    let args = Args::new(context.arguments.clone());
    run(&Node::new(Real, facts, context), &args)
}

impl Host for Real {
    fn log(&self, level: Level, text: &str) {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::line(level, text);
    }

    fn progress(&self, text: &str) {
        log::progress(text);
    }

    fn sleep_ms(&self, duration_ms: u64) {
        flow::sleep(duration_ms);
    }

    fn now_ms(&self) -> u64 {
        flow::now()
    }

    fn random(&self) -> u64 {
        flow::random()
    }

    fn topology(&self) -> Result<Topology, CallError> {
        read("topology", cluster::topology())
    }

    fn refresh(&self, node: &str) -> Result<NodeFacts, CallError> {
        read("node facts", cluster::refresh(node))
    }

    fn wait(
        &self,
        condition: &Condition,
        timeout_ms: Option<u64>,
    ) -> Result<WaitResult, CallError> {
        let condition = serde_json::to_string(condition)
            .map_err(|error| contract(format!("condition: {error}")))?;
        read("wait result", cluster::wait(&condition, timeout_ms))
    }
}

impl Nodetool for Real {
    fn run_nodetool(
        &self,
        args: &[String],
        timeout_ms: Option<u64>,
    ) -> Result<Finished, CallError> {
        finished(nodetool::run(args, timeout_ms, ""))
    }
}

impl Shell for Real {
    fn run_shell(&self, argv: &[String], request: &Request) -> Result<Finished, CallError> {
        finished(shell::exec(&exec_request(argv, request)))
    }
}

impl Script for Real {
    fn run_script(
        &self,
        text: &str,
        interpreter: &str,
        args: &[String],
        request: &Request,
    ) -> Result<Finished, CallError> {
        finished(script::run(text, interpreter, &exec_request(args, request)))
    }
}

fn exec_request(argv: &[String], request: &Request) -> types::ExecRequest {
    types::ExecRequest {
        argv: argv.to_vec(),
        stdin: match request.stdin.is_empty() {
            true => types::Input::None,
            false => types::Input::Bytes(request.stdin.clone()),
        },
        env: request.env.clone(),
        secret_env: Vec::new(),
        run_as: None,
        timeout_ms: request.timeout_ms,
        on_lost: match request.on_lost {
            OnLost::Fail => types::OnLost::Fail,
            OnLost::Again => types::OnLost::Again,
            OnLost::Expected => types::OnLost::Expected,
        },
        extra: String::new(),
    }
}

fn finished(result: Result<types::ExecResult, types::Error>) -> Result<Finished, CallError> {
    let result = result.map_err(call_error)?;
    Ok(Finished {
        exit: match result.exit {
            types::Exit::Code(code) => Exit::Code(code),
            types::Exit::Signal(signal) => Exit::Signal(signal),
        },
        stdout: output(result.stdout),
        stderr: output(result.stderr),
    })
}

fn output(output: types::Output) -> Output {
    let types::Output { head, tail, total_bytes, truncated } = output;
    Output { head, tail, total_bytes, truncated }
}

fn read<T: for<'a> serde::Deserialize<'a>>(
    what: &str,
    answer: Result<String, types::Error>,
) -> Result<T, CallError> {
    let text = answer.map_err(call_error)?;
    serde_json::from_str(&text).map_err(|error| contract(format!("the host's {what}: {error}")))
}

fn contract(message: String) -> CallError {
    CallError::Other { code: "contract".into(), message }
}

fn call_error(error: types::Error) -> CallError {
    match error {
        types::Error::Denied(why) => CallError::Denied(why),
        types::Error::Invalid(why) => CallError::Invalid(why),
        types::Error::TimedOut(ms) => CallError::TimedOut(ms),
        types::Error::Lost(why) => CallError::Lost(why),
        types::Error::Other(types::Problem { code, message }) => CallError::Other { code, message },
    }
}
