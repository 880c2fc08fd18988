//! Starting a job: discovery, targets, policy, and then the runner.
use crate::{
    args::{HostSpec, ImpactName, LimitArgs, OrderArgs, ShowArgs, SshArgs, StrategyName},
    connect::{connect, remembered, transport_error},
    error::{CliError, Code},
    session::{Session, SystemClock, stored},
    watch::{Watch, complain, face, say},
};
use quorate_contract::{Gate, Impact, PlanContext};
use quorate_journal::{Command, Created, FORMAT, JobView, Record, Stamped, TargetHost};
use quorate_ports::{Clock, CommandHost, NodeKey, Store, Target};
use quorate_ring::{DataCenter, NodeId, Replication, Topology};
use quorate_runner::{Deps, Discovered, Nodetool, Stop, discover, drive};
use quorate_schedule::{self as schedule, End, GatePolicy, Policy, Strategy};
use quorate_store::{FileOutputs, JobLock, new_job_id};
use quorate_transport::Ssh;
use quorate_views::{end_line, event_line, left_lines};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Everything that a person gave for a job.
pub(crate) struct Launch {
    pub(crate) hosts: HostSpec,
    pub(crate) ssh: SshArgs,
    pub(crate) order: OrderArgs,
    pub(crate) show: ShowArgs,
    pub(crate) limits: LimitArgs,
    pub(crate) command: Arc<dyn CommandHost>,
    pub(crate) arguments: BTreeMap<String, Value>,
    pub(crate) summary: String,
}

/// Starts a job and stays until it is over. Gives the exit code.
pub(crate) async fn launch(launch: Launch) -> Result<u8, CliError> {
    let session = Session::open()?;
    let transport = connect(&launch.ssh)?;
    let named = named_hosts(&launch.hosts)?;
    let given = &launch.hosts.seed_host;
    let seeds = if given.is_empty() { named.clone() } else { given.clone() };
    let limit = Duration::from_millis(launch.order.nodetool_timeout);
    let found = read_ring(&transport, &seeds, limit).await?;
    let mut hosts: Vec<TargetHost> = found.topology.nodes.iter().map(by_address).collect();
    let mut targets: BTreeSet<NodeId> = found.topology.ids().collect();
    if !named.is_empty() {
        targets = pick(&transport, &found.topology, &named, &mut hosts).await?;
    }
    filter_centers(&found.topology, &launch.order.dc_filter, &mut targets)?;
    let (stage, impact) = stage(&launch, &found.topology).await?;
    let policy = policy(&launch, impact)?;
    let created = Created {
        format: FORMAT,
        job: new_job_id(SystemClock.now()),
        command: Command {
            name: launch.command.manifest().name.clone(),
            version: launch.command.manifest().version.clone(),
            digest: launch.command.digest().to_owned(),
            stage,
            arguments: launch.arguments.clone(),
            limits: launch.limits.plugin_limit.clone(),
            summary: launch.summary.clone(),
        },
        topology: found.topology,
        hosts,
        targets,
        policy,
        ssh: remembered(&launch.ssh)?,
    };
    let lock = JobLock::take(&session.home, &created.job).map_err(stored)?;
    let mut records = vec![stamp(Record::Created(Box::new(created.clone())))];
    records.extend(warnings(&created, &found.passed_over));
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
        stop_after: launch.order.stop_after,
        show: launch.show,
    };
    let code = run.drive_on(view).await;
    drop(lock);
    code
}

fn stamp(record: Record) -> Stamped {
    Stamped { at: SystemClock.now(), record }
}

fn by_address(node: &quorate_ring::Node) -> TargetHost {
    let address = node.address.to_string();
    TargetHost { key: NodeKey(address.clone()), host: address }
}

async fn read_ring(
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

/// The nodes that were named to run on.
fn named_hosts(spec: &HostSpec) -> Result<Vec<String>, CliError> {
    let mut named = spec.host.clone();
    if let Some(path) = &spec.host_file {
        let place = if path == Path::new("-") {
            "standard input".into()
        } else {
            path.display().to_string()
        };
        let fault = |e: std::io::Error| CliError::usage(format!("--host-file: {place}: {e}"));
        let lines: Vec<String> = if path == Path::new("-") {
            std::io::stdin().lock().lines().collect::<Result<_, _>>().map_err(fault)?
        } else {
            let file = std::fs::File::open(path).map_err(fault)?;
            BufReader::new(file).lines().collect::<Result<_, _>>().map_err(fault)?
        };
        let host = |line: &String| line.split('#').next().unwrap_or_default().trim().to_owned();
        named.extend(lines.iter().map(host).filter(|host| !host.is_empty()));
        if named.is_empty() {
            return Err(CliError::usage(format!("--host-file: {place} names no host")));
        }
    }
    Ok(named)
}

/// The nodes that were named, each reached from now on by the name that was given.
async fn pick(
    transport: &Ssh,
    topology: &Topology,
    named: &[String],
    hosts: &mut [TargetHost],
) -> Result<BTreeSet<NodeId>, CliError> {
    let mut targets = BTreeSet::new();
    for name in named {
        let addresses = addresses(transport, name).await?;
        let found = addresses.iter().find_map(|ip| topology.by_address(quorate_ring::Address(*ip)));
        let Some(node) = found else {
            let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let shown = shown.join(", ");
            let shown = if shown == *name { shown } else { format!("{name} ({shown})") };
            let what = format!("{shown} isn't a node of {}", topology.cluster);
            return Err(CliError::not_started(what)
                .hint("name nodes by the addresses that `nodetool status` shows"));
        };
        hosts[node.index()].host.clone_from(name);
        targets.insert(node);
    }
    Ok(targets)
}

async fn addresses(transport: &Ssh, name: &str) -> Result<Vec<IpAddr>, CliError> {
    let wrong = |error| transport_error(&error);
    let host = transport.host_name(name).map_err(wrong)?;
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    match tokio::net::lookup_host((host.as_str(), 0)).await {
        Ok(found) => Ok(found.map(|socket| socket.ip()).collect()),
        Err(error) => Err(CliError::not_started(format!("{name} has no address: {error}"))
            .hint("name nodes by the addresses that `nodetool status` shows")),
    }
}

fn filter_centers(
    topology: &Topology,
    filter: &[String],
    targets: &mut BTreeSet<NodeId>,
) -> Result<(), CliError> {
    let known = topology.data_centers();
    for name in filter {
        if !known.iter().any(|dc| dc.as_str() == name) {
            let names: Vec<_> = known.iter().map(|dc| dc.as_str()).collect();
            return Err(CliError::not_started(format!("there is no data center {name}"))
                .hint(format!("there are: {}", names.join(", "))));
        }
    }
    if !filter.is_empty() {
        let centers: BTreeSet<_> = filter.iter().map(DataCenter::new).collect();
        targets.retain(|id| centers.contains(&topology.node(*id).data_center));
    }
    if targets.is_empty() {
        return Err(CliError::not_started("no node is left to run on"));
    }
    Ok(())
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

fn policy(launch: &Launch, declared: Impact) -> Result<Policy, CliError> {
    let (order, manifest) = (&launch.order, launch.command.manifest());
    let impact = match (order.impact, declared) {
        (Some(ImpactName::None), _) | (None, Impact::None) => schedule::Impact::None,
        (Some(ImpactName::Load), _) | (None, Impact::Load) => schedule::Impact::Load,
        (Some(ImpactName::Down), _) | (None, Impact::Down) => schedule::Impact::Down,
    };
    let strategy = match (order.strategy, manifest.strategy.as_deref()) {
        (Some(StrategyName::One), _) | (None, Some("one")) => Strategy::One,
        (Some(StrategyName::All), _) | (None, Some("all")) => Strategy::All,
        (Some(StrategyName::Topology), _) | (None, None | Some("topology")) => Strategy::Topology,
        (None, Some(other)) => {
            let what = format!("it wants the strategy {other}, which this version doesn't have");
            return Err(CliError::not_started(what).at(&manifest.name));
        }
    };
    let lowered = impact == schedule::Impact::None && declared != Impact::None;
    if lowered && !order.force && manifest.name != "run" {
        let what = format!("`{}` takes nodes down, whatever --impact says", manifest.name);
        return Err(CliError::usage(what)
            .hint("leave --impact out, or add --force if that is what you want"));
    }
    let by_hand = order.strategy == Some(StrategyName::All);
    // `run` carries what its user wrote: `all` by hand is taken at its word there, as cstar does.
    let unguarded = by_hand && (order.force || manifest.name == "run");
    if by_hand && impact != schedule::Impact::None && !unguarded {
        return Err(CliError::usage(format!(
            "strategy all would take every node down at once with `{}`",
            manifest.name
        ))
        .hint("leave --strategy out, or add --force if that is what you want"));
    }
    Ok(Policy {
        strategy,
        unguarded,
        impact,
        gates: GatePolicy { new_process: manifest.gates.contains(&Gate::NewProcess) },
        dc_parallel: (manifest.dc_parallel || order.dc_parallel) && !order.dc_serial,
        max_concurrency: order.max_concurrency,
        max_failures: order.max_failures,
        node_done_pause_ms: order.node_done_pause,
        ignore_down_nodes: order.ignore_down_nodes,
        timeout_ms: order.timeout,
        stable_ms: order.stable,
        round_pause_ms: order.round_pause,
        nodetool_timeout_ms: order.nodetool_timeout,
        ..Policy::default()
    })
}

fn warnings(created: &Created, passed_over: &[String]) -> Vec<Stamped> {
    let mut texts: Vec<String> =
        passed_over.iter().map(|why| format!("a seed was passed over: {why}")).collect();
    let replicas = &created.topology.replicas;
    if created.policy.observes() {
        texts.extend(thin(&created.topology));
    }
    if created.policy.unguarded && created.policy.observes() {
        let together = created
            .targets
            .iter()
            .flat_map(|id| replicas.neighbours(*id).map(move |(other, ks)| (*id, other, ks)))
            .find(|(_, other, _)| created.targets.contains(other));
        if let Some((one, other, keyspace)) = together {
            let name = |id: NodeId| created.topology.node(id).address;
            texts.push(format!(
                "strategy all runs nodes together that share ranges, {} and {} of {keyspace} among them: \
                 if the command takes them down, requests fail",
                name(one),
                name(other)
            ));
        }
    }
    texts.into_iter().map(|text| stamp(Record::Warning { text })).collect()
}

/// Keyspaces that can't bear one node out: said once, for all of them.
fn thin(topology: &Topology) -> Option<String> {
    let living = topology.data_centers();
    let mut found = Vec::new();
    for keyspace in topology.keyspaces.iter().filter(|keyspace| keyspace.is_guarded()) {
        let name = &keyspace.name;
        match &keyspace.replication {
            Replication::NetworkTopology(factors) => {
                for (dc, factor) in factors.iter().filter(|(dc, _)| living.contains(dc)) {
                    if (1..3).contains(&factor.all) {
                        found.push(format!("{name} (RF {} in {dc})", factor.all));
                    }
                }
            }
            Replication::Simple(factor) if factor.all < 3 => {
                found.push(format!("{name} (RF {})", factor.all));
            }
            _ => {}
        }
    }
    let first = found.first()?;
    let others = match found.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let what = "a node that is out costs the quorum of its ranges in";
    Some(format!("{what} {first}{others}, in any order"))
}

/// A job that exists and is to be run on.
pub(crate) struct Run<'a> {
    pub(crate) session: &'a Session,
    pub(crate) transport: Arc<Ssh>,
    pub(crate) command: Arc<dyn CommandHost>,
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
        let (created, job) = (view.created.clone(), view.job.clone());
        let deps = Deps {
            transport: self.transport,
            store: self.session.store.clone(),
            outputs: Arc::new(FileOutputs::new(&home)),
            command: self.command,
            clock: Arc::new(SystemClock),
        };
        let watch = Watch::new(view, home, self.show, stop, SystemClock);
        let watching = tokio::spawn(watch.run(events));
        let driven = drive(deps, &created, job, self.stop_after, live, stopped).await;
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
