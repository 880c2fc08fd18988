//! `jobs`, `show`, `logs`: looking at what was.
use crate::{
    args::{LogsArgs, Output},
    error::CliError,
    session::{Session, stored},
    watch::{complain, say},
};
use quorate_journal::JobView;
use quorate_ports::{JobId, Stream};
use quorate_ring::{HostId, NodeId, Topology};
use quorate_store::{JobLock, output_path};
use quorate_views::{JobRow, job_json, job_report, jobs_json, jobs_table};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

/// How many past jobs are looked at for durations.
const PAST_JOBS: usize = 20;

/// A job as its journal tells it.
pub(crate) fn view(session: &Session, job: &JobId) -> Result<JobView, CliError> {
    let records = session.store.read(job).map_err(stored)?;
    JobView::fold(&records).map_err(|error| CliError::unreadable(error).at(job))
}

/// How long each node of a cluster took in the newest ended job of a command that ran on it. Nodes are known
/// by their host id.
pub(crate) fn durations(
    session: &Session,
    command: &str,
    topology: &Topology,
) -> Result<BTreeMap<NodeId, u64>, CliError> {
    let mut durations = BTreeMap::new();
    let known: BTreeMap<&HostId, NodeId> =
        topology.ids().filter_map(|id| Some((topology.node(id).host_id.as_ref()?, id))).collect();
    // The newest first.
    for job in session.store.jobs().map_err(stored)?.into_iter().rev().take(PAST_JOBS) {
        // One that another version wrote tells nothing.
        let Ok(past) = view(session, &job) else { continue };
        if past.created.command.name != command || past.created.topology.cluster != topology.cluster
        {
            continue;
        }
        for (id, run) in past.job.nodes() {
            let host = past.job.topology().node(*id).host_id.as_ref();
            let Some(node) = host.and_then(|host| known.get(host)) else { continue };
            if let (Some(start), Some(end)) = (run.started_at, run.confirmed_at) {
                durations.entry(*node).or_insert(end.saturating_sub(start));
            }
        }
    }
    Ok(durations)
}

pub(crate) fn list(output: Output) -> Result<u8, CliError> {
    let session = Session::open()?;
    let mut views = Vec::new();
    for job in session.store.jobs().map_err(stored)? {
        let running = JobLock::is_held(&session.home, &job).map_err(stored)?;
        match view(&session, &job) {
            Ok(view) => views.push((view, running)),
            Err(error) => complain(&error.to_string()),
        }
    }
    let rows: Vec<_> =
        views.iter().map(|(view, running)| JobRow { view, running: *running }).collect();
    match output {
        Output::Json => say(&jobs_json(&rows).to_string()),
        Output::Text if rows.is_empty() => say("there are no jobs yet"),
        Output::Text => say(jobs_table(&rows).trim_end()),
    }
    Ok(0)
}

pub(crate) fn show(prefix: &str, output: Output) -> Result<u8, CliError> {
    let session = Session::open()?;
    let job = session.store.find(prefix).map_err(stored)?;
    let running = JobLock::is_held(&session.home, &job).map_err(stored)?;
    let view = view(&session, &job)?;
    match output {
        Output::Text => say(job_report(&view, running).trim_end()),
        Output::Json => say(&job_json(&view, running).to_string()),
    }
    Ok(0)
}

pub(crate) fn logs(args: &LogsArgs) -> Result<u8, CliError> {
    let session = Session::open()?;
    let job = session.store.find(&args.job).map_err(stored)?;
    let view = view(&session, &job)?;
    if let Some(name) = &args.node {
        let node = view.by_key(name).ok_or_else(|| {
            CliError::usage(format!("{name} isn't a node of job {job}"))
                .hint(format!("quorate show {job}"))
        })?;
        return one(&session, &job, view.key(node), args.follow);
    }
    let mut silent = true;
    for node in view.job.nodes().keys() {
        let key = view.key(*node);
        for (stream, name) in [(Stream::Stdout, "out"), (Stream::Stderr, "err")] {
            let path = output_path(&session.home, &job, key, stream);
            if path.metadata().is_ok_and(|m| m.len() > 0) {
                say(&format!("==> {key} {name} <=="));
                copy(&path, 0, &mut io::stdout())?;
                silent = false;
            }
        }
    }
    if silent {
        complain("no node printed anything");
    }
    Ok(0)
}

/// One node's outputs, each on its own stream.
fn one(
    session: &Session,
    job: &JobId,
    key: &quorate_ports::NodeKey,
    follow: bool,
) -> Result<u8, CliError> {
    let out = output_path(&session.home, job, key, Stream::Stdout);
    let err = output_path(&session.home, job, key, Stream::Stderr);
    let (mut out_at, mut err_at) = (0, 0);
    loop {
        // Looked at before the copy: what is written before the job's end is copied after it.
        let running = JobLock::is_held(&session.home, job).map_err(stored)?;
        out_at += copy(&out, out_at, &mut io::stdout())?;
        err_at += copy(&err, err_at, &mut io::stderr())?;
        if !follow || !running {
            return Ok(0);
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Copies a file from an offset on; one that doesn't exist is empty.
fn copy(path: &Path, from: u64, to: &mut dyn Write) -> Result<u64, CliError> {
    let fault = |error: io::Error| CliError::unreadable(error).at(path.display());
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.map_err(fault)?,
    };
    file.seek(SeekFrom::Start(from)).map_err(fault)?;
    match io::copy(&mut file, to).and_then(|copied| to.flush().map(|()| copied)) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        copied => copied.map_err(fault),
    }
}
