//! Writing things down, and telling those who watch once they are written.
use quorate_journal::{Record, Stamped};
use quorate_ports::{Clock, JobId, Store, StoreError, Stream};
use quorate_ring::NodeId;
use std::sync::Arc;
use tokio::sync::{
    mpsc::{self, UnboundedSender},
    oneshot,
};

/// What those who watch a running job are told.
#[derive(Clone, Debug)]
pub enum Live {
    /// A record that is now on disk.
    Record(Stamped),
    /// What a node printed, as it came. Of a large piece only the end is passed on; all is on disk.
    Output {
        /// The node.
        node: NodeId,
        /// Which stream.
        stream: Stream,
        /// Bytes left out before these.
        skipped: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Why waiting nodes wait, where that changed: not journalled for every node.
    Holds(Vec<(NodeId, quorate_schedule::Reason)>),
}

/// The journal of the job that runs.
#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) job: JobId,
    store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) live: UnboundedSender<Live>,
    later: UnboundedSender<Later>,
}

enum Later {
    Record(Stamped),
    Flush(oneshot::Sender<()>),
}

impl Journal {
    /// A journal, and the task that writes what nobody waits for. An error there goes to `broken`.
    pub(crate) fn new(
        job: JobId,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        live: UnboundedSender<Live>,
        broken: impl Fn(StoreError) + Send + 'static,
    ) -> Self {
        let (later, mut inbox) = mpsc::unbounded_channel();
        let journal = Self { job, store, clock, live, later };
        let (job, store, live) = (journal.job.clone(), journal.store.clone(), journal.live.clone());
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while inbox.recv_many(&mut batch, 256).await > 0 {
                let (mut records, mut flushes) = (Vec::new(), Vec::new());
                for item in batch.drain(..) {
                    match item {
                        Later::Record(record) => records.push(record),
                        Later::Flush(done) => flushes.push(done),
                    }
                }
                if !records.is_empty()
                    && let Err(error) = append(&*store, &job, &live, records).await
                {
                    broken(error);
                }
                for done in flushes {
                    // Whoever waited may be gone.
                    let _ = done.send(());
                }
            }
        });
        journal
    }

    /// Writes records down; when it returns they are on disk.
    pub(crate) async fn write(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let at = self.clock.now();
        self.append(records.into_iter().map(|record| Stamped { at, record }).collect()).await
    }

    /// Writes records that have their times already.
    pub(crate) async fn append(&self, records: Vec<Stamped>) -> Result<(), StoreError> {
        append(&*self.store, &self.job, &self.live, records).await
    }

    /// Journals what nobody waits for, in the order of the calls.
    pub(crate) fn write_later(&self, record: Record) {
        // The task ends with the runtime only.
        let _ = self.later.send(Later::Record(Stamped { at: self.clock.now(), record }));
    }

    /// Waits until everything of [`Journal::write_later`] is on disk.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.later.send(Later::Flush(done)).is_ok() {
            // The task ends with the runtime only.
            let _ = flushed.await;
        }
    }
}

async fn append(
    store: &dyn Store,
    job: &JobId,
    live: &UnboundedSender<Live>,
    records: Vec<Stamped>,
) -> Result<(), StoreError> {
    store.append(job, records.clone()).await?;
    for record in records {
        // Nobody may be watching.
        let _ = live.send(Live::Record(record));
    }
    Ok(())
}
