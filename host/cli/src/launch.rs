//! Deciding on jobs: which clusters, targets, policy. Nothing is touched here.
use crate::{
    args::{HostSpec, JobArgs, LimitArgs, NodetoolArgs, OrderArgs, ReachArgs, ShowArgs, SshArgs},
    clusters::{Found, known_centers, read_clusters},
    connect::remembered,
    error::CliError,
    jmx, jobs,
    names::name_nodes,
    par::through,
    policy::{self, Chosen},
    reach::HostMap,
    session::{Session, SystemClock, stored},
    targets::{by_address, filter_centers, named_hosts, pick, seeds},
    variables::{NodeVariables, Variables},
};
use quorate_contract::{Impact, PlanContext};
use quorate_journal::{Command, Created, FORMAT, Place, TargetHost};
use quorate_ports::{Clock, CommandHost, JobId, StrategyHost, Transport};
use quorate_ring::{NodeId, Topology};
use quorate_runner::{Nodetool, NodetoolCall};
use quorate_schedule::{Family, Guard};
use quorate_store::new_job_id;
use quorate_transport::Ssh;
use quorate_views::findings;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Everything that a person gave for a job.
pub(crate) struct Launch {
    pub(crate) hosts: HostSpec,
    pub(crate) reach: ReachArgs,
    pub(crate) ssh: SshArgs,
    pub(crate) order: OrderArgs,
    pub(crate) job: JobArgs,
    pub(crate) nodetool: NodetoolArgs,
    pub(crate) call: NodetoolCall,
    pub(crate) map: HostMap,
    pub(crate) variables: Variables,
    pub(crate) show: ShowArgs,
    pub(crate) limits: LimitArgs,
    pub(crate) command: Arc<dyn CommandHost>,
    pub(crate) arguments: BTreeMap<String, Value>,
    pub(crate) summary: String,
    /// Where its actions run.
    pub(crate) place: Place,
    /// What a person should know of what was given.
    pub(crate) warnings: Vec<String>,
}

impl Launch {
    /// How nodetool is called for it.
    pub(crate) fn nodetool(&self, session: &Session, ssh: &Arc<Ssh>) -> Result<Nodetool, CliError> {
        Ok(nodetool(through(ssh, &self.place, session)?, &self.nodetool, &self.call))
    }
}

/// A job that could begin, and what it needs.
pub(crate) struct Prepared {
    pub(crate) created: Created,
    pub(crate) guard: Guard,
    /// What a person should know before it begins.
    pub(crate) warnings: Vec<String>,
    pub(crate) strategy: Option<Arc<dyn StrategyHost>>,
    /// The variables of single nodes.
    pub(crate) variables: NodeVariables,
    /// Keyspaces that lose their level whatever the order is; the person gets a moment to think.
    pub(crate) costly: bool,
    /// Who described the ring.
    pub(crate) seed: String,
    /// The hosts given to run on; empty: all.
    pub(crate) named: Vec<String>,
}

/// Reads the rings and decides everything that their jobs need: one for each cluster. Nothing is touched.
pub(crate) async fn prepare(
    launch: &Launch,
    session: &Session,
    transport: &Arc<Ssh>,
) -> Result<Vec<Prepared>, CliError> {
    let (seeds, named) = (seeds(&launch.hosts)?, named_hosts(&launch.hosts)?);
    let prepared = prepare_from(launch, session, transport, &seeds, &named).await?;
    launch.map.all_used()?;
    launch.variables.all_used()?;
    Ok(prepared)
}

/// The same from these hosts.
pub(crate) async fn prepare_from(
    launch: &Launch,
    session: &Session,
    transport: &Arc<Ssh>,
    seeds: &[String],
    named: &[String],
) -> Result<Vec<Prepared>, CliError> {
    let nodetool = launch.nodetool(session, transport)?;
    let given = launch.order.guarantee.kept.replications()?;
    let clusters = read_clusters(transport, &nodetool, seeds, named, &given, &launch.map).await?;
    known_centers(&clusters, &launch.order.dc_filter)?;
    let mut prepared = Vec::new();
    for found in clusters {
        prepared.extend(prepare_one(launch, session, transport, found).await?);
    }
    if prepared.is_empty() {
        return Err(CliError::not_started("no node is left to run on"));
    }
    enforce_id(launch, session, &mut prepared)?;
    Ok(prepared)
}

/// The job of one cluster; none where no node of it is left to run on.
async fn prepare_one(
    launch: &Launch,
    session: &Session,
    transport: &Arc<Ssh>,
    Found { discovered: found, named }: Found,
) -> Result<Option<Prepared>, CliError> {
    let Reached { hosts, targets, mut warnings } =
        reached(launch, session, transport, &found.topology, &named).await?;
    if targets.is_empty() {
        return Ok(None);
    }
    let variables = launch.variables.of_nodes(transport, &found.topology, &hosts).await?;
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
    let is_costly = |(family, _): &(&Family, usize)| !family.accepted;
    // Where the factor isn't known, only who insists on it is kept from starting.
    let unsure = launch.order.guarantee.strict && guard.open().iter().any(is_costly);
    let costly = policy.guards() && (unsure || guard.bears_none().iter().any(is_costly));
    warnings.extend(found.passed_over.iter().map(|why| format!("a seed was passed over: {why}")));
    warnings.extend(found.notes);
    if policy.observes() {
        warnings.extend(launch.warnings.iter().cloned());
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
        job: unused_job_id(session)?,
        durations: jobs::durations(session, &command.name, &found.topology)?,
        command,
        topology: found.topology,
        hosts,
        targets,
        policy,
        strategy: component,
        ssh: remembered(&launch.ssh)?,
        place: launch.place.clone(),
        nodetool: jmx::remembered(&launch.nodetool.call)?,
        variables: launch.variables.names(),
        addresses: launch.map.remembered(),
    };
    let seed = found.seed.host;
    Ok(Some(Prepared { created, guard, warnings, strategy, variables, costly, seed, named }))
}

/// The nodes of a cluster, how each is called and reached, and which of them are targets.
struct Reached {
    hosts: Vec<TargetHost>,
    targets: BTreeSet<NodeId>,
    warnings: Vec<String>,
}

async fn reached(
    launch: &Launch,
    session: &Session,
    transport: &Arc<Ssh>,
    topology: &Topology,
    named: &[String],
) -> Result<Reached, CliError> {
    let mut hosts: Vec<TargetHost> = topology.nodes.iter().map(by_address).collect();
    let mut warnings = Vec::new();
    if launch.reach.resolve_hostnames {
        warnings.extend(name_nodes(&mut hosts).await);
    }
    launch.map.apply(transport, topology, &mut hosts).await?;
    let mut targets: BTreeSet<NodeId> = topology.ids().collect();
    if !named.is_empty() {
        targets = pick(transport, topology, named, &launch.map, &mut hosts).await?;
    }
    filter_centers(topology, &launch.order.dc_filter, &mut targets);
    let nodetool = launch.nodetool(session, transport)?;
    warnings.extend(launch.map.verify(transport, &nodetool, topology, &hosts, &targets).await?);
    Ok(Reached { hosts, targets, warnings })
}

/// Gives the job the id that a person wants, if no other has it.
fn enforce_id(
    launch: &Launch,
    session: &Session,
    prepared: &mut [Prepared],
) -> Result<(), CliError> {
    let Some(id) = launch.job.enforced_job_id.clone().map(JobId) else { return Ok(()) };
    let [only] = prepared else {
        let what = format!("--enforced-job-id: {id} can't be the id of {} jobs", prepared.len());
        return Err(
            CliError::usage(what).hint("each cluster has a job of its own: start them one by one")
        );
    };
    if session.store.jobs().map_err(stored)?.contains(&id) {
        let what = format!("--enforced-job-id: there is a job {id} already");
        return Err(CliError::not_started(what)
            .hint(format!("quorate show {id}; `quorate cleanup-jobs` removes old ones")));
    }
    only.created.job = id;
    Ok(())
}

/// An id that no job has yet; several jobs may begin in one millisecond.
fn unused_job_id(session: &Session) -> Result<JobId, CliError> {
    static NEWEST: Mutex<u64> = Mutex::new(0);
    let mut newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner);
    let known = session.store.jobs().map_err(stored)?;
    let mut at = SystemClock.now().max(*newest + 1);
    while known.contains(&new_job_id(at)) {
        at += 1;
    }
    *newest = at;
    Ok(new_job_id(at))
}

/// How nodetool is called.
pub(crate) fn nodetool(
    transport: Arc<dyn Transport>,
    args: &NodetoolArgs,
    call: &NodetoolCall,
) -> Nodetool {
    Nodetool::new(transport, call.clone(), Duration::from_millis(args.nodetool_timeout))
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
