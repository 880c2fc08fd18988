//! `nodetool info`, `netstats` and `compactionstats`: what a node tells of itself.
use std::fmt::Write as _;

use super::Call;
use crate::cluster::Phase;
use crate::spec::Version;

impl Call<'_> {
    pub(super) fn info(&self) -> String {
        let member = self.member();
        let state = self.cluster.node(self.node);
        let version = self.version();
        let five = version == Version::V5_0_4;
        let mut out = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(out, "{name:<23}: {value}");
        };
        line("ID", &member.host_id);
        line("Gossip active", if state.phase == Phase::Up { "true" } else { "false" });
        if version < Version::V4_0_17 {
            line("Thrift active", "false");
        }
        line("Native Transport active", if state.serves_clients() { "true" } else { "false" });
        line("Load", &member.load());
        if five {
            line("Uncompressed load", "146.42 KiB");
        }
        line("Generation No", &state.generation.to_string());
        line("Uptime (seconds)", &state.uptime_s(self.now).to_string());
        line("Heap Memory (MB)", "130.85 / 247.50");
        line("Off Heap Memory (MB)", "0.00");
        line("Data Center", &member.dc);
        line("Rack", &member.rack);
        line("Exceptions", "0");
        line(
            "Key Cache",
            "entries 70, size 5.67 KiB, capacity 4 MiB, 96 hits, 134 requests, 0.716 recent hit rate, 14400 save period in seconds",
        );
        line(
            "Row Cache",
            "entries 0, size 0 bytes, capacity 0 bytes, 0 hits, 0 requests, NaN recent hit rate, 0 save period in seconds",
        );
        line(
            "Counter Cache",
            "entries 0, size 0 bytes, capacity 0 bytes, 0 hits, 0 requests, NaN recent hit rate, 7200 save period in seconds",
        );
        if version < Version::V4_0_17 {
            line(
                "Chunk Cache",
                "entries 24, size 1.5 MiB, capacity 29 MiB, 58 misses, 207 requests, 0.720 recent hit rate, 133.526 microseconds miss latency",
            );
        } else {
            line("Network Cache", "size 8 MiB, overflow size: 0 bytes, capacity 15 MiB");
        }
        line("Percent Repaired", "100.0%");
        match member.tokens.as_slice() {
            tokens if self.tokens || tokens.len() == 1 => {
                tokens.iter().for_each(|token| line("Token", &token.to_string()))
            }
            tokens => line(
                "Token",
                &format!("(invoke with -T/--tokens to see all {} tokens)", tokens.len()),
            ),
        }
        if five {
            line("Bootstrap state", "COMPLETED");
            line("Bootstrap failed", "false");
            line("Decommissioning", "false");
            line("Decommission failed", "false");
        }
        out
    }

    pub(super) fn netstats(&self) -> String {
        let state = self.cluster.node(self.node);
        let mode = match state.phase {
            Phase::Draining => "DRAINING",
            Phase::Drained => "DRAINED",
            Phase::Starting => "STARTING",
            Phase::Up | Phase::Down | Phase::Stopping => "NORMAL",
        };
        let uptime = state.uptime_s(self.now);
        let mut out = format!(
            "Mode: {mode}\nNot sending any streams.\nRead Repair Statistics:\nAttempted: 0\nMismatch (Blocking): 0\nMismatch (Background): 0\nPool Name                    Active   Pending      Completed   Dropped\n"
        );
        for (pool, completed) in [
            ("Large messages", 1),
            ("Small messages", uptime * 40),
            ("Gossip messages", uptime * 3),
        ] {
            let _ = writeln!(out, "{pool:<25}{:>10}{:>10}{completed:>15}{:>10}", "n/a", 0, 0);
        }
        out
    }

    pub(super) fn compactionstats(&self) -> String {
        let pending = self.cluster.node(self.node).pending_compactions;
        if self.version() != Version::V5_0_4 {
            let per_table =
                if pending > 0 { format!("- shop.orders: {pending}\n") } else { String::new() };
            return format!("pending tasks: {pending}\n{per_table}\n");
        }
        let throughput = match self.cluster.node(self.node).compaction_throughput {
            0 => "throttling disabled (0)".to_owned(),
            mb => format!("{mb}.0"),
        };
        let mut rows: Vec<(String, String)> = vec![
            ("concurrent compactors".to_owned(), "1".to_owned()),
            ("pending tasks".to_owned(), pending.to_string()),
        ];
        if pending > 0 {
            rows.push(("shop".to_owned(), format!("orders {pending}")));
        }
        let rest = [
            ("compactions completed", "12"),
            ("data compacted", "116774"),
            ("compactions aborted", "0"),
            ("compactions reduced", "0"),
            ("sstables dropped from compaction", "0"),
            ("15 minute rate", "11.05/minute"),
            ("mean rate", "311.64/hour"),
            ("compaction throughput (MiB/s)", throughput.as_str()),
        ];
        rows.extend(rest.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let name_width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let value_width = rows.iter().map(|(_, value)| value.len()).max().unwrap_or_default();
        rows.iter().fold(String::new(), |mut out, (name, value)| {
            let _ = writeln!(out, "{name:name_width$} {value:value_width$}");
            out
        })
    }
}
