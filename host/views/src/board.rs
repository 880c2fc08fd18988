//! The board: the whole job on one screen.
use crate::{
    Paint,
    cells::{LEGEND, cell},
    lines::{self, health},
    paint::Hue,
    tables::{Progress, progress},
    time::duration,
};
use quorate_journal::{JobView, Level};
use quorate_ring::{NodeId, parse::is_unprintable};
use quorate_schedule::{Outcome, Phase, Reason};
use std::collections::BTreeMap;

/// What is known of a running job beside its journal.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// Per node the last line that it printed.
    pub last_lines: BTreeMap<NodeId, String>,
    /// Why waiting nodes wait.
    pub holds: Vec<(NodeId, Reason)>,
}

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Colours or none.
    pub paint: Paint,
    /// The node that is picked, if one is.
    pub picked: Option<NodeId>,
}

/// A job in one line, beside another's board.
pub fn board_summary(view: &JobView) -> String {
    let created = &view.created;
    format!("{}  {}  {}", created.job, created.topology.cluster, counts(&progress(view)))
}

fn counts(sum: &Progress) -> String {
    let text = format!(
        "{} of {} over: {} done, {} failed, {} skipped; {} running, {} confirming, {} waiting",
        sum.done + sum.skipped + sum.failed,
        sum.targets,
        sum.done,
        sum.failed,
        sum.skipped,
        sum.running,
        sum.confirming,
        sum.waiting
    );
    match sum.skipped {
        0 => text.replace(", 0 skipped", ""),
        _ => text,
    }
}

impl Board {
    /// The board's lines, at most `height` of them, none wider than `width`. `now` is milliseconds
    /// since 1970.
    pub fn draw(&self, view: &JobView, glance: &Glance, now: u64) -> Vec<String> {
        let mut lines = vec![self.head(view), self.quiet(LEGEND), String::new()];
        let foot = self.foot(view, now);
        let detail = self.picked.map(|node| self.detail(view, glance, node, now));
        let detail = detail.unwrap_or_default();
        // The grid goes first, but leaves room for the counts and a few lines of what matters.
        let reserved = lines.len() + foot.len() + detail.len() + 4;
        let room = self.height.saturating_sub(reserved).max(1);
        let mut grid = self.grid(view);
        if grid.len() > room {
            let hidden = grid.len() - room + 1;
            grid.truncate(room - 1);
            grid.push(self.quiet(&format!("… {hidden} more lines: a larger window shows them")));
        }
        lines.append(&mut grid);
        lines.push(String::new());
        lines.extend(foot);
        lines.extend(detail);
        let room = self.height.saturating_sub(lines.len());
        lines.extend(self.now(view, glance, now, room));
        lines.truncate(self.height);
        lines
    }

    fn cut(&self, text: &str) -> String {
        let clean = text.chars().map(|c| if is_unprintable(c) { ' ' } else { c });
        if text.chars().count() <= self.width {
            return clean.collect();
        }
        let kept: String = clean.take(self.width.saturating_sub(1)).collect();
        format!("{kept}…")
    }

    /// One line; or two where it is too long and has a second half, which says who is out.
    fn in_two(&self, text: &str) -> Vec<String> {
        match text.rsplit_once("; ").filter(|_| text.chars().count() > self.width) {
            Some((first, second)) => vec![self.cut(first), self.cut(&format!("    {second}"))],
            None => vec![self.cut(text)],
        }
    }

    fn quiet(&self, text: &str) -> String {
        self.paint.with(Hue::Quiet, &self.cut(text))
    }

    fn head(&self, view: &JobView) -> String {
        let created = &view.created;
        let text =
            format!("{}  {}  {}", created.job, created.topology.cluster, created.command.summary);
        self.paint.with(Hue::Strong, &self.cut(&text))
    }

    /// Per data center its racks, one character a node, wrapped under the data center's name.
    fn grid(&self, view: &JobView) -> Vec<String> {
        let topology = view.job.topology();
        let names = topology.data_centers().iter().map(|dc| dc.as_str().chars().count()).max();
        let indent = names.unwrap_or(0).min(20) + 2;
        let mut lines = Vec::new();
        let mut current: Option<(&str, &str)> = None;
        let (mut line, mut used) = (String::new(), 0);
        for id in topology.in_order() {
            let node = topology.node(id);
            let place = (node.data_center.as_str(), node.rack.as_str());
            if current.map(|(dc, _)| dc) != Some(place.0) {
                if current.is_some() {
                    lines.push(std::mem::take(&mut line));
                }
                let name: String = place.0.chars().take(indent - 2).collect();
                line = format!("{name:<indent$}");
                used = indent;
            }
            let width = place.1.chars().count().min(20) + 3;
            let new_rack = current != Some(place);
            if used + if new_rack { width } else { 1 } > self.width {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
                used = indent;
            }
            if new_rack {
                let rack: String = place.1.chars().take(20).collect();
                let gap = if used > indent { "  " } else { "" };
                line.push_str(gap);
                line.push_str(&self.paint.with(Hue::Quiet, &rack));
                line.push(' ');
                used += gap.len() + rack.chars().count() + 1;
                current = Some(place);
            }
            let cell = cell(view, id);
            let hue = if self.picked == Some(id) { Hue::Picked } else { cell.hue };
            line.push_str(&self.paint.with(hue, &cell.character.to_string()));
            used += 1;
        }
        lines.push(line);
        lines
    }

    fn foot(&self, view: &JobView, now: u64) -> Vec<String> {
        let sum = progress(view);
        let over = sum.done + sum.skipped + sum.failed;
        let elapsed = now.saturating_sub(view.created_at);
        let text = counts(&sum);
        let mut time = format!("{} elapsed", duration(elapsed));
        // What runs counts as half done.
        let active = sum.running + sum.confirming;
        let (done, left) = (2 * over + active, 2 * sum.waiting + active);
        if over > 0 && left > 0 && view.job.end().is_none() {
            let left = elapsed * left as u64 / done as u64;
            let rate = over as f64 * 60_000.0 / elapsed.max(1) as f64;
            time.push_str(&format!(", about {} left, {rate:.1} nodes a minute", duration(left)));
        }
        if let Some(cause) = view.job.stopping() {
            time.push_str(&format!("; no further node is started: {cause}"));
        }
        vec![self.cut(&text), self.cut(&time)]
    }

    /// What runs, what isn't confirmed, what failed, what holds the next start, the newest messages.
    /// Where the room is short, what runs gives way.
    fn now(&self, view: &JobView, glance: &Glance, now: u64, room: usize) -> Vec<String> {
        let mut matters = self.failures(view);
        matters.extend(self.holds(view, glance));
        matters.extend(self.messages(view));
        let mut lines = self.active(view, glance, now);
        let room = room.saturating_sub(matters.len() + 1).max(2);
        if lines.len() > room {
            let hidden = lines.len() - room + 1;
            lines.truncate(room - 1);
            lines.push(self.quiet(&format!("  … {hidden} more run or are being confirmed")));
        }
        lines.insert(0, String::new());
        lines.append(&mut matters);
        lines
    }

    fn active(&self, view: &JobView, glance: &Glance, now: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for (node, run) in view.job.nodes() {
            let since = |at: Option<u64>| duration(now.saturating_sub(at.unwrap_or(now)));
            let (mark, text) = match run.phase {
                Phase::Running => {
                    let doing = view.progress.get(node).map_or("running", String::as_str);
                    let action = view.actions.get(node).filter(|a| a.close.is_none());
                    let waits =
                        action.is_none() && (run.gate.is_some() || run.healthy_at.is_some());
                    let more = match glance.last_lines.get(node) {
                        _ if waits => format!(": {}", health(view, run, now)),
                        Some(last) => format!("  {last}"),
                        None => String::new(),
                    };
                    ('*', format!("{doing} {}{more}", since(run.started_at)))
                }
                Phase::Confirming => {
                    let time = since(run.ended_at);
                    ('~', format!("confirming {time}: {}", health(view, run, now)))
                }
                _ => continue,
            };
            lines.push(self.cut(&format!("{mark} {}  {text}", view.key(*node))));
        }
        lines
    }

    fn failures(&self, view: &JobView) -> Vec<String> {
        let failed = view.job.nodes().iter().filter(|(_, run)| run.phase == Phase::Failed);
        let line = |node: NodeId| format!("! {}  {}", view.key(node), failure(view, node));
        failed.map(|(node, _)| self.cut(&line(*node))).collect()
    }

    /// The first waiting node of each data center, and why it waits.
    fn holds(&self, view: &JobView, glance: &Glance) -> Vec<String> {
        let topology = view.job.topology();
        let (mut lines, mut centers) = (Vec::new(), Vec::new());
        for (node, reason) in &glance.holds {
            let dc = &topology.node(*node).data_center;
            if !centers.contains(&dc) {
                centers.push(dc);
                let text = format!(". {}  waits: {}", view.key(*node), reason.text(topology));
                lines.extend(self.in_two(&text));
            }
        }
        lines
    }

    fn messages(&self, view: &JobView) -> Vec<String> {
        let mut lines = Vec::new();
        for message in view.messages.iter().rev().filter(|m| m.level > Level::Debug).take(3) {
            let node = message.node.map(|n| format!("{}  ", view.key(n))).unwrap_or_default();
            lines.push(self.quiet(&format!("  {node}{}", message.text)));
        }
        lines
    }

    /// The picked node.
    fn detail(&self, view: &JobView, glance: &Glance, node: NodeId, now: u64) -> Vec<String> {
        let place = view.job.topology().node(node);
        let mut text = format!("> {}  {} {}", view.key(node), place.data_center, place.rack);
        if let Some(run) = view.job.nodes().get(&node) {
            text.push_str(&format!("  {}", run.phase.word()));
            if let Some(start) = run.started_at {
                let end = run.confirmed_at.or(run.ended_at).unwrap_or(now);
                text.push_str(&format!(" {}", duration(end.saturating_sub(start))));
            }
        }
        let hold = glance.holds.iter().find(|(id, _)| *id == node);
        let last = match hold {
            Some((_, reason)) => format!("  waits: {}", reason.text(view.job.topology())),
            None => glance.last_lines.get(&node).map(|l| format!("  {l}")).unwrap_or_default(),
        };
        let ended = view.job.nodes().get(&node).and_then(|run| run.outcome.as_ref());
        let last = match ended {
            Some(Outcome::Done(text) | Outcome::Skipped(text)) => format!("  {text}"),
            Some(Outcome::Failed { .. }) => format!("  {}", failure(view, node)),
            None => last,
        };
        vec![self.cut(&text), self.cut(&last)]
    }
}

fn failure(view: &JobView, node: NodeId) -> String {
    let run = &view.job.nodes()[&node];
    let out = if run.out { ", still out" } else { "" };
    match &run.outcome {
        Some(Outcome::Failed { code, message }) => {
            format!("{}{out}", lines::failure(code, message))
        }
        _ => {
            let gate = run.gate.as_ref().map(|gate| gate.text(view.job.topology()));
            format!("its time was over{out}: {}", gate.unwrap_or_default())
        }
    }
}
