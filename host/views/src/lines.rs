//! One plain line per event, stable to search: time, node, what.
use crate::time::{clock_time, duration};
use quorate_journal::{ActionClose, Exit, JobView, Level, Record, Stamped};
use quorate_ring::NodeId;
use quorate_schedule::{NodeRun, Outcome, Phase, Transition};

/// The line of a record, where it has one at this verbosity. The record is applied already.
pub fn event_line(view: &JobView, stamped: &Stamped, verbosity: u8) -> Option<String> {
    let line = |node: NodeId, text: String| {
        Some(format!("{} {} {text}", clock_time(stamped.at), view.key(node)))
    };
    match &stamped.record {
        Record::Created(created) => Some(format!(
            "{} job {} on {}: {}",
            clock_time(stamped.at),
            created.job,
            created.topology.cluster,
            created.command.summary
        )),
        Record::Step(step) => {
            let (node, text) = step_text(view, step, stamped.at)?;
            match node {
                Some(node) => line(node, text),
                None => Some(format!("{} {text}", clock_time(stamped.at))),
            }
        }
        Record::Progress { node, text } => line(*node, text.clone()),
        Record::Connection { node, text } => line(*node, text.clone()),
        Record::Warning { text } => Some(format!("{} warning: {text}", clock_time(stamped.at))),
        Record::Log { level: Level::Debug, .. } if verbosity < 1 => None,
        Record::Log { node, level, text } => {
            let warns = matches!(level, Level::Warn | Level::Error);
            let text = format!("{}{text}", if warns { "warning: " } else { "" });
            match node {
                Some(node) => line(*node, text),
                None => Some(format!("{} the strategy: {text}", clock_time(stamped.at))),
            }
        }
        Record::Intended { node, action, summary, .. } if verbosity >= 1 => {
            line(*node, format!("action {} {summary}", action.seq))
        }
        Record::Finished { node, action, close } => match close {
            ActionClose::Exited(Exit::Code(0)) if verbosity < 1 => None,
            ActionClose::Exited(exit) => line(*node, format!("action {}: {exit}", action.seq)),
            ActionClose::TimedOut(ms) => {
                line(*node, format!("action {} ended after its {}", action.seq, duration(*ms)))
            }
            ActionClose::Lost(why) => line(*node, format!("action {} lost: {why}", action.seq)),
            ActionClose::NotStarted(why) => {
                line(*node, format!("action {} not started: {why}", action.seq))
            }
        },
        Record::Observed { node, request, answer } if verbosity >= 2 => {
            line(*node, format!("{request}: {answer}"))
        }
        Record::Intended { .. } | Record::Observed { .. } => None,
    }
}

fn step_text(view: &JobView, step: &Transition, at: u64) -> Option<(Option<NodeId>, String)> {
    let topology = view.job.topology();
    let some = |node: &NodeId, text: String| Some((Some(*node), text));
    match step {
        Transition::TakenUp { .. } | Transition::Finished { .. } => None,
        Transition::GivenUp { node } if view.job.policy().observes() => {
            some(node, "stays out: it is waited for no more".into())
        }
        Transition::GivenUp { node } => some(node, "it is waited for no more".into()),
        Transition::Started { node, attempt: 1, .. } => some(node, "started".into()),
        Transition::Started { node, attempt, .. } => {
            some(node, format!("started, attempt {attempt}"))
        }
        Transition::Retried { node } => some(node, "failed before; it is to run again".into()),
        Transition::Ended { node, outcome } => {
            let after = match view.job.nodes().get(node).and_then(|run| run.started_at) {
                Some(start) => format!(" after {}", duration(at.saturating_sub(start))),
                None => String::new(),
            };
            match outcome {
                Outcome::Done(text) => some(node, format!("ended{after}: {text}")),
                Outcome::Skipped(text) => some(node, format!("skipped{after}: {text}")),
                Outcome::Failed { code, message } => {
                    some(node, format!("failed{after}: {}", failure(code, message)))
                }
            }
        }
        Transition::Confirmed { node } => some(node, "confirmed".into()),
        Transition::TimedOut { node, limit_ms, gate } => {
            let gate = gate.as_ref().map(|g| format!(": {}", g.text(topology))).unwrap_or_default();
            some(node, format!("failed: not confirmed within {}{gate}", duration(*limit_ms)))
        }
        Transition::LeftDown { node } => some(node, "skipped: it is down".into()),
        Transition::LeftCluster { node } => some(node, "skipped: it left the cluster".into()),
        // Told by the reasons of those that wait.
        Transition::Looked { .. } => None,
        // Told by the message that the view makes of it.
        Transition::Mapped(_) => {
            let told = view.messages.last().map(|message| message.text.clone());
            Some((None, told.unwrap_or_else(|| "a new map".into())))
        }
        Transition::Proposed(proposed) => {
            let groups: Vec<String> =
                proposed.groups.iter().map(|group| group.nodes.len().to_string()).collect();
            let dropped: String =
                proposed.dropped.iter().map(|dropped| format!("; dropped: {dropped}")).collect();
            Some((
                None,
                format!("the strategy's groups: {} nodes{dropped}", groups.join(", then ")),
            ))
        }
        Transition::Held { node, reason } => {
            some(node, format!("waits: {}", reason.text(topology)))
        }
        Transition::Healthy { node } => some(node, "healthy".into()),
        Transition::Unconfirmed { node, gate } => {
            some(node, format!("not confirmed yet: {}", gate.text(topology)))
        }
        Transition::Stopping { cause } => {
            Some((None, format!("no further node is started: {cause}")))
        }
    }
}

/// A failure in words: its code says nothing new where the message begins with it.
pub(crate) fn failure(code: &str, message: &str) -> String {
    match message.starts_with(code) {
        true => message.to_owned(),
        false => format!("{code}: {message}"),
    }
}

/// What keeps a node from its confirmation: the gate that doesn't hold, or time alone.
pub(crate) fn health(view: &JobView, run: &NodeRun, now: u64) -> String {
    match (&run.gate, run.healthy_at) {
        (Some(gate), _) => gate.text(view.job.topology()),
        (None, Some(since)) => format!(
            "healthy for {} of {}",
            duration(now.saturating_sub(since).min(view.job.policy().stable_ms)),
            duration(view.job.policy().stable_ms)
        ),
        (None, None) => "looking at the cluster".into(),
    }
}

/// What runs, what isn't confirmed and what is held now: said once a minute where nothing is drawn.
pub fn waiting_lines(view: &JobView, now: u64) -> Vec<String> {
    let topology = view.job.topology();
    let mut lines = Vec::new();
    for (node, run) in view.job.nodes() {
        let since = |at: Option<u64>| duration(now.saturating_sub(at.unwrap_or(now)));
        let text = match run.phase {
            Phase::Running => {
                let doing = view.progress.get(node).map(|p| format!(": {p}")).unwrap_or_default();
                format!("running for {}{doing}", since(run.started_at))
            }
            Phase::Confirming => {
                format!("unconfirmed for {}: {}", since(run.ended_at), health(view, run, now))
            }
            Phase::Waiting => match &run.held {
                Some(reason) => format!("waits: {}", reason.text(topology)),
                None => continue,
            },
            _ => continue,
        };
        lines.push(format!("{} {} {text}", clock_time(now), view.key(*node)));
        if lines.len() == 20 {
            lines.push(format!("{} … and others", clock_time(now)));
            break;
        }
    }
    lines
}
