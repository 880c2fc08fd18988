//! The board on a terminal: drawn in place, with keys.
use crate::{
    screen::{Key, Screen},
    signals::{Asked, Signals},
    watch::{Events, Watch, say},
};
use quorate_journal::JobView;
use quorate_ports::{Clock, Stream};
use quorate_ring::{NodeId, parse::is_unprintable};
use quorate_runner::{Live, Stop};
use quorate_store::output_path;
use quorate_views::{Board, Paint, board_summary};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Pause between two drawings of the board.
const FRAME: Duration = Duration::from_millis(100);
/// Several boards are drawn one above the other where each gets so many lines; else one, and a line for each other.
const ENOUGH: usize = 14;

/// The board of one job, or of several.
pub(crate) struct BoardFace<C> {
    watch: Watch<C>,
    screen: Screen,
    paint: Paint,
    /// The job that keys are for.
    focus: usize,
    picked: Option<NodeId>,
    /// The output that is read instead.
    reading: Option<Stream>,
}

impl<C: Clock> BoardFace<C> {
    pub(crate) fn new(watch: Watch<C>, screen: Screen, paint: Paint) -> Self {
        Self { watch, screen, paint, focus: 0, picked: None, reading: None }
    }

    /// Draws until the runners have ended.
    pub(crate) async fn run(mut self, mut events: Events) -> Vec<JobView> {
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut signals = Signals::new();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    None => break,
                    Some((place, event)) => self.take(place, event),
                },
                _ = frames.tick() => {
                    let lines = match (self.picked, self.reading) {
                        (Some(node), Some(stream)) => self.output_page(node, stream),
                        _ => self.page(),
                    };
                    self.screen.draw(&lines);
                }
                key = self.screen.key() => self.pressed(key),
                asked = signals.next() => match asked {
                    Asked::Interrupt => drop(self.watch.asked_to_stop()),
                    Asked::Terminate => drop(self.watch.told_to_end()),
                },
            }
        }
        self.close()
    }

    fn take(&mut self, place: usize, event: Live) {
        let job = &mut self.watch.jobs[place];
        match event {
            Live::Record(record) => job.apply(&record),
            Live::Output { node, stream, skipped, bytes } => {
                job.lines_of(node, stream, skipped, &bytes);
            }
            Live::Holds(holds) => job.glance.holds = holds,
        }
    }

    fn pressed(&mut self, key: Key) {
        match (key, self.picked) {
            (Key::Interrupt, _) => {
                self.watch.asked_to_stop();
            }
            (Key::Output, Some(_)) if self.reading.is_none() => {
                self.reading = Some(Stream::Stdout);
            }
            (Key::Errors, Some(_)) => self.reading = Some(Stream::Stderr),
            (Key::Output | Key::Back, _) if self.reading.is_some() => self.reading = None,
            (Key::Back, _) => self.picked = None,
            (Key::Move(step), _) => {
                self.picked = self.watch.jobs[self.focus].moved(self.picked, step);
            }
            (Key::Next, _) if self.watch.jobs.len() > 1 => {
                self.focus = (self.focus + 1) % self.watch.jobs.len();
                (self.picked, self.reading) = (None, None);
            }
            _ => {}
        }
    }

    /// Leaves the boards as they are at the end on the terminal.
    fn close(mut self) -> Vec<JobView> {
        let (width, height) = self.screen.size();
        self.screen.close();
        let now = self.watch.clock.now();
        for job in &self.watch.jobs {
            let board = Board { width, height, paint: self.paint, picked: None };
            let last = board.draw(&job.view, &job.glance, now);
            let written = last.iter().rposition(|line| !line.is_empty()).map_or(0, |end| end + 1);
            last[..written].iter().for_each(|line| say(line));
        }
        self.watch.views()
    }

    fn page(&self) -> Vec<String> {
        let (width, height) = self.screen.size();
        let room = height.saturating_sub(1);
        let mut lines = self.boards(width, room);
        lines.resize(room, String::new());
        let mut keys = match (*self.watch.stop.borrow(), self.picked) {
            (Stop::No, None) => "arrows: pick a node   Ctrl-C: start no further node",
            (Stop::No, Some(_)) => "arrows: another node   l: its output   e: its errors   Esc",
            _ => "starting no further node; Ctrl-C again leaves at once   arrows, l, e, Esc",
        }
        .to_owned();
        if self.watch.jobs.len() > 1 {
            keys.push_str("   Tab: next cluster");
        }
        lines.push(keys.chars().take(width).collect());
        lines
    }

    /// All boards one above the other, or that of the keys with a line for each of the others.
    fn boards(&self, width: usize, room: usize) -> Vec<String> {
        let now = self.watch.clock.now();
        let jobs = &self.watch.jobs;
        let stacked = room / jobs.len() >= ENOUGH || jobs.len() == 1;
        let height = match stacked {
            true => room / jobs.len(),
            false => room.saturating_sub(jobs.len() - 1),
        };
        let mut lines = Vec::new();
        for (place, job) in jobs.iter().enumerate() {
            let focused = place == self.focus;
            if !stacked && !focused {
                lines.push(board_summary(&job.view).chars().take(width).collect());
                continue;
            }
            let picked = self.picked.filter(|_| focused);
            let board = Board { width, height, paint: self.paint, picked };
            let mut drawn = board.draw(&job.view, &job.glance, now);
            drawn.resize(height, String::new());
            lines.append(&mut drawn);
        }
        lines
    }

    /// The end of a node's output, as much as fits.
    fn output_page(&self, node: NodeId, stream: Stream) -> Vec<String> {
        let (width, height) = self.screen.size();
        let job = &self.watch.jobs[self.focus];
        let key = job.view.key(node);
        let path = output_path(&self.watch.home, &job.view.created.job, key, stream);
        let text = tail(&path, 64 << 10);
        let clean = |line: &str| -> String {
            line.chars().filter(|c| !is_unprintable(*c)).take(width).collect()
        };
        let mut all: Vec<String> = text.lines().map(clean).collect();
        if all.is_empty() {
            let over = job.view.job.nodes()[&node].ended_at.is_some();
            all.push(if over { "(it printed nothing here)" } else { "(nothing yet)" }.into());
        }
        let from = all.len().saturating_sub(height.saturating_sub(2));
        let mut lines = vec![clean(&format!("{key}  {}", path.display()))];
        lines.extend_from_slice(&all[from..]);
        lines.resize(height.saturating_sub(1), String::new());
        lines.push(clean("l or Esc: back to the board   e: standard error   arrows: another node"));
        lines
    }
}

/// The last bytes of a file, from the first whole line on.
fn tail(path: &std::path::Path, most: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        if length > most {
            let line = bytes.iter().position(|b| *b == b'\n').map_or(0, |end| end + 1);
            bytes.drain(..line);
        }
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("({error})"),
    }
}
