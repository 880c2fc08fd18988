//! A look at all nodes at the same time, before anything is done to them.
use crate::Nodetool;
use quorate_ports::{FaultKind, Preflight, ProbeRequest, Target, TransportError};
use quorate_ring::{NodeId, parse};
use quorate_schedule::{Checked, NoVersion, Unreached, UnreachedKind};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// What is looked for.
#[derive(Clone)]
pub struct Looking {
    /// A word that no other look has.
    pub name: String,
    /// Everything that can be found out: nodetool is run, and the connections are made anew to see what outlives them.
    pub thorough: bool,
    /// How nodetool is called.
    pub nodetool: Nodetool,
    /// After this long a node counts as silent.
    pub timeout: Duration,
}

/// Looks at these nodes, all at once; the transport bounds how many connect at a time. In the order of the nodes.
pub async fn look(
    prober: Arc<dyn Preflight>,
    targets: Vec<(NodeId, Target)>,
    looking: Looking,
) -> Vec<Checked> {
    let request = Arc::new(ProbeRequest {
        look: looking.name.clone(),
        programs: vec![looking.nodetool.program().to_owned()],
        thorough: looking.thorough,
        timeout: looking.timeout,
    });
    let mut asked = JoinSet::new();
    for (node, target) in targets {
        let (prober, request, looking) = (prober.clone(), request.clone(), looking.clone());
        asked.spawn(async move {
            let probe = prober.probe(&target, &request).await;
            let version = match &probe {
                Ok(probe) if looking.thorough && probe.absent.is_empty() => {
                    Some(version(&looking.nodetool, &target).await)
                }
                _ => None,
            };
            Checked { node, probe: probe.map_err(|error| unreached(&error)), version }
        });
    }
    let mut nodes = Vec::new();
    while let Some(joined) = asked.join_next().await {
        match joined {
            Ok(checked) => nodes.push(checked),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    nodes.sort_by_key(|checked| checked.node);
    nodes
}

async fn version(nodetool: &Nodetool, target: &Target) -> Result<String, NoVersion> {
    let answer = nodetool.ask(target, &["version"], parse::version).await;
    answer.map_err(|error| {
        let prefix = format!("{}: ", target.host);
        let message = error.to_string();
        let message = message.strip_prefix(&prefix).unwrap_or(&message).to_owned();
        NoVersion { message, hint: error.hint() }
    })
}

/// Without the node's own address at the beginning, which would make the same fault of two nodes two.
fn unreached(error: &TransportError) -> Unreached {
    let kind = match error.kind {
        FaultKind::Unreachable | FaultKind::Disconnected | FaultKind::TimedOut => {
            UnreachedKind::NoAnswer
        }
        FaultKind::HostKey | FaultKind::Authentication => UnreachedKind::NoLogin,
        FaultKind::Sudo => UnreachedKind::SudoDenied,
        FaultKind::Node => UnreachedKind::NoShell,
        FaultKind::TooMuchOutput | FaultKind::Configuration | FaultKind::Local => {
            UnreachedKind::Ours
        }
    };
    let message = error.message.strip_prefix(&format!("{}:", error.host));
    let message = match message.and_then(|rest| rest.split_once(": ")) {
        Some((port, rest)) if port.chars().all(|c| c.is_ascii_digit()) => {
            format!("port {port}: {rest}")
        }
        _ => error.message.clone(),
    };
    Unreached { kind, message, hint: error.hint.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_of_two_nodes_reads_the_same() {
        let of = |host: &str, message: &str| {
            let (host, message, hint) = (host.into(), message.into(), String::new());
            unreached(&TransportError { host, kind: FaultKind::Unreachable, message, hint }).message
        };
        assert_eq!(of("10.0.0.1", "10.0.0.1:22: refused"), "port 22: refused");
        assert_eq!(of("10.0.0.1", "10.0.0.2:22: refused"), "10.0.0.2:22: refused");
        assert_eq!(of("n", "the name n: unknown"), "the name n: unknown");
    }
}
