//! `jobs/JOB/NODE/{out,err,status}`, laid out as cstar does.
use crate::Home;
use quorate_ports::{Exit, JobId, NodeKey, NodeOutput, Outputs, OutputsError, Stream};
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Outputs in files below the home, or below `--output-directory`.
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
        let dir = self.root.join(&job.0).join(directory(node));
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
