//! `ProxyJump` and `ProxyCommand`: the way to a host that isn't reached directly.
use std::fmt;

/// Of a host's or a user's name, in bytes: DNS has 253, Linux 255. Where a jump host is named by tokens (`%h.%r`), which its own
/// configuration expands again, names would grow with each hop by a factor.
const LONGEST: usize = 255;

/// The way to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// Directly.
    None,
    /// Through these hosts, the first one first.
    Jump(Vec<Jump>),
    /// Through a command's standard input and output; its tokens are expanded.
    Command(String),
}

/// A host on the way, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Jump {
    /// The user there, where one was named.
    pub(crate) user: Option<String>,
    /// Its name, as `ssh` would be given it: the configuration may say more of it.
    pub(crate) host: String,
    /// Its port, where one was named.
    pub(crate) port: Option<u16>,
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Reads `ProxyJump`'s value: hosts as `[user@]host[:port]` or `ssh://…`, separated by commas, or `none`.
///
/// # Errors
/// What isn't a host, in words.
pub(crate) fn jumps(text: &str) -> Result<Vec<Jump>, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    text.split(',').map(|given| jump(given.trim())).collect()
}

fn jump(given: &str) -> Result<Jump, String> {
    let wrong = || format!("{given:?} is no jump host: [user@]host[:port] is wanted");
    let bare = given.strip_prefix("ssh://").map_or(given, |uri| uri.trim_end_matches('/'));
    let (user, place) = match bare.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, bare),
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
            (
                host,
                if after.is_empty() {
                    None
                } else {
                    after.strip_prefix(':').map(Some).ok_or_else(wrong)?
                },
            )
        }
        // More than one colon and no brackets: an IPv6 address without a port.
        None => match place.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?),
        None => None,
    };
    let odd =
        |text: &str| text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace);
    if [Some(host), user.as_deref()].into_iter().flatten().any(|name| name.len() > LONGEST) {
        return Err(format!("a jump host whose name or user has more than {LONGEST} bytes"));
    }
    if odd(host) || user.as_deref().is_some_and(odd) {
        return Err(wrong());
    }
    Ok(Jump { user, host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> (Option<String>, String, Option<u16>) {
        let [jump] = <[Jump; 1]>::try_from(jumps(text).unwrap()).unwrap();
        (jump.user, jump.host, jump.port)
    }

    #[test]
    fn jump_hosts_are_given_as_to_ssh() {
        let user = |name: &str| Some(name.to_owned());
        assert_eq!(one("b"), (None, "b".into(), None));
        assert_eq!(one("ann@b:2222"), (user("ann"), "b".into(), Some(2222)));
        assert_eq!(one("a@x@b"), (user("a@x"), "b".into(), None));
        assert_eq!(one("ssh://ann@b:22/"), (user("ann"), "b".into(), Some(22)));
        assert_eq!(one("[::1]:2200"), (None, "::1".into(), Some(2200)));
        assert_eq!(one("ann@fe80::1"), (user("ann"), "fe80::1".into(), None));
        assert_eq!(one("[fe80::1]"), (None, "fe80::1".into(), None));
        assert_eq!(jumps("a, b:1").unwrap().len(), 2);
        assert_eq!(jumps("None").unwrap(), []);
        for bad in
            ["", "a,,b", "@b", "b:", "b:0", "b:99999", "[::1", "[::1]x", "-oProxyCommand=x", "a b"]
        {
            assert!(jumps(bad).is_err(), "{bad}");
        }
        for long in ["x".repeat(256), format!("{}@b", "x".repeat(256))] {
            assert_eq!(jumps(&long[1..]).unwrap().len(), 1);
            assert!(jumps(&long).unwrap_err().contains("255"));
        }
        for text in ["ann@b:2222", "[::1]:22", "b"] {
            assert_eq!(jumps(text).unwrap()[0].to_string(), text);
        }
    }
}
