//! `nodetool gossipinfo`.
//!
//! ```text
//! /10.0.0.1
//!   generation:1795308475
//!   heartbeat:201
//!   STATUS:28:NORMAL,-3055092891601987687
//!   RELEASE_VERSION:5:3.11.17
//!   TOKENS:26:<hidden>
//! ```
//!
//! Before the slash stands the node's name, where Java knows it. A value may hold any punctuation. More states
//! come with every version: those that aren't needed are passed over.
use super::{ParseError, address, lines::Line, lines::Lines};
use crate::{Address, HostId};
use alloc::{collections::BTreeMap, string::String};

/// What gossip holds of a node, as far as it is read here. States that the node hasn't told are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GossipEndpoint {
    /// It grows with every start of the process.
    pub generation: u64,
    /// Release version: `3.11.17`.
    pub release: Option<String>,
    /// Schema version.
    pub schema: Option<String>,
    /// The node's host id.
    pub host_id: Option<HostId>,
    /// Where it serves CQL clients: the broadcast RPC address.
    pub rpc_address: Option<Address>,
}

const STATE: &str = "a state `NAME:VERSION:VALUE` as Cassandra prints it (ScyllaDB, which claims to be 3.0.8, \
                     tells no versions: it isn't read)";

/// Reads the output of `nodetool gossipinfo`.
///
/// # Errors
/// On anything else, an endpoint that is listed twice or without its generation, an output without one or
/// without the empty line that ends it.
pub fn gossipinfo(text: &str) -> Result<BTreeMap<Address, GossipEndpoint>, ParseError> {
    let mut lines = Lines::new("nodetool gossipinfo", text);
    let mut endpoints = BTreeMap::new();
    loop {
        let line =
            lines.require("an endpoint, or the empty line at the end (is the output cut?)")?;
        if line.text.is_empty() && !endpoints.is_empty() {
            lines.finish()?;
            return Ok(endpoints);
        }
        let address = endpoint(&lines, line)?;
        let states = states(&mut lines)?;
        if endpoints.insert(address, states).is_some() {
            return Err(lines.unexpected(line, "every endpoint once"));
        }
    }
}

fn endpoint(lines: &Lines<'_>, line: Line<'_>) -> Result<Address, ParseError> {
    match line.text.rsplit_once('/') {
        Some((name, address)) if !name.contains(char::is_whitespace) => {
            address::address(address).map_err(|what| lines.unexpected(line, what))
        }
        _ => Err(lines.unexpected(line, "an endpoint `/ADDRESS`")),
    }
}

/// Reads the states of an endpoint. Its tokens, which are never shown, come last: without them it was cut.
fn states(lines: &mut Lines<'_>) -> Result<GossipEndpoint, ParseError> {
    let number = |text: &str| text.parse::<u64>().ok();
    let (line, generation) = lines.field("  generation:")?;
    let generation = number(generation).ok_or_else(|| lines.unexpected(line, "a generation"))?;
    let (line, heartbeat) = lines.field("  heartbeat:")?;
    number(heartbeat).ok_or_else(|| lines.unexpected(line, "a heartbeat"))?;
    let mut found = GossipEndpoint { generation, ..GossipEndpoint::default() };
    loop {
        let line = lines.require("the state `TOKENS` (is the output cut?)")?;
        let state = line.text.strip_prefix("  ").and_then(|text| text.split_once(':'));
        let Some((name, rest)) = state else {
            return Err(lines.unexpected(line, STATE));
        };
        if name == "TOKENS" {
            return Ok(found);
        }
        let value = rest.split_once(':').filter(|(version, _)| number(version).is_some());
        let Some((_, value)) = value else {
            return Err(lines.unexpected(line, STATE));
        };
        let wrong = |what| lines.unexpected(line, what);
        match name {
            "RELEASE_VERSION" => found.release = Some(value.into()),
            "SCHEMA" => found.schema = Some(value.into()),
            "HOST_ID" => {
                found.host_id = Some(address::host_id(value).ok_or_else(|| wrong("a UUID"))?);
            }
            "RPC_ADDRESS" => {
                found.rpc_address = Some(address::address(value).map_err(wrong)?);
            }
            "NATIVE_ADDRESS_AND_PORT" => {
                let address = address::address(value).map_err(wrong)?;
                found.rpc_address.get_or_insert(address);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    const HOST: &str = "8e6e090e-71a0-4973-a2d5-2c3bfef7328d";

    fn one(states: &str) -> String {
        format!("  generation:17\n  heartbeat:3\n{states}  TOKENS:26:<hidden>\n")
    }

    #[test]
    fn endpoints_are_read_whatever_their_form() {
        let text = format!(
            "/10.0.0.1\n{}db1.example.com/2001:db8:0:0:0:0:0:1\n{}/[2001:db8::2]:7000\n  generation:1\n  heartbeat:0\n  TOKENS: not present\n\n",
            one(&format!(
                "  STATUS:28:NORMAL,-3:x\n  RELEASE_VERSION:5:3.11.17\n  HOST_ID:2:{HOST}\n  RPC_ADDRESS:4:10.1.0.1\n"
            )),
            one("  SCHEMA:9:v\n  NATIVE_ADDRESS_AND_PORT:4:[2001:db8::9]:9042\n"),
        );
        let read = gossipinfo(&text).unwrap();
        let addresses: alloc::vec::Vec<String> = read.keys().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1", "2001:db8::1", "2001:db8::2"]);
        let states: alloc::vec::Vec<_> = read.into_values().collect();
        assert_eq!(states[0].release.as_deref(), Some("3.11.17"));
        assert_eq!(states[0].rpc_address.unwrap().to_string(), "10.1.0.1");
        assert_eq!(states[0].host_id, Some(HostId::new(HOST)));
        assert_eq!(states[1].rpc_address.unwrap().to_string(), "2001:db8::9");
        assert_eq!((states[2].generation, states[2].release.as_deref()), (1, None));
    }

    #[test]
    fn foreign_and_cut_outputs_are_refused() {
        let whole = format!("/10.0.0.1\n{}\n", one("  RELEASE_VERSION:5:4.0.17\n"));
        assert!(gossipinfo(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(gossipinfo(&whole[..end]).is_err(), "cut at {end}");
        }
        for text in [
            whole.repeat(2),
            whole.replace("\n\n", "\n").repeat(2) + "\n",
            whole.replace("\n\n", "\n") + &whole,
            whole.replace("/10.0.0.1", "10.0.0.1"),
            whole.replace("/10.0.0.1", "a b/10.0.0.1"),
            whole.replace("generation:17", "generation:x"),
            whole.replace("RELEASE_VERSION:5:", "RELEASE_VERSION:x:"),
            whole.replace("  RELEASE", "RELEASE"),
            whole.replace("RELEASE_VERSION:5:4.0.17", "RPC_ADDRESS:5:here"),
            whole.replace("RELEASE_VERSION:5:4.0.17", "HOST_ID:5:null"),
            format!("\n{whole}\nx\n"),
        ] {
            assert!(gossipinfo(&text).is_err(), "{text}");
        }
    }
}
