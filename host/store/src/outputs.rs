//! `jobs/JOB/NODE/{out,err,status}`, laid out as cstar does.
use crate::{Home, home::storage};
use quorate_ports::{Exit, JobId, NodeKey, NodeOutput, Outputs, OutputsError, StoreError, Stream};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Outputs in files below the home, or where [`place_outputs`] said.
#[derive(Clone, Debug)]
pub struct FileOutputs {
    root: PathBuf,
}

impl FileOutputs {
    /// Outputs below `HOME/jobs`.
    pub fn new(home: &Home) -> Self {
        Self { root: home.jobs() }
    }
}

/// The file of one stream of a node.
pub fn output_path(home: &Home, job: &JobId, node: &NodeKey, stream: Stream) -> PathBuf {
    let name = match stream {
        Stream::Stdout => "out",
        Stream::Stderr => "err",
    };
    home.jobs().join(&job.0).join(directory(node)).join(name)
}

/// The link from a job's directory to the one that its outputs go to instead.
const ELSEWHERE: &str = "outputs";

/// Puts a job's outputs into another directory, which is made where it doesn't exist. The job's own directory gets links to
/// it, so that they are found as any others are.
///
/// # Errors
/// It can't be made, or holds outputs of one of these nodes already: they would be taken for this job's.
pub fn place_outputs<'a>(
    home: &Home,
    job: &JobId,
    dir: &Path,
    nodes: impl Iterator<Item = &'a NodeKey>,
) -> Result<(), StoreError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| storage(&path, &error)
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fault(dir))?;
    let dir = fs::canonicalize(dir).map_err(fault(dir))?;
    for node in nodes {
        let place = dir.join(directory(node));
        if fs::symlink_metadata(&place).is_ok() {
            return Err(storage(&place, &"it holds outputs of another job already"));
        }
    }
    let own = home.jobs().join(&job.0);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&own).map_err(fault(&own))?;
    symlink(&dir, own.join(ELSEWHERE)).map_err(fault(&own))
}

/// Removes a job's directory with its outputs. What `--output-directory` named stays: only the links to it go.
///
/// # Errors
/// It can't be removed.
pub fn remove_outputs(home: &Home, job: &JobId) -> Result<(), StoreError> {
    let dir = home.jobs().join(&job.0);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage(&dir, &error)),
        _ => Ok(()),
    }
}

/// A node's directory: its key, with what a file name can't hold replaced.
fn directory(node: &NodeKey) -> String {
    node.0.replace(['/', '\0'], "_")
}

struct NodeFiles {
    dir: PathBuf,
    out: Mutex<File>,
    err: Mutex<File>,
}

fn trouble(path: &Path) -> impl Fn(std::io::Error) -> OutputsError + '_ {
    |e| OutputsError { path: path.display().to_string(), message: e.to_string() }
}

impl Outputs for FileOutputs {
    fn open(&self, job: &JobId, node: &NodeKey) -> Result<Arc<dyn NodeOutput>, OutputsError> {
        let own = self.root.join(&job.0);
        let (dir, elsewhere) = (own.join(directory(node)), own.join(ELSEWHERE));
        if fs::symlink_metadata(&elsewhere).is_ok() {
            let place = elsewhere.join(directory(node));
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&place)
                .map_err(trouble(&place))?;
            match fs::canonicalize(&place).and_then(|place| symlink(place, &dir)) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(trouble(&dir)(e)),
                _ => {}
            }
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(trouble(&dir))?;
        let open = |name: &str| {
            let path = dir.join(name);
            let mut options = File::options();
            options.append(true).create(true).mode(0o600).open(&path).map_err(trouble(&path))
        };
        let (out, err) = (Mutex::new(open("out")?), Mutex::new(open("err")?));
        Ok(Arc::new(NodeFiles { dir, out, err }))
    }
}

impl NodeOutput for NodeFiles {
    fn append(&self, stream: Stream, bytes: &[u8]) -> Result<(), OutputsError> {
        let file = match stream {
            Stream::Stdout => &self.out,
            Stream::Stderr => &self.err,
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(bytes).map_err(trouble(&self.dir))
    }

    fn status(&self, exit: Exit) -> Result<(), OutputsError> {
        // As a shell would give it: 128 and the signal's number.
        let status = match exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        };
        let (next, path) = (self.dir.join("status.new"), self.dir.join("status"));
        fs::write(&next, format!("{status}\n")).map_err(trouble(&next))?;
        fs::rename(&next, &path).map_err(trouble(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_go_where_they_were_sent_and_are_found_as_any_others() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("home")).unwrap();
        let (job, node) = (JobId("aa".into()), NodeKey("10.0.0.1".into()));
        let elsewhere = dir.path().join("logs/today");
        place_outputs(&home, &job, &elsewhere, [&node].into_iter()).unwrap();
        // Opened once for each attempt.
        for _ in 0..2 {
            let output = FileOutputs::new(&home).open(&job, &node).unwrap();
            output.append(Stream::Stdout, b"one\n").unwrap();
            output.status(Exit::Code(3)).unwrap();
        }
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(read(elsewhere.join("10.0.0.1/out")), "one\none\n");
        assert_eq!(read(elsewhere.join("10.0.0.1/status")), "3\n");
        assert_eq!(read(output_path(&home, &job, &node, Stream::Stdout)), "one\none\n");
        let second = JobId("bb".into());
        let again = place_outputs(&home, &second, &elsewhere, [&node].into_iter()).unwrap_err();
        assert!(again.to_string().contains("outputs of another job"), "{again}");
        remove_outputs(&home, &job).unwrap();
        assert!(!home.jobs().join("aa").exists());
        assert_eq!(read(elsewhere.join("10.0.0.1/out")), "one\none\n");
        remove_outputs(&home, &job).unwrap();
    }
}
