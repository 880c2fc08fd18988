//! Addresses and host ids as Java prints them.
use crate::{Address, HostId};
use alloc::{format, string::String, vec::Vec};
use core::net::{IpAddr, Ipv6Addr};

/// Reads an address: `10.0.0.1`, `0:0:0:0:0:0:0:1`, `::1`; with the port that nodetool's `-pp` adds
/// and some sections always have: `10.0.0.1:7000`, `[::1]:7000`. The port is dropped.
///
/// The error is what an address should have been, in words for [`ParseError`](super::ParseError).
pub(super) fn address(text: &str) -> Result<Address, &'static str> {
    if text.contains('%') {
        return Err("an address without a scope id (`%…`), which means nothing on another machine");
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Address(ip));
    }
    if let Some((ip, port)) = text.rsplit_once(':')
        && is_port(port)
    {
        let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
        let ip = match bare {
            Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None if ip.contains(':') => None,
            None => ip.parse::<IpAddr>().ok(),
        };
        if let Some(ip) = ip {
            return Ok(Address(ip));
        }
    }
    Err("an IP address (names as `nodetool -r` prints them can't be told apart; leave `-r` out)")
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Reads a list as Java prints it, without its brackets: `10.0.0.1, 10.0.0.2`.
pub(super) fn addresses(text: &str) -> Result<Vec<Address>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(", ")
        .map(|item| {
            address(item)
                .map_err(|expected| format!("{expected} for `{}`", super::error::shorten(item)))
        })
        .collect()
}

/// Reads a UUID.
pub(super) fn host_id(text: &str) -> Option<HostId> {
    is_uuid(text).then(|| HostId::new(text))
}

/// Whether a text is a UUID in its usual form.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn addresses_are_read_with_and_without_ports() {
        for (text, read) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1:7000", "10.0.0.1"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8:0:0:0:0:0:7]:7000", "2001:db8::7"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), read, "{text}");
        }
    }

    #[test]
    fn names_scopes_and_half_addresses_are_refused() {
        for text in [
            "",
            "localhost",
            "localhost:7000",
            "node1/10.0.0.1:7000",
            "/10.0.0.1",
            "10.0.0",
            "10.0.0.1:",
            "10.0.0.1:x",
            "10.0.0.1:99999",
            "10.0.0.1:+1",
            "[10.0.0.1]:7000",
            "[::1]",
            "0:0:0:0:0:0:0:1:7000",
            "010.0.0.1",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
        assert!(address("fe80::1%eth0").unwrap_err().contains("scope id"));
        assert!(address("localhost").unwrap_err().contains("`-r`"));
        assert!(addresses("10.0.0.1, host").unwrap_err().contains("`host`"));
        assert!(addresses("10.0.0.1,10.0.0.2").is_err());
    }

    #[test]
    fn host_ids_are_uuids() {
        assert!(host_id("3f2aef9d-7466-4fe3-8dd2-9e976a31e0ae").is_some());
        for text in [
            "null",
            "",
            "3f2aef9d-7466-4fe3-8dd2-9e976a31e0a",
            "3f2aef9d-7466-4fe3-8dd2-9e976a31e0ag",
        ] {
            assert!(host_id(text).is_none(), "{text}");
        }
    }
}
