//! `nodetool info`.
//!
//! One line `Name of it            : value` for each thing, with more things in every version: those
//! that aren't needed are passed over.
use super::{ParseError, address, lines::Line, lines::Lines};
use crate::{DataCenter, HostId, Rack};

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its host id.
    pub host_id: HostId,
    /// Whether gossip runs.
    pub gossip_active: bool,
    /// Whether CQL clients can connect.
    pub native_transport_active: bool,
    /// Gossip's generation: it grows with every start of the process. 0 while gossip doesn't run.
    pub generation: u64,
    /// Seconds since the process started.
    pub uptime_seconds: u64,
    /// Its data center.
    pub data_center: DataCenter,
    /// Its rack.
    pub rack: Rack,
}

/// The names of the lines that are read, in the order in which nodetool prints them.
const NAMES: [&str; 7] = [
    "ID",
    "Gossip active",
    "Native Transport active",
    "Generation No",
    "Uptime (seconds)",
    "Data Center",
    "Rack",
];

/// Reads the output of `nodetool info`, with `-T` or without.
///
/// # Errors
/// On a line that isn't `name : value`, a line that is needed and missing or there twice, or a value
/// that can't be read.
pub fn info(text: &str) -> Result<NodeInfo, ParseError> {
    let mut lines = Lines::new("nodetool info", text);
    let mut found: [Option<(Line<'_>, &str)>; NAMES.len()] = [None; NAMES.len()];
    while let Some(line) = lines.next()? {
        let Some((name, value)) = line.text.split_once(':') else {
            return Err(lines.unexpected(line, "a line `name : value`"));
        };
        if let Some(i) = NAMES.iter().position(|known| *known == name.trim_end())
            && found[i].replace((line, value.trim())).is_some()
        {
            return Err(lines.unexpected(line, alloc::format!("one line `{}` only", NAMES[i])));
        }
    }
    let read = Read { lines, found };
    let text = |value: &str| (!value.is_empty()).then(|| alloc::string::String::from(value));
    Ok(NodeInfo {
        host_id: read.value(0, "a UUID", address::host_id)?,
        gossip_active: read.value(1, "true or false", |v| v.parse().ok())?,
        native_transport_active: read.value(2, "true or false", |v| v.parse().ok())?,
        generation: read.value(3, "a number", |v| v.parse().ok())?,
        uptime_seconds: read.value(4, "a number", |v| v.parse().ok())?,
        data_center: DataCenter::new(read.value(5, "a name", text)?),
        rack: Rack::new(read.value(6, "a name", text)?),
    })
}

/// The lines that matter, once all were seen.
struct Read<'a> {
    lines: Lines<'a>,
    found: [Option<(Line<'a>, &'a str)>; NAMES.len()],
}

impl Read<'_> {
    fn value<T>(
        &self,
        i: usize,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ParseError> {
        let expected = || alloc::format!("the line `{}` with {what}", NAMES[i]);
        let (line, value) = self.found[i].ok_or_else(|| self.lines.at_end(expected()))?;
        read(value).ok_or_else(|| self.lines.unexpected(line, expected()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const TEXT: &str = "\
ID                     : 3f2aef9d-7466-4fe3-8dd2-9e976a31e0ae
Gossip active          : false
Native Transport active: true
Load                   : 293.14 KiB
Generation No          : 0
Uptime (seconds)       : 101
Heap Memory (MB)       : 102.00 / 247.50
Data Center            : dc: 1
Rack                   : rack 1
Token                  : 1
Token                  : 2
";

    #[test]
    fn a_node_tells_what_it_is() {
        let info = info(TEXT).unwrap();
        assert!(!info.gossip_active && info.native_transport_active);
        assert_eq!((info.generation, info.uptime_seconds), (0, 101));
        assert_eq!((info.data_center.as_str(), info.rack.as_str()), ("dc: 1", "rack 1"));
    }

    #[test]
    fn a_line_that_is_missing_twice_there_or_unreadable_is_named() {
        for name in NAMES {
            let without: alloc::string::String = TEXT
                .lines()
                .filter(|l| !l.starts_with(name))
                .map(|l| alloc::format!("{l}\n"))
                .collect();
            let error = info(&without).unwrap_err();
            assert!(error.to_string().contains(&alloc::format!("the line `{name}`")), "{error}");
            assert_eq!(error.line, None);
        }
        let error = info(&alloc::format!("{TEXT}Rack                   : r\n")).unwrap_err();
        assert!(error.to_string().contains("one line `Rack` only"), "{error}");
        let error = info(&TEXT.replace(": 101", ": N/A")).unwrap_err();
        assert!(
            error.to_string().contains("line 6: expected the line `Uptime (seconds)`"),
            "{error}"
        );
        assert!(info(&TEXT.replace(": true", ": yes")).is_err());
        assert!(info(&TEXT.replace(": rack 1", ":")).is_err());
        assert!(info("nonsense\n").is_err());
    }
}
