//! What can be done to a running simulation: orders to nodes, and faults.
use std::time::Duration;

use crate::access::new_key;
use crate::happening::Happening;
use crate::nodetool::NodetoolFault;
use crate::sim::Sim;
use crate::{SimError, scripts};

impl Sim {
    /// Kills a node's process: its peers notice after [`crate::Timings::gossip_down`].
    pub fn kill(&self, node: usize) {
        self.world.with(|cluster, now| cluster.kill(now, node));
    }

    /// Begins to stop a node's process.
    pub fn stop_node(&self, node: usize) {
        self.world.with(|cluster, now| cluster.stop(now, node));
    }

    /// Launches a node's process, if none runs.
    pub fn start_node(&self, node: usize) {
        self.world.with(|cluster, now| cluster.start(now, node));
    }

    /// From now on every start of this node ends with its process dying (or, with `false`, no longer does).
    pub fn never_comes_back(&self, node: usize, never: bool) {
        self.world.with(|cluster, _| cluster.node_mut(node).never_comes_back = never);
    }

    /// Starts of this node take this long instead of [`crate::Timings::start`].
    pub fn slow_start(&self, node: usize, takes: Option<Duration>) {
        self.world.with(|cluster, _| cluster.node_mut(node).start_takes = takes);
    }

    /// Closes (or opens again) a node's native transport; the node stays up.
    pub fn native_transport_off(&self, node: usize, off: bool) {
        self.world.with(|cluster, _| cluster.node_mut(node).native_off = off);
    }

    /// Gives a node a schema version of its own (or takes it back).
    pub fn disagree_on_schema(&self, node: usize, disagrees: bool) {
        self.world.with(|cluster, _| cluster.node_mut(node).other_schema = disagrees);
    }

    /// What `compactionstats` of a node shows as pending.
    pub fn pending_compactions(&self, node: usize, pending: usize) {
        self.world.with(|cluster, _| cluster.node_mut(node).pending_compactions = pending);
    }

    /// Breaks a node's nodetool, or mends it. Calls that hang already go on hanging.
    ///
    /// # Errors
    /// Where the program can't be removed from or put back into the node's PATH.
    pub fn break_nodetool(
        &self,
        node: usize,
        fault: Option<NodetoolFault>,
    ) -> Result<(), SimError> {
        let missing = fault == Some(NodetoolFault::MissingFromPath);
        let was_missing =
            self.world.with_desk(node, |desk| std::mem::replace(&mut desk.fault, fault))
                == Some(NodetoolFault::MissingFromPath);
        if missing && !was_missing {
            let program = scripts::bin(&self.world.root, node).join("nodetool");
            std::fs::remove_file(program)
                .map_err(SimError::io("can't remove a node's nodetool"))?;
        }
        if was_missing && !missing {
            scripts::install_tool(&self.world.root, node, "nodetool")
                .map_err(SimError::io("can't put a node's nodetool back"))?;
        }
        Ok(())
    }

    /// Takes a node's SSH server away: connections are cut, new ones refused. Its Cassandra is not touched.
    pub async fn sshd_down(&self, node: usize) {
        if self.sshds[node].down().await {
            self.note(node, Happening::SshDown);
        }
    }

    /// Brings a node's SSH server back.
    ///
    /// # Errors
    /// Where somebody else has taken the address meanwhile.
    pub async fn sshd_up(&self, node: usize) -> Result<(), SimError> {
        if self.sshds[node].up().await? {
            self.note(node, Happening::SshUp);
        }
        Ok(())
    }

    /// Cuts a node's SSH connections in the middle of whatever they do; new ones are accepted. Tells how many there were.
    pub fn drop_connections(&self, node: usize) -> usize {
        let dropped = self.sshds[node].drop_connections();
        self.note(node, Happening::ConnectionsDropped);
        dropped
    }

    /// Gives a node's SSH server another key, which `known_hosts` doesn't know.
    ///
    /// # Errors
    /// Where no key can be made.
    pub fn change_host_key(&self, node: usize) -> Result<(), SimError> {
        self.sshds[node].change_host_key(new_key("")?);
        self.note(node, Happening::HostKeyChanged);
        Ok(())
    }

    /// Writes the host keys of now into `known_hosts`.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn trust_all(&self) -> Result<(), SimError> {
        let keys: Vec<_> =
            self.sshds.iter().map(|sshd| (sshd.address(), sshd.host_key())).collect();
        self.access.trust(self.door.port, keys.iter().map(|(address, key)| (*address, key)))
    }

    fn note(&self, node: usize, what: Happening) {
        self.world.with(|cluster, now| cluster.note(now, node, what));
    }
}
