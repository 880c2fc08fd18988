//! Where tokens are on the ring, and how much of it a node has.
use quorate_ring::{DataCenter, Mode, NodeId, Token, Topology};
use std::collections::BTreeMap;

/// The tokens that a data center's nodes own, ascending: those of nodes that join own nothing yet, those of a
/// node that is being replaced are still its own.
pub(crate) fn owned_in<'a>(topology: &'a Topology, dc: &DataCenter) -> Vec<(&'a Token, NodeId)> {
    let owner = |shown: NodeId| {
        let replaced = topology.ring.replaced().iter().find(|r| r.by == shown);
        let owner = replaced.map_or(shown, |replacement| replacement.dead);
        let joins = replaced.is_none() && topology.node(owner).status.mode == Mode::Joining;
        (!joins && topology.node(owner).data_center == *dc).then_some(owner)
    };
    let owned = topology.ring.owned().iter();
    owned.filter_map(|(token, shown)| Some((token, owner(*shown)?))).collect()
}

/// Where these tokens are on the ring, from 0 to 1; none under a partitioner whose tokens have no distance.
pub(crate) fn places(owned: &[(&Token, NodeId)]) -> Option<Vec<f64>> {
    let place = |(token, _): &(&Token, NodeId)| match token {
        // From -2^63 on.
        Token::Number(number) => Some((*number as f64 + 2_f64.powi(63)) / 2_f64.powi(64)),
        Token::Large(number) => Some(*number as f64 / 2_f64.powi(127)),
        Token::Bytes(_) => None,
    };
    owned.iter().map(place).collect()
}

/// Each owner's part of the data center's ring: of the ranges between the tokens of its nodes. Those of all
/// nodes are 1 together.
pub(super) fn shares(topology: &Topology, dc: &DataCenter) -> Option<BTreeMap<NodeId, f64>> {
    let owned = owned_in(topology, dc);
    let places = places(&owned)?;
    let mut shares = BTreeMap::new();
    let mut before = places.last().map_or(0.0, |last| last - 1.0);
    for (place, (_, id)) in places.into_iter().zip(owned) {
        *shares.entry(id).or_default() += place - before;
        before = place;
    }
    Some(shares)
}
