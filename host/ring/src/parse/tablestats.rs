//! `nodetool tablestats`, for the names of the keyspaces: before 4.0 nothing else lists them.
//!
//! ```text
//! Total number of tables: 37
//! ----------------
//! Keyspace : shop
//!     Read Count: 0
//!         Table: orders
//!         …
//! ----------------
//! ```
//!
//! 3.0 prints no total, and `Keyspace: shop` without the space, as 5.0 does. A keyspace without tables isn't
//! listed; it holds nothing.
use super::{ParseError, lines::Lines};
use crate::KeyspaceName;
use alloc::{collections::BTreeSet, format, vec::Vec};

const RULE: &str = "----------------";

/// Reads the keyspaces of the output of `nodetool tablestats`, in the order printed.
///
/// # Errors
/// On anything else, a keyspace that is listed twice, another number of tables than the output says it has,
/// an output that lacks its last line or the keyspaces that every node has.
pub fn keyspaces_of_tablestats(text: &str) -> Result<Vec<KeyspaceName>, ParseError> {
    let mut lines = Lines::new("nodetool tablestats", text);
    let mut keyspaces = Vec::new();
    let mut seen = BTreeSet::new();
    let (mut total, mut tables, mut ended) = (None, 0_u64, false);
    while let Some(line) = lines.next()? {
        if let Some(count) = line.text.strip_prefix("Total number of tables: ") {
            if total.is_some() || !keyspaces.is_empty() {
                return Err(lines.unexpected(line, "a keyspace"));
            }
            let count = count.parse::<u64>();
            total = Some(count.map_err(|_| lines.unexpected(line, "a number of tables"))?);
        } else if let Some(rest) = line.text.strip_prefix("Keyspace") {
            let name = rest.strip_prefix(" : ").or_else(|| rest.strip_prefix(": "));
            let usable = |name: &&str| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            };
            let name = name.filter(usable).map(KeyspaceName::new);
            let Some(name) = name.filter(|name| seen.insert(name.clone())) else {
                return Err(lines.unexpected(line, "`Keyspace: NAME`, every name once"));
            };
            keyspaces.push(name);
            ended = false;
        } else if line.text == RULE {
            ended = !keyspaces.is_empty();
        } else if line.text.starts_with('\t') && !keyspaces.is_empty() && !ended {
            // An index isn't among the tables that are counted.
            tables += u64::from(line.text.starts_with("\t\tTable: "));
        } else if !line.text.is_empty() {
            return Err(lines.unexpected(line, "a keyspace, or a line about it after a tab"));
        }
    }
    if let Some(total) = total.filter(|total| *total != tables) {
        return Err(lines.at_end(format!("{total} tables, not {tables} (is the output cut?)")));
    }
    let has = |name: &str| keyspaces.iter().any(|known| known.as_str() == name);
    if !ended || !has("system") || !has("system_schema") {
        return Err(lines.at_end(
            "a line of dashes after the keyspaces, `system` and `system_schema` among them (is the output cut?)",
        ));
    }
    Ok(keyspaces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    const OLD: &str = "Keyspace: system\n\tRead Count: 0\n\t\tTable: local\n\t\tSSTable count: 1\n\n----------------\nKeyspace: system_schema\n\t\tTable: keyspaces\n\n----------------\n";

    fn names(text: &str) -> Result<Vec<String>, ParseError> {
        let names = keyspaces_of_tablestats(text)?;
        Ok(names.into_iter().map(|name| name.as_str().into()).collect())
    }

    #[test]
    fn keyspaces_of_both_forms_are_listed() {
        assert_eq!(names(OLD).unwrap(), ["system", "system_schema"]);
        let new = OLD.replace("Keyspace: ", "Keyspace : ").replace(
            "\t\tTable: keyspaces\n",
            "\t\tTable: keyspaces\n\n\t\tTable (index): keyspaces.x\n",
        );
        let new = format!("Total number of tables: 2\n{RULE}\n{new}");
        assert_eq!(names(&new).unwrap(), ["system", "system_schema"]);
        assert!(names(&new.replace("tables: 2", "tables: 3")).is_err());
    }

    #[test]
    fn foreign_and_cut_outputs_are_refused() {
        for end in 0..OLD.len() {
            assert!(names(&OLD[..end]).is_err(), "cut at {end}");
        }
        for text in [
            OLD.replace("system_schema", "system"),
            OLD.replace("system_schema", "a b"),
            OLD.replace("Keyspace: system_schema", "Keyspace system_schema"),
            OLD.replace("\tRead", "Read"),
            format!("Error: x\n{OLD}"),
            format!("{OLD}Total number of tables: 2\n"),
            format!("{OLD}\t\tTable: x\n"),
        ] {
            assert!(names(&text).is_err(), "{text}");
        }
    }
}
