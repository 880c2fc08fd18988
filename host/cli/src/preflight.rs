//! The look at the nodes before a job: what would break it refuses it, the rest is told.
use crate::{error::CliError, logins::ready_for, watch::complain};
use quorate_journal::{Created, Place, TargetHost};
use quorate_ports::{NodeKey, Target};
use quorate_ring::{Liveness, NodeId, Topology};
use quorate_runner::{Looking, Nodetool, look};
use quorate_schedule::{Look, Policy, Trouble, troubles};
use quorate_transport::Ssh;
use quorate_views::trouble_line;
use std::{
    collections::BTreeSet,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

/// A shell that is asked for a few facts has answered by then, or hangs.
const BRIEF: Duration = Duration::from_secs(60);

/// Where the look happens.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) transport: &'a Arc<Ssh>,
    pub(crate) nodetool: &'a Nodetool,
    pub(crate) topology: &'a Topology,
    /// How each node is called and reached.
    pub(crate) hosts: &'a [TargetHost],
}

impl Ground<'_> {
    /// What each node is called.
    pub(crate) fn keys(&self) -> Vec<NodeKey> {
        self.hosts.iter().map(|host| host.key.clone()).collect()
    }

    /// The nodes that the ring shows as down.
    fn down(&self) -> BTreeSet<NodeId> {
        let down = |id: &NodeId| self.topology.node(*id).status.liveness == Liveness::Down;
        self.topology.ids().filter(down).collect()
    }

    /// Looks at these nodes.
    ///
    /// # Errors
    /// This process may not hold so many connections.
    pub(crate) async fn look(
        &self,
        nodes: &BTreeSet<NodeId>,
        thorough: bool,
    ) -> Result<Look, CliError> {
        let hosts = nodes.iter().map(|id| self.hosts[id.index()].host.clone()).collect();
        ready_for(self.transport, hosts).await?;
        let target = |id: &NodeId| {
            let TargetHost { key, host } = self.hosts[id.index()].clone();
            (*id, Target { node: key, host })
        };
        let looking = Looking {
            name: format!("{:016x}", RandomState::new().build_hasher().finish()),
            thorough,
            nodetool: self.nodetool.clone(),
            timeout: BRIEF,
        };
        let targets = nodes.iter().map(target).collect();
        let nodes = look(self.transport.clone(), targets, looking).await;
        Ok(Look { nodes, down: self.down(), job: None })
    }

    /// Where nodes may be hurt, looks at those that a job will touch. Gives what a person should know.
    ///
    /// # Errors
    /// Some of them can't take the job: each is named, with its cure.
    pub(crate) async fn before_job(
        &self,
        created: &Created,
        policy: &Policy,
        mut nodes: BTreeSet<NodeId>,
    ) -> Result<Vec<String>, CliError> {
        // What runs here needs nothing on the nodes but what looks at them.
        if !policy.observes() || created.place != Place::Node {
            return Ok(Vec::new());
        }
        if policy.ignore_down_nodes {
            let down = self.down();
            nodes.retain(|node| !down.contains(node));
        }
        if nodes.len() > 1 {
            complain(&format!("quorate: looking at {} nodes", nodes.len()));
        }
        let look = Look { job: Some(created.job.0.clone()), ..self.look(&nodes, false).await? };
        let found = troubles(&look);
        let keys = self.keys();
        let (breaking, bearable): (Vec<Trouble>, Vec<Trouble>) =
            found.into_iter().partition(|trouble| trouble.breaks);
        if breaking.is_empty() {
            let told =
                |trouble: &Trouble| format!("{}; {}", trouble_line(trouble, &keys), trouble.cure);
            return Ok(bearable.iter().map(told).collect());
        }
        Err(refusal(&breaking, &keys, nodes.len()))
    }
}

fn refusal(breaking: &[Trouble], keys: &[NodeKey], all: usize) -> CliError {
    let nodes: BTreeSet<NodeId> =
        breaking.iter().flat_map(|trouble| &trouble.nodes).copied().collect();
    let mut what = format!("{} of {all} nodes can't take the job", nodes.len());
    for trouble in breaking {
        what.push_str(&format!("\n       {}", trouble_line(trouble, keys)));
    }
    let mut cures: Vec<&str> = Vec::new();
    for trouble in breaking {
        if !trouble.cure.is_empty() && !cures.contains(&trouble.cure.as_str()) {
            cures.push(&trouble.cure);
        }
    }
    cures.push("quorate doctor looks at everything; a new job with --host leaves nodes out");
    CliError::not_started(what).hint(cures.join("\n       "))
}
