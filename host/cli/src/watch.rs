//! Showing running jobs: the board, plain lines or JSON, and what a person asks for meanwhile.
use crate::{
    args::{Colour, Output, ShowArgs},
    board::BoardFace,
    connect::{gather_notices, release_notices},
    program::as_called,
    screen::Screen,
    shown::Shown,
    signals::{Asked, Signals},
};
use quorate_journal::{JobView, Stamped};
use quorate_ports::{Clock, Stream};
use quorate_ring::NodeId;
use quorate_runner::{Live, Stop};
use quorate_schedule::End;
use quorate_store::Home;
use quorate_views::{
    OutputLine, Paint, asked_json, end_line, ended_json, event_json, event_line, left_lines,
    output_json, waiting_json, waiting_lines,
};
use std::{
    env,
    io::{IsTerminal, Write, stderr, stdout},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

/// Without a board, what waits is said again after so long without a line.
const REMINDER: Duration = Duration::from_secs(60);

/// What the runners of several jobs tell, each event with its job's place.
pub(crate) type Events = mpsc::UnboundedReceiver<(usize, Live)>;

/// Whether the board is drawn, and in which colours.
pub(crate) fn face(show: &ShowArgs) -> (bool, Paint) {
    let terminal = stdout().is_terminal();
    let board = terminal
        && !show.plain
        && show.output == Output::Text
        && env::var_os("TERM").is_none_or(|term| term != "dumb");
    let colour = match show.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    (board, if colour { Paint::Colour } else { Paint::Plain })
}

/// Shows jobs until their runners have ended; gives the jobs as they are then.
pub(crate) struct Watch<C> {
    pub(crate) jobs: Vec<Shown>,
    pub(crate) home: Home,
    pub(crate) show: ShowArgs,
    pub(crate) stop: watch::Sender<Stop>,
    pub(crate) clock: C,
}

impl<C: Clock> Watch<C> {
    pub(crate) fn new(
        views: Vec<JobView>,
        home: Home,
        show: ShowArgs,
        stop: watch::Sender<Stop>,
        clock: C,
    ) -> Self {
        Self { jobs: views.into_iter().map(Shown::new).collect(), home, show, stop, clock }
    }

    pub(crate) async fn run(self, events: Events) -> Vec<JobView> {
        let (board, paint) = face(&self.show);
        if board {
            match Screen::open() {
                Ok(screen) => {
                    gather_notices();
                    let views = BoardFace::new(self, screen, paint).run(events).await;
                    release_notices();
                    return views;
                }
                Err(error) => complain(&format!("no board: {error}")),
            }
        }
        self.run_lines(events).await
    }

    /// Plain lines, or JSON.
    async fn run_lines(mut self, mut events: Events) -> Vec<JobView> {
        let mut reminder = interval(Duration::from_secs(1));
        reminder.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut spoken = Instant::now();
        let mut signals = Signals::new();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    None => return self.views(),
                    Some((place, event)) => if self.tell(place, event) {
                        spoken = Instant::now();
                    },
                },
                _ = reminder.tick() => if spoken.elapsed() >= REMINDER {
                    self.jobs.iter().for_each(|job| self.tell_waiting(job));
                    spoken = Instant::now();
                },
                asked = signals.next() => {
                    let text = match asked {
                        Asked::Interrupt => self.asked_to_stop(),
                        Asked::Terminate => self.told_to_end(),
                    };
                    self.tell_asked(&text);
                },
            }
        }
    }

    /// Tells what an event is worth; whether anything was told.
    fn tell(&mut self, place: usize, event: Live) -> bool {
        let verbose = self.show.verbose;
        let job = &mut self.jobs[place];
        match event {
            Live::Record(record) => {
                job.apply(&record);
                let rest = job.rest(&record);
                let job = &self.jobs[place];
                if verbose > 0 {
                    for (node, stream, line) in rest {
                        self.tell_output(job, node, stream, 0, &[line]);
                    }
                }
                self.tell_record(job, &record)
            }
            Live::Output { node, stream, skipped, bytes } => {
                let lines = job.lines_of(node, stream, skipped, &bytes);
                if verbose > 0 {
                    self.tell_output(&self.jobs[place], node, stream, skipped, &lines);
                }
                verbose > 0
            }
            Live::Holds(holds) => {
                job.glance.holds = holds;
                false
            }
        }
    }

    fn tell_record(&self, job: &Shown, record: &Stamped) -> bool {
        let verbose = self.show.verbose;
        match self.show.output {
            Output::Text => event_line(&job.view, record, verbose)
                .inspect(|line| self.say_of(job, line))
                .is_some(),
            Output::Json => event_json(&job.view, record, verbose)
                .inspect(|event| say(&event.to_string()))
                .is_some(),
        }
    }

    fn tell_output(
        &self,
        job: &Shown,
        node: NodeId,
        stream: Stream,
        skipped: usize,
        lines: &[OutputLine],
    ) {
        if self.show.output == Output::Text {
            return job.output_lines(node, skipped, lines).iter().for_each(|line| say(line));
        }
        let now = self.clock.now();
        let name = if stream == Stream::Stdout { "stdout" } else { "stderr" };
        for (place, line) in lines.iter().enumerate() {
            let skipped = if place == 0 { skipped } else { 0 };
            say(&output_json(&job.view, now, node, name, skipped, line).to_string());
        }
    }

    fn tell_waiting(&self, job: &Shown) {
        let now = self.clock.now();
        match self.show.output {
            Output::Text => {
                waiting_lines(&job.view, now).iter().for_each(|line| self.say_of(job, line));
            }
            Output::Json => say(&waiting_json(&job.view, now).to_string()),
        }
    }

    fn tell_asked(&self, text: &str) {
        if self.show.output == Output::Text {
            return say(text);
        }
        complain(text);
        let at_once = *self.stop.borrow() == Stop::Now;
        for job in &self.jobs {
            say(&asked_json(&job.view, self.clock.now(), at_once).to_string());
        }
    }

    /// A line of one job: beside others the cluster stands behind the time.
    fn say_of(&self, job: &Shown, line: &str) {
        match (self.jobs.len(), line.split_once(' ')) {
            (1, _) | (_, None) => say(line),
            (_, Some((time, rest))) => {
                say(&format!("{time} {} {rest}", job.view.created.topology.cluster));
            }
        }
    }

    /// The jobs as they are now.
    pub(crate) fn views(self) -> Vec<JobView> {
        self.jobs.into_iter().map(|job| job.view).collect()
    }

    pub(crate) fn asked_to_stop(&self) -> String {
        let ids: Vec<_> = self.jobs.iter().map(|job| job.view.created.job.to_string()).collect();
        if *self.stop.borrow() == Stop::No {
            self.stop.send_replace(Stop::Starting);
            format!(
                "starting no further node; what runs is waited for. Again: leave at once, with nodes of job {} in the middle of it",
                ids.join(", ")
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
    pub(crate) fn told_to_end(&self) -> String {
        if *self.stop.borrow() == Stop::No {
            self.stop.send_replace(Stop::Starting);
        }
        "told to end: starting no further node, waiting for what runs (Ctrl-C leaves at once)"
            .into()
    }
}

/// Tells what was journalled before anybody watched: as a line, or as JSON.
pub(crate) fn tell_record(show: &ShowArgs, view: &JobView, record: &Stamped) {
    let told = match show.output {
        Output::Text => event_line(view, record, show.verbose),
        Output::Json => event_json(view, record, show.verbose).map(|event| event.to_string()),
    };
    if let Some(line) = told {
        say(&line);
    }
}

/// Tells how a job ended.
pub(crate) fn tell_end(show: &ShowArgs, view: &JobView, end: Option<&End>, code: u8, now: u64) {
    if show.output == Output::Json {
        return say(&as_called(&ended_json(view, now, end, code).to_string()));
    }
    say(&as_called(&format!("job {}: {}", view.created.job, end_line(view, end))));
    if end.is_none() {
        left_lines(view).iter().for_each(|line| say(line));
    }
}

/// A line on standard error. Nobody may be reading it.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// A line on standard output. A reader that has gone away is no reason to stop a job.
pub(crate) fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
