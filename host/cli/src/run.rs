//! Running jobs that exist, to their end: one, or those of several clusters side by side.
use crate::{
    args::ShowArgs,
    error::{CliError, Code},
    logins::ready,
    session::{Session, SystemClock},
    variables::NodeVariables,
    watch::{Watch, face, say, tell_end},
};
use quorate_journal::JobView;
use quorate_ports::{Clock, CommandHost, StrategyHost, Transport};
use quorate_runner::{Deps, Live, NodetoolCall, RunnerError, Stop, TakeUp, drive};
use quorate_schedule::End;
use quorate_store::{FileOutputs, JobLock};
use quorate_transport::Ssh;
use std::sync::Arc;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// A job that is written down and held by this process.
pub(crate) struct Begun {
    pub(crate) view: JobView,
    pub(crate) strategy: Option<Arc<dyn StrategyHost>>,
    pub(crate) variables: NodeVariables,
    pub(crate) lock: JobLock,
}

/// What the jobs have in common.
pub(crate) struct Run<'a> {
    pub(crate) session: &'a Session,
    /// Logs in to nodes.
    pub(crate) ssh: Arc<Ssh>,
    /// Where actions and queries go: the same, or this machine.
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) command: Arc<dyn CommandHost>,
    pub(crate) take_up: TakeUp,
    pub(crate) show: ShowArgs,
    pub(crate) call: NodetoolCall,
}

type Driven = Result<Option<End>, RunnerError>;

impl Run<'_> {
    /// Runs the jobs to their ends, shows them, and gives the exit code and how they are then.
    pub(crate) async fn drive_on(self, jobs: Vec<Begun>) -> Result<(u8, Vec<JobView>), CliError> {
        ready(&self.ssh, &jobs).await?;
        let (shown, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(Stop::No);
        if face(&self.show).0 {
            say("");
        }
        let mut driving = JoinSet::new();
        let (mut views, mut locks) = (Vec::new(), Vec::new());
        for (place, Begun { view, strategy, variables, lock }) in jobs.into_iter().enumerate() {
            let live = tagged(place, shown.clone());
            let driven = self.drive(&view, strategy, variables, live, stopped.clone());
            driving.spawn(async move { (place, driven.await) });
            views.push(view);
            locks.push(lock);
        }
        drop(shown);
        let home = self.session.home.clone();
        let watch = Watch::new(views, home, self.show.clone(), stop, SystemClock);
        let watching = tokio::spawn(watch.run(events));
        let mut ends: Vec<(usize, Driven)> = Vec::new();
        while let Some(joined) = driving.join_next().await {
            ends.push(unwound(joined)?);
        }
        let views = unwound(watching.await)?;
        ends.sort_by_key(|(place, _)| *place);
        drop(locks);
        let mut worst = 0;
        let mut broken = None;
        for ((_, end), view) in ends.into_iter().zip(&views) {
            match end {
                Ok(end) => worst = worse(worst, told(&self.show, view, end.as_ref())),
                Err(error) => {
                    let hint = format!("quorate show {}", view.created.job);
                    broken = Some(CliError::new(Code::Lost, error).hint(hint));
                }
            }
        }
        match broken {
            Some(error) => Err(error),
            None => Ok((worst, views)),
        }
    }

    fn drive(
        &self,
        view: &JobView,
        strategy: Option<Arc<dyn StrategyHost>>,
        variables: NodeVariables,
        live: mpsc::UnboundedSender<Live>,
        stopped: watch::Receiver<Stop>,
    ) -> impl Future<Output = Driven> + Send + 'static {
        let deps = Deps {
            transport: self.transport.clone(),
            store: self.session.store.clone(),
            outputs: Arc::new(FileOutputs::new(&self.session.home)),
            command: self.command.clone(),
            strategy,
            clock: Arc::new(SystemClock),
            nodetool: self.call.clone(),
            variables,
        };
        let (created, hosts, job) = (view.created.clone(), view.hosts.clone(), view.job.clone());
        let take_up = self.take_up;
        async move { drive(deps, &created, hosts, job, take_up, live, stopped).await }
    }
}

/// A sender whose messages arrive with the job's place.
fn tagged(place: usize, to: mpsc::UnboundedSender<(usize, Live)>) -> mpsc::UnboundedSender<Live> {
    let (live, mut events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            // Whoever watched may be gone; the job isn't hurt.
            let _ = to.send((place, event));
        }
    });
    live
}

fn unwound<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T, CliError> {
    match joined {
        Ok(value) => Ok(value),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(CliError::new(Code::Lost, error)),
    }
}

/// Says how a job ended; its exit code.
fn told(show: &ShowArgs, view: &JobView, end: Option<&End>) -> u8 {
    let code = match end {
        Some(End::Completed) => 0,
        Some(End::Failed { .. }) => Code::NodeFailed as u8,
        Some(End::Stopped { .. }) => Code::Stopped as u8,
        None => Code::Lost as u8,
    };
    tell_end(show, view, end, code, SystemClock.now());
    code
}

/// Which of two exit codes tells more: left in the middle, then failed, then stopped.
fn worse(one: u8, other: u8) -> u8 {
    let weight = |code: u8| {
        [0, Code::Stopped as u8, Code::NodeFailed as u8, Code::Lost as u8]
            .iter()
            .position(|known| *known == code)
    };
    if weight(other) > weight(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_several_jobs_is_the_one_that_tells_most() {
        assert_eq!(worse(0, 4), 4);
        assert_eq!(worse(1, 4), 1);
        assert_eq!(worse(4, 1), 1);
        assert_eq!(worse(1, 5), 5);
        assert_eq!(worse(0, 0), 0);
    }
}
