//! `continue`: takes a job up again.
use crate::{
    args::{ContinueArgs, PasswordArgs},
    commands,
    connect::{connect, recalled},
    error::CliError,
    jmx, jobs,
    par::through,
    preflight::Ground,
    run::{Begun, Run},
    session::{Session, SystemClock, stored},
    variables::{NodeVariables, Variables},
    watch::{complain, tell_record},
};
use quorate_journal::{ActionClose, JobView, Place, Record, Stamped};
use quorate_ports::{Clock, Store};
use quorate_ring::NodeId;
use quorate_runner::{Nodetool, NodetoolCall, TakeUp};
use quorate_schedule::{NodeRun, Phase};
use quorate_store::JobLock;
use quorate_transport::Ssh;
use quorate_views::duration;
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

/// Runs what wasn't started. Gives the exit code.
pub(crate) async fn resume(args: ContinueArgs) -> Result<u8, CliError> {
    args.remembered.notes().iter().for_each(|note| complain(&format!("quorate: {note}")));
    let session = Session::open()?;
    let job = session.store.find(&args.job).map_err(stored)?;
    let lock = JobLock::take(&session.home, &job).map_err(stored)?;
    let mut view = jobs::view(&session, &job)?;
    let age = SystemClock.now().saturating_sub(view.created_at);
    if let Some(most) = args.max_job_age.filter(|most| age > *most) {
        let (age, most) = (duration(age), duration(most));
        let what = format!("job {job} was made {age} ago, --max-job-age allows {most}");
        return Err(CliError::unreadable(what));
    }
    refuse(&view, args.retry_failed)?;
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
    let strategy = match &view.created.strategy {
        None => None,
        Some(component) => {
            let strategy =
                commands::load_strategy(&component.name, &view.created.command.limits).await?;
            if strategy.digest() != component.digest {
                return Err(CliError::not_started(format!(
                    "job {job} began with version {} of the strategy `{}`, here is {}",
                    component.version,
                    component.name,
                    strategy.manifest().version
                ))
                .hint("continue it with the quorate that began it, or start a new job for what is left"));
            }
            Some(strategy)
        }
    };
    let given = args.variables.hosts_variables.as_deref();
    let mut ssh = recalled(&view.created.ssh)?;
    ssh.password = PasswordArgs { needed: ssh.password.needed, ..args.password.clone() };
    let transport = connect(&ssh)?;
    let variables = variables(given, &view, &transport).await?;
    let mut call = jmx::call(&jmx::recalled(&view.created.nodetool, &args.call)?)?;
    call.from_here = matches!(view.created.place, Place::Here { nodetool: true, .. });
    look_before(&session, &transport, &call, &args, &mut view).await?;
    let run = Run {
        session: &session,
        transport: through(&transport, &view.created.place, &session)?,
        ssh: transport,
        command,
        take_up: TakeUp { stop_after: args.stop_after, retry_failed: args.retry_failed },
        show: args.show,
        call,
    };
    Ok(run.drive_on(vec![Begun { view, strategy, variables, lock }]).await?.0)
}

/// The variables of single nodes, given again: a job keeps their names only.
async fn variables(
    file: Option<&Path>,
    view: &JobView,
    transport: &Ssh,
) -> Result<NodeVariables, CliError> {
    if let (None, Some(name)) = (file, view.created.variables.first()) {
        let job = &view.created.job;
        let what = format!(
            "job {job} gives single nodes variables, {name} among them; their values aren't kept"
        );
        return Err(CliError::usage(what).hint("add --hosts-variables FILE again"));
    }
    let variables = Variables::read(file)?;
    let of_nodes = variables.of_nodes(transport, view.job.topology(), &view.hosts).await?;
    variables.all_used()?;
    Ok(of_nodes)
}

/// Those that weren't started must be able to take the job.
async fn look_before(
    session: &Session,
    transport: &Arc<Ssh>,
    call: &NodetoolCall,
    args: &ContinueArgs,
    view: &mut JobView,
) -> Result<(), CliError> {
    let policy = view.job.policy();
    let limit = Duration::from_millis(policy.nodetool_timeout_ms);
    let nodetool = Nodetool::new(transport.clone(), call.clone(), limit);
    let (topology, hosts) = (view.job.topology(), view.hosts.as_slice());
    let ground = Ground { transport, nodetool: &nodetool, topology, hosts };
    let runs =
        |phase: Phase| phase == Phase::Waiting || args.retry_failed && phase == Phase::Failed;
    let nodes = view.job.nodes().iter().filter(|(_, run)| runs(run.phase));
    let nodes: BTreeSet<NodeId> = nodes.map(|(id, _)| *id).collect();
    let told = ground.before_job(&view.created, policy, nodes).await?;
    if told.is_empty() {
        return Ok(());
    }
    let warning = |text| Stamped { at: SystemClock.now(), record: Record::Warning { text } };
    let records: Vec<Stamped> = told.into_iter().map(warning).collect();
    session.store.append(&view.created.job, records.clone()).await.map_err(stored)?;
    for record in &records {
        view.apply(record).map_err(CliError::not_started)?;
        tell_record(&args.show, view, record);
    }
    Ok(())
}

/// A job with nothing left has nothing to go on with; one that was left in the middle of nodes can't be
/// taken up by this version: they are named, with what to type.
fn refuse(view: &JobView, retry_failed: bool) -> Result<(), CliError> {
    let job = &view.created.job;
    let of = |phase: Phase| {
        let nodes = view.job.nodes().iter().filter(move |(_, run)| run.phase == phase);
        nodes.map(|(id, _)| view.key(*id).0.as_str()).collect::<Vec<_>>()
    };
    // Where nothing is observed a node isn't out, and a second copy would run beside the first all the same.
    let matters = |run: &NodeRun| run.out || retry_failed && run.phase == Phase::Failed;
    let lost =
        view.job.nodes().iter().filter(|(_, run)| matters(run)).map(|(id, _)| *id).find(|id| {
            let close = view.actions.get(id).map(|action| action.close.as_ref());
            matches!(close, Some(Some(ActionClose::Lost(_))))
        });
    if let Some(node) = lost {
        let key = view.key(node);
        let what =
            format!("it isn't known how the last action on {key} ended; it may still run there");
        return Err(CliError::unreadable(what).at(key).hint(format!(
            "look at {key}; then start a new job with --host for what is left (quorate show {job})"
        )));
    }
    let running = of(Phase::Running);
    let failed = |id| view.job.nodes().get(&id).is_some_and(|run| run.phase == Phase::Failed);
    if let Some((node, action)) = view.unfinished().find(|(id, _)| retry_failed && failed(*id)) {
        let key = view.key(node);
        let what = format!("the action {} ({}) has no known end", action.id, action.summary);
        return Err(CliError::unreadable(format!("{what}; it may still run"))
            .at(key)
            .hint(format!("look at {key}; without --retry-failed what wasn't started goes on")));
    }
    let Some(first) = running.first() else {
        let again = retry_failed && !of(Phase::Failed).is_empty();
        let waits = !of(Phase::Waiting).is_empty() || !of(Phase::Confirming).is_empty();
        let nothing = !again && !waits;
        return match nothing {
            true => Err(CliError::unreadable(format!("nothing of job {job} is left to run"))
                .hint(format!("quorate show {job}"))),
            false => Ok(()),
        };
    };
    let what = match view.unfinished().next() {
        Some((_, action)) => {
            format!("the action {} ({}) has no known end", action.id, action.summary)
        }
        None => format!("the command was left in the middle of its work on {first}"),
    };
    let left = of(Phase::Waiting);
    let mut hint = format!(
        "look at {}, where the rest of the command won't run by itself; for `restart`, a new one \
         with --host {} brings it up",
        running.join(", "),
        running.join(",")
    );
    if !left.is_empty() {
        hint.push_str(&format!("\n       what wasn't started: --host {}", left.join(",")));
    }
    Err(CliError::unreadable(format!("{what}; this version can't take it up")).at(first).hint(hint))
}
