//! What `canary` proposes.
use quorate_sdk::{
    Args, ArgumentKind, Failure, Group, Proposal, StrategyManifest, StrategyNode, StrategyView,
    argument,
};

/// What `canary` says of itself.
pub fn manifest() -> StrategyManifest {
    StrategyManifest {
        arguments: vec![
            argument(
                "first",
                ArgumentKind::Text,
                "The node that runs alone and first; where it isn't given, the first that waits",
            ),
            argument("pause", ArgumentKind::Flag, "Stop after that node; continue goes on"),
        ],
        ..quorate_sdk::strategy_manifest(
            "canary",
            env!("CARGO_PKG_VERSION"),
            "One node, then the rest of its rack, then all others",
        )
    }
}

/// Three groups: the canary, what else waits in its rack, what else waits. A canary that has had its
/// turn isn't chosen again, and no second one beside it: then the first group is left out, and its
/// pause with it.
///
/// # Errors
/// `first` is no target of the job, or an argument is of another type.
pub fn propose(view: &StrategyView, args: &Args) -> Result<Proposal, Failure> {
    let pause_after = args.flag("pause")?;
    let canary = match args.text("first")? {
        Some(key) => Some(named(view, key)?),
        None => first(view),
    };
    let Some(canary) = canary else { return Ok(Proposal::default()) };
    let mut groups =
        [Group { pause_after, ..Group::default() }, Group::default(), Group::default()];
    for node in view.nodes.iter().filter(|node| node.is_waiting()) {
        let rack = node.data_center == canary.data_center && node.rack == canary.rack;
        let place = match (node.id == canary.id, rack) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        groups[place].nodes.push(node.id);
    }
    let groups = groups.into_iter().filter(|group| !group.nodes.is_empty()).collect();
    Ok(Proposal { groups })
}

fn named<'a>(view: &'a StrategyView, key: &str) -> Result<&'a StrategyNode, Failure> {
    view.nodes
        .iter()
        .find(|node| node.key == key)
        .ok_or_else(|| Failure::usage(format!("--first {key}: the job has no such target")))
}

/// The first node that is on its way or done: the canary of an earlier call, for views keep their order.
/// Else the first that waits. A node that was skipped or failed shows nothing, so another has to.
fn first(view: &StrategyView) -> Option<&StrategyNode> {
    let begun =
        |node: &&StrategyNode| matches!(node.phase.as_str(), "running" | "confirming" | "done");
    let nodes = || view.nodes.iter();
    nodes().find(begun).or_else(|| nodes().find(|node| node.is_waiting()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_sdk::testing::{args, target, view};
    use serde_json::json;

    /// Two racks in each of two data centers, whose racks have the same names.
    fn nodes() -> Vec<StrategyNode> {
        let racks = [("dc1", "r1"), ("dc1", "r2"), ("dc2", "r1"), ("dc1", "r1"), ("dc2", "r1")];
        (0..).zip(racks).map(|(id, (dc, rack))| target(id, dc, rack)).collect()
    }

    fn with(phases: &[(usize, &str)]) -> StrategyView {
        let mut nodes = nodes();
        for (place, phase) in phases {
            nodes[*place].phase = (*phase).into();
        }
        view(nodes)
    }

    fn groups(view: &StrategyView, args: &Args) -> Vec<(Vec<u32>, bool)> {
        let groups = propose(view, args).unwrap().groups.into_iter();
        groups
            .map(|group| {
                assert_eq!(group.max_out, None);
                (group.nodes, group.pause_after)
            })
            .collect()
    }

    #[test]
    fn one_node_then_its_rack_then_the_rest() {
        let expected = [(vec![0], false), (vec![3], false), (vec![1, 2, 4], false)];
        assert_eq!(groups(&with(&[]), &args([])), expected);
    }

    #[test]
    fn the_first_node_can_be_named() {
        let given = args([("first", json!("n2"))]);
        let expected = [(vec![2], false), (vec![4], false), (vec![0, 1, 3], false)];
        assert_eq!(groups(&with(&[]), &given), expected);
        let failure = propose(&with(&[]), &args([("first", json!("n9"))])).unwrap_err();
        assert_eq!(failure, Failure::usage("--first n9: the job has no such target"));
    }

    #[test]
    fn a_pause_comes_after_the_first_node_and_only_there() {
        let given = args([("pause", json!(true))]);
        let expected = [(vec![0], true), (vec![3], false), (vec![1, 2, 4], false)];
        assert_eq!(groups(&with(&[]), &given), expected);
        // The job goes on after the pause.
        let expected = [(vec![3], false), (vec![1, 2, 4], false)];
        assert_eq!(groups(&with(&[(0, "done")]), &given), expected);
    }

    #[test]
    fn a_canary_that_had_its_turn_is_the_canary_still() {
        for phase in ["running", "confirming", "done"] {
            let expected = [(vec![3], false), (vec![1, 2, 4], false)];
            assert_eq!(groups(&with(&[(0, phase)]), &args([])), expected, "{phase}");
        }
        let given = args([("first", json!("n2"))]);
        let expected = [(vec![0, 1, 3], false)];
        assert_eq!(groups(&with(&[(2, "done"), (4, "running")]), &given), expected);
    }

    #[test]
    fn a_node_that_was_skipped_or_failed_is_no_canary() {
        for phase in ["skipped", "failed"] {
            let expected = [(vec![1], false), (vec![2, 3, 4], false)];
            assert_eq!(groups(&with(&[(0, phase)]), &args([])), expected, "{phase}");
        }
    }

    #[test]
    fn where_nothing_waits_nothing_is_proposed() {
        let all = [(0, "done"), (1, "failed"), (2, "skipped"), (3, "running"), (4, "confirming")];
        assert_eq!(groups(&with(&all), &args([])), []);
        let skipped = [0, 1, 2, 3, 4].map(|place| (place, "skipped"));
        assert_eq!(groups(&with(&skipped), &args([])), []);
        assert_eq!(groups(&view([]), &args([])), []);
    }
}
