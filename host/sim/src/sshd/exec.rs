//! Runs what a channel asks for in a real shell and joins the two: input, output, exit, and what happens when the client is gone.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use russh::server::{Handle, Msg};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Door;
use super::session::Opened;
use crate::{processes, scripts};

/// How much of a client's input may lie here unread by the program. The SSH library opens a channel's window again as soon as data has
/// arrived, so this is what bounds it: beyond, the whole connection waits (where sshd would let only the one channel wait).
const UNREAD_INPUT: usize = 64 << 20;

/// After the program's end its last output is sent before its exit status, unless a process in the background still holds it open then.
const LAST_OUTPUT: Duration = Duration::from_millis(50);

const OUTPUT_CHUNK: usize = 32 * 1024;

/// Starts `sh -c COMMAND` (or a shell that reads its commands from the client) as the node's user would see it, in a process group of its
/// own.
pub(super) fn spawn(
    door: &Arc<Door>,
    node: usize,
    command: Option<&[u8]>,
    environment: &[(String, String)],
) -> std::io::Result<Child> {
    let closed = door.closed.read().unwrap_or_else(PoisonError::into_inner);
    if *closed {
        return Err(std::io::Error::other("the simulation has ended"));
    }
    let (root, user) = (&door.world.root, &door.world.spec.ssh_user);
    let home = scripts::home(root, node);
    let mut path = scripts::bin(root, node).into_os_string();
    path.push(":/usr/local/bin:/usr/bin:/bin");
    let mut shell = Command::new("/bin/sh");
    if let Some(command) = command {
        shell.arg("-c").arg(OsStr::from_bytes(command));
    }
    shell
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("PATH", path)
        .env("HOME", &home)
        .env("USER", user)
        .env("LOGNAME", user)
        .env("SHELL", "/bin/sh")
        .env(processes::MARKER, root)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Serves the channel until the program and its output have ended, or the client has gone.
pub(super) async fn serve(mut child: Child, opened: Opened, session: Handle) {
    let Opened { channel, slot: _slot, .. } = opened;
    let group = child.id();
    let (reader, writer) = channel.split();
    let gone = input(reader, child.stdin.take(), group);
    let work = async {
        let out = copy(child.stdout.take(), writer.make_writer());
        let err = copy(child.stderr.take(), writer.make_writer_ext(Some(1)));
        let mut outputs = std::pin::pin!(async { tokio::join!(out, err) });
        let mut ended = false;
        let status = tokio::select! {
            _ = &mut outputs => {
                ended = true;
                child.wait().await
            }
            status = child.wait() => status,
        };
        if !ended {
            ended = tokio::time::timeout(LAST_OUTPUT, &mut outputs).await.is_ok();
        }
        tell_exit(&writer, &session, status).await;
        if !ended {
            outputs.await;
        }
        // The client may be gone by now.
        let _ = writer.eof().await;
        let _ = writer.close().await;
    };
    let finished = tokio::select! {
        () = work => true,
        () = gone => false,
    };
    if !finished {
        // The pipes are closed by now, too: who writes gets SIGPIPE, who reads sees the end. Once the shell itself has been collected its
        // id may belong to somebody else.
        if let Some(group) = child.id() {
            processes::signal_group("HUP", group);
        }
        // Collected whenever it ends.
        let _ = child.wait().await;
    }
}

async fn tell_exit(
    writer: &ChannelWriteHalf<Msg>,
    session: &Handle,
    status: std::io::Result<ExitStatus>,
) {
    let Ok(status) = status else {
        return;
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => {
            let _ = writer.exit_status(code.cast_unsigned()).await;
        }
        (None, Some(signal)) => {
            let _ = session
                .exit_signal_request(
                    writer.id(),
                    signal_name(signal),
                    status.core_dumped(),
                    String::new(),
                    String::new(),
                )
                .await;
        }
        (None, None) => {}
    }
}

/// Hands the client's input and signals to the program; ends when the client has closed the channel or is gone.
async fn input(mut reader: ChannelReadHalf, stdin: Option<ChildStdin>, group: Option<u32>) {
    let unread = Arc::new(Semaphore::new(UNREAD_INPUT));
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut sender = Some(sender);
    let requests = async {
        while let Some(message) = reader.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    let Ok(permit) = Arc::clone(&unread).acquire_many_owned(size).await else {
                        return;
                    };
                    if let Some(sender) = &sender {
                        // Nobody reads any more: dropped, as sshd does.
                        let _ = sender.send((data, permit));
                    }
                }
                ChannelMsg::Eof => sender = None,
                ChannelMsg::Signal { signal } => {
                    if let (Some(group), Some(name)) = (group, allowed(&signal)) {
                        processes::signal_group(name, group);
                    }
                }
                ChannelMsg::Close => return,
                _ => {}
            }
        }
    };
    let mut requests = std::pin::pin!(requests);
    tokio::select! {
        () = &mut requests => {}
        () = feed(stdin, receiver) => requests.await,
    }
}

async fn feed<D: AsRef<[u8]>>(
    stdin: Option<ChildStdin>,
    mut receiver: mpsc::UnboundedReceiver<(D, OwnedSemaphorePermit)>,
) {
    let Some(mut stdin) = stdin else {
        return;
    };
    while let Some((data, _permit)) = receiver.recv().await {
        if stdin.write_all(data.as_ref()).await.is_err() {
            return;
        }
    }
}

/// Until the program closes its end, or the client takes no more.
async fn copy(from: Option<impl AsyncRead + Unpin>, to: impl AsyncWrite) {
    let Some(mut from) = from else {
        return;
    };
    let mut to = std::pin::pin!(to);
    let mut chunk = vec![0; OUTPUT_CHUNK];
    while let Ok(size @ 1..) = from.read(&mut chunk).await {
        if to.write_all(&chunk[..size]).await.is_err() {
            return;
        }
    }
}

/// Signals that a client may send, as sshd has them.
fn allowed(signal: &Sig) -> Option<&'static str> {
    match signal {
        Sig::ABRT => Some("ABRT"),
        Sig::ALRM => Some("ALRM"),
        Sig::FPE => Some("FPE"),
        Sig::HUP => Some("HUP"),
        Sig::ILL => Some("ILL"),
        Sig::INT => Some("INT"),
        Sig::KILL => Some("KILL"),
        Sig::PIPE => Some("PIPE"),
        Sig::QUIT => Some("QUIT"),
        Sig::SEGV => Some("SEGV"),
        Sig::TERM => Some("TERM"),
        Sig::USR1 => Some("USR1"),
        Sig::Custom(name) if name == "USR2" => Some("USR2"),
        Sig::Custom(_) => None,
    }
}

/// The numbers are those of Linux on the usual processors; RFC 4254 names these signals and leaves the rest to each system.
fn signal_name(number: i32) -> Sig {
    match number {
        1 => Sig::HUP,
        2 => Sig::INT,
        3 => Sig::QUIT,
        4 => Sig::ILL,
        6 => Sig::ABRT,
        8 => Sig::FPE,
        9 => Sig::KILL,
        10 => Sig::USR1,
        11 => Sig::SEGV,
        13 => Sig::PIPE,
        14 => Sig::ALRM,
        15 => Sig::TERM,
        12 => Sig::Custom("USR2".to_owned()),
        other => Sig::Custom(format!("{other}@linux")),
    }
}
