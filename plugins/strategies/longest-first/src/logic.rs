//! What `longest-first` proposes.
use quorate_sdk::{Args, Failure, Group, Proposal, StrategyManifest, StrategyNode, StrategyView};
use std::cmp::Reverse;

/// What `longest-first` says of itself.
pub fn manifest() -> StrategyManifest {
    quorate_sdk::strategy_manifest(
        "longest-first",
        env!("CARGO_PKG_VERSION"),
        "Nodes that took longest the last time begin first",
    )
}

/// One group: the longest first, so that no long one is left alone at the end. A node of which no
/// duration is known may be the longest of all, so it comes before those. Equal ones keep their order.
///
/// # Errors
/// None; the signature is that of every strategy.
pub fn propose(view: &StrategyView, _: &Args) -> Result<Proposal, Failure> {
    let mut nodes: Vec<&StrategyNode> =
        view.nodes.iter().filter(|node| node.is_waiting()).collect();
    nodes.sort_by_key(|node| Reverse(node.past_duration_ms.unwrap_or(u64::MAX)));
    let nodes: Vec<u32> = nodes.into_iter().map(|node| node.id).collect();
    let groups = match nodes.is_empty() {
        true => Vec::new(),
        false => vec![Group { nodes, ..Group::default() }],
    };
    Ok(Proposal { groups })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_sdk::testing::{args, target, view};

    fn took(id: u32, past_duration_ms: Option<u64>) -> StrategyNode {
        StrategyNode { past_duration_ms, ..target(id, "dc1", "r1") }
    }

    #[test]
    fn the_longest_is_first_and_an_unknown_one_before_it() {
        let nodes =
            [took(0, Some(500)), took(1, Some(90_000)), took(2, None), took(3, Some(2_000))];
        let proposal = propose(&view(nodes), &args([])).unwrap();
        assert_eq!(proposal.groups, [Group { nodes: vec![2, 1, 3, 0], ..Group::default() }]);
    }

    #[test]
    fn equal_ones_keep_their_order() {
        let nodes = [took(5, Some(1)), took(3, None), took(4, Some(1)), took(1, None)];
        let proposal = propose(&view(nodes), &args([])).unwrap();
        assert_eq!(proposal.groups[0].nodes, [3, 1, 5, 4]);
    }

    #[test]
    fn only_nodes_that_wait_are_proposed() {
        let running = StrategyNode { phase: "running".into(), ..took(0, Some(9)) };
        let done = StrategyNode { phase: "done".into(), ..took(1, None) };
        let nodes = [running.clone(), took(2, Some(1)), done.clone()];
        let proposal = propose(&view(nodes), &args([])).unwrap();
        assert_eq!(proposal.groups[0].nodes, [2]);
        let nothing = propose(&view([running, done]), &args([])).unwrap();
        assert_eq!(nothing.groups, []);
    }
}
