//! All tokens of a cluster and who owns them.
use crate::{NodeId, Token};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// All tokens with their owners, ascending. Joining nodes' tokens are among them: they own nothing
/// yet, see [`Topology::ranges`](crate::Topology::ranges).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRing {
    owned: Vec<(Token, NodeId)>,
    replaced: Vec<Replacement>,
}

/// A joining node that takes the place of a dead one: `ring` shows the dead one's tokens as its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The node that still counts as the owner.
    pub dead: NodeId,
    /// The joining node.
    pub by: NodeId,
}

impl TokenRing {
    /// Sorts the tokens. One that is given twice is the error.
    pub fn new(mut owned: Vec<(Token, NodeId)>, replaced: Vec<Replacement>) -> Result<Self, Token> {
        owned.sort_unstable();
        match owned.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(pair[0].0.clone()),
            None => Ok(Self { owned, replaced }),
        }
    }

    /// Tokens and owners as `ring` shows them, ascending.
    pub fn owned(&self) -> &[(Token, NodeId)] {
        &self.owned
    }

    /// Dead nodes that are being replaced.
    pub fn replaced(&self) -> &[Replacement] {
        &self.replaced
    }

    /// Changes the nodes' numbers.
    pub(crate) fn renumber(&mut self, number: impl Fn(&mut NodeId)) {
        self.owned.iter_mut().for_each(|(_, id)| number(id));
        for replacement in &mut self.replaced {
            number(&mut replacement.dead);
            number(&mut replacement.by);
        }
    }

    /// The place of a token, if a node has it.
    pub(crate) fn place(&self, token: &Token) -> Option<u32> {
        self.owned.binary_search_by(|(known, _)| known.cmp(token)).ok().map(|place| place as u32)
    }

    /// Who counts as the owner of a token that `ring` shows at a node.
    pub(crate) fn owner(&self, shown: NodeId) -> NodeId {
        self.replaced.iter().find(|r| r.by == shown).map_or(shown, |r| r.dead)
    }
}
