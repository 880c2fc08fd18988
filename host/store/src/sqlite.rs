//! Journals in one SQLite database, written by one thread that commits what has gathered together.
use crate::home::{Home, storage};
use quorate_journal::{Stamped, decode, encode};
use quorate_ports::{BoxFuture, JobId, Store, StoreError};
use rusqlite::{Connection, OpenFlags, params};
use std::{path::PathBuf, thread::JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Most appends in one transaction.
const GROUP: usize = 512;

type Done = oneshot::Sender<Result<(), StoreError>>;

struct Append {
    job: JobId,
    lines: Vec<(u64, String)>,
    done: Done,
}

/// The journals of all jobs.
pub struct SqliteStore {
    path: PathBuf,
    writer: Option<mpsc::UnboundedSender<Append>>,
    thread: Option<JoinHandle<()>>,
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS record (
        job  TEXT    NOT NULL,
        seq  INTEGER NOT NULL,
        at   INTEGER NOT NULL,
        body TEXT    NOT NULL,
        PRIMARY KEY (job, seq)
    ) WITHOUT ROWID, STRICT;
    PRAGMA user_version = 1;";

impl SqliteStore {
    /// Opens the database, and makes it where it doesn't exist.
    ///
    /// # Errors
    /// It can't be opened, or a newer version wrote it.
    pub fn open(home: &Home) -> Result<Self, StoreError> {
        let path = home.database();
        let connection = connect(&path)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn({
                let path = path.clone();
                move || write_loop(connection, &path, receiver)
            })
            .map_err(|e| storage(&path, &e))?;
        Ok(Self { path, writer: Some(sender), thread: Some(thread) })
    }

    /// Every job, oldest first.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn jobs(&self) -> Result<Vec<JobId>, StoreError> {
        let fault = |e: rusqlite::Error| storage(&self.path, &e);
        let connection = connect(&self.path)?;
        let mut query = connection
            .prepare("SELECT job FROM record WHERE seq = 0 ORDER BY at, job")
            .map_err(fault)?;
        let rows = query.query_map([], |row| row.get(0).map(JobId)).map_err(fault)?;
        rows.collect::<Result<_, _>>().map_err(fault)
    }

    /// The one job whose id begins so.
    ///
    /// # Errors
    /// None does, or more than one.
    pub fn find(&self, prefix: &str) -> Result<JobId, StoreError> {
        let jobs = self.jobs()?;
        let mut found: Vec<_> = jobs.into_iter().filter(|j| j.0.starts_with(prefix)).collect();
        match (found.len(), found.iter().position(|job| job.0 == prefix)) {
            (_, Some(exact)) => Ok(found.swap_remove(exact)),
            (1, None) => Ok(found.swap_remove(0)),
            (0, None) => Err(StoreError::NoSuchJob(prefix.to_owned())),
            _ => Err(StoreError::Ambiguous {
                prefix: prefix.to_owned(),
                jobs: found.into_iter().map(|job| job.0).collect(),
            }),
        }
    }

    /// Removes a job's journal. Nobody may be running it.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove(&self, job: &JobId) -> Result<(), StoreError> {
        let removed = connect(&self.path)?.execute("DELETE FROM record WHERE job = ?1", [&job.0]);
        removed.map(drop).map_err(|e: rusqlite::Error| storage(&self.path, &e))
    }

    /// All records of a job, oldest first.
    ///
    /// # Errors
    /// There is no such job, or a record can't be read.
    pub fn read(&self, job: &JobId) -> Result<Vec<Stamped>, StoreError> {
        let fault = |e: rusqlite::Error| storage(&self.path, &e);
        let connection = connect(&self.path)?;
        let mut query = connection
            .prepare("SELECT body FROM record WHERE job = ?1 ORDER BY seq")
            .map_err(fault)?;
        let rows = query.query_map([&job.0], |row| row.get::<_, String>(0)).map_err(fault)?;
        let mut records = Vec::new();
        for row in rows {
            records.push(decode(&row.map_err(fault)?).map_err(|e| storage(&self.path, &e))?);
        }
        if records.is_empty() {
            return Err(StoreError::NoSuchJob(job.0.clone()));
        }
        Ok(records)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.writer.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has already been reported to everyone who waited for it.
            let _ = thread.join();
        }
    }
}

impl Store for SqliteStore {
    fn append<'a>(
        &'a self,
        job: &'a JobId,
        records: Vec<Stamped>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let fault = |what: &dyn std::fmt::Display| storage(&self.path, what);
            let lines = records
                .iter()
                .map(|record| Ok((record.at, encode(record).map_err(|e| fault(&e))?)))
                .collect::<Result<_, StoreError>>()?;
            let (done, written) = oneshot::channel();
            let append = Append { job: job.clone(), lines, done };
            let sent = self.writer.as_ref().is_some_and(|writer| writer.send(append).is_ok());
            if !sent {
                return Err(fault(&"the journal's writer has ended"));
            }
            written.await.unwrap_or_else(|_| Err(fault(&"the journal's writer has ended")))
        })
    }
}

fn connect(path: &std::path::Path) -> Result<Connection, StoreError> {
    let fault = |e: rusqlite::Error| storage(path, &e);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(fault)?;
    let version: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fault)?;
    match version {
        0 => {
            connection.pragma_update(None, "journal_mode", "WAL").map_err(fault)?;
            connection.execute_batch(SCHEMA).map_err(fault)?;
        }
        1 => {}
        other => {
            let what = format!("written by a newer version of quorate (schema {other})");
            return Err(storage(path, &what));
        }
    }
    // What was appended must survive a power cut: WAL alone doesn't flush at every commit.
    connection.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
    Ok(connection)
}

fn write_loop(
    mut connection: Connection,
    path: &std::path::Path,
    mut receiver: mpsc::UnboundedReceiver<Append>,
) {
    let mut group = Vec::with_capacity(GROUP);
    while receiver.blocking_recv_many(&mut group, GROUP) > 0 {
        let result = write_group(&mut connection, &group).map_err(|e| storage(path, &e));
        for append in group.drain(..) {
            // Whoever asked may be gone; the records are written all the same.
            let _ = append.done.send(result.clone());
        }
    }
}

fn write_group(connection: &mut Connection, group: &[Append]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO record (job, seq, at, body)
             VALUES (?1, (SELECT coalesce(max(seq) + 1, 0) FROM record WHERE job = ?1), ?2, ?3)",
        )?;
        for append in group {
            for (at, body) in &append.lines {
                insert.execute(params![append.job.0, *at as i64, body])?;
            }
        }
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_journal::Record;

    fn warning(at: u64) -> Stamped {
        Stamped { at, record: Record::Warning { text: format!("at {at}") } }
    }

    #[tokio::test]
    async fn records_come_back_in_the_order_of_their_appends() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("home")).unwrap();
        let (one, two) = (JobId("aa1".into()), JobId("aa2".into()));
        {
            let store = SqliteStore::open(&home).unwrap();
            for at in 0..50 {
                let both = tokio::join!(
                    store.append(&one, vec![warning(at), warning(1000 + at)]),
                    store.append(&two, vec![warning(at)])
                );
                both.0.unwrap();
                both.1.unwrap();
            }
        }
        let store = SqliteStore::open(&home).unwrap();
        let times: Vec<_> = store.read(&one).unwrap().iter().map(|r| r.at).collect();
        let expected: Vec<_> = (0..50).flat_map(|at| [at, 1000 + at]).collect();
        assert_eq!(times, expected);
        assert_eq!(store.jobs().unwrap(), [one.clone(), two]);
        assert_eq!(store.find("aa1").unwrap(), one);
        assert!(matches!(store.find("aa"), Err(StoreError::Ambiguous { .. })));
        assert!(matches!(store.find("b"), Err(StoreError::NoSuchJob(_))));
        store.remove(&one).unwrap();
        assert!(matches!(store.read(&one), Err(StoreError::NoSuchJob(_))));
        assert_eq!(store.read(&JobId("aa2".into())).unwrap().len(), 50);
    }

    #[tokio::test]
    async fn jobs_come_by_their_time_whatever_they_are_called() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("home")).unwrap();
        let store = SqliteStore::open(&home).unwrap();
        let jobs = [JobId("zz".into()), JobId("aa".into()), JobId("OPS-1".into())];
        for (at, job) in (1..).zip(&jobs) {
            store.append(job, vec![warning(at)]).await.unwrap();
        }
        assert_eq!(store.jobs().unwrap(), jobs);
    }

    #[test]
    fn a_home_that_others_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = Home::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
    }

    #[test]
    fn a_job_is_run_by_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("home")).unwrap();
        let job = JobId("aa".into());
        assert!(!crate::JobLock::is_held(&home, &job).unwrap());
        let lock = crate::JobLock::take(&home, &job).unwrap();
        assert!(crate::JobLock::is_held(&home, &job).unwrap());
        let second = crate::JobLock::take(&home, &job).unwrap_err();
        let me = std::process::id().to_string();
        assert_eq!(second, StoreError::Busy { job: job.clone(), pid: me });
        drop(lock);
        crate::JobLock::take(&home, &job).unwrap();
    }
}
