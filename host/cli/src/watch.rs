//! Showing a running job: plain lines or the board, and what a person asks for meanwhile.
use crate::{
    args::{Colour, ShowArgs},
    connect::{gather_notices, release_notices},
    screen::{Key, Screen},
};
use quorate_journal::JobView;
use quorate_ports::{Clock, Stream};
use quorate_ring::NodeId;
use quorate_runner::{Live, Stop};
use quorate_store::{Home, output_path};
use quorate_views::{Board, Glance, Paint, event_line, waiting_lines};
use std::{
    collections::BTreeMap,
    env,
    io::{IsTerminal, Write, stderr, stdout},
    sync::OnceLock,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

/// Pause between two drawings of the board.
const FRAME: Duration = Duration::from_millis(100);
/// A line that is longer is shown in pieces.
const LONGEST_LINE: usize = 16 << 10;
/// Without a board, what waits is said again after so long without a line.
const REMINDER: Duration = Duration::from_secs(60);

/// Whether the board is drawn, and in which colours.
pub(crate) fn face(show: &ShowArgs) -> (bool, Paint) {
    let terminal = stdout().is_terminal();
    let board = terminal && !show.plain && env::var_os("TERM").is_none_or(|term| term != "dumb");
    let colour = match show.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    (board, if colour { Paint::Colour } else { Paint::Plain })
}

/// Shows the job until the runner has ended; gives the job as it is then.
pub(crate) struct Watch<C> {
    pub(crate) view: JobView,
    pub(crate) home: Home,
    pub(crate) show: ShowArgs,
    pub(crate) stop: watch::Sender<Stop>,
    pub(crate) clock: C,
    pub(crate) glance: Glance,
    pub(crate) partial: BTreeMap<(NodeId, bool), String>,
}

impl<C: Clock> Watch<C> {
    pub(crate) fn new(
        view: JobView,
        home: Home,
        show: ShowArgs,
        stop: watch::Sender<Stop>,
        clock: C,
    ) -> Self {
        let (glance, partial) = (Glance::default(), BTreeMap::new());
        Self { view, home, show, stop, clock, glance, partial }
    }

    pub(crate) async fn run(self, live: mpsc::UnboundedReceiver<Live>) -> JobView {
        let (board, paint) = face(&self.show);
        if board {
            match Screen::open() {
                Ok(screen) => {
                    gather_notices();
                    let view = self.run_board(live, screen, paint).await;
                    release_notices();
                    return view;
                }
                Err(error) => say(&format!("no board: {error}")),
            }
        }
        self.run_plain(live).await
    }

    async fn run_plain(mut self, mut live: mpsc::UnboundedReceiver<Live>) -> JobView {
        let mut reminder = interval(Duration::from_secs(1));
        reminder.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut spoken = Instant::now();
        let mut signals = Signals::new();
        loop {
            tokio::select! {
                event = live.recv() => match event {
                    None => return self.view,
                    Some(Live::Record(record)) => {
                        self.apply(&record);
                        self.say_rest(&record);
                        if let Some(line) = event_line(&self.view, &record, self.show.verbose) {
                            say(&line);
                            spoken = Instant::now();
                        }
                    }
                    Some(Live::Output { node, stream, skipped, bytes }) => {
                        let lines = self.lines_of(node, stream, skipped, &bytes);
                        if self.show.verbose > 0 {
                            self.say_output(node, skipped, &lines);
                            spoken = Instant::now();
                        }
                    }
                    Some(Live::Holds(holds)) => self.glance.holds = holds,
                },
                _ = reminder.tick() => if spoken.elapsed() >= REMINDER {
                    for line in waiting_lines(&self.view, self.clock.now()) {
                        say(&line);
                    }
                    spoken = Instant::now();
                },
                asked = signals.next() => match asked {
                    Asked::Interrupt => say(&self.asked_to_stop()),
                    Asked::Terminate => say(&self.told_to_end()),
                },
            }
        }
    }

    async fn run_board(
        mut self,
        mut live: mpsc::UnboundedReceiver<Live>,
        mut screen: Screen,
        paint: Paint,
    ) -> JobView {
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut signals = Signals::new();
        let (mut picked, mut reading) = (None, None);
        loop {
            tokio::select! {
                event = live.recv() => match event {
                    None => break,
                    Some(Live::Record(record)) => self.apply(&record),
                    Some(Live::Output { node, stream, skipped, bytes }) => {
                        self.lines_of(node, stream, skipped, &bytes);
                    }
                    Some(Live::Holds(holds)) => self.glance.holds = holds,
                },
                _ = frames.tick() => {
                    let lines = match reading {
                        Some((node, stream)) => self.output_page(&screen, node, stream),
                        None => self.page(&screen, paint, picked),
                    };
                    screen.draw(&lines);
                }
                key = screen.key() => match (key, picked) {
                    (Key::Interrupt, _) => {
                        self.asked_to_stop();
                    }
                    (Key::Output, Some(node)) if reading.is_none() => {
                        reading = Some((node, Stream::Stdout));
                    }
                    (Key::Errors, Some(node)) => reading = Some((node, Stream::Stderr)),
                    (Key::Output | Key::Back, _) if reading.is_some() => reading = None,
                    (Key::Back, _) => picked = None,
                    (Key::Move(step), _) => {
                        picked = self.moved(picked, step);
                        reading = picked.zip(reading.map(|(_, stream)| stream));
                    }
                    _ => {}
                },
                asked = signals.next() => match asked {
                    Asked::Interrupt => drop(self.asked_to_stop()),
                    Asked::Terminate => drop(self.told_to_end()),
                },
            }
        }
        let (width, height) = screen.size();
        screen.close();
        let board = Board { width, height, paint, picked: None };
        let last = board.draw(&self.view, &self.glance, self.clock.now());
        let written = last.iter().rposition(|line| !line.is_empty()).map_or(0, |end| end + 1);
        for line in &last[..written] {
            say(line);
        }
        self.view
    }

    fn apply(&mut self, record: &quorate_journal::Stamped) {
        if let Err(error) = self.view.apply(record) {
            say(&format!("the journal can't be shown: {error}"));
        }
    }

    fn page(&self, screen: &Screen, paint: Paint, picked: Option<NodeId>) -> Vec<String> {
        let (width, height) = screen.size();
        let board = Board { width, height: height.saturating_sub(1), paint, picked };
        let mut lines = board.draw(&self.view, &self.glance, self.clock.now());
        lines.resize(height.saturating_sub(1), String::new());
        let keys = match (*self.stop.borrow(), picked) {
            (Stop::No, None) => "arrows: pick a node   Ctrl-C: start no further node",
            (Stop::No, Some(_)) => "arrows: another node   l: its output   e: its errors   Esc",
            _ => "starting no further node; Ctrl-C again leaves at once   arrows, l, e, Esc",
        };
        lines.push(keys.chars().take(width).collect());
        lines
    }

    /// The end of a node's output, as much as fits.
    fn output_page(&self, screen: &Screen, node: NodeId, stream: Stream) -> Vec<String> {
        let (width, height) = screen.size();
        let key = self.view.key(node);
        let path = output_path(&self.home, &self.view.created.job, key, stream);
        let text = tail(&path, 64 << 10);
        let clean = |line: &str| -> String {
            line.chars().filter(|c| !c.is_control()).take(width).collect()
        };
        let mut all: Vec<String> = text.lines().map(clean).collect();
        if all.is_empty() {
            let over = self.view.job.nodes()[&node].ended_at.is_some();
            all.push(if over { "(it printed nothing here)" } else { "(nothing yet)" }.into());
        }
        let from = all.len().saturating_sub(height.saturating_sub(2));
        let mut lines = vec![clean(&format!("{key}  {}", path.display()))];
        lines.extend_from_slice(&all[from..]);
        lines.resize(height.saturating_sub(1), String::new());
        lines.push(clean("l or Esc: back to the board   e: standard error   arrows: another node"));
        lines
    }

    fn moved(&self, picked: Option<NodeId>, step: i32) -> Option<NodeId> {
        let ids: Vec<_> = self.view.job.nodes().keys().copied().collect();
        let place = picked.and_then(|node| ids.iter().position(|id| *id == node));
        let next = match place {
            None if step > 0 => 0,
            None => ids.len().checked_sub(1)?,
            Some(place) => (place as i64 + i64::from(step)).rem_euclid(ids.len() as i64) as usize,
        };
        ids.get(next).copied()
    }

    /// Complete lines of a node's output; the newest is remembered for the board.
    fn lines_of(
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
    fn say_rest(&mut self, record: &quorate_journal::Stamped) {
        let quorate_journal::Record::Finished { node, .. } = &record.record else { return };
        for errors in [false, true] {
            let rest = self.partial.remove(&(*node, errors)).unwrap_or_default();
            if self.show.verbose > 0 && !rest.is_empty() {
                self.say_output(*node, 0, &[rest.chars().filter(|c| !c.is_control()).collect()]);
            }
        }
    }

    fn say_output(&self, node: NodeId, skipped: usize, lines: &[String]) {
        let key = self.view.key(node);
        if skipped > 0 {
            let job = &self.view.created.job;
            say(&format!("{key} | … {skipped} bytes left out here: quorate logs {job} {key}"));
        }
        for line in lines {
            say(&format!("{key} | {line}"));
        }
    }

    fn asked_to_stop(&self) -> String {
        let job = &self.view.created.job;
        if *self.stop.borrow() == Stop::No {
            self.stop.send_replace(Stop::Starting);
            format!(
                "starting no further node; what runs is waited for. Again: leave at once, with nodes of job {job} in the middle of it"
            )
        } else {
            self.leave();
            "leaving".into()
        }
    }

    fn leave(&self) {
        self.stop.send_replace(Stop::Now);
    }

    /// SIGTERM or a hang-up: never leaves nodes in the middle of their command by itself.
    fn told_to_end(&self) -> String {
        if *self.stop.borrow() == Stop::No {
            self.stop.send_replace(Stop::Starting);
        }
        "told to end: starting no further node, waiting for what runs (Ctrl-C leaves at once)"
            .into()
    }
}

/// The signals that this process was started to ignore, one bit each, where the system tells.
fn ignored_signals() -> u64 {
    static IGNORED: OnceLock<u64> = OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    })
}

/// Signals that ask for the end.
pub(crate) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
}

/// Which signal came.
pub(crate) enum Asked {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP: the terminal is gone.
    Terminate,
}

impl Signals {
    pub(crate) fn new() -> Self {
        // Without a handler the signal ends the process, which the journal survives.
        let ignored = ignored_signals();
        let listen = |kind: SignalKind| {
            // What whoever started this ignores (nohup does) stays ignored.
            let asked = ignored & 1 << (kind.as_raw_value() - 1) == 0;
            if asked { signal(kind).ok() } else { None }
        };
        Self {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
            hang_up: listen(SignalKind::hangup()),
        }
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            () = come(&mut self.interrupt) => Asked::Interrupt,
            () = come(&mut self.terminate) => Asked::Terminate,
            () = come(&mut self.hang_up) => Asked::Terminate,
        }
    }
}

async fn come(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// A line on standard error. Nobody may be reading it.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// A line on standard output. A reader that has gone away is no reason to stop a job.
pub(crate) fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
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
