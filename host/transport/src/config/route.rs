//! The whole way to a host: every jump host on it, in order.
use super::{
    proxy::{Jump, Proxy},
    resolve::{HostConfig, Resolver},
};
use crate::fault::Fault;
use quorate_ports::FaultKind;

/// More than anybody has; a configuration that makes names up of names would go on for ever.
const LONGEST: usize = 16;

/// The way to a host.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Jump hosts, the one that is connected to first in front.
    pub(crate) hops: Vec<HostConfig>,
    /// The host.
    pub(crate) end: HostConfig,
}

/// A host as it is told in errors: `user@name:port`.
pub(crate) fn name_of(host: &HostConfig) -> String {
    match host.host_name.contains(':') {
        true => format!("{}@[{}]:{}", host.user, host.host_name, host.port),
        false => format!("{}@{}:{}", host.user, host.host_name, host.port),
    }
}

impl Resolver<'_> {
    /// The way to a node that was given as `[user@]host`. A jump host is reached as its own part of the configuration says.
    ///
    /// # Errors
    /// A directive that can't be honoured, for the node or a jump host; a circle of jump hosts.
    pub(crate) fn route(&self, given: &str) -> Result<Route, Fault> {
        let end = self.resolve(given)?;
        let mut trail = vec![name_of(&end)];
        let hops = match &end.proxy {
            Proxy::Jump(jumps) => self.hops(jumps, &mut trail)?,
            Proxy::None | Proxy::Command(_) => Vec::new(),
        };
        Ok(Route { hops, end })
    }

    fn hops(&self, jumps: &[Jump], trail: &mut Vec<String>) -> Result<Vec<HostConfig>, Fault> {
        let mut hops: Vec<HostConfig> = Vec::new();
        for jump in jumps {
            let hop = self.resolve_jump(jump, !hops.is_empty()).map_err(|fault| Fault {
                message: format!("jump host {jump}: {}", fault.message),
                ..fault
            })?;
            let name = name_of(&hop);
            let seen = trail.contains(&name);
            trail.push(name);
            if seen || trail.len() > LONGEST {
                return Err(Fault::new(
                    FaultKind::Configuration,
                    format!("ProxyJump goes round in a circle: {}", trail.join(" via ")),
                )
                .hint(format!("give {} a Host block of its own with `ProxyJump none`, in front of the one that sends it through a jump host", hop.host_name)));
            }
            if let Proxy::Jump(further) = &hop.proxy {
                hops.extend(self.hops(further, trail)?);
            }
            hops.push(hop);
        }
        Ok(hops)
    }
}
