//! The state of every node over simulated time: data in (orders, the time), happenings out. No I/O and no clock in here.
use std::sync::Arc;
use std::time::Duration;

use crate::happening::Happening;
use crate::judge::Judge;
use crate::members::Member;
use crate::spec::{FreshView, Timings};

/// Where the process of a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It doesn't run.
    Down,
    /// Launched, not yet up.
    Starting,
    /// Up in its own view.
    Up,
    /// Being drained.
    Draining,
    /// Drained; the process runs and serves nobody.
    Drained,
    /// Told to stop.
    Stopping,
}

/// One entry of the history: when (since the start of the simulation), which node, what.
pub type Entry = (Duration, usize, Happening);

/// What one node shows of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) node: usize,
    pub(crate) up: bool,
}

/// The changing part of one node.
#[derive(Debug)]
pub(crate) struct NodeState {
    pub(crate) phase: Phase,
    /// When the phase began.
    since: Duration,
    /// When it ends by itself.
    until: Option<Duration>,
    /// Unix time of the launch, always higher than before.
    pub(crate) generation: u64,
    launched: Duration,
    uptime_before: Duration,
    /// A replica that answers its peers.
    live: bool,
    /// What the peers show, and when that changes.
    pub(crate) seen_up: bool,
    seen_up_at: Option<Duration>,
    seen_down_at: Option<Duration>,
    /// The last shutdown was announced to the peers.
    pub(crate) announced: bool,
    serving: bool,
    serving_at: Option<Duration>,
    /// While set, only the own data center is known.
    fresh_until: Option<Duration>,
    // Faults and settings.
    pub(crate) never_comes_back: bool,
    pub(crate) start_takes: Option<Duration>,
    pub(crate) native_off: bool,
    pub(crate) other_schema: bool,
    pub(crate) pending_compactions: usize,
    pub(crate) compaction_throughput: u64,
}

/// All nodes.
#[derive(Debug)]
pub(crate) struct Cluster {
    members: Arc<[Member]>,
    timings: Timings,
    fresh_view: FreshView,
    /// Unix time at the start of the simulation.
    epoch_s: u64,
    nodes: Vec<NodeState>,
    judge: Judge,
    history: Vec<Entry>,
}

impl Cluster {
    /// Every node is up and has been for a day or so.
    pub(crate) fn new(
        members: Arc<[Member]>,
        timings: Timings,
        fresh_view: FreshView,
        epoch_s: u64,
        judge: Judge,
    ) -> Self {
        let nodes = (0..members.len() as u64)
            .map(|number| {
                let uptime_s = 86_400 - number * 37 % 3600;
                NodeState {
                    phase: Phase::Up,
                    since: Duration::ZERO,
                    until: None,
                    generation: epoch_s.saturating_sub(uptime_s),
                    launched: Duration::ZERO,
                    uptime_before: Duration::from_secs(uptime_s),
                    live: true,
                    seen_up: true,
                    seen_up_at: None,
                    seen_down_at: None,
                    announced: false,
                    serving: true,
                    serving_at: None,
                    fresh_until: None,
                    never_comes_back: false,
                    start_takes: None,
                    native_off: false,
                    other_schema: false,
                    pending_compactions: 0,
                    compaction_throughput: 64,
                }
            })
            .collect();
        Self { members, timings, fresh_view, epoch_s, nodes, judge, history: Vec::new() }
    }

    pub(crate) fn node(&self, node: usize) -> &NodeState {
        &self.nodes[node]
    }

    pub(crate) fn node_mut(&mut self, node: usize) -> &mut NodeState {
        &mut self.nodes[node]
    }

    pub(crate) fn history(&self) -> &[Entry] {
        &self.history
    }

    pub(crate) const fn judge(&self) -> &Judge {
        &self.judge
    }

    pub(crate) fn note(&mut self, at: Duration, node: usize, what: Happening) {
        self.history.push((at, node, what));
    }

    /// When something happens by itself next.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.nodes.iter().filter_map(NodeState::next_deadline).min()
    }

    /// Lets everything happen that is due at `now`, each at its own time.
    pub(crate) fn advance(&mut self, now: Duration) {
        loop {
            let next = self
                .nodes
                .iter()
                .enumerate()
                .filter_map(|(node, state)| Some((state.next_deadline()?, node)))
                .min();
            match next {
                Some((at, node)) if at <= now => self.due(at, node),
                _ => return,
            }
        }
    }

    fn due(&mut self, at: Duration, node: usize) {
        let state = &mut self.nodes[node];
        let due = |deadline: &mut Option<Duration>| {
            deadline.take_if(|deadline| *deadline <= at).is_some()
        };
        if due(&mut state.until) {
            self.phase_over(at, node);
        } else if due(&mut state.seen_down_at) {
            state.seen_up = false;
            self.note(at, node, Happening::SeenDown);
        } else if due(&mut state.seen_up_at) {
            state.seen_up = true;
            state.live = true;
            self.judge.turned(at, node, true);
            self.note(at, node, Happening::SeenUp);
        } else if due(&mut state.serving_at) {
            state.serving = true;
            self.note(at, node, Happening::Serving);
        } else if due(&mut state.fresh_until) {
            self.note(at, node, Happening::ViewComplete);
        }
    }

    fn phase_over(&mut self, at: Duration, node: usize) {
        let timings = self.timings;
        let state = &mut self.nodes[node];
        let (phase, what) = match state.phase {
            Phase::Draining => (Phase::Drained, Happening::Drained),
            Phase::Stopping => (Phase::Down, Happening::Stopped),
            Phase::Starting if state.never_comes_back => (Phase::Down, Happening::StartFailed),
            Phase::Starting => {
                state.seen_down_at = None;
                state.announced = false;
                state.seen_up_at = Some(at + timings.gossip_up);
                state.serving_at = Some(at + timings.gossip_up + timings.native_after_up);
                state.fresh_until = Some(at + timings.fresh_view);
                (Phase::Up, Happening::Up)
            }
            steady @ (Phase::Down | Phase::Up | Phase::Drained) => (steady, Happening::Up),
        };
        state.phase = phase;
        state.since = at;
        self.note(at, node, what);
    }

    fn enter(
        &mut self,
        at: Duration,
        node: usize,
        phase: Phase,
        takes: Option<Duration>,
        what: Happening,
    ) {
        let state = &mut self.nodes[node];
        state.phase = phase;
        state.since = at;
        state.until = takes.map(|takes| at + takes);
        self.note(at, node, what);
    }

    /// It no longer answers anybody; its peers notice after `lag`, or earlier where they were about to.
    fn leave_service(&mut self, at: Duration, node: usize, lag: Duration) {
        let state = &mut self.nodes[node];
        state.live = false;
        state.serving = false;
        state.serving_at = None;
        state.seen_up_at = None;
        state.fresh_until = None;
        if state.seen_up {
            let noticed = at + lag;
            state.seen_down_at =
                Some(state.seen_down_at.map_or(noticed, |earlier| earlier.min(noticed)));
        }
        self.judge.turned(at, node, false);
    }

    /// Begins a drain; `false` where nothing runs that could be drained.
    pub(crate) fn drain(&mut self, at: Duration, node: usize) -> bool {
        match self.nodes[node].phase {
            Phase::Up => {
                self.nodes[node].announced = true;
                self.leave_service(at, node, self.timings.announced_down);
                self.enter(
                    at,
                    node,
                    Phase::Draining,
                    Some(self.timings.drain),
                    Happening::DrainStarted,
                );
                true
            }
            Phase::Draining | Phase::Drained => true,
            Phase::Down | Phase::Starting | Phase::Stopping => false,
        }
    }

    /// Begins a stop; nothing to do where the process doesn't run.
    pub(crate) fn stop(&mut self, at: Duration, node: usize) {
        match self.nodes[node].phase {
            Phase::Up | Phase::Draining | Phase::Drained | Phase::Starting => {
                self.nodes[node].announced = true;
                self.leave_service(at, node, self.timings.announced_down);
                self.enter(
                    at,
                    node,
                    Phase::Stopping,
                    Some(self.timings.stop),
                    Happening::StopStarted,
                );
            }
            Phase::Down | Phase::Stopping => {}
        }
    }

    /// Launches the process where none runs.
    pub(crate) fn start(&mut self, at: Duration, node: usize) {
        if self.nodes[node].phase != Phase::Down {
            return;
        }
        let state = &mut self.nodes[node];
        state.generation = (self.epoch_s + at.as_secs()).max(state.generation + 1);
        state.launched = at;
        state.uptime_before = Duration::ZERO;
        let takes = state.start_takes.unwrap_or(self.timings.start);
        self.enter(at, node, Phase::Starting, Some(takes), Happening::StartStarted);
    }

    /// The process dies at once, and nobody is told.
    pub(crate) fn kill(&mut self, at: Duration, node: usize) {
        if self.nodes[node].phase == Phase::Down {
            return;
        }
        self.leave_service(at, node, self.timings.gossip_down);
        self.enter(at, node, Phase::Down, None, Happening::Killed);
    }

    /// What `observer` shows, in the order of the nodes; itself is always there.
    pub(crate) fn view(&self, observer: usize) -> Vec<Seen> {
        let fresh = self.nodes[observer].fresh_until.is_some();
        let own_dc = &self.members[observer].dc;
        let seen = |(node, state): (usize, &NodeState)| {
            let up = node == observer || state.seen_up;
            if fresh && self.members[node].dc != *own_dc {
                return (self.fresh_view == FreshView::Down).then_some(Seen { node, up: false });
            }
            Some(Seen { node, up })
        };
        self.nodes.iter().enumerate().filter_map(seen).collect()
    }

    /// Whether a message from another node would be answered now.
    pub(crate) fn answers(&self, node: usize) -> bool {
        self.nodes[node].live
    }
}

impl NodeState {
    fn next_deadline(&self) -> Option<Duration> {
        [self.until, self.seen_up_at, self.seen_down_at, self.serving_at, self.fresh_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether clients are served.
    pub(crate) const fn serves_clients(&self) -> bool {
        self.serving && !self.native_off
    }

    /// Seconds since the launch.
    pub(crate) fn uptime_s(&self, now: Duration) -> u64 {
        (self.uptime_before + now.saturating_sub(self.launched)).as_secs()
    }

    /// The management port of a starting node opens some time before the node can answer.
    pub(crate) fn management_port_open(&self, now: Duration) -> bool {
        match self.phase {
            Phase::Down | Phase::Stopping => false,
            Phase::Starting => {
                self.until.is_some_and(|until| (now - self.since) * 4 >= until - self.since)
            }
            Phase::Up | Phase::Draining | Phase::Drained => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::members::members;
    use crate::placement::place;
    use crate::spec::SimSpec;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn cluster(spec: &SimSpec) -> Cluster {
        let members: Arc<[Member]> =
            members(spec, &vec![Ipv4Addr::LOCALHOST; spec.node_count()]).into();
        let held: Vec<_> =
            spec.keyspaces.iter().map(|keyspace| place(&members, &keyspace.replication)).collect();
        let judge = Judge::new(&members, &spec.keyspaces, &held);
        Cluster::new(members, Timings::fast(), spec.fresh_view, 1_800_000_000, judge)
    }

    fn what(cluster: &Cluster) -> Vec<(u128, Happening)> {
        cluster.history().iter().map(|(at, _, what)| (at.as_millis(), *what)).collect()
    }

    #[test]
    fn a_graceful_restart_passes_through_every_phase_at_its_time() {
        use Happening::{
            DrainStarted, Drained, SeenDown, SeenUp, Serving, StartStarted, StopStarted, Stopped,
            Up, ViewComplete,
        };
        let mut cluster = cluster(&SimSpec::uniform(1, 3, 1));
        let before = cluster.node(0).generation;
        assert!(cluster.drain(ms(0), 0));
        cluster.advance(ms(20));
        cluster.stop(ms(20), 0);
        cluster.advance(ms(40));
        cluster.start(ms(40), 0);
        cluster.advance(ms(1000));
        let expected = [
            (0, DrainStarted),
            (10, SeenDown),
            (20, Drained),
            (20, StopStarted),
            (40, Stopped),
            (40, StartStarted),
            (80, Up),
            (110, SeenUp),
            (130, Serving),
            (140, ViewComplete),
        ];
        assert_eq!(what(&cluster), expected);
        assert!(cluster.node(0).generation > before);
        assert_eq!(cluster.node(0).uptime_s(ms(3040)), 3);
        assert!(cluster.judge().losses().is_empty());
        assert_eq!(cluster.next_deadline(), None);
    }

    #[test]
    fn peers_show_a_killed_node_as_up_until_they_notice() {
        let mut cluster = cluster(&SimSpec::uniform(1, 3, 1));
        cluster.kill(ms(0), 0);
        cluster.advance(ms(199));
        assert!(cluster.view(1)[0].up);
        assert!(!cluster.answers(0));
        cluster.advance(ms(200));
        assert!(!cluster.view(1)[0].up);
    }

    #[test]
    fn a_node_that_is_back_before_its_death_was_noticed_never_looked_down() {
        let mut cluster = cluster(&SimSpec::uniform(1, 3, 1));
        cluster.kill(ms(0), 0);
        cluster.start(ms(1), 0);
        cluster.advance(ms(60));
        assert!(cluster.view(1)[0].up);
        assert!(!cluster.answers(0), "up in gossip, but not answering its peers yet");
        cluster.advance(ms(1000));
        assert!(cluster.answers(0));
        assert!(!what(&cluster).iter().any(|(_, what)| *what == Happening::SeenDown));
    }

    #[test]
    fn killed_twice_it_is_noticed_at_the_first_time() {
        let mut cluster = cluster(&SimSpec::uniform(1, 3, 1));
        cluster.kill(ms(0), 0);
        cluster.start(ms(100), 0);
        cluster.kill(ms(120), 0);
        cluster.advance(ms(199));
        assert!(cluster.view(1)[0].up);
        cluster.advance(ms(200));
        assert!(!cluster.view(1)[0].up);
    }

    #[test]
    fn a_fresh_node_knows_its_own_data_center_only() {
        let mut spec = SimSpec::uniform(2, 3, 1);
        for (fresh_view, shown) in [(FreshView::Absent, 3), (FreshView::Down, 6)] {
            spec.fresh_view = fresh_view;
            let mut cluster = cluster(&spec);
            cluster.kill(ms(0), 0);
            cluster.start(ms(0), 0);
            cluster.advance(ms(40));
            let view = cluster.view(0);
            assert_eq!(view.len(), shown);
            assert!(view.iter().all(|seen| seen.up == (seen.node < 3)));
            cluster.advance(ms(100));
            assert_eq!(cluster.view(0).iter().filter(|seen| seen.up).count(), 6);
        }
    }

    #[test]
    fn a_start_that_fails_leaves_the_node_down() {
        let mut cluster = cluster(&SimSpec::uniform(1, 3, 1));
        cluster.node_mut(0).never_comes_back = true;
        cluster.stop(ms(0), 0);
        cluster.advance(ms(20));
        cluster.start(ms(20), 0);
        cluster.advance(ms(1000));
        assert_eq!(cluster.node(0).phase, Phase::Down);
        assert_eq!(what(&cluster).last(), Some(&(60, Happening::StartFailed)));
    }

    #[test]
    fn two_racks_out_at_once_are_a_loss_even_while_gossip_says_up() {
        let mut cluster = cluster(&SimSpec::uniform(1, 3, 1));
        cluster.stop(ms(0), 0);
        cluster.advance(ms(20));
        cluster.start(ms(20), 0);
        // Up in its own view at 60, in the peers' at 90: a second node that leaves in between is too early.
        cluster.advance(ms(80));
        assert_eq!(cluster.node(0).phase, Phase::Up);
        cluster.stop(ms(80), 1);
        assert_eq!(cluster.judge().losses().len(), 1);
        assert_eq!(cluster.judge().max_down("dc1"), 2);
    }
}
