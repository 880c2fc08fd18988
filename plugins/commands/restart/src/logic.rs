//! What `restart` does: drain, stop, start, wait until healthy.
use crate::words;
use quorate_sdk::{
    Args, Argument, ArgumentKind, Failure, Gate, Healthy, Host, Impact, Manifest, Node,
    NodeFactsExt, Nodetool, OnLost, Outcome, PlanContext, PlanDocument, Shell, argument,
};

const SERVICE: &str = "service cassandra {verb}";
const VERB: &str = "{verb}";

/// What `restart` says of itself.
pub fn manifest() -> Manifest {
    Manifest {
        arguments: vec![
            Argument {
                default: Some(SERVICE.into()),
                ..argument(
                    "service",
                    ArgumentKind::Text,
                    "How the service is told to stop and to start; {verb} becomes either word. \
                     Quotes hold words together, nothing is expanded",
                )
            },
            argument("no-drain", ArgumentKind::Flag, "Stop the node without nodetool drain"),
            argument(
                "wait-timeout",
                ArgumentKind::Duration,
                "Fail where the node isn't healthy this long after its start",
            ),
        ],
        gates: vec![Gate::NewProcess],
        programs: vec!["service".into()],
        ..quorate_sdk::manifest(
            "restart",
            env!("CARGO_PKG_VERSION"),
            "Restart Cassandra on every node: drain, stop, start, wait until healthy",
            Impact::Down,
        )
    }
}

/// The argument `--service`, split into words.
struct Service(Vec<String>);

impl Service {
    fn read(args: &Args) -> Result<Self, Failure> {
        let template = args.text("service")?.unwrap_or(SERVICE);
        let words = words::split(template)
            .map_err(|what| Failure::usage(format!("--service '{template}': {what}")))?;
        if !words.iter().any(|word| word.contains(VERB)) {
            return Err(Failure::usage(format!(
                "--service '{template}' lacks {VERB}, which becomes stop and start"
            )));
        }
        Ok(Self(words))
    }

    fn argv(&self, verb: &str) -> Vec<String> {
        self.0.iter().map(|word| word.replace(VERB, verb)).collect()
    }
}

/// Refuses arguments that make no sense while nothing is touched yet; else one stage.
///
/// # Errors
/// With what is wrong with the arguments.
pub fn plan(context: &PlanContext) -> Result<PlanDocument, Failure> {
    Service::read(&Args::new(context.arguments.clone()))?;
    Ok(PlanDocument::default())
}

/// Restarts one node. A node that is down already is started: there is nothing to drain, and that its
/// service can't be stopped is only logged.
///
/// # Errors
/// The step that failed. After the stop, the message says that the node is stopped.
pub fn run<H: Host + Nodetool + Shell>(node: &Node<H>, args: &Args) -> Result<Outcome, Failure> {
    let service = Service::read(args)?;
    let up = node.facts().is_up();
    if up && !args.flag("no-drain")? {
        node.progress("draining");
        node.nodetool(["drain"]).check()?;
    }

    node.progress("stopping");
    // A service that is told twice to stop, or to start, does it once: what got lost may be repeated.
    let stop = node.shell(service.argv("stop")).on_lost(OnLost::Again);
    if up {
        stop.check()?;
    } else {
        let stopped = stop.finish()?;
        if !stopped.succeeded() {
            let what = stopped.describe();
            node.warn(&format!("the node was down already; its service wasn't stopped: {what}"));
        }
    }

    node.progress("starting");
    let start = node.shell(service.argv("start")).on_lost(OnLost::Again);
    start.check().map_err(|failure| failure.because("Cassandra is stopped on this node"))?;

    node.progress("waiting until healthy");
    let healthy = node.wait(Healthy, args.duration_ms("wait-timeout")?)?;
    let version = healthy.node.version.map(|version| format!(", {version}")).unwrap_or_default();
    Ok(Outcome::done(format!(
        "restarted, healthy after {} s{version}",
        healthy.waited_ms.div_ceil(1000)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_sdk::{
        CallError,
        testing::{Reply, Scripted, args, exit, facts, ok},
    };
    use serde_json::json;

    fn healthy() -> Reply {
        Reply::Node(facts("UN"))
    }

    #[test]
    fn a_node_is_drained_stopped_started_and_waited_for() {
        let host = Scripted::new([
            ("nodetool drain", ok()),
            ("shell service cassandra stop", ok()),
            ("shell service cassandra start", ok()),
            ("wait healthy", healthy()),
        ]);
        let end = run(&host.node("UN"), &args([("wait-timeout", json!(60_000))]));
        assert_eq!(end, Ok(Outcome::done("restarted, healthy after 42 s, 5.0.4")));
        assert_eq!(
            host.lines(),
            ["> draining", "> stopping", "> starting", "> waiting until healthy"]
        );
        assert_eq!(host.limits(), [None, Some(60_000)]);
        assert!(host.requests().iter().all(|request| request.on_lost == OnLost::Again));
        host.assert_finished();
    }

    #[test]
    fn a_node_that_is_down_is_not_drained_and_may_refuse_to_stop() {
        let host = Scripted::new([
            ("shell service cassandra stop", exit(1, "not running\n")),
            ("shell service cassandra start", ok()),
            ("wait healthy", healthy()),
        ]);
        run(&host.node("DN"), &args([])).unwrap();
        assert_eq!(
            host.lines()[1],
            "warn: the node was down already; its service wasn't stopped: exit status 1: not running"
        );
        host.assert_finished();
    }

    #[test]
    fn a_failing_drain_leaves_the_node_running() {
        let host = Scripted::new([("nodetool drain", exit(1, "Connection refused"))]);
        let failure = run(&host.node("UN"), &args([])).unwrap_err();
        assert_eq!(
            failure,
            Failure::new("exit", "nodetool drain: exit status 1: Connection refused")
        );
        host.assert_finished();
    }

    #[test]
    fn a_node_that_is_up_and_does_not_stop_is_not_started() {
        let host = Scripted::new([("shell svc stop", exit(5, "timeout"))]);
        let given = args([("no-drain", json!(true)), ("service", json!("svc {verb}"))]);
        let failure = run(&host.node("UN"), &given).unwrap_err();
        assert_eq!(failure, Failure::new("exit", "svc stop: exit status 5: timeout"));
        host.assert_finished();
    }

    #[test]
    fn a_node_that_does_not_start_is_said_to_be_stopped() {
        let host = Scripted::new([
            ("shell service cassandra stop", ok()),
            ("shell service cassandra start", exit(1, "bad yaml")),
        ]);
        let failure = run(&host.node("UN"), &args([("no-drain", json!(true))])).unwrap_err();
        assert_eq!(
            failure.message,
            "Cassandra is stopped on this node: service cassandra start: exit status 1: bad yaml"
        );
    }

    #[test]
    fn a_node_that_does_not_become_healthy_in_time_fails() {
        let host = Scripted::new([
            ("nodetool drain", ok()),
            ("shell service cassandra stop", ok()),
            ("shell service cassandra start", ok()),
            ("wait healthy", Reply::Error(CallError::TimedOut(60_000))),
        ]);
        let failure = run(&host.node("UN"), &args([])).unwrap_err();
        assert_eq!(
            failure,
            Failure::new("timed-out", "waiting until healthy: timed out after 60 s")
        );
    }

    #[test]
    fn a_service_without_a_verb_is_refused_when_planning() {
        for wrong in ["service cassandra stop", "", "'svc {verb}"] {
            let context = PlanContext {
                cluster: "test".into(),
                arguments: [("service".to_owned(), json!(wrong))].into(),
            };
            assert_eq!(plan(&context).unwrap_err().code, "usage", "{wrong}");
        }
    }
}
