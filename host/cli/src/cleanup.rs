//! `cleanup-jobs`: removes what is kept of old jobs that have ended, here and on the nodes.
use crate::{
    args::{CleanupArgs, PasswordArgs},
    connect::{connect, recalled},
    error::CliError,
    par::through,
    session::{Session, SystemClock, stored},
    watch::{complain, say},
};
use quorate_journal::{JobView, Place, Record, Stamped};
use quorate_ports::{ActionId, Clock, JobId, StoreError, Target};
use quorate_store::{JobLock, remove_outputs};
use quorate_views::duration;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::Semaphore, task::JoinSet};

/// Nodes that are talked to at a time.
const NODES: usize = 32;

/// Removes old jobs. Gives the exit code.
pub(crate) async fn cleanup(args: CleanupArgs) -> Result<u8, CliError> {
    args.remembered.notes().iter().for_each(|note| complain(&format!("quorate: {note}")));
    let session = Session::open()?;
    let now = SystemClock.now();
    let mut removed = 0;
    for job in session.store.jobs().map_err(stored)? {
        let Some((records, age)) = old(&session, &job, now, args.max_job_age)? else { continue };
        // Whoever goes on with it meanwhile keeps it.
        let lock = match JobLock::take(&session.home, &job) {
            Ok(lock) => lock,
            Err(StoreError::Busy { .. }) => continue,
            Err(error) => return Err(stored(error)),
        };
        let age = duration(age);
        removed += 1;
        if args.dry_run {
            say(&format!("job {job} would be removed: made {age} ago"));
            continue;
        }
        let left = match args.local {
            true => Vec::new(),
            false => tidy_nodes(&session, &records, &args.password).await,
        };
        session.store.remove(&job).map_err(stored)?;
        remove_outputs(&session.home, &job).map_err(stored)?;
        drop(lock);
        say(&format!("job {job} removed: made {age} ago"));
        tell_left(&left, args.verbose > 0);
    }
    if removed == 0 {
        say(&format!("no job that has ended is older than {}", duration(args.max_job_age)));
    }
    Ok(0)
}

/// The records of a job that has ended and is old enough, and its age.
fn old(
    session: &Session,
    job: &JobId,
    now: u64,
    most: u64,
) -> Result<Option<(Vec<Stamped>, u64)>, CliError> {
    let kept = |why: &str| complain(&format!("quorate: job {job} is kept: {why}"));
    let records = match session.store.read(job) {
        Ok(records) => records,
        // Another process removed it meanwhile.
        Err(StoreError::NoSuchJob(_)) => return Ok(None),
        Err(error) => {
            kept(&error.to_string());
            return Ok(None);
        }
    };
    let view = match JobView::fold(&records) {
        Ok(view) => view,
        Err(error) => {
            kept(&error.to_string());
            return Ok(None);
        }
    };
    let age = now.saturating_sub(view.created_at);
    if age < most || JobLock::is_held(&session.home, job).map_err(stored)? {
        return Ok(None);
    }
    if view.job.end().is_none() {
        kept("it was left in the middle, and nodes may still need somebody to look at them");
        return Ok(None);
    }
    Ok(Some((records, age)))
}

/// Removes what actions left on their nodes; which nodes couldn't be tidied, and why.
async fn tidy_nodes(
    session: &Session,
    records: &[Stamped],
    password: &PasswordArgs,
) -> Vec<(String, String)> {
    let Ok(view) = JobView::fold(records) else { return Vec::new() };
    let mut actions: BTreeMap<_, Vec<ActionId>> = BTreeMap::new();
    for record in records {
        if let Record::Intended { action, node, .. } = &record.record {
            actions.entry(*node).or_default().push(action.clone());
        }
    }
    let transport = recalled(&view.created.ssh).and_then(|mut ssh| {
        let on_nodes = matches!(view.created.place, Place::Node);
        if on_nodes && ssh.password.needed && !password.wanted() {
            // Nobody is asked for something that is no longer of use to him.
            let what = "the job logged in with a password (--ssh-password-file gives it)";
            return Err(CliError::unreadable(what));
        }
        ssh.password = password.clone();
        through(&connect(&ssh)?, &view.created.place, session)
    });
    let transport = match transport {
        Ok(transport) => transport,
        Err(error) => return vec![("every node".into(), error.what)],
    };
    let room = Arc::new(Semaphore::new(NODES));
    let mut tidying = JoinSet::new();
    for (node, ids) in actions {
        let host = &view.hosts[node.index()];
        let target = Target { node: host.key.clone(), host: host.host.clone() };
        let (transport, room) = (transport.clone(), room.clone());
        tidying.spawn(async move {
            let _room = room.acquire().await;
            for id in ids {
                if let Err(error) = transport.forget(&target, &id).await {
                    return Some((target.node.0, error.message));
                }
            }
            None
        });
    }
    let mut left = Vec::new();
    while let Some(tidied) = tidying.join_next().await {
        match tidied {
            Ok(outcome) => left.extend(outcome),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    left.sort();
    left
}

fn tell_left(left: &[(String, String)], each: bool) {
    let Some((node, why)) = left.first() else { return };
    if each {
        for (node, why) in left {
            complain(&format!("quorate: its files on {node} stay: {why}"));
        }
        return;
    }
    let others = match left.len() - 1 {
        0 => String::new(),
        more => format!(", and on {more} more (-v names them)"),
    };
    complain(&format!("quorate: its files on {node} stay: {why}{others}"));
}
