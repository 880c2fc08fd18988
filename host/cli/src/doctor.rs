//! `doctor`: looks at every node of a cluster, and says what would be in the way of a job.
use crate::{
    args::{DoctorArgs, Output},
    clusters::{Found, Looked, look},
    error::{CliError, Code},
    policy::guarantee,
    preflight::Ground,
    reach::HostMap,
    targets::{by_address, pick},
    watch::{complain, say},
};
use quorate_journal::TargetHost;
use quorate_ring::NodeId;
use quorate_runner::Nodetool;
use quorate_schedule::{Guard, Policy, troubles};
use quorate_transport::Ssh;
use quorate_views::{DoctorView, findings, unsettled};
use std::{collections::BTreeSet, sync::Arc};

/// Prints what was found. Gives the exit code.
pub(crate) async fn doctor(args: DoctorArgs) -> Result<u8, CliError> {
    let Looked { transport, nodetool, map, found: clusters } = look(&args.look, "table").await?;
    let mut fine = true;
    for (place, found) in clusters.iter().enumerate() {
        if place > 0 && args.output == Output::Text {
            say("");
        }
        fine &= examine(&transport, &nodetool, found, &map, &args).await?;
    }
    Ok(if fine { 0 } else { Code::NodeFailed as u8 })
}

/// One cluster; whether nothing is amiss.
async fn examine(
    transport: &Arc<Ssh>,
    nodetool: &Nodetool,
    found: &Found,
    map: &HostMap,
    args: &DoctorArgs,
) -> Result<bool, CliError> {
    let topology = &found.discovered.topology;
    let mut hosts: Vec<TargetHost> = topology.nodes.iter().map(by_address).collect();
    map.apply(transport, topology, &mut hosts).await?;
    let mut nodes: BTreeSet<NodeId> = topology.ids().collect();
    if !found.named.is_empty() {
        nodes = pick(transport, topology, &found.named, map, &mut hosts).await?;
    }
    complain(&format!("quorate: looking at {} nodes of {}", nodes.len(), topology.cluster));
    let ground = Ground { transport, nodetool, topology, hosts: &hosts };
    let look = ground.look(&nodes, true).await?;
    let policy = Policy { guarantee: guarantee(&args.look.kept, topology)?, ..Policy::default() };
    let unsettled = unsettled(topology);
    let mut notes = findings(topology, &Guard::new(topology, &policy), &policy);
    notes.retain(|note| !unsettled.contains(note));
    notes.extend(found.discovered.notes.iter().cloned());
    let passed = found.discovered.passed_over.iter();
    notes.extend(passed.map(|why| format!("a seed was passed over: {why}")));
    let found = troubles(&look);
    let view = DoctorView {
        topology,
        keys: &ground.keys(),
        look: &look,
        troubles: &found,
        unsettled: &unsettled,
        notes: &notes,
    };
    match args.output {
        Output::Text => say(view.text().trim_end()),
        Output::Json => say(&view.json().to_string()),
    }
    Ok(view.is_fine())
}
