//! `continue`: takes a job up again.
use crate::{
    args::ContinueArgs,
    commands,
    connect::{connect, recalled},
    error::CliError,
    jobs,
    launch::Run,
    session::{Session, stored},
};
use quorate_journal::JobView;
use quorate_schedule::Phase;
use quorate_store::JobLock;

/// Runs what wasn't started. Gives the exit code.
pub(crate) async fn resume(args: ContinueArgs) -> Result<u8, CliError> {
    let session = Session::open()?;
    let job = session.store.find(&args.job).map_err(stored)?;
    let lock = JobLock::take(&session.home, &job).map_err(stored)?;
    let view = jobs::view(&session, &job)?;
    refuse_unfinished(&view)?;
    let command = commands::load(&view.created.command.name, &view.created.command.limits).await?;
    if command.digest() != view.created.command.digest {
        return Err(CliError::not_started(format!(
            "job {job} began with version {} of `{}`, here is {}; a job never changes its command",
            view.created.command.version,
            view.created.command.name,
            command.manifest().version
        ))
        .hint("continue it with the quorate that began it, or start a new job for what is left"));
    }
    let transport = connect(&recalled(&view.created.ssh)?)?;
    let run =
        Run { session: &session, transport, command, stop_after: args.stop_after, show: args.show };
    let code = run.drive_on(view).await;
    drop(lock);
    code
}

/// What ran when the job was left can't be taken up by this version: it is named, and left alone.
fn refuse_unfinished(view: &JobView) -> Result<(), CliError> {
    let job = &view.created.job;
    if let Some((node, action)) = view.unfinished().next() {
        return Err(CliError::not_started(format!(
            "the action {} ({}) has no known end; this version can't take it up",
            action.id, action.summary
        ))
        .at(view.key(node))
        .hint(format!("see what it does on the node; start a new job for what `quorate show {job}` lists as waiting")));
    }
    let running = view.job.nodes().iter().find(|(_, run)| run.phase == Phase::Running);
    if let Some((node, _)) = running {
        return Err(CliError::not_started(
            "the command was left in the middle of its work on this node; this version can't take it up",
        )
        .at(view.key(*node))
        .hint(format!("see how the node is; start a new job for what `quorate show {job}` lists as waiting")));
    }
    Ok(())
}
