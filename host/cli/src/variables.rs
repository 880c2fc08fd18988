//! Variables of single nodes: in the environment of whatever runs there. They may be secret: a job keeps their names only.
use crate::{
    error::CliError,
    reach::{Pairs, is_host_id, plain, text_of},
    targets::addresses,
};
use quorate_journal::TargetHost;
use quorate_ring::{Address, NodeId, Topology};
use quorate_transport::Ssh;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// The variables of each node.
pub(crate) type NodeVariables = BTreeMap<NodeId, Vec<(String, String)>>;

/// Variables by the names of hosts, as they were given.
#[derive(Default)]
pub(crate) struct Variables {
    file: String,
    of_host: BTreeMap<String, Vec<(String, String)>>,
    /// Hosts that were a node.
    used: Mutex<BTreeSet<String>>,
}

impl Variables {
    /// Reads a file: `{"HOST": {"NAME": "value"}}`, as cstar has it.
    ///
    /// # Errors
    /// What isn't that; values are never shown.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let file = path.display().to_string();
        let wrong = |what: String| CliError::usage(format!("--hosts-variables {file}: {what}"));
        let text = text_of("--hosts-variables", path)?;
        let hosts: Pairs<Value> = serde_json::from_str(&text).map_err(|error| {
            // The error's own text may quote a value.
            wrong(format!(
                "line {}: it isn't a JSON object of hosts, each there once",
                error.line()
            ))
        })?;
        let mut of_host = BTreeMap::new();
        for (host, members) in hosts.0 {
            let members = members
                .as_object()
                .ok_or_else(|| wrong(format!("{host}: an object of names and values is wanted")))?;
            let mut variables = Vec::new();
            for (name, value) in members {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let digit = name.starts_with(|c: char| c.is_ascii_digit());
                if name.is_empty()
                    || digit
                    || !name.chars().all(plain)
                    || name.starts_with("QUORATE_")
                {
                    return Err(wrong(format!("{host}: {name:?} can't be the name of a variable")).hint(
                        "letters, digits and underscores, not beginning with a digit; QUORATE_… are ours",
                    ));
                }
                let text = match value {
                    Value::String(text) if !text.contains('\0') => text.clone(),
                    Value::Number(number) => number.to_string(),
                    Value::Bool(yes) => yes.to_string(),
                    _ => return Err(wrong(format!("{host}: the value of {name} is no text"))),
                };
                variables.push((name.clone(), text));
            }
            of_host.insert(host, variables);
        }
        Ok(Self { file, of_host, used: Mutex::default() })
    }

    /// The names of all variables.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.of_host.values().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// The variables of each node of a cluster. Hosts are named as in the job, by address, host id, or a name that has an address.
    ///
    /// # Errors
    /// Two hosts that are one node.
    pub(crate) async fn of_nodes(
        &self,
        transport: &Ssh,
        topology: &Topology,
        hosts: &[TargetHost],
    ) -> Result<NodeVariables, CliError> {
        let mut used = BTreeSet::new();
        let mut of_node: BTreeMap<NodeId, (String, Vec<(String, String)>)> = BTreeMap::new();
        for (host, variables) in &self.of_host {
            let named = hosts.iter().position(|h| h.key.0 == *host || h.host == *host);
            let mut node = plain(topology, host).or(named.map(|place| NodeId(place as u32)));
            if node.is_none() && !is_host_id(host) {
                // A name that has no address is no node's.
                let ips = addresses(transport, host).await.unwrap_or_default();
                node = ips.into_iter().find_map(|ip| topology.by_address(Address(ip)));
            }
            let Some(node) = node else { continue };
            used.insert(host.clone());
            if let Some((other, _)) = of_node.insert(node, (host.clone(), variables.clone())) {
                let what =
                    format!("--hosts-variables {}: {other} and {host} are one node", self.file);
                return Err(CliError::usage(what).hint("leave one of them"));
            }
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(used);
        Ok(of_node.into_iter().map(|(node, (_, variables))| (node, variables)).collect())
    }

    /// What is left once every cluster was looked at.
    ///
    /// # Errors
    /// A host that is no node: a mistyped one would run without its variables.
    pub(crate) fn all_used(&self) -> Result<(), CliError> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match self.of_host.keys().find(|host| !used.contains(*host)) {
            None => Ok(()),
            Some(host) => {
                let what =
                    format!("--hosts-variables {}: {host} isn't a node of the cluster", self.file);
                Err(CliError::usage(what)
                    .hint("hosts are named by address, host id, or a name of that address"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Variables, CliError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Variables::read(Some(file.path()))
    }

    #[test]
    fn a_host_that_is_there_twice_loses_nothing() {
        let twice = r#"{"n1": {"A": "x"}, "n1": {"B": "y"}}"#;
        assert!(read(twice).err().unwrap().to_string().contains("each there once"));
    }

    #[test]
    fn values_are_texts_numbers_and_truths() {
        let variables = read(r#"{"n1": {"A": "x y", "B": 3, "C_1": true}, "n2": {}}"#).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            variables.of_host["n1"],
            [pair("A", "x y"), pair("B", "3"), pair("C_1", "true")]
        );
        assert_eq!(variables.names().into_iter().collect::<Vec<_>>(), ["A", "B", "C_1"]);
        assert!(variables.all_used().unwrap_err().to_string().contains("n1 isn't a node"));
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_value() {
        for (text, error) in [
            (r#"{"n1": {"A": ["s3cret"]}}"#, "the value of A is no text"),
            (r#"{"n1": {"A": "s3cret\u0000"}}"#, "the value of A is no text"),
            (r#"{"n1": "s3cret"}"#, "n1: an object"),
            ("{\"n1\":\n{\"A\": s3cret}}", "line 2"),
            (r#"["s3cret"]"#, "line 1"),
            (r#"{"n1": {"1A": "s3cret"}}"#, "\"1A\" can't be"),
            (r#"{"n1": {"QUORATE_JOB": "s3cret"}}"#, "can't be"),
        ] {
            let shown = read(text).err().unwrap().to_string();
            assert!(shown.contains(error) && !shown.contains("s3cret"), "{text}: {shown}");
        }
    }
}
