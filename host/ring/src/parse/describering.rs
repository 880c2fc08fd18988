//! `nodetool describering KEYSPACE`; ranges are indented by a tab.
//!
//! ```text
//! Schema Version:4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76
//! TokenRange:
//!     TokenRange(start_token:-1, end_token:7, endpoints:[127.0.0.2, 127.0.0.3], rpc_endpoints:[…], endpoint_details:[EndpointDetails(host:127.0.0.2, datacenter:dc1, rack:rack2), …])
//! ```
//!
//! Names of data centers and racks are printed as they are and may hold any of the punctuation, so
//! that the line is read from its front, by the words between which the addresses stand.
use super::{ParseError, address, lines::Line, lines::Lines};
use crate::{Address, DataCenter, KeyspaceName, Rack};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

/// One token range of one keyspace and the nodes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeReplicas {
    /// Exclusive start, as printed.
    pub start: String,
    /// Inclusive end, as printed.
    pub end: String,
    /// The replicas' addresses in the order printed.
    pub endpoints: Vec<Address>,
}

/// The ranges of a keyspace, and where their replicas stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The ranges in the order printed.
    pub ranges: Vec<RangeReplicas>,
    /// Data center and rack of every endpoint, where their names can be told apart: of a node that is being replaced they are shown nowhere else.
    pub places: BTreeMap<Address, (DataCenter, Rack)>,
}

/// Reads the output of `nodetool describering` for a keyspace.
///
/// The ranges of a keyspace make one ring: each begins where another ends. That is checked, so that an
/// output that lacks a line is never taken for a whole one.
///
/// # Errors
/// On anything else, an output without ranges (a keyspace that doesn't exist) or with a gap.
pub fn describering(keyspace: &KeyspaceName, text: &str) -> Result<Described, ParseError> {
    let mut lines = Lines::new(format!("nodetool describering {keyspace}"), text);
    let (line, version) = lines.field("Schema Version:")?;
    if !address::is_uuid(version.trim()) {
        return Err(lines.unexpected(line, "`Schema Version:UUID`"));
    }
    lines.literal("TokenRange:")?;
    let mut ranges = Vec::new();
    let mut places = BTreeMap::new();
    while let Some(line) = lines.next()? {
        if line.text.is_empty() {
            lines.put_back(line);
            break;
        }
        ranges.push(range(&lines, line, &mut places)?);
    }
    lines.skip_empty()?;
    if let Some(line) = lines.next()? {
        return Err(lines.unexpected(line, "the end of the output"));
    }
    match gap(&ranges) {
        None => Ok(Described { ranges, places }),
        Some(expected) => Err(lines.at_end(expected)),
    }
}

fn range(
    lines: &Lines<'_>,
    line: Line<'_>,
    places: &mut BTreeMap<Address, (DataCenter, Rack)>,
) -> Result<RangeReplicas, ParseError> {
    let parts = Parts::split(line.text).ok_or_else(|| {
        lines.unexpected(
            line,
            "`TokenRange(start_token:…, end_token:…, endpoints:[…], rpc_endpoints:[…], \
             endpoint_details:[…])`",
        )
    })?;
    let endpoints =
        address::addresses(parts.endpoints).map_err(|what| lines.unexpected(line, what))?;
    let details = details(parts.endpoints, parts.details)
        .ok_or_else(|| lines.unexpected(line, "details of the same endpoints in the same order"))?;
    for (endpoint, detail) in endpoints.iter().zip(details) {
        if !places.contains_key(endpoint) {
            places.extend(place(detail).map(|place| (*endpoint, place)));
        }
    }
    if endpoints.iter().collect::<BTreeSet<_>>().len() != endpoints.len() {
        return Err(lines.unexpected(line, "every endpoint of a range once"));
    }
    Ok(RangeReplicas { start: parts.start.into(), end: parts.end.into(), endpoints })
}

/// The pieces of a line that matter.
struct Parts<'a> {
    start: &'a str,
    end: &'a str,
    endpoints: &'a str,
    details: &'a str,
}

impl<'a> Parts<'a> {
    fn split(line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix("\tTokenRange(start_token:")?;
        let (start, rest) = rest.split_once(", end_token:")?;
        let (end, rest) = rest.split_once(", endpoints:[")?;
        let (endpoints, rest) = rest.split_once("], rpc_endpoints:[")?;
        let (_, rest) = rest.split_once("], endpoint_details:[")?;
        let details = rest.strip_suffix("])")?;
        (!start.is_empty() && !end.is_empty()).then_some(Self { start, end, endpoints, details })
    }
}

/// The details of each endpoint after its host, if they are those of the endpoints, each in its place.
fn details<'a>(endpoints: &str, details: &'a str) -> Option<Vec<&'a str>> {
    if endpoints.is_empty() {
        return details.is_empty().then(Vec::new);
    }
    const NEXT: &str = "), EndpointDetails(host:";
    let mut found = Vec::new();
    let mut rest = details.strip_prefix("EndpointDetails(host:")?;
    let hosts: Vec<&str> = endpoints.split(", ").collect();
    for (i, host) in hosts.iter().enumerate() {
        let after = rest.strip_prefix(host).filter(|after| after.starts_with([',', ')']))?;
        match hosts.get(i + 1) {
            None => found.push(after.strip_suffix(')')?),
            Some(_) => {
                let (own, next) = after.split_once(NEXT)?;
                found.push(own);
                rest = next;
            }
        }
    }
    Some(found)
}

/// `, datacenter:NAME, rack:NAME`. Names that hold the words between can't be told apart.
fn place(details: &str) -> Option<(DataCenter, Rack)> {
    let names = details.strip_prefix(", datacenter:")?;
    let (center, rack) = names.split_once(", rack:")?;
    let clear = !center.is_empty() && !rack.is_empty() && !rack.contains(", rack:");
    clear.then(|| (DataCenter::new(center), Rack::new(rack)))
}

/// What is missing for the ranges to be one ring.
fn gap(ranges: &[RangeReplicas]) -> Option<String> {
    let Some(first) = ranges.first() else {
        return Some("a token range (does the keyspace exist?)".into());
    };
    let mut next = BTreeMap::new();
    for range in ranges {
        if next.insert(range.start.as_str(), range.end.as_str()).is_some() {
            return Some(format!("one range only that begins at {}", shown(&range.start)));
        }
    }
    let mut token = first.start.as_str();
    for _ in ranges {
        match next.remove(token) {
            Some(end) => token = end,
            None => break,
        }
    }
    if next.is_empty() && token == first.start {
        return None;
    }
    Some(format!("a range that begins at {} (is the output cut?)", shown(token)))
}

fn shown(token: &str) -> String {
    super::error::shorten(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const HEAD: &str = "Schema Version:4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76\nTokenRange: \n";

    fn row(start: &str, end: &str, nodes: &[&str]) -> String {
        let list = nodes.join(", ");
        let details: Vec<String> = nodes
            .iter()
            .map(|n| format!("EndpointDetails(host:{n}, datacenter:d, rack:r)"))
            .collect();
        let details = details.join(", ");
        format!(
            "\tTokenRange(start_token:{start}, end_token:{end}, endpoints:[{list}], rpc_endpoints:[{list}], endpoint_details:[{details}])\n"
        )
    }

    fn read(rows: &str) -> Result<Vec<RangeReplicas>, ParseError> {
        let described = describering(&KeyspaceName::new("app"), &format!("{HEAD}{rows}"))?;
        if !rows.contains("9.9.9.9") {
            let mut ends = described.ranges.iter().flat_map(|range| &range.endpoints);
            assert!(ends.all(|endpoint| described.places.contains_key(endpoint)));
        }
        Ok(described.ranges)
    }

    #[test]
    fn ranges_are_read_in_any_order_and_address_family() {
        let rows = row("7", "-5", &["0:0:0:0:0:0:0:1", "::2"])
            + &row("-5", "0", &["10.0.0.1"])
            + &row("0", "7", &["[::2]:7000", "10.0.0.1:7000"]);
        let ranges = read(&rows).unwrap();
        assert_eq!(ranges.len(), 3);
        assert_eq!((ranges[0].start.as_str(), ranges[0].end.as_str()), ("7", "-5"));
        let shown: Vec<_> = ranges[0].endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["::1", "::2"]);
        assert_eq!(ranges[2].endpoints[0], ranges[0].endpoints[1]);
    }

    #[test]
    fn one_token_makes_a_whole_ring_and_a_range_may_have_no_replica() {
        assert_eq!(read(&row("0", "0", &["::1"])).unwrap().len(), 1);
        assert_eq!(read(&row("0", "0", &[])).unwrap()[0].endpoints, []);
    }

    #[test]
    fn names_full_of_punctuation_do_no_harm() {
        let odd = row("0", "0", &["10.0.0.1", "10.0.0.2"])
            .replace("datacenter:d", "datacenter:], rpc_endpoints:[9.9.9.9], rack:x)")
            .replace("rack:r", "rack:a, b: (c]) endpoints:[8.8.8.8");
        let ranges = read(&odd).unwrap();
        assert_eq!(ranges[0].endpoints.len(), 2);
    }

    #[test]
    fn a_lacking_doubled_or_foreign_range_is_noticed() {
        let rows = [row("0", "5", &["::1"]), row("5", "9", &["::1"]), row("9", "0", &["::1"])];
        for lacking in 0..3 {
            let some: String = rows
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != lacking)
                .map(|(_, r)| r.as_str())
                .collect();
            let error = read(&some).unwrap_err();
            assert!(error.expected.contains("begins at"), "{error}");
        }
        assert!(read(&(rows.concat() + &rows[0])).is_err());
        assert!(read(&(rows.concat() + &row("20", "20", &["::1"]))).is_err());
        assert!(read("").unwrap_err().expected.contains("does the keyspace exist"));
    }

    #[test]
    fn lines_that_are_not_whole_are_refused() {
        let good = row("0", "0", &["10.0.0.1", "10.0.0.2"]);
        for (from, to) in [
            ("])\n", "]\n"),
            ("), EndpointDetails(host:10.0.0.2, datacenter:d, rack:r)", ")"),
            ("EndpointDetails(host:10.0.0.2", "EndpointDetails(host:10.0.0.22"),
            ("endpoints:[10.0.0.1, ", "endpoints:["),
            ("endpoints:[10.0.0.1", "endpoints:[node1"),
            ("endpoints:[10.0.0.1", "endpoints:[fe80::1%eth0"),
            ("start_token:0", "start_token:"),
            ("\tTokenRange", "TokenRange"),
        ] {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from}");
            assert!(read(&text).is_err(), "{to}");
        }
        let error = read(&row("0", "0", &["10.0.0.1:7000", "10.0.0.1:7001"])).unwrap_err();
        assert!(error.expected.contains("once"), "{error}");
        let whole = format!("{HEAD}{good}");
        for end in 0..whole.len() {
            assert!(
                describering(&KeyspaceName::new("app"), &whole[..end]).is_err(),
                "cut at {end}"
            );
        }
        let error = read("\terror: boom\n").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("nodetool describering app, line 3: expected `TokenRange(")
        );
    }
}
