//! What the operator's flags and the command's manifest decide about a job.
use crate::{
    args::{GateName, ImpactName, KeepArgs, NodetoolArgs, OrderArgs},
    commands,
    error::CliError,
    plugin_args,
};
use quorate_contract::{Gate, Impact, Manifest};
use quorate_journal::Component;
use quorate_ports::StrategyHost;
use quorate_ring::{KeyspaceName, Replication, Topology};
use quorate_schedule::{self as schedule, GatePolicy, Guarantee, MaxOut, Policy, Strategy};
use std::sync::Arc;

/// A policy, and the strategy's component where it has one.
pub(crate) struct Chosen {
    pub(crate) policy: Policy,
    pub(crate) component: Option<Component>,
    pub(crate) strategy: Option<Arc<dyn StrategyHost>>,
}

/// Decides, or refuses what doesn't go together.
pub(crate) async fn choose(
    order: &OrderArgs,
    nodetool: &NodetoolArgs,
    limits: &[String],
    manifest: &Manifest,
    declared: Impact,
    topology: &Topology,
) -> Result<Chosen, CliError> {
    let impact = match (order.impact, declared) {
        (Some(ImpactName::None), _) | (None, Impact::None) => schedule::Impact::None,
        (Some(ImpactName::Load), _) | (None, Impact::Load) => schedule::Impact::Load,
        (Some(ImpactName::Down), _) | (None, Impact::Down) => schedule::Impact::Down,
    };
    let name = order.strategy.as_deref().or(manifest.strategy.as_deref()).unwrap_or("topology");
    let strategy = native(name).unwrap_or(Strategy::Component);
    let lowered = impact == schedule::Impact::None && declared != Impact::None;
    if lowered && !order.force && manifest.name != "run" {
        let what = format!("`{}` takes nodes down, whatever --impact says", manifest.name);
        return Err(CliError::usage(what)
            .hint("leave --impact out, or add --force if that is what you want"));
    }
    let by_hand = order.strategy.as_deref() == Some("all");
    // `run` carries what its user wrote: `all` by hand is taken at its word there, as cstar does.
    let unguarded = by_hand && (order.force || manifest.name == "run");
    if by_hand && impact != schedule::Impact::None && !unguarded {
        return Err(CliError::usage(format!(
            "strategy all would take every node down at once with `{}`",
            manifest.name
        ))
        .hint("leave --strategy out, or add --force if that is what you want"));
    }
    let (component, host) = match strategy {
        Strategy::Component => {
            let host = commands::load_strategy(name, limits).await?;
            let arguments = plugin_args::given(&host.manifest().arguments, &order.strategy_arg)?;
            let component = Component {
                name: host.manifest().name.clone(),
                version: host.manifest().version.clone(),
                digest: host.digest().to_owned(),
                arguments,
            };
            (Some(component), Some(host))
        }
        _ if !order.strategy_arg.is_empty() => {
            return Err(CliError::usage(format!("strategy {name} takes no arguments")));
        }
        _ => (None, None),
    };
    let policy = Policy {
        strategy,
        strategy_is_dynamic: host.as_ref().is_some_and(|host| host.manifest().dynamic),
        unguarded,
        guarantee: Guarantee {
            max_out: order.guarantee.max_out.unwrap_or(MaxOut::Usual),
            allow_topology_change: order.guarantee.allow_topology_change,
            ..guarantee(&order.guarantee.kept, topology)?
        },
        impact,
        gates: gates(order, manifest, impact)?,
        dc_parallel: (manifest.dc_parallel || order.dc_parallel) && !order.dc_serial,
        max_concurrency: order.max_concurrency,
        max_failures: order.max_failures,
        node_done_pause_ms: order.node_done_pause,
        ignore_down_nodes: order.ignore_down_nodes,
        timeout_ms: order.timeout,
        stable_ms: order.stable,
        round_pause_ms: order.round_pause,
        nodetool_timeout_ms: nodetool.nodetool_timeout,
        ..Policy::default()
    };
    Ok(Chosen { policy, component, strategy: host })
}

/// The command's gates, and those that were asked for.
fn gates(
    order: &OrderArgs,
    manifest: &Manifest,
    impact: schedule::Impact,
) -> Result<GatePolicy, CliError> {
    if !order.gate.is_empty() && impact == schedule::Impact::None {
        let what = "--gate: with --impact none nodes aren't observed, no gate is looked at";
        return Err(CliError::usage(what).hint("leave one of the two out"));
    }
    let asked = order.gate.contains(&GateName::NewProcess);
    Ok(GatePolicy { new_process: asked || manifest.gates.contains(&Gate::NewProcess) })
}

fn native(name: &str) -> Option<Strategy> {
    match name {
        "one" => Some(Strategy::One),
        "topology" => Some(Strategy::Topology),
        "quorum" => Some(Strategy::Quorum),
        "all" => Some(Strategy::All),
        _ => None,
    }
}

/// The guarantee, its keyspaces held against those that there are.
pub(crate) fn guarantee(args: &KeepArgs, topology: &Topology) -> Result<Guarantee, CliError> {
    let known = |flag: &str, name: &str| {
        let found = topology.keyspaces.iter().find(|keyspace| keyspace.name.as_str() == name);
        found.ok_or_else(|| {
            CliError::usage(format!("{flag}: there is no keyspace {name}"))
                .hint("`quorate topology` lists the keyspaces")
        })
    };
    let mut guarantee = Guarantee { replications: args.replications()?, ..Guarantee::default() };
    for keep in &args.keep {
        let Some(name) = &keep.keyspace else {
            guarantee.level = keep.level;
            continue;
        };
        if known("--keep", name)?.replication == Replication::Local {
            return Err(CliError::usage(format!(
                "--keep: every node has a {name} of its own (LocalStrategy), it has no level"
            )));
        }
        guarantee.keyspaces.insert(KeyspaceName::new(name), keep.level);
    }
    for keyspace in &args.rf {
        known("--rf", keyspace.name.as_str())?;
    }
    for name in &args.keyspace {
        known("--keyspace", name)?;
        guarantee.only.insert(KeyspaceName::new(name));
    }
    for name in &args.accept_outage {
        known("--accept-outage", name)?;
        guarantee.accepted.insert(KeyspaceName::new(name));
    }
    Ok(guarantee)
}
