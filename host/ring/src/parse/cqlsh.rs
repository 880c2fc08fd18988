//! How keyspaces are replicated, as `cqlsh` prints the answer to [`CQL_KEYSPACES`].
//!
//! ```text
//!  host_id                              | schema_version
//! --------------------------------------+--------------------------------------
//!  0fe4e9c3-402f-43fb-a833-dec6c89ffc11 | 8967acdc-1567-3c51-9816-7142b9e4b483
//!
//! (1 rows)
//!
//!  keyspace_name | replication
//! ---------------+----------------------------------------------------------------------------------
//!           shop | {'class': 'org.apache.cassandra.locator.NetworkTopologyStrategy', 'dc1': '3'}
//!
//! (1 rows)
//! ```
//!
//! The first table says which node answered: `cqlsh` may be set up to ask another one, even of another cluster.
use super::{
    ParseError, address, error::shorten, lines::Line, lines::Lines, replication::from_options,
};
use crate::{HostId, Keyspace, KeyspaceName, Replication};
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

/// What is asked. Without paging, which would print the header again and again.
pub const CQL_KEYSPACES: &str = "PAGING OFF; SELECT host_id, schema_version FROM system.local; \
                                 SELECT keyspace_name, replication FROM system_schema.keyspaces";

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CqlKeyspaces {
    /// The node that answered.
    pub host_id: HostId,
    /// The schema version that it has.
    pub schema_version: String,
    /// Every keyspace, local ones included.
    pub keyspaces: Vec<Keyspace>,
}

/// Reads the answer. Lines before the first table are passed over where they begin with `WARNING` or speak of
/// paging.
///
/// # Errors
/// On anything else, a number of rows that isn't the one that is told, a replication class whose placement
/// isn't known, and where `system` and `system_schema` are missing, which every node has.
pub fn cql_keyspaces(text: &str) -> Result<CqlKeyspaces, ParseError> {
    let mut lines = Lines::new("cqlsh", text);
    preamble(&mut lines)?;
    let local = table(&mut lines, ["host_id", "schema_version"])?;
    let [(line, [host, schema])] = local[..] else {
        return Err(lines.at_end("one row of system.local"));
    };
    let host_id = address::host_id(host).filter(|_| address::is_uuid(schema));
    let host_id = host_id.ok_or_else(|| lines.unexpected(line, "two UUIDs"))?;
    let schema_version = schema.to_string();
    let rows = table(&mut lines, ["keyspace_name", "replication"])?;
    let mut keyspaces = Vec::with_capacity(rows.len());
    let mut names = BTreeSet::new();
    for (line, [name, map]) in rows {
        let usable = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(usable) || !names.insert(name) {
            return Err(lines.unexpected(line, "a keyspace's name, every one once"));
        }
        let replication = replication(map)
            .map_err(|what| lines.unexpected(line, format!("{what} for keyspace {name}")))?;
        keyspaces.push(Keyspace { name: KeyspaceName::new(name), replication });
    }
    let local = |name: &str| {
        let same = |ks: &Keyspace| ks.name.as_str() == name && ks.replication == Replication::Local;
        keyspaces.iter().any(same)
    };
    if !local("system") || !local("system_schema") {
        let expected = "the keyspaces `system` and `system_schema`, which every node has";
        return Err(lines.at_end(expected));
    }
    lines.finish()?;
    Ok(CqlKeyspaces { host_id, schema_version, keyspaces })
}

/// Passes over what stands before the first table.
fn preamble(lines: &mut Lines<'_>) -> Result<(), ParseError> {
    while let Some(line) = lines.next()? {
        let text = line.text.trim();
        let is_warning = text.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("warning"));
        // `Disabled Query paging.`, `PAGING set to OFF`, by version.
        let is_paging = text.to_ascii_lowercase().contains("paging");
        if !text.is_empty() && !is_warning && !is_paging {
            lines.put_back(line);
            break;
        }
    }
    Ok(())
}

type Row<'a> = (Line<'a>, [&'a str; 2]);

/// Reads a table of two columns with the number of its rows.
fn table<'a>(lines: &mut Lines<'a>, columns: [&str; 2]) -> Result<Vec<Row<'a>>, ParseError> {
    lines.skip_empty()?;
    let expected = format!("the columns `{} | {}`", columns[0], columns[1]);
    let line = lines.require(&expected)?;
    if cells(line.text) != Some(columns) {
        return Err(lines.unexpected(line, expected));
    }
    let line = lines.require("a line of dashes")?;
    if line.text.is_empty() || !line.text.bytes().all(|b| matches!(b, b'-' | b'+')) {
        return Err(lines.unexpected(line, "a line of dashes"));
    }
    let mut rows = Vec::new();
    loop {
        let line = lines.require("an empty line after the last row (is the output cut?)")?;
        if line.text.trim().is_empty() {
            break;
        }
        let row = cells(line.text).ok_or_else(|| lines.unexpected(line, "a row of two cells"))?;
        rows.push((line, row));
    }
    let line = lines.require("the number of rows")?;
    let count = line.text.strip_prefix('(').and_then(|text| text.strip_suffix(" rows)"));
    if count.and_then(|count| count.parse().ok()) != Some(rows.len()) {
        return Err(lines.unexpected(line, format!("`({} rows)`", rows.len())));
    }
    Ok(rows)
}

/// The cells of a row; only the last may hold a bar.
fn cells(text: &str) -> Option<[&str; 2]> {
    let (first, second) = text.split_once(" | ")?;
    Some([first.trim(), second.trim()])
}

/// `{'class': 'SimpleStrategy', 'replication_factor': '3'}`.
fn replication(text: &str) -> Result<Replication, String> {
    let wrong = || format!("a map `{{'class': …}}` (not `{}`)", shorten(text));
    let mut rest = text.strip_prefix('{').ok_or_else(wrong)?;
    let (mut class, mut options) = (None, Vec::new());
    loop {
        let name = quoted(&mut rest).ok_or_else(wrong)?;
        rest = rest.strip_prefix(": ").ok_or_else(wrong)?;
        let value = quoted(&mut rest).ok_or_else(wrong)?;
        if name != "class" {
            options.push((name, value));
        } else if class.replace(value).is_some() {
            return Err(wrong());
        }
        if rest == "}" {
            break;
        }
        rest = rest.strip_prefix(", ").ok_or_else(wrong)?;
    }
    from_options(&class.ok_or_else(wrong)?, &options)
}

/// Takes a text in quotes away: a quote in it is doubled, and so is a backslash.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut chars = rest.strip_prefix('\'')?.chars();
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' => match chars.as_str().strip_prefix('\'') {
                Some(after) => {
                    text.push('\'');
                    chars = after.chars();
                }
                None => {
                    *rest = chars.as_str();
                    return Some(text);
                }
            },
            '\\' => {
                // cqlsh shows control characters so as well, which no name has.
                chars = chars.as_str().strip_prefix('\\')?.chars();
                text.push('\\');
            }
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataCenter, ReplicationFactor};
    use alloc::collections::BTreeMap;

    const LOCAL: &str = "{'class': 'org.apache.cassandra.locator.LocalStrategy'}";

    fn answer(rows: &[(&str, &str)]) -> String {
        let mut text = String::from(
            "Disabled Query paging.\nWARNING: cqlsh was built against 5.0.0, but this server is 3.11.17.\n\n host_id                              | schema_version\n--------------------------------------+--------------------------------------\n 0fe4e9c3-402f-43fb-a833-dec6c89ffc11 | 8967acdc-1567-3c51-9816-7142b9e4b483\n\n(1 rows)\n\n keyspace_name | replication\n---------------+-------------\n",
        );
        for (name, map) in [("system", LOCAL), ("system_schema", LOCAL)].iter().chain(rows) {
            text.push_str(&format!("{name:>14} | {map:>60}\n"));
        }
        text + &format!("\n({} rows)\n", rows.len() + 2)
    }

    #[test]
    fn keyspaces_are_read_with_who_told_them() {
        let text = answer(&[
            (
                "shop",
                "{'class': 'org.apache.cassandra.locator.NetworkTopologyStrategy', 'it''s | \\\\ a': '3'}",
            ),
            ("simple", "{'replication_factor': '2', 'class': 'SimpleStrategy'}"),
        ]);
        let read = cql_keyspaces(&text).unwrap();
        assert_eq!(read.host_id.as_str(), "0fe4e9c3-402f-43fb-a833-dec6c89ffc11");
        let factor = |all| ReplicationFactor { all, transient: 0 };
        assert_eq!(
            read.keyspaces[2].replication,
            Replication::NetworkTopology(BTreeMap::from([(
                DataCenter::new("it's | \\ a"),
                factor(3)
            )]))
        );
        assert_eq!(read.keyspaces[3].replication, Replication::Simple(factor(2)));
    }

    #[test]
    fn foreign_and_cut_answers_are_refused() {
        let whole = answer(&[("shop", "{'class': 'SimpleStrategy', 'replication_factor': '2'}")]);
        assert!(cql_keyspaces(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(cql_keyspaces(&whole[..end]).is_err(), "cut at {end}");
        }
        for text in [
            whole.replace("(3 rows)", "(4 rows)"),
            whole.replace("(1 rows)", "(0 rows)"),
            whole.replace("          shop", "        system"),
            whole.replace("          shop", "          s p"),
            whole.replace("replication_factor': '2'", "replication_factor': 2"),
            whole.replace("{'class': 'SimpleStrategy', ", "{"),
            whole.replace("SimpleStrategy", "TierStrategy"),
            whole.replace("system_schema", "systemischema"),
            whole.replace("0fe4e9c3-", ""),
            whole.replace("-----+----", "-----x----"),
            format!("Traceback\n{whole}"),
            format!("{whole}\nWarnings :\n"),
            whole.replace("(3 rows)", "---MORE---\n(3 rows)"),
        ] {
            assert!(cql_keyspaces(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn maps_that_are_none_are_refused() {
        for map in [
            "",
            "{",
            "{}",
            "null",
            "{'class'}",
            "{'class': }",
            "{'class': 'SimpleStrategy'",
            "{'class': 'SimpleStrategy', }",
            "{'class': 'LocalStrategy', 'class': 'LocalStrategy'}",
            "{'class': 'LocalStrategy'} x",
            "{'class': 'Local\\x00Strategy'}",
        ] {
            assert!(replication(map).is_err(), "{map}");
        }
    }
}
