//! Looking at nodes before anything is done to them.
use crate::{BoxFuture, Probe, Target, TransportError};
use std::time::Duration;

/// What a look at a node is to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRequest {
    /// The same random word for all nodes of one look: nodes that share a directory find each other by it.
    pub look: String,
    /// Programs that have to be there.
    pub programs: Vec<String>,
    /// Also proves that what is started outlives its connection, and counts sessions: the connection is made anew for
    /// that, so that nothing else may use it meanwhile.
    pub thorough: bool,
    /// After this long the node counts as silent.
    pub timeout: Duration,
}

/// Looks at nodes.
pub trait Preflight: Send + Sync {
    /// Asks a node's own shell. What is left there is one small file that names the look.
    fn probe<'a>(
        &'a self,
        target: &'a Target,
        request: &'a ProbeRequest,
    ) -> BoxFuture<'a, Result<Probe, TransportError>>;
}
