//! Ansible inventories: the hosts of a group, and how each is reached. Of INI files what groups and hosts are made of is read,
//! of everything else what `ansible-inventory --list` makes of it.
use crate::error::CliError;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Groups within groups end here; deeper ones go round in a circle.
const DEPTH: usize = 32;
/// Hosts of one range, such as `node[001:999]`.
const RANGE: usize = 10_000;

/// A host of an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InventoryHost {
    /// Its name there.
    pub(crate) name: String,
    /// `quorate_node`: the node's address or host id, where neither the name nor `ansible_host` tells.
    pub(crate) node: Option<String>,
    /// `ansible_host`.
    pub(crate) host: Option<String>,
    /// `ansible_user`.
    pub(crate) user: Option<String>,
    /// `ansible_port`.
    pub(crate) port: Option<u16>,
}

#[derive(Default)]
struct Group {
    hosts: Vec<String>,
    children: Vec<String>,
    vars: BTreeMap<String, String>,
}

/// An inventory, read.
#[derive(Default)]
struct Inventory {
    groups: BTreeMap<String, Group>,
    vars: BTreeMap<String, BTreeMap<String, String>>,
}

/// The hosts of a group, or all, from the text of an inventory called `place`.
///
/// # Errors
/// What can't be read, with its line; a group that isn't there.
pub(crate) fn hosts(
    text: &str,
    place: &str,
    group: Option<&str>,
) -> Result<Vec<InventoryHost>, CliError> {
    let wrong = |what: String| CliError::usage(format!("--inventory: {place}{what}"));
    let begins =
        text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let first = begins.unwrap_or_default();
    let is_json = first.starts_with('{');
    let is_key = first.ends_with(':') && !first.contains(char::is_whitespace);
    if first == "---" || is_key && !is_json {
        return Err(wrong(": YAML isn't read".into()).hint(
            "ansible-inventory -i FILE --list prints it as JSON: give that with --inventory",
        ));
    }
    let inventory = if is_json { json(text) } else { ini(text) }.map_err(wrong)?;
    let names = inventory.members(group).map_err(wrong)?;
    let host = |name: String| inventory.host(name).map_err(wrong);
    names.into_iter().map(host).collect()
}

impl Inventory {
    fn members(&self, group: Option<&str>) -> Result<BTreeSet<String>, String> {
        let mut names = BTreeSet::new();
        match group {
            None | Some("all") => {
                names.extend(self.vars.keys().cloned());
                names.extend(self.groups.values().flat_map(|group| group.hosts.iter().cloned()));
            }
            Some(name) => {
                if !self.groups.contains_key(name) {
                    let known: Vec<&str> = self.groups.keys().map(String::as_str).collect();
                    return Err(format!(
                        ": there is no group {name}; there are: {}",
                        known.join(", ")
                    ));
                }
                self.collect(name, 0, &mut names)?;
            }
        }
        match names.is_empty() {
            true => Err(": it names no host".into()),
            false => Ok(names),
        }
    }

    fn collect(
        &self,
        group: &str,
        depth: usize,
        names: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!(": the group {group} holds itself"));
        }
        let Some(group) = self.groups.get(group) else { return Ok(()) };
        names.extend(group.hosts.iter().cloned());
        group.children.iter().try_for_each(|child| self.collect(child, depth + 1, names))
    }

    /// A host with the variables of its own and of its groups: the nearest group's first, `all` last.
    fn host(&self, name: String) -> Result<InventoryHost, String> {
        let mut vars = self.vars.get(&name).cloned().unwrap_or_default();
        let mut nearest: Vec<&String> = Vec::new();
        let holds = |group: &Group| group.hosts.contains(&name);
        nearest.extend(self.groups.iter().filter(|(_, group)| holds(group)).map(|(name, _)| name));
        let mut seen = 0;
        while seen < nearest.len() && nearest.len() <= self.groups.len() {
            let child = nearest[seen];
            seen += 1;
            for (parent, group) in &self.groups {
                if group.children.contains(child) && !nearest.contains(&parent) {
                    nearest.push(parent);
                }
            }
        }
        let all = "all".to_owned();
        nearest.retain(|group| **group != all);
        for group in nearest.into_iter().chain([&all]) {
            for (key, value) in
                self.groups.get(group).map(|group| &group.vars).into_iter().flatten()
            {
                vars.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let mut take = |keys: &[&str]| -> Result<Option<String>, String> {
            let value = keys.iter().find_map(|key| vars.remove(*key)).filter(|v| !v.is_empty());
            match value {
                Some(value) if value.contains("{{") => Err(format!(
                    ": {name}: {} is a template, which ansible-inventory --list doesn't fill in either",
                    keys[0]
                )),
                value => Ok(value),
            }
        };
        let port = take(&["ansible_port", "ansible_ssh_port"])?;
        let port = port.map(|port| match port.parse() {
            Ok(port @ 1..) => Ok(port),
            _ => Err(format!(": {name}: ansible_port is {port:?}")),
        });
        Ok(InventoryHost {
            node: take(&["quorate_node"])?,
            host: take(&["ansible_host", "ansible_ssh_host"])?,
            user: take(&["ansible_user", "ansible_ssh_user"])?,
            port: port.transpose()?,
            name,
        })
    }
}

/// What `ansible-inventory --list` prints.
fn json(text: &str) -> Result<Inventory, String> {
    let value: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!(": {error}"))?;
    let mut inventory = Inventory::default();
    let words = |value: Option<&Value>| -> Vec<String> {
        let list = value.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    for (name, group) in &value {
        if name == "_meta" {
            let hosts = group.get("hostvars").and_then(Value::as_object).into_iter().flatten();
            inventory.vars.extend(hosts.map(|(host, vars)| (host.clone(), texts(vars))));
            continue;
        }
        let group = Group {
            hosts: words(group.get("hosts")),
            children: words(group.get("children")),
            vars: group.get("vars").map(texts).unwrap_or_default(),
        };
        inventory.groups.insert(name.clone(), group);
    }
    Ok(inventory)
}

fn texts(vars: &Value) -> BTreeMap<String, String> {
    let text = |(key, value): (&String, &Value)| match value {
        Value::String(text) => Some((key.clone(), text.clone())),
        Value::Number(number) => Some((key.clone(), number.to_string())),
        _ => None,
    };
    vars.as_object().into_iter().flatten().filter_map(text).collect()
}

enum Section {
    Hosts(String),
    Children(String),
    Vars(String),
}

fn ini(text: &str) -> Result<Inventory, String> {
    let mut inventory = Inventory::default();
    let mut section = Section::Hosts("ungrouped".into());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let wrong = |what: &str| format!(":{number}: {what}");
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            let (name, rest) = name;
            if !rest.trim().is_empty() && !rest.trim().starts_with('#') {
                return Err(wrong("something follows the section's name"));
            }
            let (group, kind) = name.rsplit_once(':').unwrap_or((name, "hosts"));
            inventory.groups.entry(group.to_owned()).or_default();
            section = match kind {
                "hosts" => Section::Hosts(group.into()),
                "children" => Section::Children(group.into()),
                "vars" => Section::Vars(group.into()),
                _ => return Err(wrong("a section is [GROUP], [GROUP:children] or [GROUP:vars]")),
            };
            continue;
        }
        let words = shlex::split(line).ok_or_else(|| wrong("a quote is opened and not closed"))?;
        match &section {
            Section::Hosts(group) => {
                let Some((pattern, given)) = words.split_first() else { continue };
                let vars = pairs(given).ok_or_else(|| wrong("after a host come NAME=VALUE"))?;
                let names = expand(pattern)
                    .ok_or_else(|| wrong("a range is [FIRST:LAST] or [FIRST:LAST:STEP]"))?;
                for name in names {
                    inventory.vars.entry(name.clone()).or_default().extend(vars.clone());
                    inventory.groups.entry(group.clone()).or_default().hosts.push(name);
                }
            }
            Section::Children(group) => {
                inventory.groups.entry(line.to_owned()).or_default();
                inventory.groups.entry(group.clone()).or_default().children.push(line.to_owned());
            }
            Section::Vars(group) => {
                let (name, value) =
                    line.split_once('=').ok_or_else(|| wrong("a variable is NAME=VALUE"))?;
                let value = value.trim().trim_matches(['"', '\'']).to_owned();
                inventory
                    .groups
                    .entry(group.clone())
                    .or_default()
                    .vars
                    .insert(name.trim().into(), value);
            }
        }
    }
    Ok(inventory)
}

fn pairs(words: &[String]) -> Option<BTreeMap<String, String>> {
    let words = words.iter().take_while(|word| !word.starts_with('#'));
    words.map(|word| word.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))).collect()
}

/// The hosts of `name[01:10].example.com`, and of its like with letters.
fn expand(pattern: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('[') else { return Some(vec![pattern.into()]) };
    let (range, after) = rest.split_once(']')?;
    let bounds: Vec<&str> = range.split(':').collect();
    let step = bounds.get(2).map_or(Some(1), |step| step.parse().ok().filter(|step| *step > 0))?;
    let [first, last] = *bounds.get(..2)? else { return None };
    let values: Vec<String> = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(from), Ok(to)) if from <= to && to - from < RANGE => {
            let width = if first.starts_with('0') { first.len() } else { 0 };
            (from..=to).step_by(step).map(|n| format!("{n:0width$}")).collect()
        }
        (Err(_), Err(_)) => match (first.as_bytes(), last.as_bytes()) {
            ([from], [to])
                if from.is_ascii_alphabetic() && to.is_ascii_alphabetic() && from <= to =>
            {
                (*from..=*to).step_by(step).map(|letter| char::from(letter).to_string()).collect()
            }
            _ => return None,
        },
        _ => return None,
    };
    let rests = expand(after)?;
    let names = values
        .iter()
        .flat_map(|value| rests.iter().map(move |rest| format!("{before}{value}{rest}")));
    Some(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INI: &str = "# of all\n\
        bastion.example.com\n\
        [cassandra_dc1]\n\
        cass[01:03].example.com ansible_user=ops\n\
        cass04 ansible_host=10.1.0.4 ansible_port=2222 quorate_node='10.0.0.4' # the odd one\n\
        [cassandra:children]\n\
        cassandra_dc1\n\
        cassandra_dc2\n\
        [cassandra_dc2]\n\
        db-[a:b] ansible_host=\"db.example.com\"\n\
        [cassandra_dc1:vars]\n\
        ansible_user = deploy\n\
        [cassandra:vars]\n\
        ansible_user=nobody\n\
        ansible_port=22022\n\
        [all:vars]\n\
        ansible_user=root\n";

    fn find(text: &str, group: Option<&str>, name: &str) -> InventoryHost {
        let hosts = hosts(text, "hosts", group).unwrap();
        hosts.into_iter().find(|host| host.name == name).unwrap()
    }

    #[test]
    fn groups_ranges_and_variables_of_an_ini_file_are_read() {
        let names = |group| {
            let hosts = hosts(INI, "hosts", group).unwrap();
            hosts.into_iter().map(|host| host.name).collect::<Vec<_>>().join(" ")
        };
        let dc1 = "cass01.example.com cass02.example.com cass03.example.com cass04";
        assert_eq!(names(Some("cassandra_dc1")), dc1);
        assert_eq!(names(Some("cassandra")), format!("{dc1} db-a db-b"));
        assert_eq!(names(None), format!("bastion.example.com {dc1} db-a db-b"));
        assert_eq!(
            find(INI, None, "cass04"),
            InventoryHost {
                name: "cass04".into(),
                node: Some("10.0.0.4".into()),
                host: Some("10.1.0.4".into()),
                user: Some("deploy".into()),
                port: Some(2222),
            }
        );
        // Its own, its group's, the group's parent's, everybody's.
        let user = |name| find(INI, None, name).user.unwrap();
        assert_eq!(user("cass01.example.com"), "ops");
        assert_eq!(user("db-a"), "nobody");
        assert_eq!(user("bastion.example.com"), "root");
        assert_eq!(find(INI, None, "db-a").port, Some(22022));
    }

    #[test]
    fn what_ansible_inventory_prints_is_read() {
        let text = r#"{"_meta": {"hostvars": {
            "n1": {"ansible_host": "10.1.0.1", "ansible_port": 2222, "other": {"x": 1}},
            "n2": {"ansible_ssh_user": "ops"}}},
            "all": {"children": ["ungrouped", "ring"]}, "ring": {"hosts": ["n1", "n2"]}}"#;
        let n1 = find(text, Some("ring"), "n1");
        assert_eq!((n1.host.as_deref(), n1.port), (Some("10.1.0.1"), Some(2222)));
        assert_eq!(find(text, None, "n2").user.as_deref(), Some("ops"));
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        for (text, group, error) in [
            ("[a\n", None, "hosts:1: a range"),
            ("[a:b]\n", None, "hosts:1: a section is"),
            ("\n[a]\nn1 x\n", None, "hosts:3: after a host"),
            ("n1 a='b\n", None, "hosts:1: a quote"),
            ("n[1:]\n", None, "hosts:1: a range"),
            ("n[1:99999]\n", None, "hosts:1: a range"),
            ("[a:vars]\nx\n", None, "hosts:2: a variable"),
            ("n1 ansible_port=0\n", None, "n1: ansible_port"),
            ("n1 ansible_host={{ip}}\n", None, "template"),
            ("[a:children]\na\n", Some("a"), "holds itself"),
            ("n1\n[a]\nn2\n", Some("b"), "there is no group b; there are: a"),
            ("", None, "names no host"),
            ("all:\n  hosts:\n", None, "YAML isn't read"),
            ("{\"a\": ", None, "EOF"),
        ] {
            let shown = hosts(text, "hosts", group).unwrap_err().to_string();
            assert!(shown.contains(error), "{text:?}: {shown}");
        }
    }
}
