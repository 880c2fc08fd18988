//! `doctor`: looks at every node of a cluster, and says what would be in the way of a job.
use crate::{
    args::{DoctorArgs, Output},
    clusters::{Found, read_clusters},
    connect::connect,
    error::{CliError, Code},
    launch::nodetool,
    preflight::Ground,
    targets::{by_address, named_hosts, pick},
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
    let transport = connect(&args.ssh)?;
    let named = named_hosts(&args.hosts)?;
    let nodetool = nodetool(&transport, &args.nodetool);
    let clusters = read_clusters(&transport, &nodetool, &args.hosts.seed_host, &named).await?;
    let mut fine = true;
    for (place, found) in clusters.iter().enumerate() {
        if place > 0 && args.output == Output::Text {
            say("");
        }
        fine &= examine(&transport, &nodetool, found, args.output).await?;
    }
    Ok(if fine { 0 } else { Code::NodeFailed as u8 })
}

/// One cluster; whether nothing is amiss.
async fn examine(
    transport: &Arc<Ssh>,
    nodetool: &Nodetool,
    found: &Found,
    output: Output,
) -> Result<bool, CliError> {
    let topology = &found.discovered.topology;
    let mut hosts: Vec<TargetHost> = topology.nodes.iter().map(by_address).collect();
    let mut nodes: BTreeSet<NodeId> = topology.ids().collect();
    if !found.named.is_empty() {
        nodes = pick(transport, topology, &found.named, &mut hosts).await?;
    }
    complain(&format!("quorate: looking at {} nodes of {}", nodes.len(), topology.cluster));
    let ground = Ground { transport, nodetool, topology, hosts: &hosts };
    let look = ground.look(&nodes, true).await?;
    let policy = Policy::default();
    let unsettled = unsettled(topology);
    let mut notes = findings(topology, &Guard::new(topology, &policy), &policy);
    notes.retain(|note| !unsettled.contains(note));
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
    match output {
        Output::Text => say(view.text().trim_end()),
        Output::Json => say(&view.json().to_string()),
    }
    Ok(view.is_fine())
}
