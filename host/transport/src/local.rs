//! The transport of commands that run here: once for each node, on the operator's own machine.
use crate::{
    Ssh, act,
    fault::Fault,
    linger::Lingering,
    place::{Here, Place},
    query,
};
use quorate_ports::{
    Action, ActionEnd, ActionId, ActionWatch, Answer, BoxFuture, Query, Target, Transport,
    TransportError,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Between SIGTERM and SIGKILL, as on nodes.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// Actions run on this machine, by the same scripts and with the same promise as on a node: at most once, going on when
/// quorate ends, attached to again by whoever asks for the same action. Queries go to the nodes, unless they are to run here as
/// well.
#[derive(Debug)]
pub struct Local {
    here: Here,
    ssh: Option<Arc<Ssh>>,
}

impl Local {
    /// Programs start in `directory`; the state of actions is kept in `root`, below `actions`. Without `ssh` queries run here
    /// too, and no node is logged in to.
    ///
    /// # Errors
    /// A path that isn't text.
    pub fn new(
        root: PathBuf,
        directory: PathBuf,
        ssh: Option<Arc<Ssh>>,
    ) -> Result<Self, TransportError> {
        let root = root.into_os_string().into_string().map_err(|path| {
            let message = format!("{} can't keep the state of actions", path.display());
            Fault::new(quorate_ports::FaultKind::Local, message)
                .hint("QUORATE_HOME names a directory whose name is UTF-8")
                .at("this machine")
        })?;
        Ok(Self {
            here: Here { root, directory, kill_grace: KILL_GRACE, lingering: Lingering::default() },
            ssh,
        })
    }

    fn place(&self) -> Place<'_> {
        Place::Here(&self.here)
    }
}

impl Transport for Local {
    fn query<'a>(
        &'a self,
        target: &'a Target,
        query: Query,
    ) -> BoxFuture<'a, Result<Answer, TransportError>> {
        match &self.ssh {
            Some(ssh) => ssh.query(target, query),
            None => Box::pin(async move {
                query::query(&self.place(), &query).await.map_err(|fault| fault.at(&target.host))
            }),
        }
    }

    fn act<'a>(
        &'a self,
        target: &'a Target,
        action: &'a Action,
        watch: &'a dyn ActionWatch,
    ) -> BoxFuture<'a, Result<ActionEnd, TransportError>> {
        Box::pin(async move {
            act::act(&self.place(), action, watch).await.map_err(|fault| fault.at(&target.host))
        })
    }

    fn forget<'a>(
        &'a self,
        target: &'a Target,
        id: &'a ActionId,
    ) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            act::forget(&self.place(), id).await.map_err(|fault| fault.at(&target.host))
        })
    }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
