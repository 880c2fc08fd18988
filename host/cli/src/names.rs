//! The names that DNS has for nodes' addresses.
use quorate_journal::TargetHost;
use quorate_ports::NodeKey;
use std::{
    collections::BTreeMap,
    net::{IpAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

/// Look-ups at a time.
const PARALLEL: usize = 64;
/// After this long an address has no name.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls and reaches nodes by their names. Gives what a person should know: which nodes stay addresses.
pub(crate) async fn name_nodes(hosts: &mut [TargetHost]) -> Vec<String> {
    let addresses = hosts.iter().filter_map(|host| host.host.parse().ok()).collect();
    let names = names(addresses, own_name).await;
    let mut notes = Vec::new();
    let mut nameless = Vec::new();
    for host in hosts {
        match host.host.parse().ok().and_then(|ip: IpAddr| names.get(&ip)) {
            Some(name) => {
                *host = TargetHost { key: NodeKey(name.clone()), host: name.clone() };
            }
            None => nameless.push(host.host.clone()),
        }
    }
    if !nameless.is_empty() {
        let shown = nameless.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = if nameless.len() > 5 { ", …" } else { "" };
        notes.push(format!(
            "{} of the nodes have no name of their own in DNS and stay addresses: {shown}{more}",
            nameless.len()
        ));
    }
    notes
}

/// The name of each address that has one, and no two the same.
async fn names(
    addresses: Vec<IpAddr>,
    look_up: impl Fn(IpAddr) -> Option<String> + Copy + Send + 'static,
) -> BTreeMap<IpAddr, String> {
    let limit = Arc::new(Semaphore::new(PARALLEL));
    let mut asked = JoinSet::new();
    for ip in addresses {
        let limit = limit.clone();
        asked.spawn(async move {
            let _permit = limit.acquire_owned().await;
            let answer = tokio::task::spawn_blocking(move || look_up(ip));
            // One that comes later is of no use; one that panicked neither.
            (ip, timeout(PATIENCE, answer).await.ok().and_then(Result::ok).flatten())
        });
    }
    let mut names: BTreeMap<IpAddr, String> = BTreeMap::new();
    while let Some(answer) = asked.join_next().await {
        if let Ok((ip, Some(name))) = answer
            && is_host_name(&name)
        {
            names.insert(ip, name);
        }
    }
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    names.values().for_each(|name| *times.entry(name.clone()).or_default() += 1);
    names.retain(|_, name| times[name] == 1);
    names
}

/// A name becomes the name of directories, and a word for ssh.
fn is_host_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&name.len())
        && name.bytes().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.parse::<IpAddr>().is_err()
}

/// The name of an address that leads back to it: anybody may write any name for his own addresses.
fn own_name(ip: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&ip).ok()?;
    let name = name.strip_suffix('.').unwrap_or(&name);
    let back: Vec<_> = (name, 0).to_socket_addrs().ok()?.collect();
    // Of all its addresses ssh may take any.
    (!back.is_empty() && back.iter().all(|address| address.ip() == ip)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_names_that_are_one_nodes_alone_count() {
        fn look_up(ip: IpAddr) -> Option<String> {
            Some(
                match ip.to_string().as_str() {
                    "10.0.0.1" => "n1.example.com",
                    "10.0.0.2" | "10.0.0.3" => "shared.example.com",
                    "10.0.0.4" => return None,
                    "10.0.0.5" => "10.0.0.5",
                    "10.0.0.6" => "../../etc",
                    "10.0.0.7" => "-oProxyCommand=x",
                    "10.0.0.8" => panic!("a look-up that fails badly"),
                    _ => "n9",
                }
                .to_owned(),
            )
        }
        let addresses = (1..=9).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        let names: Vec<_> = names(addresses, look_up).await.into_iter().collect();
        let pair = |n, name: &str| (IpAddr::from([10, 0, 0, n]), name.to_owned());
        assert_eq!(names, [pair(1, "n1.example.com"), pair(9, "n9")]);
    }

    #[test]
    fn the_machines_own_name_leads_back() {
        if let Some(name) = own_name(IpAddr::from([127, 0, 0, 1])) {
            assert!(is_host_name(&name), "{name}");
        }
    }
}
