//! What `rack` proposes.
use quorate_sdk::{Args, Failure, Group, Proposal, StrategyManifest, StrategyView};
use std::collections::BTreeMap;

/// What `rack` says of itself.
pub fn manifest() -> StrategyManifest {
    quorate_sdk::strategy_manifest(
        "rack",
        env!("CARGO_PKG_VERSION"),
        "One rack at a time, data center after data center",
    )
}

/// A group for each rack that has waiting nodes, in order of data center and rack. A rack with nodes on
/// their way comes before all others, so that it is finished before another is begun. Where nothing of
/// it waits any more it can't be named, and only the guard keeps its last nodes apart from the next rack's.
///
/// # Errors
/// None; the signature is that of every strategy.
pub fn propose(view: &StrategyView, _: &Args) -> Result<Proposal, Failure> {
    let mut racks: BTreeMap<(&str, &str), Rack> = BTreeMap::new();
    for node in &view.nodes {
        let rack = racks.entry((&node.data_center, &node.rack)).or_default();
        rack.begun |= matches!(node.phase.as_str(), "running" | "confirming");
        if node.is_waiting() {
            rack.waiting.push(node.id);
        }
    }
    let mut racks: Vec<Rack> =
        racks.into_values().filter(|rack| !rack.waiting.is_empty()).collect();
    racks.sort_by_key(|rack| !rack.begun);
    let groups = racks.into_iter().map(|rack| Group { nodes: rack.waiting, ..Group::default() });
    Ok(Proposal { groups: groups.collect() })
}

#[derive(Default)]
struct Rack {
    /// A node of it runs or is unconfirmed.
    begun: bool,
    waiting: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_sdk::{
        StrategyNode,
        testing::{args, target, view},
    };

    fn proposed(nodes: impl IntoIterator<Item = StrategyNode>) -> Vec<Vec<u32>> {
        let proposal = propose(&view(nodes), &args([])).unwrap();
        for group in &proposal.groups {
            assert_eq!((group.max_out, group.pause_after), (None, false));
        }
        proposal.groups.into_iter().map(|group| group.nodes).collect()
    }

    fn in_phase(phase: &str, node: StrategyNode) -> StrategyNode {
        StrategyNode { phase: phase.into(), ..node }
    }

    #[test]
    fn every_rack_is_a_group_in_order_of_data_center_and_rack() {
        let nodes = [
            target(0, "dc2", "r1"),
            target(1, "dc1", "r2"),
            target(2, "dc1", "r1"),
            target(3, "dc2", "r1"),
            target(4, "dc1", "r1"),
        ];
        // Racks of two data centers are two racks, whatever they are called.
        assert_eq!(proposed(nodes), [vec![2, 4], vec![1], vec![0, 3]]);
    }

    #[test]
    fn only_nodes_that_wait_are_proposed() {
        let nodes = ["done", "skipped", "failed", "running", "confirming", "a newer word"];
        let nodes = (0..).zip(nodes).map(|(id, phase)| in_phase(phase, target(id, "dc1", "r1")));
        let waiting = [target(6, "dc1", "r1"), target(7, "dc1", "r2")];
        assert_eq!(proposed(nodes.clone().chain(waiting)), [vec![6], vec![7]]);
        assert_eq!(proposed(nodes), Vec::<Vec<u32>>::new());
        assert_eq!(proposed([]), Vec::<Vec<u32>>::new());
    }

    #[test]
    fn a_rack_that_is_begun_comes_first() {
        for phase in ["running", "confirming"] {
            let nodes = [
                target(0, "dc1", "r1"),
                in_phase(phase, target(1, "dc1", "r2")),
                target(2, "dc1", "r2"),
            ];
            assert_eq!(proposed(nodes), [vec![2], vec![0]]);
        }
        // One that has been, and isn't any more, has no right of way.
        let nodes = [
            target(0, "dc1", "r1"),
            in_phase("done", target(1, "dc1", "r2")),
            target(2, "dc1", "r2"),
        ];
        assert_eq!(proposed(nodes), [vec![0], vec![2]]);
    }
}
