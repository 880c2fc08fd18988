//! `jobs`, `show` and the last line of a run.
use crate::{
    lines::failure,
    time::{date_time, duration},
};
use quorate_journal::{ActionClose, JobView};
use quorate_ring::NodeId;
use quorate_schedule::{End, NodeRun, Outcome, Phase};
use std::fmt::Write;

/// Targets by where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// All targets.
    pub targets: usize,
    /// Done and confirmed.
    pub done: usize,
    /// Nothing to do, or left down.
    pub skipped: usize,
    /// Failed.
    pub failed: usize,
    /// Command running.
    pub running: usize,
    /// Command ended, gates not yet.
    pub confirming: usize,
    /// Not started.
    pub waiting: usize,
}

/// Counts a job's targets.
pub fn progress(view: &JobView) -> Progress {
    let mut sum = Progress { targets: view.job.nodes().len(), ..Progress::default() };
    for run in view.job.nodes().values() {
        *match run.phase {
            Phase::Waiting => &mut sum.waiting,
            Phase::Running => &mut sum.running,
            Phase::Confirming => &mut sum.confirming,
            Phase::Done => &mut sum.done,
            Phase::Skipped => &mut sum.skipped,
            Phase::Failed => &mut sum.failed,
        } += 1;
    }
    sum
}

/// A job in the list of jobs.
#[derive(Clone, Debug)]
pub struct JobRow<'a> {
    /// The job.
    pub view: &'a JobView,
    /// A process runs it now.
    pub running: bool,
}

/// One line per job, newest last.
pub fn jobs_table(rows: &[JobRow<'_>]) -> String {
    let mut table = String::from(
        "JOB       CREATED (UTC)     STATE       DONE FAILED LEFT  CLUSTER: COMMAND\n",
    );
    for row in rows {
        let view = row.view;
        let sum = progress(view);
        let left = sum.targets - sum.done - sum.skipped - sum.failed;
        let _ = writeln!(
            table,
            "{:<9} {}  {:<11} {:>4} {:>6} {:>4}  {}: {}",
            view.created.job,
            date_time(view.created_at),
            state(view, row.running),
            sum.done + sum.skipped,
            sum.failed,
            left,
            view.created.topology.cluster,
            view.created.command.summary,
        );
    }
    table
}

/// Where a job is, in a word.
pub(crate) fn state(view: &JobView, running: bool) -> &'static str {
    match view.job.end() {
        _ if running => "running",
        Some(End::Completed) => "done",
        Some(End::Failed { .. }) => "failed",
        Some(End::Stopped { .. }) => "stopped",
        None => "interrupted",
    }
}

/// Everything about one job: its head, then one line per target.
pub fn job_report(view: &JobView, running: bool) -> String {
    let mut text = String::new();
    let sum = progress(view);
    let elapsed = duration(view.newest_at - view.created_at);
    let _ = writeln!(text, "job      {}", view.created.job);
    let _ = writeln!(text, "command  {}", view.created.command.summary);
    let _ = writeln!(text, "cluster  {}", view.created.topology.cluster);
    let _ = writeln!(
        text,
        "state    {}, {} of {} done, {} failed, {} skipped, {elapsed}",
        state(view, running),
        sum.done,
        sum.targets,
        sum.failed,
        sum.skipped
    );
    let _ = writeln!(text);
    let width = view.hosts.iter().map(|h| h.key.0.len()).max().unwrap_or(0);
    for (node, run) in view.job.nodes() {
        let place = view.job.topology().node(*node);
        let spent = match (run.started_at, run.confirmed_at.or(run.ended_at)) {
            (Some(start), Some(end)) => duration(end.saturating_sub(start)),
            _ => String::new(),
        };
        let line = format!(
            "{:<width$}  {:<6} {:<6} {:<10} {:>7}  {}",
            view.key(*node),
            place.data_center,
            place.rack,
            if run.phase == Phase::Running && !running { "left" } else { run.phase.word() },
            spent,
            what(view, *node, run, running),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn what(view: &JobView, node: NodeId, run: &NodeRun, running: bool) -> String {
    let topology = view.job.topology();
    let gate = || run.gate.as_ref().map(|gate| gate.text(topology)).unwrap_or_default();
    match (&run.outcome, run.phase) {
        (Some(Outcome::Failed { code, message }), _) => {
            let out = if run.out { ", still out" } else { "" };
            format!("{}{out}", failure(code, message))
        }
        (None, Phase::Failed) => format!("its time was over; {}", gate()),
        (_, Phase::Confirming) => gate(),
        (Some(Outcome::Done(text) | Outcome::Skipped(text)), _) => text.clone(),
        (None, Phase::Running) if !running => doing(view, node),
        // What held it when the job ended says nothing of now.
        (None, Phase::Waiting) if running => {
            run.held.as_ref().map(|reason| reason.text(topology)).unwrap_or_default()
        }
        (None, _) => String::new(),
    }
}

/// What the node's command did last.
fn doing(view: &JobView, node: NodeId) -> String {
    let progress = view.progress.get(&node).map_or("its command ran", String::as_str);
    format!("left while {progress}; the rest of the command didn't run")
}

/// One line for each node that was left in the middle of its command.
pub fn left_lines(view: &JobView) -> Vec<String> {
    let running = view.job.nodes().iter().filter(|(_, run)| run.phase == Phase::Running);
    let line = |node: NodeId| format!("{} was {}: look at it", view.key(node), doing(view, node));
    running.map(|(node, _)| line(*node)).collect()
}

/// Whether it isn't known how an action of a failed node ended.
fn is_lost(view: &JobView) -> bool {
    view.job.nodes().iter().any(|(id, run)| {
        let close = view.actions.get(id).and_then(|action| action.close.as_ref());
        run.phase == Phase::Failed && matches!(close, Some(ActionClose::Lost(_)))
    })
}

/// How a run of a job ended, with what to type next.
pub fn end_line(view: &JobView, end: Option<&End>) -> String {
    let job = &view.created.job;
    let sum = progress(view);
    let time = duration(view.newest_at.saturating_sub(view.created_at));
    match end {
        Some(End::Completed) if sum.skipped == 0 => {
            format!("all {} nodes done in {time}", sum.done)
        }
        Some(End::Completed) => {
            format!("{} nodes done, {} skipped in {time}", sum.done, sum.skipped)
        }
        Some(End::Failed { failed, left }) => format!(
            "{} done, {failed} failed, {left} left; see `quorate show {job}`{}",
            sum.done,
            if *left > 0 {
                format!(", go on with `quorate continue {job}`")
            } else if is_lost(view) {
                // `continue` refuses: it may still run.
                String::new()
            } else {
                format!(", run these again with `quorate continue {job} --retry-failed`")
            }
        ),
        Some(End::Stopped { left }) => {
            format!("{} done, {left} left; go on with `quorate continue {job}`", sum.done)
        }
        None => format!(
            "left with {} running and {} unconfirmed; see `quorate show {job}`",
            sum.running, sum.confirming
        ),
    }
}
