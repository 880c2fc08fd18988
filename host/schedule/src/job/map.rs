//! A new map of the cluster, and a new proposal of the strategy's component.
use super::{Effect, Job, Phase};
use crate::{Group, Guard, Proposed, Round, SchemaView, StopCause, Strategy, Transition, observe};
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};
use quorate_ring::{KeyspaceName, NodeId, Topology};

/// How many nodes are tried for a new map.
const READERS: usize = 3;

impl Job {
    /// Compares what a round shows with what the map was made from.
    pub(super) fn compare(&mut self, round: &Round, now: u64) {
        let views = || round.views.iter().filter(|view| !self.is_own(round, view.observer));
        let differs = |shape: &_| self.topology.shape.difference(shape);
        let strange = views().find_map(|view| Some((view.observer, differs(&view.shape)?)));
        let known = |version: &String| self.topology.schema_versions.contains_key(version);
        let schema = round.schema.iter().flat_map(|schema| schema.versions.keys());
        let new_version = schema.filter(|version| !known(version)).min();
        let name = |id: NodeId| self.topology.node(id).address;
        // Its nodes had several versions when it was read: which keyspaces it shows is chance.
        let before = |release: &String| self.schema_before.get(release).copied().unwrap_or(1);
        let counts = SchemaView::of(&self.topology).counts();
        let unsettled = counts.iter().any(|(release, count)| *count > before(release).max(1));
        let (why, agreed) = match (strange, new_version) {
            (Some((observer, address)), _) => {
                let shape = views().find(|view| view.observer == observer).map(|v| &v.shape);
                let agreed = views().all(|view| Some(&view.shape) == shape);
                let what = match agreed {
                    true => format!("{address} changed its place in the ring"),
                    false => format!("{} shows {address} otherwise than others", name(observer)),
                };
                (what, agreed)
            }
            (None, Some(version)) => {
                (format!("the schema changed, its version is {version}"), true)
            }
            (None, None) if unsettled => {
                ("the schema hadn't settled when it was read".into(), true)
            }
            (None, None) if round.schema.is_none() => {
                ("nobody told the schema's version".into(), false)
            }
            (None, None) => {
                if !self.reading_map {
                    self.outdated = None;
                    self.leave_gone(now);
                }
                return;
            }
        };
        self.outdated = Some(why);
        if agreed && !self.reading_map {
            self.reading_map = true;
            let unfit = &self.out() | &self.state.down;
            let readers = observe::observers(&self.topology, &unfit, self.rounds, READERS);
            self.effects.push_back(Effect::ReadMap(readers));
        }
    }

    /// A node that waits may be fresh and know but a part of the ring.
    fn is_own(&self, round: &Round, observer: NodeId) -> bool {
        round.selves.iter().any(|own| own.node == observer)
    }

    pub(super) fn mapped(&mut self, topology: Topology, now: u64) {
        self.reading_map = false;
        self.outdated = None;
        let topology = topology.renumbered(&self.topology);
        let exposed = self.exposed(&topology);
        self.step(Transition::Mapped(topology.clone().into()), now);
        self.topology = topology;
        self.ready = None;
        // What was seen was seen of the old ring.
        self.seen = None;
        if let Some(keyspace) = exposed {
            self.stop(StopCause::Exposed(keyspace), now);
        }
        self.propose();
    }

    /// A keyspace that bears no node out in any order and did before this map, if there is one and nobody
    /// has accepted it: whoever was told of the others hasn't been told of it.
    fn exposed(&self, topology: &Topology) -> Option<String> {
        if !self.policy.guards() {
            return None;
        }
        let of = |topology: &Topology| -> BTreeSet<(String, String)> {
            let guard = Guard::new(topology, &self.policy);
            let costly = guard.bears_none().into_iter().filter(|(family, _)| !family.accepted);
            costly
                .flat_map(|(family, _)| {
                    let place = family.data_center.as_ref().map(ToString::to_string);
                    let place = place.unwrap_or_default();
                    let pair = move |name: &KeyspaceName| (name.to_string(), place.clone());
                    family.keyspaces.iter().map(pair).collect::<Vec<_>>()
                })
                .collect()
        };
        let (before, now) = (of(&self.topology), of(topology));
        now.difference(&before).next().map(|(keyspace, _)| keyspace.clone())
    }

    /// Nodes that the map hasn't any more, once a look agrees with it: they aren't waited for.
    fn leave_gone(&mut self, now: u64) {
        let left: Vec<NodeId> = self
            .topology
            .gone
            .iter()
            .copied()
            .filter(|id| {
                let run = self.state.nodes.get(id);
                run.is_some_and(|r| r.phase == Phase::Waiting || r.out && r.phase != Phase::Running)
            })
            .collect();
        for node in left {
            self.watched.remove(&node);
            self.step(Transition::LeftCluster { node }, now);
        }
    }

    /// Asks the strategy's component, if there is one; once at a time.
    pub(super) fn propose(&mut self) {
        if self.policy.strategy != Strategy::Component {
            return;
        }
        self.propose_again = self.proposing;
        if !self.proposing {
            self.proposing = true;
            self.effects.push_back(Effect::Propose);
        }
    }

    /// Asks again after a node has ended or is back, where the component wants that.
    pub(super) fn propose_if_dynamic(&mut self) {
        if self.policy.strategy_is_dynamic {
            self.propose();
        }
    }

    pub(super) fn proposal(&mut self, answer: Result<Vec<Group>, String>, now: u64) {
        self.proposing = false;
        match answer {
            Ok(groups) => {
                let phase = |id: NodeId| self.state.nodes.get(&id).map(|run| run.phase);
                let proposed = Proposed::checked(groups, &self.topology, phase);
                self.step(Transition::Proposed(proposed), now);
                if self.propose_again {
                    self.propose();
                }
            }
            Err(why) => self.stop(StopCause::Strategy(why.to_string()), now),
        }
    }

    /// Stops where the strategy's component asks for a pause after a group that has ended.
    pub(super) fn pause_between_groups(&mut self, now: u64) {
        let Some(proposed) = &self.state.proposed else { return };
        let open = |id: &NodeId| {
            let phase = self.state.nodes.get(id).map(|run| run.phase);
            matches!(phase, Some(Phase::Waiting | Phase::Running | Phase::Confirming))
        };
        let left = self.state.nodes.values().any(|run| run.phase == Phase::Waiting);
        if self.state.pauses_first && left && self.active().next().is_none() {
            self.stop(StopCause::GroupDone(1), now);
            return;
        }
        let ended = |group: &Group| !group.nodes.iter().any(open);
        let before = proposed.groups.iter().take_while(|group| ended(group)).count();
        let pause = proposed.groups[..before].iter().rposition(|group| group.pause_after);
        if let Some(place) = pause.filter(|place| left && *place + 1 == before) {
            self.stop(StopCause::GroupDone(place as u32 + 1), now);
        }
    }
}
