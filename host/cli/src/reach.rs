//! How nodes are reached that aren't reached by the addresses that gossip shows: a map of nodes to hosts, from `--host-map` or an
//! inventory.
use crate::{
    args::{HostSpec, ReachArgs},
    connect::transport_error,
    error::CliError,
    inventory::{self, InventoryHost},
    targets::addresses,
};
use quorate_journal::TargetHost;
use quorate_ports::Target;
use quorate_ring::{Address, NodeId, NodeStatus, Topology, parse};
use quorate_runner::Nodetool;
use quorate_transport::Ssh;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Read,
    marker::PhantomData,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// Hosts that are asked at a time which node they are.
const PARALLEL: usize = 64;

/// Who is reached how.
#[derive(Debug, Default)]
pub(crate) struct HostMap {
    entries: Vec<Entry>,
    /// Entries that were a node's.
    used: Mutex<BTreeSet<usize>>,
}

/// Everything by which a node that was named may be known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    texts: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Known {
    /// Which node of a cluster it is, if one.
    pub(crate) fn node(&self, topology: &Topology) -> Option<NodeId> {
        let plain = self.texts.iter().find_map(|text| plain(topology, text));
        plain.or_else(|| self.addresses.iter().find_map(|ip| topology.by_address(Address(*ip))))
    }

    /// Whether its addresses are those of several nodes: which of them ssh would reach is chance.
    pub(crate) fn is_several(&self, topology: &Topology) -> bool {
        let nodes: BTreeSet<NodeId> =
            self.addresses.iter().filter_map(|ip| topology.by_address(Address(*ip))).collect();
        nodes.len() > 1
    }

    /// Names have addresses; those that have none are no node's.
    async fn look_up(&mut self, transport: &Ssh, names: &[String]) {
        for name in names {
            if !is_host_id(name) {
                self.addresses.extend(addresses(transport, name).await.unwrap_or_default());
            }
        }
    }
}

/// The name, and the addresses that it has.
impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.texts.first().map(String::as_str).unwrap_or_default();
        let shown: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        match shown.is_empty() || shown.join(", ") == name {
            true => f.write_str(name),
            false => write!(f, "{name} ({})", shown.join(", ")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// What may name the node: host id, address or name; the first that does.
    nodes: Vec<String>,
    /// What ssh is given.
    host: String,
    /// Where it stands, for errors.
    place: String,
    /// Whether it must be of a node: an inventory may hold machines of all kinds.
    must: bool,
}

impl HostMap {
    /// Reads what was given.
    ///
    /// # Errors
    /// A file that can't be read, or a line in it.
    pub(crate) fn read(spec: &HostSpec, reach: &ReachArgs) -> Result<Self, CliError> {
        let mut map = Self::default();
        if let Some(path) = &reach.host_map {
            let text = text_of("--host-map", path)?;
            map.entries.extend(entries(&text, &path.display().to_string())?);
        }
        if let Some(path) = &spec.inventory {
            let place = path.display().to_string();
            let hosts = inventory::hosts(&text_of("--inventory", path)?, &place, None)?;
            map.entries.extend(hosts.into_iter().filter_map(|host| of_inventory(host, &place)));
        }
        Ok(map)
    }

    /// What to give ssh for a node that was named to be asked, and is known like this.
    pub(crate) fn host<'a>(&'a self, name: &'a str, known: &Known) -> &'a str {
        let is = |node: &String| node.parse().is_ok_and(|ip: IpAddr| known.addresses.contains(&ip));
        let by_address = || self.entries.iter().find(|entry| entry.nodes.iter().any(is));
        self.entry(name).or_else(by_address).map_or(name, |entry| &entry.host)
    }

    /// The entry that a name is of, be it the node's or the host's.
    fn entry(&self, name: &str) -> Option<&Entry> {
        let same = |node: &String| node == name || same_address(node, name);
        let of_node = self.entries.iter().find(|entry| entry.nodes.iter().any(same));
        of_node.or_else(|| self.entries.iter().find(|entry| entry.host == name))
    }

    /// What a name that was given may mean.
    ///
    /// # Errors
    /// It has no address, is no host id, and is in no map.
    pub(crate) async fn known(&self, transport: &Ssh, name: &str) -> Result<Known, CliError> {
        let mut known = Known { texts: vec![name.to_owned()], addresses: Vec::new() };
        match self.entry(name) {
            Some(entry) => {
                known.texts.extend(entry.nodes.iter().cloned());
                known.look_up(transport, &entry.nodes).await;
            }
            None if is_host_id(name) => {}
            None => known.addresses = addresses(transport, name).await?,
        }
        Ok(known)
    }

    /// Sets how the nodes of a cluster are reached.
    ///
    /// # Errors
    /// Two entries that are of one node, or one host that would be two nodes.
    pub(crate) async fn apply(
        &self,
        transport: &Arc<Ssh>,
        topology: &Topology,
        hosts: &mut [TargetHost],
    ) -> Result<(), CliError> {
        let mut of_node: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (place, node) in self.located(transport, topology).await.into_iter().enumerate() {
            let Some(node) = node else { continue };
            let (entry, address) = (&self.entries[place], topology.node(node).address);
            if let Some(earlier) = of_node.insert(node, place) {
                let what = format!(
                    "{} and {} are both of node {address}",
                    self.entries[earlier].place, entry.place
                );
                return Err(CliError::usage(what).hint("leave one line for each node"));
            }
            hosts[node.index()].host.clone_from(&entry.host);
            self.used().insert(place);
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, host) in hosts.iter().enumerate() {
            if let Some(other) = seen.insert(&host.host, place) {
                let name = |place: usize| topology.nodes[place].address;
                let what = format!(
                    "{} would be two nodes, {} and {}",
                    host.host,
                    name(other),
                    name(place)
                );
                return Err(CliError::usage(what)
                    .hint("a host is one node: look at --host-map or the inventory"));
            }
        }
        Ok(())
    }

    /// Whether the map says how a node is reached.
    pub(crate) fn maps(&self, node: NodeId, hosts: &[TargetHost]) -> bool {
        let host = &hosts[node.index()].host;
        self.used().iter().any(|place| self.entries[*place].host == *host)
    }

    /// What is left once every cluster was looked at.
    ///
    /// # Errors
    /// A line of `--host-map` that is of no node.
    pub(crate) fn all_used(&self) -> Result<(), CliError> {
        let used = self.used();
        let unused = |(place, entry): &(usize, &Entry)| entry.must && !used.contains(place);
        let left: Vec<_> = self.entries.iter().enumerate().filter(unused).collect();
        let Some((_, first)) = left.first() else { return Ok(()) };
        let more = match left.len() {
            1 => String::new(),
            n => format!(", nor are {} others", n - 1),
        };
        let what = format!("{}: {} isn't a node of the cluster{more}", first.place, first.nodes[0]);
        Err(CliError::usage(what)
            .hint("a line is NODE HOST: NODE is a host id, an address that `nodetool status` shows, or a name of that address"))
    }

    /// What of the map a job keeps, for nodes that come later or move: by host id or address.
    pub(crate) fn remembered(&self) -> BTreeMap<String, String> {
        let key = |node: &String| match node.parse::<IpAddr>() {
            Ok(ip) => Some(ip.to_string()),
            Err(_) => is_host_id(node).then(|| node.to_ascii_lowercase()),
        };
        let entries = self.entries.iter();
        let pairs =
            entries.flat_map(|entry| entry.nodes.iter().map(move |node| (node, &entry.host)));
        pairs.filter_map(|(node, host)| Some((key(node)?, host.clone()))).collect()
    }

    /// Asks targets that aren't logged in to by the address that gossip shows which nodes they are: a command must not run on another
    /// one than was meant, because a line, a `HostName` or a name's address is wrong. Gives those that are down and couldn't be asked, as a line for a person.
    ///
    /// # Errors
    /// A host that is another node, or that doesn't tell although it is shown up.
    pub(crate) async fn verify(
        &self,
        transport: &Ssh,
        nodetool: &Nodetool,
        topology: &Topology,
        hosts: &[TargetHost],
        targets: &BTreeSet<NodeId>,
    ) -> Result<Option<String>, CliError> {
        let mut elsewhere = Vec::new();
        for node in targets.iter().copied() {
            let name = transport.host_name(&hosts[node.index()].host);
            let name = name.map_err(|error| transport_error(&error))?;
            let itself = name.parse() == Ok(topology.node(node).address.0);
            if self.maps(node, hosts) || !itself {
                elsewhere.push(node);
            }
        }
        let limit = Arc::new(Semaphore::new(PARALLEL));
        let mut asked = JoinSet::new();
        for node in elsewhere {
            let host = hosts[node.index()].clone();
            let (nodetool, limit) = (nodetool.clone(), limit.clone());
            asked.spawn(async move {
                let _permit = limit.acquire_owned().await;
                let target = Target { node: host.key, host: host.host };
                (node, nodetool.ask(&target, &["info"], parse::info).await)
            });
        }
        let mut unasked = BTreeSet::new();
        while let Some(answer) = asked.join_next().await {
            let (node, info) = match answer {
                Ok(answer) => answer,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(error) => return Err(CliError::not_started(error)),
            };
            let (meant, host) = (topology.node(node), &hosts[node.index()].host);
            match (info, &meant.host_id) {
                (Ok(info), Some(id)) if info.host_id != *id => {
                    let what = format!(
                        "{host} is the node with the host id {}, not {} ({id})",
                        info.host_id, meant.address
                    );
                    return Err(CliError::not_started(what)
                        .hint("look at its line in --host-map or the inventory, at HostName in the ssh_config, or at the name's address"));
                }
                (Ok(_), _) => {}
                (Err(error), _) if meant.status == NodeStatus::UP_NORMAL => {
                    return Err(CliError::not_started(&error).hint(error.hint()));
                }
                (Err(_), _) => drop(unasked.insert(meant.address.to_string())),
            }
        }
        let names: Vec<String> = unasked.into_iter().collect();
        Ok((!names.is_empty()).then(|| {
            format!(
                "down, so that nobody could ask whether the map is right for: {}",
                names.join(", ")
            )
        }))
    }

    fn used(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node of each entry.
    async fn located(&self, transport: &Arc<Ssh>, topology: &Topology) -> Vec<Option<NodeId>> {
        let mut found: Vec<Option<NodeId>> = Vec::new();
        let mut asked = JoinSet::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let mut known = Known { texts: entry.nodes.clone(), addresses: Vec::new() };
            found.push(known.node(topology));
            if found[place].is_none() {
                let (transport, names) = (transport.clone(), entry.nodes.clone());
                asked.spawn(async move {
                    known.look_up(&transport, &names).await;
                    (place, known)
                });
            }
        }
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok((place, known)) => found[place] = known.node(topology),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        found
    }
}

/// Whether a text has the form of a host id, which is no name to look up.
pub(crate) fn is_host_id(text: &str) -> bool {
    let dash = |place: usize| [8, 13, 18, 23].contains(&place);
    let fits = |(place, byte): (usize, u8)| match dash(place) {
        true => byte == b'-',
        false => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// The node that a host id or an address is of.
pub(crate) fn plain(topology: &Topology, text: &str) -> Option<NodeId> {
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return topology.by_address(Address(ip));
    }
    let is = |id: &NodeId| {
        topology
            .node(*id)
            .host_id
            .as_ref()
            .is_some_and(|own| own.as_str().eq_ignore_ascii_case(text))
    };
    topology.ids().find(is)
}

fn same_address(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The text of a file that a flag names; `-` is standard input.
pub(crate) fn text_of(flag: &str, path: &Path) -> Result<String, CliError> {
    // Read once, whoever asks first: an inventory says who is run on, and how they are reached.
    static STDIN: OnceLock<String> = OnceLock::new();
    if let (true, Some(text)) = (path == Path::new("-"), STDIN.get()) {
        return Ok(text.clone());
    }
    let read = match path == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin().lock())
            .map(|text| STDIN.get_or_init(|| text).clone()),
        false => std::fs::File::open(path).and_then(|mut file| {
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text)
        }),
    };
    read.map_err(|error| CliError::usage(format!("{flag}: {}: {error}", path.display())))
}

/// `[USER@]HOST[:PORT]` as ssh takes it.
///
/// # Errors
/// In words: what isn't that.
pub(crate) fn destination(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no host: [USER@]HOST[:PORT]");
    if text.starts_with("ssh://") {
        return Ok(text.to_owned());
    }
    let (user, place) = match text.rsplit_once('@') {
        Some((user, place)) => (format!("{user}@"), place),
        None => (String::new(), text),
    };
    let (host, port) =
        match place.strip_prefix('[').map(|rest| rest.split_once(']').ok_or_else(wrong)) {
            Some(split) => match split? {
                (host, "") => (host, None),
                (host, rest) => (host, Some(rest.strip_prefix(':').ok_or_else(wrong)?)),
            },
            // An address of IPv6 has more than one colon.
            None => match place.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (place, None),
            },
        };
    if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
        return Err(wrong());
    }
    match port.map(str::parse::<u16>) {
        None => Ok(format!("{user}{host}")),
        Some(Ok(port @ 1..)) if host.contains(':') => Ok(format!("ssh://{user}[{host}]:{port}")),
        Some(Ok(port @ 1..)) => Ok(format!("ssh://{user}{host}:{port}")),
        Some(_) => Err(wrong()),
    }
}

/// The entries of a map: lines `NODE HOST`, or a JSON object.
fn entries(text: &str, file: &str) -> Result<Vec<Entry>, CliError> {
    let entry = |place: String, node: &str, host: &str| match destination(host) {
        Ok(host) => Ok(Entry { nodes: vec![node.to_owned()], host, place, must: true }),
        Err(what) => Err(CliError::usage(format!("{place}: {what}"))),
    };
    let mut found = Vec::new();
    if text.trim_start().starts_with('{') {
        let Pairs::<String>(pairs) = serde_json::from_str(text)
            .map_err(|error| CliError::usage(format!("--host-map {file}: {error}")))?;
        for (node, host) in &pairs {
            found.push(entry(format!("--host-map {file}: {node:?}"), node, host)?);
        }
    } else {
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("--host-map {file}:{number}");
            let words: Vec<&str> =
                line.split('#').next().unwrap_or_default().split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                [node, host] => found.push(entry(place, node, host)?),
                _ => {
                    return Err(CliError::usage(format!("{place}: a line is NODE HOST")).hint(
                        "NODE is a host id, an address or a name; HOST is what ssh is given",
                    ));
                }
            }
        }
    }
    match found.is_empty() {
        true => Err(CliError::usage(format!("--host-map {file}: it maps no node"))),
        false => Ok(found),
    }
}

/// An object's members in order, each name once: JSON itself would let the last one win.
pub(crate) struct Pairs<T>(pub(crate) Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Pairs<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of nodes and hosts")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs<T>, M::Error> {
                let mut pairs: Vec<(String, T)> = Vec::new();
                while let Some((node, host)) = map.next_entry::<String, T>()? {
                    if pairs.iter().any(|(earlier, _)| *earlier == node) {
                        let what = format!("{node:?} is there twice");
                        return Err(serde::de::Error::custom(what));
                    }
                    pairs.push((node, host));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// What ssh is given for a host of an inventory. None where nothing but a name is known: that needs no map.
fn of_inventory(host: InventoryHost, file: &str) -> Option<Entry> {
    let reached = inventory_destination(&host);
    let nodes = match &host.node {
        Some(node) => vec![node.clone()],
        None => [Some(host.name.clone()), host.host.clone()].into_iter().flatten().collect(),
    };
    let place = format!("--inventory {file}: {}", host.name);
    Some(Entry { nodes, host: reached?, place, must: false })
}

/// `[USER@]HOST` of an inventory's host, with its port.
pub(crate) fn inventory_destination(host: &InventoryHost) -> Option<String> {
    let user = host.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let name = host.host.as_ref().unwrap_or(&host.name);
    let port = host.port.map(|port| format!(":{port}")).unwrap_or_default();
    let name =
        if name.contains(':') && host.port.is_some() { format!("[{name}]") } else { name.clone() };
    destination(&format!("{user}{name}{port}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_user_and_a_port() {
        for (text, given) in [
            ("n1", "n1"),
            ("ann@n1", "ann@n1"),
            ("n1:2222", "ssh://n1:2222"),
            ("ann@n1:2222", "ssh://ann@n1:2222"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("ann@[fe80::1]:22", "ssh://ann@[fe80::1]:22"),
            ("ssh://ann@n1:22", "ssh://ann@n1:22"),
        ] {
            assert_eq!(destination(text).as_deref(), Ok(given), "{text}");
        }
        for text in
            ["", "ann@", "n1:", "n1:0", "n1:x", "-oProxyCommand=x", "[::1", "[::1]22", "a b"]
        {
            assert!(destination(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_map_is_lines_or_an_object() {
        let pairs = |text: &str| {
            let entries = entries(text, "map").unwrap();
            entries
                .into_iter()
                .map(|e| format!("{} {} {}", e.place, e.nodes[0], e.host))
                .collect::<Vec<_>>()
        };
        let lines = pairs("# nodes\n\n10.0.0.1 n1 # the first\n 10.0.0.2\tann@n2:22\n");
        assert_eq!(
            lines,
            ["--host-map map:3 10.0.0.1 n1", "--host-map map:4 10.0.0.2 ssh://ann@n2:22"]
        );
        assert_eq!(pairs(r#" {"a": "n1"}"#), [r#"--host-map map: "a" a n1"#]);
        for (text, error) in [
            ("10.0.0.1\n", "map:1: a line is NODE HOST"),
            ("a b c\n", "map:1: a line is NODE HOST"),
            ("a b:0\n", "map:1: \"b:0\" is no host"),
            ("# none\n", "it maps no node"),
            (r#"{"a": 1}"#, "expected a string"),
            (r#"{"a": "x", "a": "y"}"#, "\"a\" is there twice"),
        ] {
            let shown = entries(text, "map").unwrap_err().to_string();
            assert!(shown.contains(error), "{text:?}: {shown}");
        }
    }

    #[test]
    fn a_seed_is_found_under_every_spelling_of_its_address() {
        let entries = entries("fe80:0::1 n1\nid-2 n2:22\n", "map").unwrap();
        let map = HostMap { entries, ..HostMap::default() };
        let nothing = Known::default();
        assert_eq!(map.host("fe80::1", &nothing), "n1");
        assert_eq!(map.host("id-2", &nothing), "ssh://n2:22");
        assert_eq!(map.host("n3", &nothing), "n3");
        let known = Known { addresses: vec!["fe80::1".parse().unwrap()], ..Known::default() };
        assert_eq!(map.host("by-name", &known), "n1");
        // Named as it is reached.
        assert_eq!(map.entry("n1").unwrap().nodes, ["fe80:0::1"]);
    }
}
