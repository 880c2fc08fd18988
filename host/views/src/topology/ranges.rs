//! Every range of a keyspace.
use quorate_ring::{Doubt, Keyspace, NodeId, Replication, Token, Topology};
use serde_json::json;
use std::fmt::Write as _;

/// Every range of a keyspace as lines: `(start, end]  replicas`, then who is to come, then what is in doubt.
/// Under EverywhereStrategy one line. Empty where the keyspace has no ranges.
pub fn ranges_text(topology: &Topology, keyspace: &Keyspace) -> String {
    let mut text = String::new();
    each(topology, keyspace, |held| {
        let _ = match held.range {
            Some((start, end)) => write!(text, "({start}, {end}] "),
            None => write!(text, "every range "),
        };
        let names = held.replicas.iter().map(|id| {
            let transient = if held.transient.contains(id) { " (transient)" } else { "" };
            format!("{}{transient}", topology.node(*id).address)
        });
        names.for_each(|name| {
            let _ = write!(text, " {name}");
        });
        if !held.pending.is_empty() {
            let _ = write!(text, "  to come: {}", names_of(topology, held.pending).join(" "));
        }
        text.push('\n');
    });
    doubts(topology, keyspace).for_each(|doubt| {
        let _ = writeln!(text, "in doubt: {}", doubt.text(topology));
    });
    text
}

/// Every range of a keyspace as JSON, a line each: a large cluster has a quarter of a million.
pub fn ranges_json(topology: &Topology, keyspace: &Keyspace) -> String {
    let doubts: Vec<String> = doubts(topology, keyspace).map(|d| d.text(topology)).collect();
    let mut text = format!(
        "{{\"format\":1,\"keyspace\":{},\"replication\":{},\"doubts\":{},\"ranges\":[",
        json!(keyspace.name.as_str()),
        json!(keyspace.replication.to_string()),
        json!(doubts),
    );
    let mut first = true;
    each(topology, keyspace, |held| {
        let (start, end) = held.range.unzip();
        let range = json!({
            "start": start.map(Token::to_string),
            "end": end.map(Token::to_string),
            "replicas": names_of(topology, held.replicas),
            "transient": names_of(topology, held.transient),
            "pending": names_of(topology, held.pending),
        });
        let comma = if std::mem::take(&mut first) { "" } else { "," };
        let _ = write!(text, "{comma}\n{range}");
    });
    text.push_str("\n]}");
    text
}

/// Who holds a range.
struct Held<'a> {
    /// Start, exclusive, and end; none: every range.
    range: Option<(&'a Token, &'a Token)>,
    replicas: &'a [NodeId],
    transient: &'a [NodeId],
    pending: &'a [NodeId],
}

fn each(topology: &Topology, keyspace: &Keyspace, mut show: impl FnMut(Held<'_>)) {
    if keyspace.replication == Replication::Everywhere {
        for set in topology.everywhere(None).iter() {
            let (replicas, transient, pending) = (set.full, set.transient, set.pending);
            show(Held { range: None, replicas, transient, pending });
        }
        return;
    }
    for range in topology.ranges(&keyspace.replication) {
        show(Held {
            range: Some((&range.start, &range.end)),
            replicas: &range.natural,
            transient: &range.transient,
            pending: &range.pending,
        });
    }
}

fn names_of(topology: &Topology, nodes: &[NodeId]) -> Vec<String> {
    nodes.iter().map(|id| topology.node(*id).address.to_string()).collect()
}

/// Doubts about ranges that are placed as this keyspace's are.
fn doubts<'a>(topology: &'a Topology, keyspace: &'a Keyspace) -> impl Iterator<Item = &'a Doubt> {
    topology.doubts.iter().filter(|doubt| doubt.replication == keyspace.replication)
}
