//! `nodetool cms describe`, from Cassandra 6 on.
//!
//! ```text
//! Cluster Metadata Service:
//! CMS Identifier: 1523947128
//! Members: (nodeid=1,address=/10.0.0.1:7000),(nodeid=2,address=/10.0.0.2:7000)
//! Needs reconfiguration: false
//! Is Member: true
//! Service State: LOCAL
//! Is Migrating: false
//! Epoch: 31
//! Local Pending Count: 0
//! Commits Paused: false
//! Replication factor: ReplicationParams{class=org.apache.cassandra.locator.MetaStrategy, dc1=3}
//! ```
//!
//! Read in the sources of Cassandra's development branch (`CMSAdmin`, `CMSOperations.describeCMS`), not held
//! against a real node. They have known two forms: one has no identifier and lists the members as
//! `/10.0.0.1:7000,/10.0.0.2:7000`. A nodetool that is newer than its server prints `null` for what the
//! server doesn't tell.
use super::{ParseError, address, lines::Lines};
use crate::{Address, Replication};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
use core::str::FromStr;

/// The cluster metadata service as one node shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmsDescription {
    /// Tells one cluster's metadata from another's; older servers have none.
    pub identifier: Option<i32>,
    /// The full members: a majority of them must be up for any change of schema or topology. None before
    /// the service was initialized.
    pub members: Vec<Address>,
    /// Whether the members aren't those that the replication asks for; older servers don't tell.
    pub needs_reconfiguration: Option<bool>,
    /// Whether the node that was asked is a member.
    pub is_member: bool,
    /// Where that node commits changes.
    pub state: CmsState,
    /// Whether the cluster is in the middle of leaving gossip for the service.
    pub is_migrating: bool,
    /// The last change that the node has applied. 1 is the first; below it the service isn't initialized.
    pub epoch: i64,
    /// Changes that the node has received and can't apply yet.
    pub pending: u32,
    /// Whether an operator has paused all changes.
    pub commits_paused: bool,
    /// Of the keyspace that holds the metadata; `None` where the service isn't initialized.
    pub replication: Option<Replication>,
}

/// Where a node commits changes of the metadata (`ClusterMetadataService.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmsState {
    /// `LOCAL`: it is a member itself.
    Local,
    /// `REMOTE`: at the members.
    Remote,
    /// `GOSSIP`: nowhere, the cluster still lives by gossip.
    Gossip,
    /// `RESET`: it was started with metadata forced upon it.
    Reset,
}

/// Reads the output of `nodetool cms describe`.
///
/// # Errors
/// On a line that is missing, in another place or not known, a value that can't be read, a member that is
/// listed twice.
pub fn cms(text: &str) -> Result<CmsDescription, ParseError> {
    let mut lines = Lines::new("nodetool cms describe", text);
    lines.literal("Cluster Metadata Service:")?;
    let identifier = identifier(&mut lines)?;
    let (line, listed) = lines.field("Members: ")?;
    let members = members(listed).map_err(|expected| lines.unexpected(line, expected))?;
    let mut description = CmsDescription {
        identifier,
        members,
        needs_reconfiguration: value(&mut lines, "Needs reconfiguration: ", FLAG, optional)?,
        is_member: value(&mut lines, "Is Member: ", FLAG, parsed)?,
        state: value(&mut lines, "Service State: ", "LOCAL, REMOTE, GOSSIP or RESET", state)?,
        is_migrating: value(&mut lines, "Is Migrating: ", FLAG, parsed)?,
        epoch: value(&mut lines, "Epoch: ", NUMBER, parsed)?,
        pending: value(&mut lines, "Local Pending Count: ", NUMBER, parsed)?,
        commits_paused: value(&mut lines, "Commits Paused: ", FLAG, parsed)?,
        replication: None,
    };
    let initialized = description.epoch >= 1;
    description.replication =
        value(&mut lines, "Replication factor: ", "the options of MetaStrategy", |text| {
            if text.is_empty() && !initialized { Some(None) } else { meta(text).map(Some) }
        })?;
    lines.finish()?;
    Ok(description)
}

const FLAG: &str = "true or false";
const NUMBER: &str = "a number";

/// The identifier's line, where there is one.
fn identifier(lines: &mut Lines<'_>) -> Result<Option<i32>, ParseError> {
    let line = lines.require("`Members: …`")?;
    lines.put_back(line);
    if !line.text.starts_with("CMS Identifier: ") {
        return Ok(None);
    }
    value(lines, "CMS Identifier: ", NUMBER, optional)
}

fn value<T>(
    lines: &mut Lines<'_>,
    name: &str,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, ParseError> {
    let (line, value) = lines.field(name)?;
    read(value).ok_or_else(|| lines.unexpected(line, format!("`{} …` with {what}", name.trim())))
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// A value that the server may not have told.
fn optional<T: FromStr>(text: &str) -> Option<Option<T>> {
    if text == "null" { Some(None) } else { parsed(text).map(Some) }
}

fn state(text: &str) -> Option<CmsState> {
    match text {
        "LOCAL" => Some(CmsState::Local),
        "REMOTE" => Some(CmsState::Remote),
        "GOSSIP" => Some(CmsState::Gossip),
        "RESET" => Some(CmsState::Reset),
        _ => None,
    }
}

/// The strategy with its options.
fn meta(text: &str) -> Option<Replication> {
    let options = text
        .strip_prefix("ReplicationParams{class=org.apache.cassandra.locator.MetaStrategy, ")?
        .strip_suffix('}')?;
    Some(Replication::Meta(options.into()))
}

/// The members in either form. The error is what should have been there.
fn members(text: &str) -> Result<Vec<Address>, String> {
    let members = if text.is_empty() {
        Vec::new()
    } else if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        inner.split("),(").map(numbered).collect::<Result<_, _>>()?
    } else {
        text.split(',').map(endpoint).collect::<Result<Vec<_>, _>>()?
    };
    let distinct: BTreeSet<Address> = members.iter().copied().collect();
    if distinct.len() < members.len() {
        return Err("every member once".into());
    }
    Ok(members)
}

/// `nodeid=1,address=/10.0.0.1:7000`.
fn numbered(text: &str) -> Result<Address, String> {
    text.strip_prefix("nodeid=")
        .and_then(|text| text.split_once(",address="))
        .filter(|(id, _)| id.parse::<u32>().is_ok())
        .ok_or_else(|| "members as `(nodeid=N,address=/ADDRESS:PORT)`".into())
        .and_then(|(_, address)| endpoint(address))
}

/// `/10.0.0.1:7000`; before the slash stands the name, where Java knows it.
fn endpoint(text: &str) -> Result<Address, String> {
    let (_, address) = text.rsplit_once('/').ok_or("members as `/ADDRESS:PORT`")?;
    Ok(address::address(address)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const TEXT: &str = "\
Cluster Metadata Service:
CMS Identifier: -1523947128
Members: (nodeid=1,address=/10.0.0.1:7000),(nodeid=12,address=node12/10.0.0.2:7000)
Needs reconfiguration: false
Is Member: true
Service State: LOCAL
Is Migrating: false
Epoch: 31
Local Pending Count: 2
Commits Paused: true
Replication factor: ReplicationParams{class=org.apache.cassandra.locator.MetaStrategy, dc1=3, dc2=1}
";

    /// The text with one line replaced by another, or dropped.
    fn with(name: &str, line: &str) -> String {
        assert!(TEXT.contains(name));
        TEXT.split_inclusive('\n')
            .map(|l| if l.starts_with(name) { line.to_string() } else { l.to_string() })
            .collect()
    }

    fn listed(cms: &CmsDescription) -> Vec<String> {
        cms.members.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_line_is_read() {
        let cms = cms(TEXT).unwrap();
        assert_eq!(listed(&cms), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(cms.identifier, Some(-1523947128));
        assert_eq!((cms.needs_reconfiguration, cms.is_member), (Some(false), true));
        assert_eq!((cms.state, cms.is_migrating, cms.epoch), (CmsState::Local, false, 31));
        assert_eq!((cms.pending, cms.commits_paused), (2, true));
        assert_eq!(cms.replication, Some(Replication::Meta("dc1=3, dc2=1".into())));
    }

    #[test]
    fn the_form_without_node_ids_is_read_and_ipv6_too() {
        let text = with("Members", "Members: /[2001:db8:0:0:0:0:0:1]:7000,/10.0.0.9:7001\n");
        let text = text.replace("CMS Identifier: -1523947128\n", "");
        let cms = cms(&text).unwrap();
        assert_eq!(listed(&cms), ["2001:db8::1", "10.0.0.9"]);
        assert_eq!(cms.identifier, None);
        let text = with("Members", "Members: (nodeid=3,address=/[0:0:0:0:0:0:0:1]:7000)\n");
        assert_eq!(listed(&super::cms(&text).unwrap()), ["::1"]);
    }

    #[test]
    fn what_an_older_server_does_not_tell_is_null() {
        let text = with("CMS Identifier", "CMS Identifier: null\n")
            .replace("reconfiguration: false", "reconfiguration: null");
        let cms = cms(&text).unwrap();
        assert_eq!((cms.identifier, cms.needs_reconfiguration), (None, None));
        let text = TEXT.replace("Commits Paused: true", "Commits Paused: null");
        assert!(super::cms(&text).unwrap_err().expected.contains("true or false"));
    }

    #[test]
    fn before_the_service_is_initialized_there_are_no_members() {
        let text = with("Members", "Members: \n")
            .replace("LOCAL", "GOSSIP")
            .replace("Epoch: 31", "Epoch: -9223372036854775807");
        let whole = text.replace(text.lines().last().unwrap(), "Replication factor: ");
        let cms = cms(&whole).unwrap();
        assert_eq!((cms.members.len(), cms.state), (0, CmsState::Gossip));
        assert_eq!((cms.epoch, cms.replication), (i64::MIN + 1, None));
        let contradicts = with("Replication factor", "Replication factor: \n");
        assert!(super::cms(&contradicts).unwrap_err().expected.contains("MetaStrategy"));
    }

    #[test]
    fn a_cut_output_or_one_without_a_line_is_an_error() {
        for end in 0..TEXT.len() {
            assert!(cms(&TEXT[..end]).is_err(), "cut at {end}");
        }
        for dropped in TEXT.lines().filter(|line| !line.starts_with("CMS Identifier")) {
            let error = cms(&with(dropped, "")).unwrap_err();
            assert!(!error.expected.is_empty(), "{dropped}");
        }
    }

    #[test]
    fn foreign_text_is_refused() {
        let refused = |name: &str, line: &str, part: &str| {
            let error = cms(&with(name, line)).unwrap_err().to_string();
            assert!(error.contains(part), "{line} {error}");
        };
        refused("Service State", "Service State: PAXOS\n", "LOCAL, REMOTE, GOSSIP or RESET");
        refused("Is Member", "Is Member: yes\n", "true or false");
        refused("Epoch", "Epoch: many\n", "a number");
        refused("Epoch", "Epoch: 1\nEpoch: 1\n", "Local Pending Count");
        refused("Replication", "Replication factor: 3\n", "MetaStrategy");
        refused("Commits", "Commits Paused: false\nSomething: else\n", "Replication factor");
        refused("Members", "Members: null\n", "members as");
        refused("Members", "Members: 10.0.0.1:7000\n", "members as");
        refused("Members", "Members: /node1:7000\n", "an IP address");
        refused("Members", "Members: (nodeid=x,address=/10.0.0.1:7000)\n", "nodeid=N");
        refused("Members", "Members: (nodeid=1,address=/10.0.0.1:7000\n", "members as");
        refused("Members", "Members: /10.0.0.1:7000,/10.0.0.1:7001\n", "every member once");
        let error = cms(&format!("{TEXT}More: 1\n")).unwrap_err();
        assert!(error.expected.contains("the end of the output"), "{error}");
        let unknown = "nodetool: Found unexpected parameters: [cms, describe]\n";
        assert!(cms(unknown).unwrap_err().to_string().contains("Cluster Metadata Service"));
    }
}
