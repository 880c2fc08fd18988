//! The jobs of one run, a job for each cluster: one after the other, or side by side.
use crate::{
    args::Output,
    error::{CliError, Code},
    launch::{Launch, Prepared, prepare, prepare_from},
    par::through,
    preflight::Ground,
    run::{Begun, Run},
    session::{Session, SystemClock, stored},
    signals::Signals,
    watch::{say, tell_record},
};
use quorate_journal::{JobView, Record, Stamped};
use quorate_ports::{Clock, Store, Transport};
use quorate_ring::{HostId, Topology};
use quorate_runner::TakeUp;
use quorate_store::{JobLock, place_outputs};
use quorate_transport::Ssh;
use quorate_views::not_begun_json;
use std::{collections::BTreeSet, io::IsTerminal, sync::Arc, time::Duration};

/// Starts the jobs and stays until they are over. Gives the exit code.
pub(crate) async fn launch(launch: Launch) -> Result<u8, CliError> {
    let session = Session::open()?;
    let transport = crate::connect::connect(&launch.ssh)?;
    let mut prepared = prepare(&launch, &session, &transport).await?;
    let side_by_side = launch.order.cluster_parallel && prepared.len() > 1;
    if side_by_side {
        fits_side_by_side(&launch, prepared.len())?;
    }
    for job in &mut prepared {
        look_before(&launch, &session, &transport, job).await?;
    }
    strict_or_pause(&launch, &prepared).await?;
    let through = through(&transport, &launch.place, &session)?;
    let turns = Turns { launch: &launch, session: &session, transport: &transport, through };
    match side_by_side {
        true => turns.side_by_side(prepared).await,
        false => turns.in_turn(prepared).await,
    }
}

/// What is meant for the whole run must have a meaning for jobs that don't know of each other.
fn fits_side_by_side(launch: &Launch, clusters: usize) -> Result<(), CliError> {
    if launch.order.stop_after.is_some() {
        let what = "--stop-after counts nodes over clusters in turn, not in parallel";
        return Err(CliError::usage(what).hint("leave --cluster-parallel out"));
    }
    match launch.order.max_concurrency {
        Some(most) if (most as usize) < clusters => {
            let what = format!("-j {most} can't be shared out to {clusters} clusters in parallel");
            Err(CliError::usage(what).hint("leave --cluster-parallel out, or allow more nodes"))
        }
        _ => Ok(()),
    }
}

/// All nodes must be able to take the job. What they bear is told with the warnings.
async fn look_before(
    launch: &Launch,
    session: &Session,
    transport: &Arc<Ssh>,
    prepared: &mut Prepared,
) -> Result<(), CliError> {
    let created = &prepared.created;
    let nodetool = launch.nodetool(session, transport)?;
    let (topology, hosts) = (&created.topology, created.hosts.as_slice());
    let ground = Ground { transport, nodetool: &nodetool, topology, hosts };
    let told = ground.before_job(created, &created.policy, created.targets.clone()).await?;
    prepared.warnings.extend(told);
    Ok(())
}

/// How long a person has to think better of it.
const COUNTDOWN: Duration = Duration::from_secs(5);

/// Where no order keeps the guarantee: refuses, if that is wished; else, on a terminal, waits a moment.
async fn strict_or_pause(launch: &Launch, prepared: &[Prepared]) -> Result<(), CliError> {
    let warnings: Vec<&String> =
        prepared.iter().filter(|job| job.costly).flat_map(|job| &job.warnings).collect();
    if !prepared.iter().any(|job| job.costly) {
        return Ok(());
    }
    if launch.order.guarantee.strict {
        let texts: Vec<&str> = warnings.iter().map(|text| text.as_str()).collect();
        return Err(CliError::not_started(format!("--strict: {}", texts.join("; ")))
            .hint("raise the replication, lower --keep, or name the keyspace in --accept-outage"));
    }
    // Nobody thinks where a program reads.
    if !std::io::stdout().is_terminal() || launch.show.output == Output::Json {
        return Ok(());
    }
    warnings.iter().for_each(|text| say(&format!("warning: {text}")));
    say(&format!("starting in {} seconds; Ctrl-C ends it", COUNTDOWN.as_secs()));
    let mut signals = Signals::new();
    match tokio::time::timeout(COUNTDOWN, signals.next()).await {
        Err(_) => Ok(()),
        Ok(_) => Err(CliError::not_started("ended on request")),
    }
}

/// How many more nodes of a cluster may describe it when its turn comes.
const OTHER_SEEDS: usize = 3;

/// What the jobs of one run have in common.
struct Turns<'a> {
    launch: &'a Launch,
    session: &'a Session,
    transport: &'a Arc<Ssh>,
    /// Where actions and queries go.
    through: Arc<dyn Transport>,
}

impl Turns<'_> {
    /// One cluster after the other. The first that doesn't end well is the last.
    async fn in_turn(&self, prepared: Vec<Prepared>) -> Result<u8, CliError> {
        let names: Vec<_> = prepared.iter().map(|p| p.created.topology.cluster.clone()).collect();
        let not_started = |from: usize, why: &str| {
            let rest: Vec<_> = names[from..].iter().map(ToString::to_string).collect();
            match self.launch.show.output {
                _ if rest.is_empty() => {}
                Output::Text => say(&format!("not started{why}: {}", rest.join(", "))),
                Output::Json => say(&not_begun_json(SystemClock.now(), &rest).to_string()),
            }
        };
        let mut left = self.launch.order.stop_after;
        for (turn, mut next) in prepared.into_iter().enumerate() {
            if left == Some(0) {
                not_started(turn, ", by --stop-after");
                return Ok(Code::Stopped as u8);
            }
            if turn > 0 {
                next = match self.anew(next).await {
                    Ok(next) => next,
                    Err(error) => {
                        not_started(turn, "");
                        return Err(error.touched());
                    }
                };
            }
            let begun = match self.begin(next).await {
                Ok(begun) => begun,
                Err(error) if turn > 0 => {
                    not_started(turn, "");
                    return Err(error.touched());
                }
                Err(error) => return Err(error),
            };
            let (code, views) = self.run(left).drive_on(vec![begun]).await?;
            if code != 0 {
                not_started(turn + 1, "");
                return Ok(code);
            }
            left = left.map(|left| left.saturating_sub(views.iter().map(started).sum()));
        }
        Ok(0)
    }

    /// All clusters at the same time.
    async fn side_by_side(&self, prepared: Vec<Prepared>) -> Result<u8, CliError> {
        let clusters = prepared.len() as u32;
        let mut begun = Vec::new();
        for (place, mut job) in prepared.into_iter().enumerate() {
            if let Some(most) = self.launch.order.max_concurrency {
                let more = u32::from((place as u32) < most % clusters);
                job.created.policy.max_concurrency = Some(most / clusters + more);
            }
            begun.push(self.begin(job).await?);
        }
        Ok(self.run(None).drive_on(begun).await?.0)
    }

    /// The same job from what its ring is now: the clusters before it may have taken hours.
    async fn anew(&self, old: Prepared) -> Result<Prepared, CliError> {
        // Another node of it describes it where the one from before no longer does.
        let others = old.created.hosts.iter().map(|host| &host.host);
        let others = others.filter(|host| **host != old.seed).take(OTHER_SEEDS).cloned();
        let seeds: Vec<String> = std::iter::once(old.seed.clone()).chain(others).collect();
        let again =
            prepare_from(self.launch, self.session, self.transport, &seeds, &old.named).await?;
        let mut again = again.into_iter();
        match (again.next(), again.next()) {
            (Some(mut new), None) if same(&old.created.topology, &new.created.topology) => {
                look_before(self.launch, self.session, self.transport, &mut new).await?;
                if new.costly && !old.costly {
                    strict_or_pause(self.launch, std::slice::from_ref(&new)).await?;
                }
                Ok(new)
            }
            _ => {
                Err(CliError::not_started("the ring isn't the one that was read before")
                    .at(&old.seed))
            }
        }
    }

    /// Writes a job down.
    async fn begin(&self, prepared: Prepared) -> Result<Begun, CliError> {
        let Prepared { created, warnings, strategy, variables, .. } = prepared;
        let lock = JobLock::take(&self.session.home, &created.job).map_err(stored)?;
        if let Some(dir) = &self.launch.job.output_directory {
            let nodes = created.targets.iter().map(|id| &created.hosts[id.index()].key);
            place_outputs(&self.session.home, &created.job, dir, nodes).map_err(|error| {
                CliError::not_started(format!("--output-directory: {error}"))
                    .hint("name a directory without them")
            })?;
        }
        let mut records = vec![stamp(Record::Created(Box::new(created.clone())))];
        records.extend(warnings.into_iter().map(|text| stamp(Record::Warning { text })));
        self.session.store.append(&created.job, records.clone()).await.map_err(stored)?;
        let view = JobView::fold(&records).map_err(CliError::not_started)?;
        for record in &records {
            tell_record(&self.launch.show, &view, record);
        }
        Ok(Begun { view, strategy, variables, lock })
    }

    fn run(&self, stop_after: Option<u32>) -> Run<'_> {
        Run {
            session: self.session,
            ssh: self.transport.clone(),
            transport: self.through.clone(),
            command: self.launch.command.clone(),
            take_up: TakeUp { stop_after, ..TakeUp::default() },
            show: self.launch.show.clone(),
            call: self.launch.call.clone(),
        }
    }
}

/// How many nodes were started.
fn started(view: &JobView) -> u32 {
    view.job.nodes().values().filter(|run| run.started_at.is_some()).count() as u32
}

/// Whether two looks are at one cluster: nodes come and go, all at once they don't.
fn same(before: &Topology, now: &Topology) -> bool {
    let ids = |topology: &Topology| -> BTreeSet<HostId> {
        topology.nodes.iter().filter_map(|node| node.host_id.clone()).collect()
    };
    before.cluster == now.cluster && !ids(before).is_disjoint(&ids(now))
}

fn stamp(record: Record) -> Stamped {
    Stamped { at: SystemClock.now(), record }
}
