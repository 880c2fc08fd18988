//! The one shared state of a simulation: the cluster behind a lock, its clock, and everybody who waits for something to happen.
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quorate_oracle::HeldRange;
use tokio::sync::{Notify, broadcast};

use crate::cluster::{Cluster, Entry, Phase};
use crate::members::Member;
use crate::nodetool::NodetoolFault;
use crate::spec::SimSpec;

/// Commands that are remembered per node; older ones are only counted.
const REMEMBERED_COMMANDS: usize = 1000;

/// Happenings that a subscriber may be behind before it misses some.
const EVENT_BUFFER: usize = 4096;

/// What a node was asked over SSH, and how its nodetool is broken.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) fault: Option<NodetoolFault>,
    pub(crate) commands_run: usize,
    pub(crate) commands: VecDeque<String>,
    pub(crate) nodetool_calls: usize,
    pub(crate) nodetool_arguments: VecDeque<Vec<String>>,
}

impl Desk {
    pub(crate) fn ran(&mut self, command: String) {
        self.commands_run += 1;
        self.commands.push_back(command);
        if self.commands.len() > REMEMBERED_COMMANDS {
            self.commands.pop_front();
        }
    }

    pub(crate) fn called_nodetool(&mut self, arguments: &[String]) {
        self.nodetool_calls += 1;
        self.nodetool_arguments.push_back(arguments.to_vec());
        if self.nodetool_arguments.len() > REMEMBERED_COMMANDS {
            self.nodetool_arguments.pop_front();
        }
    }
}

pub(crate) struct World {
    pub(crate) spec: SimSpec,
    pub(crate) root: PathBuf,
    pub(crate) members: Arc<[Member]>,
    /// The ranges of each keyspace of the spec.
    pub(crate) held: Vec<Vec<HeldRange>>,
    started: Instant,
    cluster: Mutex<Cluster>,
    desks: Mutex<Vec<Desk>>,
    events: broadcast::Sender<Entry>,
    changed: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in one task leaves plain data behind; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(
        spec: SimSpec,
        root: PathBuf,
        members: Arc<[Member]>,
        held: Vec<Vec<HeldRange>>,
        cluster: Cluster,
    ) -> Self {
        let desks = Mutex::new(members.iter().map(|_| Desk::default()).collect());
        let (events, _) = broadcast::channel(EVENT_BUFFER);
        Self {
            spec,
            root,
            members,
            held,
            started: Instant::now(),
            cluster: Mutex::new(cluster),
            desks,
            events,
            changed: Notify::new(),
        }
    }

    /// Looks at the cluster, or changes it, as it is at this moment (the second argument, since the start).
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Cluster, Duration) -> T) -> T {
        let mut cluster = lock(&self.cluster);
        let now = self.started.elapsed();
        let (known, deadline) = (cluster.history().len(), cluster.next_deadline());
        cluster.advance(now);
        let result = act(&mut cluster, now);
        for entry in &cluster.history()[known..] {
            // Nobody needs to listen.
            let _ = self.events.send(*entry);
        }
        if cluster.next_deadline() != deadline {
            self.changed.notify_one();
        }
        result
    }

    pub(crate) fn with_desk<T>(&self, node: usize, act: impl FnOnce(&mut Desk) -> T) -> T {
        act(&mut lock(&self.desks)[node])
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Entry> {
        self.events.subscribe()
    }

    /// Makes things happen when their time has come; never returns.
    pub(crate) async fn drive(&self) {
        loop {
            let deadline = self.with(|cluster, _| cluster.next_deadline());
            match deadline {
                Some(deadline) => {
                    let until = tokio::time::Instant::from_std(self.started + deadline);
                    tokio::select! {
                        () = tokio::time::sleep_until(until) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Waits until `holds` does; it is asked again whenever something happened.
    pub(crate) async fn until(&self, mut holds: impl FnMut(&Cluster) -> bool) {
        let mut events = self.subscribe();
        while !self.with(|cluster, _| holds(cluster)) {
            // Having missed some is as good a reason to look again as a new one; the sender lives as long as `self`.
            let _ = events.recv().await;
        }
    }

    /// Waits until the node is in another phase than `phase`, and tells which.
    pub(crate) async fn phase_after(&self, node: usize, phase: Phase) -> Phase {
        let mut last = phase;
        self.until(|cluster| {
            last = cluster.node(node).phase;
            last != phase
        })
        .await;
        last
    }

    /// The name of the schema version that a node has. Each release has its own.
    pub(crate) fn schema_version(&self, node: usize, other: bool) -> String {
        let release = match self.spec.version_of(node) {
            version if version == self.spec.version => 0,
            version => version as u64 + 1,
        };
        let kind = if other { 0x5eed } else { 0x5c4e };
        crate::random::Random::new(self.spec.seed ^ kind ^ (release << 32)).uuid(3)
    }
}
