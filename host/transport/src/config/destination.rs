//! A host as it is given: what may stand before and after its name.
use std::net::Ipv6Addr;

/// `[USER@]HOST`, or `ssh://[USER@]HOST[:PORT]` as ssh takes it. IPv6 addresses may stand in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Destination<'a> {
    /// Takes it apart.
    ///
    /// # Errors
    /// A port that is none.
    pub(crate) fn parse(given: &'a str) -> Result<Self, String> {
        let uri = given.strip_prefix("ssh://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let text = uri.unwrap_or(given);
        // The last @: a user's name may hold one, a host's doesn't.
        let (user, place) = match text.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, text),
        };
        let (host, port) = match (place.strip_prefix('[').and_then(|p| p.split_once(']')), uri) {
            (Some((host, "")), _) => (host, None),
            (Some((host, rest)), Some(_)) => (host, rest.strip_prefix(':')),
            (None, Some(_)) if place.parse::<Ipv6Addr>().is_err() => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
            _ => (place, None),
        };
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(port @ 1..)) => Some(port),
            Some(_) => return Err(format!("{given} has no usable port")),
        };
        Ok(Self { user, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_a_user_a_host_and_a_port() {
        for (given, user, host, port) in [
            ("n1", None, "n1", None),
            ("ann@x@n1", Some("ann@x"), "n1", None),
            ("ssh://n1", None, "n1", None),
            ("ssh://ann@n1:2222/", Some("ann"), "n1", Some(2222)),
            ("::1", None, "::1", None),
            ("[::1]", None, "::1", None),
            ("ann@fe80::1%eth0", Some("ann"), "fe80::1%eth0", None),
            ("ssh://[fe80::1]:22", None, "fe80::1", Some(22)),
            ("ssh://::1", None, "::1", None),
            // Without the scheme no port is taken from it: ssh would look for this name, too.
            ("n1:22", None, "n1:22", None),
        ] {
            assert_eq!(Destination::parse(given), Ok(Destination { user, host, port }), "{given}");
        }
        for given in ["ssh://n1:0", "ssh://n1:x", "ssh://n1:", "ssh://n1:65536"] {
            assert!(Destination::parse(given).is_err(), "{given}");
        }
    }
}
