//! `nodetool describecluster`; what is indented here is indented by tabs.
//!
//! ```text
//! Cluster Information:
//!     Name: Test Cluster
//!     Snitch: org.apache.cassandra.locator.GossipingPropertyFileSnitch
//!     DynamicEndPointSnitch: enabled
//!     Partitioner: org.apache.cassandra.dht.Murmur3Partitioner
//!     Schema versions:
//!         4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76: [127.0.0.1, 127.0.0.2]
//!
//!         UNREACHABLE: [127.0.0.3]
//!
//! Stats for all nodes:
//!     Live: 2
//!     …
//! Data Centers:
//!     dc1 #Nodes: 3 #Down: 1
//!
//! Database versions:
//!     5.0.4: [127.0.0.1:7000, 127.0.0.2:7000, 127.0.0.3:7000]
//!
//! Keyspaces:
//!     app -> Replication class: NetworkTopologyStrategy {dc1=3}
//! ```
//!
//! Where keyspaces differ in their replication, 4.1 prints a line `Error: …` before the data centers
//! and 5.0 a line `Note: …` at the end; both mean nothing but that ownership can't be told.
use super::{ParseError, address, lines::Line, lines::Lines, replication::replication};
use crate::{Address, ClusterName, DataCenter, Keyspace, KeyspaceName, Replication};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

/// What `describecluster` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The cluster's name.
    pub name: ClusterName,
    /// The partitioner's simple class name: `Murmur3Partitioner`.
    pub partitioner: String,
    /// Schema versions and who has them.
    pub schema_versions: BTreeMap<String, Vec<Address>>,
    /// Nodes that didn't tell their schema version.
    pub unreachable: Vec<Address>,
    /// How many nodes with tokens each data center has.
    pub data_centers: BTreeMap<DataCenter, u32>,
    /// Release versions and who runs them; nodes whose version isn't known are left out.
    pub versions: BTreeMap<String, Vec<Address>>,
    /// Every keyspace, local ones included, in the order printed.
    pub keyspaces: Vec<Keyspace>,
}

const SCHEMA_VERSION: &str = "a schema version `UUID: [addresses]`, or `UNREACHABLE: [addresses]`";
const KEYSPACES: &str = "the section `Keyspaces:` (the output is cut, or of a version before 4.0, \
                         which doesn't print how keyspaces are replicated)";

/// What `describecluster` tells before 4.0: neither keyspaces nor release versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDescription {
    /// The cluster's name.
    pub name: ClusterName,
    /// The partitioner's simple class name.
    pub partitioner: String,
    /// Schema versions and who has them.
    pub schema_versions: BTreeMap<String, Vec<Address>>,
    /// Nodes that didn't tell their schema version.
    pub unreachable: Vec<Address>,
}

/// What `describecluster` tells, by the version of the node that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterAnswer {
    /// As from 4.0 on.
    Whole(ClusterDescription),
    /// As before 4.0. An output of a later version that was cut behind its schema versions looks the
    /// same: ask for the node's version before you take it for what it seems.
    SchemaOnly(SchemaDescription),
}

/// Reads the output of `nodetool describecluster` as versions from 4.0 on print it.
///
/// # Errors
/// On anything else. A replication class whose placement isn't known is named. Versions before 4.0
/// don't print keyspaces: that is an error too.
pub fn describecluster(text: &str) -> Result<ClusterDescription, ParseError> {
    let mut lines = Lines::new("nodetool describecluster", text);
    let schema = schema(&mut lines)?;
    if schema.is_all {
        return Err(lines.at_end(KEYSPACES));
    }
    details(lines, schema.description)
}

/// Reads the output of `nodetool describecluster` of any version from 3.0 on.
///
/// # Errors
/// On anything else; see [`describecluster`].
pub fn describecluster_of_any_version(text: &str) -> Result<ClusterAnswer, ParseError> {
    let mut lines = Lines::new("nodetool describecluster", text);
    let schema = schema(&mut lines)?;
    Ok(match schema.is_all {
        true => ClusterAnswer::SchemaOnly(schema.description),
        false => ClusterAnswer::Whole(details(lines, schema.description)?),
    })
}

struct Schema {
    description: SchemaDescription,
    /// Whether nothing follows.
    is_all: bool,
}

/// Reads what all versions print, up to the header of the next section where there is one.
fn schema(lines: &mut Lines<'_>) -> Result<Schema, ParseError> {
    lines.literal("Cluster Information:")?;
    let (_, name) = lines.field("\tName: ")?;
    lines.field("\tSnitch: ")?;
    // Not in 3.0, nor in the first of 3.11.
    let line = lines.require("`Partitioner: …`")?;
    if !line.text.starts_with("\tDynamicEndPointSnitch: ") {
        lines.put_back(line);
    }
    let (line, class) = lines.field("\tPartitioner: ")?;
    let partitioner = class.rsplit('.').next().unwrap_or(class);
    if partitioner.is_empty() {
        return Err(lines.unexpected(line, "a partitioner's class"));
    }
    lines.literal("\tSchema versions:")?;
    let end = "Stats for all nodes:";
    let (mut schema_versions, found) = versions(lines, end, "\t\t", SCHEMA_VERSION)?;
    let unreachable = schema_versions.remove("UNREACHABLE").unwrap_or_default();
    if !found && schema_versions.is_empty() {
        // The node that was asked has one.
        return Err(lines.at_end(SCHEMA_VERSION));
    }
    let description = SchemaDescription {
        name: ClusterName::new(name),
        partitioner: partitioner.into(),
        schema_versions,
        unreachable,
    };
    Ok(Schema { description, is_all: !found })
}

/// Reads what follows the schema versions from 4.0 on.
fn details(
    mut lines: Lines<'_>,
    schema: SchemaDescription,
) -> Result<ClusterDescription, ParseError> {
    let data_centers = stats(&mut lines)?;
    lines.literal("Database versions:")?;
    let expected = "a release version `5.0.4: [addresses]`";
    let (mut versions, found) = versions(&mut lines, "Keyspaces:", "\t", expected)?;
    if !found {
        return Err(lines.at_end(KEYSPACES));
    }
    // Gossip hasn't told the version of these nodes yet.
    versions.remove("");
    let keyspaces = keyspaces(&mut lines)?;
    if let Some(line) = lines.next()? {
        if !is_ownership_note(line.text) {
            return Err(lines.unexpected(line, "the end of the output or a note about ownership"));
        }
        lines.finish()?;
    }
    let SchemaDescription { name, partitioner, schema_versions, unreachable } = schema;
    Ok(ClusterDescription {
        name,
        partitioner,
        schema_versions,
        unreachable,
        data_centers,
        versions,
        keyspaces,
    })
}

/// Reads versions with their nodes, an empty line after each, up to the header of the next section.
/// False where the output ends instead, behind the empty line after a version.
fn versions(
    lines: &mut Lines<'_>,
    end: &str,
    indent: &str,
    expected: &str,
) -> Result<(BTreeMap<String, Vec<Address>>, bool), ParseError> {
    let mut versions = BTreeMap::new();
    let mut whole = false;
    loop {
        let line = match lines.next()? {
            None if whole => return Ok((versions, false)),
            None => return Err(lines.at_end(KEYSPACES)),
            Some(line) if line.text.trim().is_empty() => {
                whole = true;
                continue;
            }
            Some(line) => line,
        };
        whole = false;
        if line.text == end {
            return Ok((versions, true));
        }
        let read = line
            .text
            .strip_prefix(indent)
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|rest| rest.split_once(": ["))
            .filter(|(version, _)| !version.contains(char::is_whitespace));
        let Some((version, nodes)) = read else {
            return Err(lines.unexpected(line, expected));
        };
        if indent.len() == 2 && version != "UNREACHABLE" && !address::is_uuid(version) {
            return Err(lines.unexpected(line, expected));
        }
        let nodes = address::addresses(nodes).map_err(|what| lines.unexpected(line, what))?;
        if versions.insert(version.into(), nodes).is_some() {
            return Err(lines.unexpected(line, "every version once"));
        }
    }
}

/// Reads the counts over all nodes and those of each data center.
fn stats(lines: &mut Lines<'_>) -> Result<BTreeMap<DataCenter, u32>, ParseError> {
    for prefix in ["\tLive: ", "\tJoining: ", "\tMoving: ", "\tLeaving: ", "\tUnreachable: "] {
        let (line, count) = lines.field(prefix)?;
        if count.parse::<u32>().is_err() {
            return Err(lines.unexpected(line, "a number of nodes"));
        }
    }
    let line = lines.require("`Data Centers:`")?;
    if !is_ownership_note(line.text) {
        lines.put_back(line);
    }
    lines.skip_empty()?;
    lines.literal("Data Centers:")?;
    let mut data_centers = BTreeMap::new();
    loop {
        let line = lines.require("a data center or an empty line")?;
        if line.text.is_empty() {
            return Ok(data_centers);
        }
        let read = line.text.strip_prefix('\t').and_then(data_center);
        let Some((name, nodes)) = read else {
            return Err(lines.unexpected(line, "a data center `NAME #Nodes: N #Down: N`"));
        };
        if data_centers.insert(name, nodes).is_some() {
            return Err(lines.unexpected(line, "every data center once"));
        }
    }
}

fn data_center(text: &str) -> Option<(DataCenter, u32)> {
    let (rest, down) = text.rsplit_once(" #Down: ")?;
    let (name, nodes) = rest.rsplit_once(" #Nodes: ")?;
    down.parse::<u32>().ok()?;
    (!name.is_empty()).then_some((DataCenter::new(name), nodes.parse().ok()?))
}

/// Reads the keyspaces up to an empty line or the end.
fn keyspaces(lines: &mut Lines<'_>) -> Result<Vec<Keyspace>, ParseError> {
    let mut keyspaces = Vec::new();
    let mut names = BTreeSet::new();
    while let Some(line) = lines.next()? {
        if line.text.is_empty() {
            break;
        }
        let keyspace = keyspace(lines, line)?;
        if !names.insert(keyspace.name.clone()) {
            return Err(lines.unexpected(line, "every keyspace once"));
        }
        keyspaces.push(keyspace);
    }
    // Every node has these two. 4.1 and 5.0 print them last, so that without them the list is cut;
    // 4.0 prints them first.
    let local = |name: &str| {
        keyspaces.iter().any(|k| k.name.as_str() == name && k.replication == Replication::Local)
    };
    if local("system") && local("system_schema") {
        Ok(keyspaces)
    } else {
        Err(lines.at_end(
            "the keyspaces `system` and `system_schema`, which every node has (is the output cut?)",
        ))
    }
}

fn keyspace(lines: &Lines<'_>, line: Line<'_>) -> Result<Keyspace, ParseError> {
    let read = line
        .text
        .strip_prefix('\t')
        .and_then(|rest| rest.split_once(" -> Replication class: "))
        .filter(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
    let Some((name, strategy)) = read else {
        return Err(lines.unexpected(line, "a keyspace `NAME -> Replication class: …`"));
    };
    let replication = replication(strategy)
        .map_err(|what| lines.unexpected(line, format!("{what} for keyspace {name}")))?;
    Ok(Keyspace { name: KeyspaceName::new(name), replication })
}

/// The line by which nodetool says that it can't tell who owns how much. It exits with 0 all the same.
fn is_ownership_note(text: &str) -> bool {
    (text.starts_with("Error: ") || text.starts_with("Note: "))
        && text.to_ascii_lowercase().contains("effective ownership information is meaningless")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const TEXT: &str = "Cluster Information:
\tName: My: Cluster
\tSnitch: org.apache.cassandra.locator.GossipingPropertyFileSnitch
\tDynamicEndPointSnitch: disabled
\tPartitioner: org.apache.cassandra.dht.Murmur3Partitioner
\tSchema versions:
\t\t4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76: [2001:db8:0:0:0:0:0:1, 10.0.0.2]

\t\tUNREACHABLE: [10.0.0.3]

Stats for all nodes:
\tLive: 2
\tJoining: 0
\tMoving: 0
\tLeaving: 0
\tUnreachable: 1

Data Centers: 
\tdc 1 #Nodes: 3 #Down: 1

Database versions:
\t5.0.4: [[2001:db8:0:0:0:0:0:1]:7000, 10.0.0.2:7000]

\t: [10.0.0.3:7000]

Keyspaces:
\tapp -> Replication class: NetworkTopologyStrategy {dc 1=3}
\tsystem_schema -> Replication class: LocalStrategy {}
\tsystem -> Replication class: LocalStrategy {}
";

    #[test]
    fn a_cluster_of_both_address_families_is_read() {
        let cluster = describecluster(TEXT).unwrap();
        assert_eq!(cluster.name.as_str(), "My: Cluster");
        assert_eq!(cluster.partitioner, "Murmur3Partitioner");
        assert_eq!(cluster.unreachable.len(), 1);
        assert_eq!(cluster.schema_versions.len(), 1);
        assert_eq!(cluster.data_centers, BTreeMap::from([(DataCenter::new("dc 1"), 3)]));
        assert_eq!(cluster.versions.len(), 1);
        assert_eq!(cluster.versions["5.0.4"][0].to_string(), "2001:db8::1");
        assert_eq!(cluster.keyspaces.len(), 3);
    }

    #[test]
    fn the_remark_about_ownership_is_taken_in_both_places_and_no_other_is() {
        let note = "Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless";
        let early = TEXT.replace("\n\nData C", &format!("\nError: {note}\n\nData C"));
        assert_eq!(describecluster(&early), describecluster(TEXT));
        let late = format!("{TEXT}\nNote: {note}\n");
        assert_eq!(describecluster(&late), describecluster(TEXT));
        let other = TEXT.replace("\n\nData C", "\nError: the disk is full\n\nData C");
        let error = describecluster(&other).unwrap_err();
        assert!(error.to_string().contains("found `Error: the disk is full`"), "{error}");
        assert!(describecluster(&format!("{TEXT}\nNote: bye\n")).is_err());
    }

    #[test]
    fn an_unknown_replication_class_is_named_with_its_keyspace() {
        let error = describecluster(&TEXT.replace("NetworkTopologyS", "MyS")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`MyStrategy`") && text.contains("for keyspace app"), "{text}");
    }

    #[test]
    fn a_version_without_the_keyspaces_says_so() {
        let old = &TEXT[..TEXT.find("Stats for all").unwrap()];
        let error = describecluster(old).unwrap_err();
        assert!(error.expected.contains("before 4.0"), "{error}");
        assert!(error.to_string().ends_with("found the end of the output"), "{error}");
    }

    #[test]
    fn every_cut_is_noticed() {
        for end in 0..TEXT.len() {
            assert!(describecluster(&TEXT[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        for (from, to) in [
            ("\tName:", "Name:"),
            ("4631f8b1-", "4631f8b1"),
            ("[10.0.0.3]", "[10.0.0.3"),
            ("[10.0.0.3]", "[node3]"),
            ("\tLive: 2", "\tLive: two"),
            ("#Nodes: 3", "#Nodes: x"),
            ("\tdc 1 #N", "\t #N"),
            ("app ->", "a pp ->"),
            ("app ->", "system ->"),
            (
                "app -> Replication class: NetworkTopologyStrategy {dc 1=3}",
                "app -> Replication class: null",
            ),
            ("\tapp", "something went wrong for keyspace: app\n\tapp"),
            ("\t5.0.4: ", "\t5.0.4 beta: "),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT, "{from}");
            assert!(describecluster(&text).is_err(), "{to}");
        }
    }
}
