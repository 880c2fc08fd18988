//! Where scripts run: on a node, over the connection to it, or on the operator's own machine.
use crate::{
    channel::Remote,
    fault::Fault,
    linger::Lingering,
    links::{Link, Links, Purpose},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The place of a script.
pub(crate) enum Place<'a> {
    /// A host.
    Node {
        /// The connections.
        links: &'a Links,
        /// Its name, as given.
        host: &'a str,
    },
    /// This machine.
    Here(&'a Here),
}

/// What is set for scripts on this machine.
#[derive(Debug)]
pub(crate) struct Here {
    /// Where the state of actions lies, below `actions`.
    pub(crate) root: String,
    /// Where programs start.
    pub(crate) directory: PathBuf,
    /// Between SIGTERM and SIGKILL when an action's time limit has passed.
    pub(crate) kill_grace: Duration,
    /// Attachments to actions that have ended.
    pub(crate) lingering: Lingering,
}

/// A place that was reached.
pub(crate) enum Reached<'a> {
    /// A connection.
    Node(Arc<Link>),
    /// Nothing had to be done.
    Here(&'a Here),
}

impl<'a> Place<'a> {
    /// Connects, where there is something to connect to.
    pub(crate) async fn reach(&self) -> Result<Reached<'a>, Fault> {
        match self {
            Self::Node { links, host } => links.link(host).await.map(Reached::Node),
            Self::Here(here) => Ok(Reached::Here(here)),
        }
    }

    /// Where the state of actions lies there; a default below the home directory when absent.
    pub(crate) fn root(&self) -> Option<&str> {
        match self {
            Self::Node { links, .. } => links.options().remote_dir.as_deref(),
            Self::Here(here) => Some(&here.root),
        }
    }

    /// Between SIGTERM and SIGKILL.
    pub(crate) fn kill_grace(&self) -> Duration {
        match self {
            Self::Node { links, .. } => links.options().kill_grace,
            Self::Here(here) => here.kill_grace,
        }
    }

    /// Attachments to actions that have ended here.
    pub(crate) fn lingering(&self) -> &Lingering {
        match self {
            Self::Node { links, .. } => links.lingering(),
            Self::Here(here) => &here.lingering,
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Node { .. } => "the node",
            Self::Here(_) => "this machine",
        }
    }

    /// How the state of actions is moved elsewhere, for people.
    pub(crate) fn how_to_move(&self) -> &'static str {
        match self {
            Self::Node { .. } => {
                "is its disk full, or closed to the login? --remote-dir moves what is kept there to another directory"
            }
            Self::Here(_) => "QUORATE_HOME moves what is kept here to another directory",
        }
    }
}

impl Reached<'_> {
    /// Opens a channel, waiting for its turn.
    pub(crate) async fn open(&self, purpose: Purpose) -> Result<Remote, Fault> {
        match self {
            Self::Node(link) => link.open(purpose).await,
            Self::Here(here) => Remote::here(&here.directory),
        }
    }
}
