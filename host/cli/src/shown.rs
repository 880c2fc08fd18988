//! One job as it is shown: its view, what waits, and the newest output of its nodes.
use crate::watch::complain;
use quorate_journal::{JobView, Record, Stamped};
use quorate_ports::Stream;
use quorate_ring::NodeId;
use quorate_views::{Glance, OutputLine, OutputLines};
use std::collections::BTreeMap;

/// One job.
pub(crate) struct Shown {
    pub(crate) view: JobView,
    pub(crate) glance: Glance,
    lines: BTreeMap<(NodeId, bool), OutputLines>,
}

impl Shown {
    pub(crate) fn new(view: JobView) -> Self {
        Self { view, glance: Glance::default(), lines: BTreeMap::new() }
    }

    pub(crate) fn apply(&mut self, record: &Stamped) {
        if let Err(error) = self.view.apply(record) {
            complain(&format!("the journal can't be shown: {error}"));
        }
    }

    /// Complete lines of a node's output; the newest is remembered for the board.
    pub(crate) fn lines_of(
        &mut self,
        node: NodeId,
        stream: Stream,
        skipped: usize,
        bytes: &[u8],
    ) -> Vec<OutputLine> {
        let key = (node, stream == Stream::Stderr);
        let lines = self.lines.entry(key).or_default().push(skipped, bytes);
        if let Some(last) = lines.iter().rev().find(|line| !line.text.trim().is_empty()) {
            self.glance.last_lines.insert(node, last.printable());
        }
        lines
    }

    /// What an action that has ended printed without a last line end.
    pub(crate) fn rest(&mut self, record: &Stamped) -> Vec<(NodeId, Stream, OutputLine)> {
        let Record::Finished { node, .. } = &record.record else { return Vec::new() };
        let ended = |stream| {
            let lines = self.lines.remove(&(*node, stream == Stream::Stderr))?;
            Some((*node, stream, lines.end()?))
        };
        [Stream::Stdout, Stream::Stderr].into_iter().filter_map(ended).collect()
    }

    /// Lines that a node printed, as they are said.
    pub(crate) fn output_lines(
        &self,
        node: NodeId,
        skipped: usize,
        lines: &[OutputLine],
    ) -> Vec<String> {
        let key = self.view.key(node);
        let mut said = Vec::new();
        if skipped > 0 {
            let job = &self.view.created.job;
            said.push(format!("{key} | … {skipped} bytes left out here: quorate logs {job} {key}"));
        }
        said.extend(lines.iter().map(|line| format!("{key} | {}", line.printable())));
        said
    }

    /// The node that so many steps lead to.
    pub(crate) fn moved(&self, picked: Option<NodeId>, step: i32) -> Option<NodeId> {
        let ids: Vec<_> = self.view.job.nodes().keys().copied().collect();
        let place = picked.and_then(|node| ids.iter().position(|id| *id == node));
        let next = match place {
            None if step > 0 => 0,
            None => ids.len().checked_sub(1)?,
            Some(place) => (place as i64 + i64::from(step)).rem_euclid(ids.len() as i64) as usize,
        };
        ids.get(next).copied()
    }
}
