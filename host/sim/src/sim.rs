//! The handle on a running simulation.
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::access::{Access, new_key};
use crate::cluster::{Cluster, Entry, Phase};
use crate::judge::Judge;
use crate::members::{Member, members};
use crate::placement::place;
use crate::requests::Requests;
use crate::spec::SimSpec;
use crate::sshd::{Door, Sshd};
use crate::world::World;
use crate::{SimError, addresses, processes, scripts};

/// Entries of the history that an error shows.
const SHOWN_ENTRIES: usize = 12;

/// A simulated cluster that runs in this process. Nodes are named by their index in [`Sim::nodes`]; an index that no node has is a mistake of
/// the caller and panics. Ended by [`Sim::stop`] or by dropping it; both end every process that was started on the nodes and remove
/// the files.
pub struct Sim {
    pub(crate) world: Arc<World>,
    pub(crate) sshds: Vec<Arc<Sshd>>,
    pub(crate) door: Arc<Door>,
    pub(crate) access: Access,
    tasks: Vec<JoinHandle<()>>,
    folder: Option<TempDir>,
}

/// One node, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimNode {
    /// Its address in all outputs.
    pub address: Ipv4Addr,
    /// The address that its SSH server listens on: the same, unless the spec has inner addresses.
    pub ssh_address: Ipv4Addr,
    /// Its data center.
    pub dc: String,
    /// Its rack.
    pub rack: String,
    /// Its host id.
    pub host_id: String,
}

impl Sim {
    /// Starts the cluster with all nodes up. Must be called within a tokio runtime; the simulation lives in it.
    ///
    /// # Errors
    /// Where the spec contradicts itself, or the addresses, files or keys can't be had.
    pub async fn start(spec: SimSpec) -> Result<Self, SimError> {
        spec.check()?;
        let places = addresses::places(spec.node_count()).await?;
        let folder = tempfile::Builder::new()
            .prefix("quorate-sim-")
            .tempdir()
            .map_err(SimError::io("can't make its folder"))?;
        let root = folder.path().canonicalize().map_err(SimError::io("can't find its folder"))?;
        for node in 0..places.addresses.len() {
            scripts::install(&root, node, spec.cqlsh)
                .map_err(SimError::io("can't write the nodes' programs"))?;
        }
        let client_key = new_key("quorate-sim")?;
        let access =
            Access::write(&root, &client_key, &spec.ssh_user, places.port, &places.blocks)?;
        let requests = Requests::open(&root).await?;

        let inner: Vec<Ipv4Addr> = match spec.inner_addresses {
            true => places.addresses.iter().map(|address| inner(*address)).collect(),
            false => places.addresses.clone(),
        };
        let world = Arc::new(world(spec, root, &inner));
        let door = Door {
            world: Arc::clone(&world),
            client_key: client_key.public_key().clone(),
            port: places.port,
            closed: RwLock::new(false),
        };
        let door = Arc::new(door);
        let mut sshds = Vec::with_capacity(places.addresses.len());
        for (node, address) in places.addresses.iter().enumerate() {
            sshds.push(Sshd::new(Arc::clone(&door), node, *address, new_key("")?));
        }
        let sim = Self {
            tasks: vec![tokio::spawn(requests.serve(Arc::clone(&world))), drive(&world)],
            world,
            sshds,
            door,
            access,
            folder: Some(folder),
        };
        sim.trust_all()?;
        for (sshd, listener) in sim.sshds.iter().zip(places.listeners) {
            sshd.listen(listener);
        }
        Ok(sim)
    }

    /// Ends the simulation: connections, processes, files.
    ///
    /// # Errors
    /// Where processes survive or the files can't be removed.
    pub async fn stop(mut self) -> Result<(), SimError> {
        self.end_tasks();
        for sshd in &self.sshds {
            sshd.down().await;
        }
        let root = self.world.root.clone();
        let left = tokio::task::spawn_blocking(move || processes::end_all(&root))
            .await
            .unwrap_or_default();
        if !left.is_empty() {
            return Err(SimError::Processes(left));
        }
        match self.folder.take() {
            Some(folder) => folder.close().map_err(SimError::io("can't remove its folder")),
            None => Ok(()),
        }
    }

    fn end_tasks(&self) {
        *self.door.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
        for task in &self.tasks {
            task.abort();
        }
        for sshd in &self.sshds {
            sshd.abandon();
        }
    }

    // What it is made of.

    /// The nodes, in the order of the spec.
    #[must_use]
    pub fn nodes(&self) -> Vec<SimNode> {
        let node = |(member, sshd): (&Member, &Arc<Sshd>)| SimNode {
            address: member.address,
            ssh_address: sshd.address(),
            dc: member.dc.clone(),
            rack: member.rack.clone(),
            host_id: member.host_id.clone(),
        };
        self.world.members.iter().zip(&self.sshds).map(node).collect()
    }

    /// The node with this address.
    #[must_use]
    pub fn index_of(&self, address: &str) -> Option<usize> {
        self.world.members.iter().position(|member| member.address.to_string() == address)
    }

    /// The spec it was started with.
    #[must_use]
    pub fn spec(&self) -> &SimSpec {
        &self.world.spec
    }

    /// An address to begin with: where the first node's SSH server listens.
    #[must_use]
    pub fn seed(&self) -> String {
        self.sshds[0].address().to_string()
    }

    /// The port of all SSH servers.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.door.port
    }

    /// An `ssh_config` that logs in to every node without a question; `known_hosts` and the key that it names lie beside it.
    #[must_use]
    pub fn ssh_config(&self) -> &Path {
        &self.access.ssh_config
    }

    /// The file with the client's key.
    #[must_use]
    pub fn identity_file(&self) -> &Path {
        &self.access.identity
    }

    /// The home folder in which a node's commands run.
    #[must_use]
    pub fn home(&self, node: usize) -> PathBuf {
        scripts::home(&self.world.root, node)
    }

    // What happens.

    /// Everything that happened so far, in order: when (since the start), to which node, what.
    #[must_use]
    pub fn history(&self) -> Vec<Entry> {
        self.world.with(|cluster, _| cluster.history().to_vec())
    }

    /// What happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Entry> {
        self.world.subscribe()
    }

    /// Waits until `holds` does. It is asked at once and whenever something has happened.
    ///
    /// # Errors
    /// [`SimError::Timeout`], with the last happenings.
    pub async fn wait_until(
        &self,
        limit: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<(), SimError> {
        let mut events = self.subscribe();
        let wait = async {
            while !holds(self) {
                // Having missed some is as good a reason to look again as a new one.
                let _ = events.recv().await;
            }
        };
        if tokio::time::timeout(limit, wait).await.is_ok() {
            return Ok(());
        }
        let history = self.history();
        let last = history.iter().skip(history.len().saturating_sub(SHOWN_ENTRIES));
        let last: Vec<String> = last
            .map(|(at, node, what)| {
                format!("{:.3} s {} {what}", at.as_secs_f64(), self.world.members[*node].address)
            })
            .collect();
        Err(SimError::Timeout { waited_ms: limit.as_millis(), last: last.join("; ") })
    }

    /// Where a node's process stands.
    #[must_use]
    pub fn phase(&self, node: usize) -> Phase {
        self.world.with(|cluster, _| cluster.node(node).phase)
    }

    /// Whether a node's native transport answers.
    #[must_use]
    pub fn serves_clients(&self, node: usize) -> bool {
        self.world.with(|cluster, _| cluster.node(node).serves_clients())
    }

    /// Whether a node is a live replica: up, and its peers know.
    #[must_use]
    pub fn is_live(&self, node: usize) -> bool {
        self.world.with(|cluster, _| cluster.answers(node))
    }

    /// Whether `observer` shows `node`, and if so, as up; `None` while it doesn't know it.
    #[must_use]
    pub fn shows(&self, observer: usize, node: usize) -> Option<bool> {
        let view = self.world.with(|cluster, _| cluster.view(observer));
        view.into_iter().find(|seen| seen.node == node).map(|seen| seen.up)
    }

    /// Every moment at which a range of a guarded keyspace lost its quorum, as sentences.
    #[must_use]
    pub fn quorum_losses(&self) -> Vec<String> {
        self.world.with(|cluster, _| cluster.judge().losses().to_vec())
    }

    /// The most nodes of a data center that were no live replicas at the same time.
    #[must_use]
    pub fn max_down(&self, dc: &str) -> usize {
        self.world.with(|cluster, _| cluster.judge().max_down(dc))
    }

    /// How many commands were run on a node over SSH.
    #[must_use]
    pub fn commands_run(&self, node: usize) -> usize {
        self.world.with_desk(node, |desk| desk.commands_run)
    }

    /// The last thousand commands that were run on a node over SSH.
    #[must_use]
    pub fn commands(&self, node: usize) -> Vec<String> {
        self.world.with_desk(node, |desk| desk.commands.iter().cloned().collect())
    }

    /// The arguments of the last thousand calls of a node's nodetool.
    #[must_use]
    pub fn nodetool_arguments(&self, node: usize) -> Vec<Vec<String>> {
        self.world.with_desk(node, |desk| desk.nodetool_arguments.iter().cloned().collect())
    }

    /// How often a node's nodetool was called.
    #[must_use]
    pub fn nodetool_calls(&self, node: usize) -> usize {
        self.world.with_desk(node, |desk| desk.nodetool_calls)
    }

    /// The processes that commands on the nodes have left running.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        processes::of(&self.world.root)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.end_tasks();
        // After `stop` nothing is left.
        if let Some(folder) = self.folder.take() {
            processes::end_all(&self.world.root);
            // Removes the files; an error can't be told to anybody here.
            drop(folder);
        }
    }
}

/// The address that the others know a node by. Nothing listens there: the block above all that are given to SSH servers.
fn inner(address: Ipv4Addr) -> Ipv4Addr {
    let [_, x, y, node] = address.octets();
    // Within 127.0.0.0/8, so that a mistake stays on this machine.
    Ipv4Addr::new(127, 255, x ^ y, node)
}

fn world(spec: SimSpec, root: PathBuf, addresses: &[Ipv4Addr]) -> World {
    let members: Arc<[Member]> = members(&spec, addresses).into();
    let held: Vec<_> =
        spec.keyspaces.iter().map(|keyspace| place(&members, &keyspace.replication)).collect();
    let judge = Judge::new(&members, &spec.keyspaces, &held);
    let epoch_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let cluster = Cluster::new(Arc::clone(&members), spec.timings, spec.fresh_view, epoch_s, judge);
    World::new(spec, root, members, held, cluster)
}

fn drive(world: &Arc<World>) -> JoinHandle<()> {
    let world = Arc::clone(world);
    tokio::spawn(async move { world.drive().await })
}
