//! What a job would do, wave after wave, were all commands to take equally long.
use crate::{
    Guard, NodeRun, OutCause, Phase, Policy, Proposed, Reason, StopCause, Strategy, Verdict,
    may_start,
    order::Conflicts,
    strategy::{Apart, Occupied},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use quorate_ring::{DataCenter, KeyspaceName, Liveness, NodeId, Topology};

/// A schedule in waves: the nodes of one wave run together, the next begins when all are confirmed. The job
/// itself doesn't wait for a wave's end: a node starts as soon as those that hold it are back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves {
    /// The order in which targets are tried.
    pub order: Vec<NodeId>,
    /// The waves.
    pub waves: Vec<Vec<NodeId>>,
    /// Targets that aren't started as things are, and why.
    pub held: Vec<(NodeId, Reason)>,
    /// No order needs fewer waves than this.
    pub bound: Bound,
}

/// A lower bound of waves, and what it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// How many.
    pub waves: usize,
    /// What makes them necessary.
    pub limit: Limit,
}

/// What a schedule is limited by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nothing: all targets run together.
    Nothing,
    /// So many nodes any two of which hold a range together.
    Together {
        /// How many.
        nodes: usize,
        /// Where.
        data_center: DataCenter,
        /// A keyspace through which they do.
        keyspace: KeyspaceName,
    },
    /// A range of a keyspace has so many targets among its replicas, and bears so many out.
    Replicas {
        /// The keyspace.
        keyspace: KeyspaceName,
        /// Where; none: over the whole cluster.
        data_center: Option<DataCenter>,
        /// Targets that hold the range.
        targets: usize,
        /// How many of them may be out at a time.
        bears: usize,
    },
    /// `--max-out`, given or by default.
    MaxOut {
        /// The data center.
        data_center: DataCenter,
        /// Its targets.
        targets: usize,
        /// Most nodes out.
        cap: usize,
    },
    /// `--max-concurrency`.
    Concurrency(u32),
    /// Strategy `one`.
    OneAtATime(DataCenter),
    /// The groups of the strategy's component.
    Groups(usize),
    /// Targets that are down go first, each alone.
    DownFirst(usize),
}

impl Limit {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Nothing => String::from("nothing"),
            Self::Together { nodes, data_center, keyspace } => format!(
                "{nodes} nodes of {data_center}, any two of which hold a range of {keyspace} together"
            ),
            Self::Replicas { keyspace, data_center, targets, bears } => {
                let place = data_center.as_ref().map(|dc| format!(" in {dc}")).unwrap_or_default();
                format!(
                    "{keyspace}: ranges on {targets} nodes{place} that bear {bears} out at a time"
                )
            }
            Self::MaxOut { data_center, targets, cap } => {
                format!("--max-out: {cap} of the {targets} nodes of {data_center} at a time")
            }
            Self::Concurrency(n) => format!("--max-concurrency {n}"),
            Self::OneAtATime(dc) => format!("strategy one: the nodes of {dc} one after the other"),
            Self::Groups(n) => format!("the {n} groups of the strategy"),
            Self::DownFirst(n) => format!("{n} nodes that are down, which go first, each alone"),
        }
    }
}

/// Plays the job: `order` is tried from its front again and again.
pub(crate) fn play(
    topology: &Topology,
    guard: &Guard,
    policy: &Policy,
    order: &[NodeId],
    proposed: Option<&Proposed>,
) -> (Vec<Vec<NodeId>>, Vec<(NodeId, Reason)>) {
    let mut nodes: BTreeMap<NodeId, NodeRun> =
        order.iter().map(|id| (*id, NodeRun::default())).collect();
    let (mut not_up, mut down) = (BTreeMap::new(), BTreeSet::new());
    for id in topology.ids() {
        let status = topology.node(id).status;
        if !status.is_up_normal() {
            not_up.insert(id, Some(status));
        }
        if status.liveness == Liveness::Down {
            down.insert(id);
        }
    }
    let mut outs = guard.nobody_out();
    let mut apart = Apart::default();
    let (mut waves, mut waiting) = (Vec::new(), order.to_vec());
    if policy.observes() && policy.ignore_down_nodes {
        waiting.retain(|id| !down.contains(id));
    }
    loop {
        outs.update(guard, &not_up, &down, BTreeMap::new());
        let mut occupied = Occupied::new(topology, policy, guard, &nodes, proposed, &mut apart, 0);
        let first_down = waiting.iter().copied().find(|id| policy.observes() && down.contains(id));
        let (mut wave, mut held) = (Vec::new(), Vec::new());
        for node in &waiting {
            let reason = match first_down {
                Some(first) if first != *node => Some(Reason::DownFirst(first)),
                Some(_) => None,
                None => occupied.holds(*node),
            };
            let guarded = || match may_start(topology, guard, &outs, *node) {
                Verdict::Admit => None,
                Verdict::Hold(reason) => Some(reason),
            };
            match reason.or_else(guarded) {
                Some(reason) => held.push((*node, reason)),
                None => {
                    occupied.occupy(*node);
                    outs.put_out(guard, *node, OutCause::Job(Phase::Running));
                    wave.push(*node);
                }
            }
        }
        if wave.is_empty() {
            return (waves, held);
        }
        for node in &wave {
            not_up.remove(node);
            down.remove(node);
            if let Some(run) = nodes.get_mut(node) {
                run.phase = Phase::Done;
            }
        }
        waiting.retain(|id| !wave.contains(id));
        waves.push(wave);
        if waiting.is_empty() {
            return (waves, Vec::new());
        }
    }
}

impl Waves {
    /// The best schedule that is found, over several orders; see [`Waves::order`].
    pub fn plan(
        topology: &Topology,
        guard: &Guard,
        policy: &Policy,
        targets: &BTreeSet<NodeId>,
    ) -> Self {
        crate::order::best(topology, guard, policy, targets)
    }

    /// The schedule of these groups of a strategy's component, or why it can't be one.
    pub fn of_groups(
        topology: &Topology,
        guard: &Guard,
        policy: &Policy,
        targets: &BTreeSet<NodeId>,
        groups: Vec<crate::Group>,
    ) -> (Self, Proposed) {
        let phase = |id: NodeId| targets.contains(&id).then_some(Phase::Waiting);
        let proposed = Proposed::checked(groups, topology, phase);
        let named: Vec<NodeId> =
            proposed.groups.iter().flat_map(|group| group.nodes.iter().copied()).collect();
        let known: BTreeSet<NodeId> = named.iter().copied().collect();
        let order: Vec<NodeId> =
            named.iter().copied().chain(targets.difference(&known).copied()).collect();
        let (waves, held) = play(topology, guard, policy, &order, Some(&proposed));
        let bound =
            Bound { waves: proposed.groups.len(), limit: Limit::Groups(proposed.groups.len()) };
        (Self { order, waves, held, bound }, proposed)
    }

    /// A word for what is left, where not everything runs.
    pub fn cause_left(&self) -> Option<StopCause> {
        (!self.held.is_empty()).then_some(StopCause::Stuck)
    }
}

/// The fewest waves that any order needs.
pub(crate) fn bound(
    topology: &Topology,
    guard: &Guard,
    policy: &Policy,
    targets: &BTreeSet<NodeId>,
    conflicts: &Conflicts,
) -> Bound {
    let is_down = |id: &&NodeId| topology.node(**id).status.liveness == Liveness::Down;
    let down = targets.iter().filter(is_down).count();
    let down = if policy.observes() && !policy.ignore_down_nodes { down } else { 0 };
    let up = targets.iter().filter(|id| !is_down(id)).copied();
    let mut centers: BTreeMap<&DataCenter, BTreeSet<NodeId>> = BTreeMap::new();
    for id in up {
        centers.entry(&topology.node(id).data_center).or_default().insert(id);
    }
    let bounds: Vec<Bound> =
        centers.iter().map(|(dc, nodes)| of_center(guard, policy, dc, nodes, conflicts)).collect();
    let all: usize = centers.values().map(BTreeSet::len).sum();
    let most = bounds.iter().max_by_key(|bound| bound.waves).cloned();
    let mut whole = most.unwrap_or(Bound { waves: 0, limit: Limit::Nothing });
    if !policy.dc_parallel {
        whole.waves = bounds.iter().map(|bound| bound.waves).sum();
    }
    if let Some(n) = policy.max_concurrency {
        let waves = all.div_ceil(n as usize);
        if waves > whole.waves {
            whole = Bound { waves, limit: Limit::Concurrency(n) };
        }
    }
    if down > whole.waves {
        whole.limit = Limit::DownFirst(down);
    }
    whole.waves += down;
    whole
}

fn of_center(
    guard: &Guard,
    policy: &Policy,
    center: &DataCenter,
    nodes: &BTreeSet<NodeId>,
    conflicts: &Conflicts,
) -> Bound {
    let mut best = Bound { waves: usize::from(!nodes.is_empty()), limit: Limit::Nothing };
    let mut offer = |waves: usize, limit: &dyn Fn() -> Limit| {
        if waves > best.waves {
            best = Bound { waves, limit: limit() };
        }
    };
    if policy.strategy == Strategy::One {
        offer(nodes.len(), &|| Limit::OneAtATime(center.clone()));
    }
    let apart = policy.strategy == Strategy::Topology;
    if policy.guards() || apart {
        for set in guard.sets.numbers() {
            let head = guard.sets.head(set);
            let targets = guard.sets.members(set).iter().filter(|id| nodes.contains(id)).count();
            let bears = match head.members().saturating_sub(head.need) {
                _ if apart => 1,
                0 => 1,
                slack => usize::from(slack),
            };
            let family = guard.sets.family(set);
            offer(targets.div_ceil(bears), &|| Limit::Replicas {
                keyspace: family.keyspaces[0].clone(),
                data_center: family.data_center.clone(),
                targets,
                bears,
            });
        }
    }
    let clique = conflicts.clique(nodes);
    offer(clique.len(), &|| Limit::Together {
        nodes: clique.len(),
        data_center: center.clone(),
        keyspace: conflicts.keyspace(guard, &clique),
    });
    if let Some(cap) = guard.cap(center).filter(|cap| policy.guards() && *cap > 0) {
        let targets = nodes.len();
        offer(targets.div_ceil(cap), &|| Limit::MaxOut {
            data_center: center.clone(),
            targets,
            cap,
        });
    }
    best
}
