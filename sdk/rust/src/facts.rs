//! Questions about a node's facts.
use quorate_contract::NodeFacts;

/// What commands ask of [`NodeFacts`].
pub trait NodeFactsExt {
    /// Whether gossip shows the node up (`U` in `nodetool status`), whatever it does in the ring.
    fn is_up(&self) -> bool;
}

impl NodeFactsExt for NodeFacts {
    fn is_up(&self) -> bool {
        self.state.0.starts_with('U')
    }
}
