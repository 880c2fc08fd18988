//! What can happen to a node.
use core::fmt;

/// Something that happened to a node, as the simulator knows it (not as a peer sees it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// `nodetool drain` began; the node serves nobody from here on.
    DrainStarted,
    /// The drain is done; the process still runs.
    Drained,
    /// The process was told to stop.
    StopStarted,
    /// The process ended after an order to stop.
    Stopped,
    /// The process was killed.
    Killed,
    /// A process was launched.
    StartStarted,
    /// The launched process died before it was up.
    StartFailed,
    /// The node is up in its own view.
    Up,
    /// The peers show it as UN, and it answers them: from here on it counts as a live replica again.
    SeenUp,
    /// The peers show it as DN.
    SeenDown,
    /// Its native transport answers.
    Serving,
    /// It shows the nodes of every data center again.
    ViewComplete,
    /// Its SSH server went away.
    SshDown,
    /// Its SSH server is back.
    SshUp,
    /// All its SSH connections were cut.
    ConnectionsDropped,
    /// Its SSH server shows another host key.
    HostKeyChanged,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DrainStarted => "drain started",
            Self::Drained => "drained",
            Self::StopStarted => "stopping",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::StartStarted => "starting",
            Self::StartFailed => "start failed",
            Self::Up => "up",
            Self::SeenUp => "seen as up",
            Self::SeenDown => "seen as down",
            Self::Serving => "serving",
            Self::ViewComplete => "sees everybody",
            Self::SshDown => "sshd down",
            Self::SshUp => "sshd up",
            Self::ConnectionsDropped => "connections dropped",
            Self::HostKeyChanged => "host key changed",
        })
    }
}
