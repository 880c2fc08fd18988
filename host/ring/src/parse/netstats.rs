//! `nodetool netstats`.
//!
//! ```text
//! Mode: NORMAL
//! Bootstrap 5ad3c2f0-…
//!     /10.0.0.4:7000
//!         Receiving 12 files, 52428800 bytes total. …
//! Read Repair Statistics:
//! …
//! Pool Name                    Active   Pending      Completed   Dropped
//! …
//! Gossip messages                 n/a         0            360         0
//! ```
use super::{ParseError, address, lines::Lines};
use alloc::{string::String, vec::Vec};

/// What a node says of its mode and its streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetStats {
    /// `STARTING`, `NORMAL`, `JOINING`, `LEAVING`, `DECOMMISSIONED`, `MOVING`, `DRAINING`, `DRAINED`, …
    pub mode: String,
    /// The streams that run.
    pub streams: Vec<Stream>,
}

impl NetStats {
    /// The streams that change who owns what: while one runs the node isn't done.
    pub fn topology_streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(|stream| stream.operation.is_topology())
    }
}

/// A stream plan that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What it is for.
    pub operation: StreamOperation,
    /// The plan's UUID.
    pub plan: String,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOperation {
    /// A node joins.
    Bootstrap,
    /// A node fetches its data anew.
    Rebuild,
    /// A node gives its data away: decommission.
    Unbootstrap,
    /// A token moves.
    Relocation,
    /// Replicas are restored after a node was removed.
    RestoreReplicaCount,
    /// `sstableloader` sends data.
    BulkLoad,
    /// Repair.
    Repair,
    /// Cassandra's own `Other`.
    Other,
}

impl StreamOperation {
    /// Whether it changes who owns what.
    pub fn is_topology(self) -> bool {
        matches!(
            self,
            Self::Bootstrap
                | Self::Rebuild
                | Self::Unbootstrap
                | Self::Relocation
                | Self::RestoreReplicaCount
        )
    }

    const ALL: [Self; 8] = [
        Self::Bootstrap,
        Self::Rebuild,
        Self::Unbootstrap,
        Self::Relocation,
        Self::RestoreReplicaCount,
        Self::BulkLoad,
        Self::Repair,
        Self::Other,
    ];

    /// The description that Cassandra's `StreamOperation` prints.
    pub fn description(self) -> &'static str {
        match self {
            Self::Bootstrap => "Bootstrap",
            Self::Rebuild => "Rebuild",
            Self::Unbootstrap => "Unbootstrap",
            Self::Relocation => "Relocation",
            Self::RestoreReplicaCount => "Restore replica count",
            Self::BulkLoad => "Bulk Load",
            Self::Repair => "Repair",
            Self::Other => "Other",
        }
    }

    fn from_description(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.description() == text)
    }
}

const IDLE: &str = "Not sending any streams.";
const STREAM: &str = "`Not sending any streams.` or a stream's name and UUID";

/// Reads the output of `nodetool netstats`.
///
/// # Errors
/// On anything else, an unknown kind of stream, and an output without its last line.
pub fn netstats(text: &str) -> Result<NetStats, ParseError> {
    let mut lines = Lines::new("nodetool netstats", text);
    let (line, mode) = lines.field("Mode: ")?;
    if mode.is_empty() || mode.contains(char::is_whitespace) {
        return Err(lines.unexpected(line, "a mode of one word"));
    }
    let mut streams = Vec::new();
    let mut idle = false;
    let statistics = loop {
        let Some(line) = lines.next()? else { break false };
        match line.text {
            "Read Repair Statistics:" => break true,
            IDLE if streams.is_empty() && !idle => idle = true,
            // A session or a file of the stream above.
            text if text.starts_with("    ") && !streams.is_empty() => {}
            text => {
                let stream = (!idle).then(|| stream(text)).flatten();
                streams.push(stream.ok_or_else(|| lines.unexpected(line, STREAM))?);
            }
        }
    };
    if !idle && streams.is_empty() {
        return Err(lines.at_end(STREAM));
    }
    // A node that starts prints no statistics; any other has a last line to wait for.
    if statistics || mode != "STARTING" {
        read_statistics(&mut lines)?;
    }
    lines.finish()?;
    Ok(NetStats { mode: mode.into(), streams })
}

fn stream(text: &str) -> Option<Stream> {
    let (description, plan) = text.rsplit_once(' ')?;
    let operation = StreamOperation::from_description(description)?;
    address::is_uuid(plan).then(|| Stream { operation, plan: plan.into() })
}

fn read_statistics(lines: &mut Lines<'_>) -> Result<(), ParseError> {
    for prefix in [
        "Attempted: ",
        "Mismatch (Blocking): ",
        "Mismatch (Background): ",
        "Pool Name",
        "Large messages",
        "Small messages",
        "Gossip messages",
    ] {
        lines.field(prefix)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    const END: &str = "Read Repair Statistics:
Attempted: 0
Mismatch (Blocking): 0
Mismatch (Background): 0
Pool Name                    Active   Pending      Completed   Dropped
Large messages                  n/a         0              5         0
Small messages                  n/a         0             24         0
Gossip messages                 n/a         0            360         0
";
    const PLAN: &str = "5ad3c2f0-1d2e-11ee-8c99-0242ac120002";

    #[test]
    fn streams_are_told_by_what_they_are_for() {
        let text = format!(
            "Mode: JOINING\nBootstrap {PLAN}\n    /10.0.0.4:7000 (using /10.1.0.4:7000)\n        Receiving 12 files, 5 bytes total. Already received 1 files (8.33%), 1 bytes total (20.00%)\n            f 1/5 bytes (20%) received from idx:0/10.0.0.4\nRestore replica count {PLAN}\nRepair {PLAN}\n{END}"
        );
        let stats = netstats(&text).unwrap();
        assert_eq!(stats.mode, "JOINING");
        assert_eq!(stats.streams.len(), 3);
        assert_eq!(stats.topology_streams().count(), 2);
        let idle = netstats(&format!("Mode: NORMAL\nNot sending any streams.\n{END}")).unwrap();
        assert_eq!(idle.streams, []);
        assert!(netstats("Mode: STARTING\nNot sending any streams.\n").is_ok());
    }

    #[test]
    fn unknown_streams_and_cut_outputs_are_refused() {
        let error = netstats(&format!("Mode: NORMAL\nTeleport {PLAN}\n{END}")).unwrap_err();
        assert!(error.to_string().contains("found `Teleport"), "{error}");
        assert!(netstats(&format!("Mode: NORMAL\nRepair x\n{END}")).is_err());
        assert!(netstats(&format!("Mode: NORMAL\n{IDLE}\nRepair {PLAN}\n{END}")).is_err());
        assert!(netstats(&format!("Mode: NORMAL\n    /10.0.0.4\n{END}")).is_err());
        let whole = format!("Mode: NORMAL\nRepair {PLAN}\n    /10.0.0.4:7000\n{END}");
        for end in 0..whole.len() {
            assert!(netstats(&whole[..end]).is_err(), "cut at {end}");
        }
        assert!(netstats(&whole).is_ok());
    }
}
