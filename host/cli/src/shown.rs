//! One job as it is shown: its view, what waits, and the newest output of its nodes.
use crate::watch::say;
use quorate_journal::{JobView, Record, Stamped};
use quorate_ports::Stream;
use quorate_ring::NodeId;
use quorate_views::Glance;
use std::collections::BTreeMap;

/// A line that is longer is shown in pieces.
const LONGEST_LINE: usize = 16 << 10;

/// One job.
pub(crate) struct Shown {
    pub(crate) view: JobView,
    pub(crate) glance: Glance,
    partial: BTreeMap<(NodeId, bool), String>,
}

impl Shown {
    pub(crate) fn new(view: JobView) -> Self {
        Self { view, glance: Glance::default(), partial: BTreeMap::new() }
    }

    pub(crate) fn apply(&mut self, record: &Stamped) {
        if let Err(error) = self.view.apply(record) {
            say(&format!("the journal can't be shown: {error}"));
        }
    }

    /// Complete lines of a node's output; the newest is remembered for the board.
    pub(crate) fn lines_of(
        &mut self,
        node: NodeId,
        stream: Stream,
        skipped: usize,
        bytes: &[u8],
    ) -> Vec<String> {
        let partial = self.partial.entry((node, stream == Stream::Stderr)).or_default();
        if skipped > 0 {
            // The line that began before what is left out isn't the one that ends after it.
            partial.clear();
        }
        partial.push_str(&String::from_utf8_lossy(bytes));
        let end = match partial.rfind('\n') {
            Some(end) => end + 1,
            None if partial.len() > LONGEST_LINE => partial.len(),
            None => return Vec::new(),
        };
        let rest = partial.split_off(end);
        let lines: Vec<String> = std::mem::replace(partial, rest)
            .lines()
            .map(|line| line.chars().filter(|c| !c.is_control() || *c == '\t').collect())
            .collect();
        if let Some(last) = lines.iter().rev().find(|line| !line.trim().is_empty()) {
            self.glance.last_lines.insert(node, last.clone());
        }
        lines
    }

    /// What an action that has ended printed without a last line end.
    pub(crate) fn rest(&mut self, record: &Stamped) -> Vec<String> {
        let Record::Finished { node, .. } = &record.record else { return Vec::new() };
        let mut lines = Vec::new();
        for errors in [false, true] {
            let rest = self.partial.remove(&(*node, errors)).unwrap_or_default();
            if !rest.is_empty() {
                let rest = rest.chars().filter(|c| !c.is_control()).collect();
                lines.extend(self.output_lines(*node, 0, &[rest]));
            }
        }
        lines
    }

    /// Lines that a node printed, as they are said.
    pub(crate) fn output_lines(
        &self,
        node: NodeId,
        skipped: usize,
        lines: &[String],
    ) -> Vec<String> {
        let key = self.view.key(node);
        let mut said = Vec::new();
        if skipped > 0 {
            let job = &self.view.created.job;
            said.push(format!("{key} | … {skipped} bytes left out here: quorate logs {job} {key}"));
        }
        said.extend(lines.iter().map(|line| format!("{key} | {line}")));
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
