//! Starting a job: discovery, targets, policy, and then the runner.
use crate::{
    args::{HostSpec, LimitArgs, NodetoolArgs, OrderArgs, ShowArgs, SshArgs},
    connect::{connect, remembered},
    error::{CliError, Code},
    jobs,
    policy::{self, Chosen},
    session::{Session, SystemClock, stored},
    targets::{by_address, filter_centers, named_hosts, pick},
    watch::{Signals, Watch, complain, face, say},
};
use quorate_contract::{Impact, PlanContext};
use quorate_journal::{Command, Created, FORMAT, JobView, Record, Stamped, TargetHost};
use quorate_ports::{Clock, CommandHost, NodeKey, Store, StrategyHost, Target};
use quorate_ring::{NodeId, Topology};
use quorate_runner::{Deps, Discovered, Nodetool, Stop, discover, drive};
use quorate_schedule::{End, Guard};
use quorate_store::{FileOutputs, JobLock, new_job_id};
use quorate_transport::Ssh;
use quorate_views::{end_line, event_line, findings, left_lines};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Everything that a person gave for a job.
pub(crate) struct Launch {
    pub(crate) hosts: HostSpec,
    pub(crate) ssh: SshArgs,
    pub(crate) order: OrderArgs,
    pub(crate) nodetool: NodetoolArgs,
    pub(crate) show: ShowArgs,
    pub(crate) limits: LimitArgs,
    pub(crate) command: Arc<dyn CommandHost>,
    pub(crate) arguments: BTreeMap<String, Value>,
    pub(crate) summary: String,
}

/// A job that could begin, and what it needs.
pub(crate) struct Prepared {
    pub(crate) created: Created,
    pub(crate) guard: Guard,
    /// What a person should know before it begins.
    pub(crate) warnings: Vec<String>,
    pub(crate) strategy: Option<Arc<dyn StrategyHost>>,
    transport: Arc<Ssh>,
    /// Keyspaces that lose their level whatever the order is; the person gets a moment to think.
    costly: bool,
}

/// Reads the ring and decides everything that a job needs. Nothing is touched.
pub(crate) async fn prepare(launch: &Launch, session: &Session) -> Result<Prepared, CliError> {
    let transport = connect(&launch.ssh)?;
    let named = named_hosts(&launch.hosts)?;
    let given = &launch.hosts.seed_host;
    let seeds = if given.is_empty() { named.clone() } else { given.clone() };
    let limit = Duration::from_millis(launch.nodetool.nodetool_timeout);
    let found = read_ring(&transport, &seeds, limit).await?;
    let mut hosts: Vec<TargetHost> = found.topology.nodes.iter().map(by_address).collect();
    let mut targets: BTreeSet<NodeId> = found.topology.ids().collect();
    if !named.is_empty() {
        targets = pick(&transport, &found.topology, &named, &mut hosts).await?;
    }
    filter_centers(&found.topology, &launch.order.dc_filter, &mut targets)?;
    let (stage, impact) = stage(launch, &found.topology).await?;
    let Chosen { policy, component, strategy } = policy::choose(
        &launch.order,
        &launch.nodetool,
        &launch.limits.plugin_limit,
        launch.command.manifest(),
        impact,
        &found.topology,
    )
    .await?;
    let guard = Guard::new(&found.topology, &policy);
    let costly = policy.guards() && guard.bears_none().iter().any(|(family, _)| !family.accepted);
    let mut warnings: Vec<String> =
        found.passed_over.iter().map(|why| format!("a seed was passed over: {why}")).collect();
    if policy.observes() {
        warnings.extend(findings(&found.topology, &guard, &policy));
    }
    if policy.unguarded && policy.observes() {
        warnings.extend(together(&found.topology, &guard, &targets));
    }
    let command = Command {
        name: launch.command.manifest().name.clone(),
        version: launch.command.manifest().version.clone(),
        digest: launch.command.digest().to_owned(),
        stage,
        arguments: launch.arguments.clone(),
        limits: launch.limits.plugin_limit.clone(),
        summary: launch.summary.clone(),
    };
    let created = Created {
        format: FORMAT,
        job: new_job_id(SystemClock.now()),
        durations: jobs::durations(session, &command.name, &found.topology)?,
        command,
        topology: found.topology,
        hosts,
        targets,
        policy,
        strategy: component,
        ssh: remembered(&launch.ssh)?,
    };
    Ok(Prepared { created, guard, warnings, strategy, transport, costly })
}

/// Starts a job and stays until it is over. Gives the exit code.
pub(crate) async fn launch(launch: Launch) -> Result<u8, CliError> {
    let session = Session::open()?;
    let prepared = prepare(&launch, &session).await?;
    let Prepared { created, warnings, strategy, transport, costly, .. } = prepared;
    if costly {
        strict_or_pause(&launch, &warnings).await?;
    }
    let lock = JobLock::take(&session.home, &created.job).map_err(stored)?;
    let mut records = vec![stamp(Record::Created(Box::new(created.clone())))];
    records.extend(warnings.into_iter().map(|text| stamp(Record::Warning { text })));
    session.store.append(&created.job, records.clone()).await.map_err(stored)?;
    let view = JobView::fold(&records).map_err(CliError::not_started)?;
    for record in &records {
        if let Some(line) = event_line(&view, record, launch.show.verbose) {
            say(&line);
        }
    }
    let run = Run {
        session: &session,
        transport,
        command: launch.command,
        strategy,
        stop_after: launch.order.stop_after,
        show: launch.show,
    };
    let code = run.drive_on(view).await;
    drop(lock);
    code
}

/// How long a person has to think better of it.
const COUNTDOWN: Duration = Duration::from_secs(5);

/// Where no order keeps the guarantee: refuses, if that is wished; else, on a terminal, waits a moment.
async fn strict_or_pause(launch: &Launch, warnings: &[String]) -> Result<(), CliError> {
    if launch.order.guarantee.strict {
        return Err(CliError::not_started(format!("--strict: {}", warnings.join("; ")))
            .hint("raise the replication, lower --keep, or name the keyspace in --accept-outage"));
    }
    if !std::io::stdout().is_terminal() {
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

fn stamp(record: Record) -> Stamped {
    Stamped { at: SystemClock.now(), record }
}

pub(crate) async fn read_ring(
    transport: &Arc<Ssh>,
    seeds: &[String],
    limit: Duration,
) -> Result<Discovered, CliError> {
    let seeds: Vec<Target> =
        seeds.iter().map(|s| Target { node: NodeKey(s.clone()), host: s.clone() }).collect();
    let names: Vec<_> = seeds.iter().take(3).map(|s| s.host.as_str()).collect();
    complain(&format!("quorate: reading the ring from {}", names.join(", ")));
    let nodetool = Nodetool::new(transport.clone(), limit);
    discover(&nodetool, &seeds)
        .await
        .map_err(|error| CliError::not_started(&error).hint(error.hint()))
}

/// The one stage of the command, and its impact.
async fn stage(launch: &Launch, topology: &Topology) -> Result<(String, Impact), CliError> {
    let context =
        PlanContext { cluster: topology.cluster.to_string(), arguments: launch.arguments.clone() };
    let plan = launch.command.plan(context).await.map_err(CliError::not_started)?;
    let declared = launch.command.manifest().impact;
    match plan.stages.as_slice() {
        [] => Ok(("main".into(), declared)),
        [stage] => {
            let usable = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            if stage.name.is_empty() || !stage.name.chars().all(usable) {
                let what =
                    format!("its stage is called {:?}: letters, digits, - and _", stage.name);
                return Err(CliError::not_started(what).at(&launch.command.manifest().name));
            }
            Ok((stage.name.clone(), stage.impact.unwrap_or(declared)))
        }
        more => Err(CliError::not_started(format!(
            "its plan has {} stages, this version of quorate runs one",
            more.len()
        ))
        .at(&launch.command.manifest().name)),
    }
}

/// What `--strategy all` by hand does to ranges.
fn together(topology: &Topology, guard: &Guard, targets: &BTreeSet<NodeId>) -> Option<String> {
    let (keyspace, one, other) = guard.shared(targets)?;
    let name = |id: NodeId| topology.node(id).address;
    Some(format!(
        "strategy all runs nodes together that share ranges, {} and {} of {keyspace} among them: \
         if the command takes them down, requests fail",
        name(one),
        name(other)
    ))
}

/// A job that exists and is to be run on.
pub(crate) struct Run<'a> {
    pub(crate) session: &'a Session,
    pub(crate) transport: Arc<Ssh>,
    pub(crate) command: Arc<dyn CommandHost>,
    pub(crate) strategy: Option<Arc<dyn StrategyHost>>,
    pub(crate) stop_after: Option<u32>,
    pub(crate) show: ShowArgs,
}

impl Run<'_> {
    /// Runs the job to its end, shows it, and gives the exit code.
    pub(crate) async fn drive_on(self, view: JobView) -> Result<u8, CliError> {
        let (live, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(Stop::No);
        let (board, _) = face(&self.show);
        if board {
            say("");
        }
        let home = self.session.home.clone();
        let (created, hosts, job) = (view.created.clone(), view.hosts.clone(), view.job.clone());
        let deps = Deps {
            transport: self.transport,
            store: self.session.store.clone(),
            outputs: Arc::new(FileOutputs::new(&home)),
            command: self.command,
            strategy: self.strategy,
            clock: Arc::new(SystemClock),
        };
        let watch = Watch::new(view, home, self.show, stop, SystemClock);
        let watching = tokio::spawn(watch.run(events));
        let driven = drive(deps, &created, hosts, job, self.stop_after, live, stopped).await;
        let view = match watching.await {
            Ok(view) => view,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => return Err(CliError::new(Code::Lost, error)),
        };
        let end = driven.map_err(|error| {
            CliError::new(Code::Lost, error).hint(format!("quorate show {}", created.job))
        })?;
        say(&format!("job {}: {}", created.job, end_line(&view, end.as_ref())));
        if end.is_none() {
            left_lines(&view).iter().for_each(|line| say(line));
        }
        Ok(match end {
            Some(End::Completed) => 0,
            Some(End::Failed { .. }) => Code::NodeFailed as u8,
            Some(End::Stopped { .. }) => Code::Stopped as u8,
            None => Code::Lost as u8,
        })
    }
}
