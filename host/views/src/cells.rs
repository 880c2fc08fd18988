//! One character per node: cstar's where cstar has one.
use crate::paint::Hue;
use quorate_journal::JobView;
use quorate_ring::NodeId;
use quorate_schedule::Phase;

/// A node on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its character.
    pub character: char,
    pub(crate) hue: Hue,
}

/// The legend of all characters.
pub(crate) const LEGEND: &str =
    "+ done  * running  ~ confirming  ! failed  s skipped  . waiting   down: - / : X";

/// The cell of a node; a node that is no target is a blank.
pub fn cell(view: &JobView, node: NodeId) -> Cell {
    let Some(run) = view.job.nodes().get(&node) else {
        return Cell { character: ' ', hue: Hue::Quiet };
    };
    // While the job has it out, gossip's word on the node says nothing new.
    let down = view.job.not_up().contains_key(&node) && !run.out;
    let (character, hue) = match (run.phase, down) {
        (Phase::Waiting, false) => ('.', Hue::Quiet),
        (Phase::Waiting, true) => (':', Hue::Bad),
        (Phase::Running, false) => ('*', Hue::Active),
        (Phase::Running, true) => ('/', Hue::Active),
        (Phase::Confirming, _) => ('~', Hue::Settling),
        (Phase::Done, false) => ('+', Hue::Good),
        (Phase::Done, true) => ('-', Hue::Bad),
        (Phase::Skipped, _) => ('s', Hue::Quiet),
        (Phase::Failed, false) if !run.out => ('!', Hue::Bad),
        (Phase::Failed, _) => ('X', Hue::Bad),
    };
    Cell { character, hue }
}
