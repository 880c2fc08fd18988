//! How the shell scripts on a node's PATH reach the simulator: one FIFO for the whole simulation takes one short line per call
//! (`TOOL NODE PID`, atomic because it is shorter than a pipe's buffer); the arguments lie in a file beside, separated by NUL; the answer
//! comes back through a FIFO of the call's own: the exit status in a line, then the output. What goes to stderr lies in a file.
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::task::JoinSet;

use crate::world::World;
use crate::{SimError, cqlsh, nodetool, service};

/// What a tool prints and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u8,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl Reply {
    pub(crate) fn of(code: u8, out: impl Into<String>, err: impl Into<String>) -> Self {
        Self { code, out: out.into().into_bytes(), err: err.into().into_bytes() }
    }

    pub(crate) fn out(out: impl Into<String>) -> Self {
        Self::of(0, out, "")
    }
}

/// Where the calls of the scripts under `root` arrive.
pub(crate) fn request_fifo(root: &Path) -> PathBuf {
    root.join("requests")
}

/// Where the files of the calls lie.
pub(crate) fn calls_folder(root: &Path) -> PathBuf {
    root.join("calls")
}

/// The open end of the request FIFO.
pub(crate) struct Requests(pipe::Receiver);

impl Requests {
    /// Makes the FIFO and opens it; it never sees an end, because it is open for writing here too.
    pub(crate) async fn open(root: &Path) -> Result<Self, SimError> {
        let path = request_fifo(root);
        std::fs::create_dir(calls_folder(root))
            .map_err(SimError::io("can't make the folder for calls"))?;
        let made = tokio::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .await
            .map_err(SimError::io("can't run mkfifo"))?;
        if !made.success() {
            return Err(SimError::Io {
                what: "mkfifo failed".to_owned(),
                source: std::io::Error::other(made.to_string()),
            });
        }
        let receiver = pipe::OpenOptions::new().read_write(true).open_receiver(&path);
        receiver.map(Self).map_err(SimError::io("can't open the FIFO for requests"))
    }

    /// Answers every call until this task is ended.
    pub(crate) async fn serve(self, world: Arc<World>) {
        let mut lines = BufReader::new(self.0).split(b'\n');
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                line = lines.next_segment() => match line {
                    Ok(Some(line)) => {
                        calls.spawn(answer(Arc::clone(&world), line));
                    }
                    Ok(None) | Err(_) => return,
                },
                Some(_) = calls.join_next() => {}
            }
        }
    }
}

/// A call whose caller is gone has nobody to be told of an error, so errors end it silently; its order stands.
async fn answer(world: Arc<World>, line: Vec<u8>) {
    let Some((tool, node, pid)) = parse(&line).filter(|(_, node, _)| *node < world.members.len())
    else {
        return;
    };
    let file = |kind: &str| calls_folder(&world.root).join(format!("{pid}.{kind}"));
    let (argv_file, error_file, reply_file) = (file("argv"), file("err"), file("reply"));
    let Ok(argv) = std::fs::read(&argv_file) else {
        return;
    };
    let _ = std::fs::remove_file(&argv_file);
    // Of an earlier process with the same id that was killed before it could read it.
    let _ = std::fs::remove_file(&error_file);
    let argv: Vec<String> = match argv.strip_suffix(&[0]) {
        Some(argv) => argv
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
        None => Vec::new(),
    };
    let sender = pipe::OpenOptions::new().open_sender(&reply_file);
    let _ = std::fs::remove_file(&reply_file);
    let reply = match tool.as_str() {
        "nodetool" => nodetool::run(&world, node, &argv).await,
        "cqlsh" => cqlsh::run(&world, node, &argv),
        "service" => service::service(&world, node, &argv).await,
        _ => service::systemctl(&world, node, &argv).await,
    };
    let Ok(mut sender) = sender else {
        return;
    };
    if !reply.err.is_empty() && std::fs::write(&error_file, &reply.err).is_err() {
        return;
    }
    let mut answer = format!("{}\n", reply.code).into_bytes();
    answer.extend(reply.out);
    let _ = sender.write_all(&answer).await;
}

fn parse(line: &[u8]) -> Option<(String, usize, u32)> {
    let line = String::from_utf8(line.to_vec()).ok()?;
    let mut words = line.split(' ');
    let (tool, node, pid) = (words.next()?, words.next()?, words.next()?);
    Some((tool.to_owned(), node.parse().ok()?, pid.parse().ok()?))
}

/// `path` as one word of a shell.
pub(crate) fn quoted(path: &Path) -> Vec<u8> {
    let mut word = vec![b'\''];
    for byte in path.as_os_str().to_owned().into_vec() {
        match byte {
            b'\'' => word.extend_from_slice(br"'\''"),
            byte => word.push(byte),
        }
    }
    word.push(b'\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_calls_are_refused() {
        assert_eq!(parse(b"nodetool 3 4711"), Some(("nodetool".to_owned(), 3, 4711)));
        assert_eq!(parse(b"nodetool x 4711"), None);
        assert_eq!(parse(b"nodetool 3"), None);
        assert_eq!(parse(b"\xff 3 1"), None);
    }

    #[test]
    fn quotes_in_a_path_stay_inside_its_word() {
        assert_eq!(quoted(Path::new("/a'b c")), br"'/a'\''b c'");
    }
}
