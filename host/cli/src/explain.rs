//! `explain`: why a node of a job waits, or where it is.
use crate::{
    args::{ExplainArgs, Output},
    error::CliError,
    jobs,
    session::{Session, SystemClock, stored},
    watch::say,
};
use quorate_ports::Clock;
use quorate_views::{explain as text, explain_json};

/// Prints the explanation. Gives the exit code.
pub(crate) fn explain(args: &ExplainArgs) -> Result<u8, CliError> {
    let session = Session::open()?;
    let job = session.store.find(&args.job).map_err(stored)?;
    let mut view = jobs::view(&session, &job)?;
    let node = view.by_key(&args.node).ok_or_else(|| {
        CliError::usage(format!("{} isn't a node of job {job}", args.node))
            .hint(format!("quorate show {job}"))
    })?;
    let now = SystemClock.now();
    let reason = view.job.explain(now).remove(&node);
    match args.output {
        Output::Text => say(&text(&view, node, reason.as_ref(), now)),
        Output::Json => say(&explain_json(&view, node, reason.as_ref(), now).to_string()),
    }
    Ok(0)
}
