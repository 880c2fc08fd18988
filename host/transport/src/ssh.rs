//! The transport.
use crate::{act, fault::Fault, links::Links, options::SshOptions, place::Place, probe, query};
use quorate_ports::{
    Action, ActionEnd, ActionId, ActionWatch, Answer, BoxFuture, Preflight, Probe, ProbeRequest,
    Query, Target, Transport, TransportError,
};

/// Nodes over SSH. Its connections end when it is dropped; actions that run on nodes don't.
pub struct Ssh {
    links: Links,
}

impl Ssh {
    /// Reads the configuration file. Connections are made when they are needed, on the runtime of whoever needs them.
    ///
    /// # Errors
    /// The configuration file, or one that it includes, can't be read or parsed.
    pub fn new(options: SshOptions) -> Result<Self, TransportError> {
        Ok(Self { links: Links::new(options)? })
    }

    /// Whether the configuration lets a host be reached at all: what can be known without connecting.
    ///
    /// # Errors
    /// A directive that applies to the host and can't be honoured.
    pub fn check(&self, target: &Target) -> Result<(), TransportError> {
        self.links.route(&target.host).map(drop).map_err(|fault| fault.at(&target.host))
    }
}

impl Ssh {
    /// Opens the encrypted keys that these hosts take: for each set of such keys one of its hosts is logged in to, and somebody
    /// asked meanwhile. A host that can't be reached is no matter of this.
    pub async fn unlock(&self, hosts: &[String]) {
        self.links.unlock(hosts).await;
    }

    /// The name or address that a host is connected to: `HostName`, or what was given.
    ///
    /// # Errors
    /// A directive that applies to the host and can't be honoured.
    pub fn host_name(&self, host: &str) -> Result<String, TransportError> {
        let route = self.links.route(host).map_err(|fault| fault.at(host))?;
        Ok(route.end.host_name)
    }

    fn place<'a>(&'a self, target: &'a Target) -> Place<'a> {
        Place::Node { links: &self.links, host: &target.host }
    }
}

impl std::fmt::Debug for Ssh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ssh").field("options", self.links.options()).finish_non_exhaustive()
    }
}

impl Transport for Ssh {
    fn query<'a>(
        &'a self,
        target: &'a Target,
        query: Query,
    ) -> BoxFuture<'a, Result<Answer, TransportError>> {
        Box::pin(async move { query::query(&self.place(target), &query).await.map_err(at(target)) })
    }

    fn act<'a>(
        &'a self,
        target: &'a Target,
        action: &'a Action,
        watch: &'a dyn ActionWatch,
    ) -> BoxFuture<'a, Result<ActionEnd, TransportError>> {
        Box::pin(
            async move { act::act(&self.place(target), action, watch).await.map_err(at(target)) },
        )
    }

    fn forget<'a>(
        &'a self,
        target: &'a Target,
        id: &'a ActionId,
    ) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move { act::forget(&self.place(target), id).await.map_err(at(target)) })
    }
}

impl Preflight for Ssh {
    fn probe<'a>(
        &'a self,
        target: &'a Target,
        request: &'a ProbeRequest,
    ) -> BoxFuture<'a, Result<Probe, TransportError>> {
        Box::pin(async move {
            probe::probe(&self.links, target, request).await.map_err(|fault| fault.at(&target.host))
        })
    }
}

fn at(target: &Target) -> impl FnOnce(Fault) -> TransportError + '_ {
    |fault| fault.at(&target.host)
}
