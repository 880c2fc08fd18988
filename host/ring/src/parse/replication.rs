//! A replication strategy with its options, as `describecluster` prints it:
//! `NetworkTopologyStrategy {dc1=3, dc2=3/1}`.
use crate::{DataCenter, Replication, ReplicationFactor};
use alloc::{collections::BTreeMap, format, string::String};

/// Reads a strategy. The error is what should have been there, in words for
/// [`ParseError`](super::ParseError).
pub(super) fn replication(text: &str) -> Result<Replication, String> {
    let (class, options) = text
        .split_once(" {")
        .and_then(|(class, options)| Some((class, options.strip_suffix('}')?)))
        .ok_or("a replication class with its options in braces")?;
    match class {
        "NetworkTopologyStrategy" => factors(options).map(Replication::NetworkTopology),
        "SimpleStrategy" => {
            let factor = options.strip_prefix("replication_factor=").and_then(factor);
            Ok(Replication::Simple(factor.ok_or("one option `replication_factor=N`")?))
        }
        "EverywhereStrategy" if options.is_empty() => Ok(Replication::Everywhere),
        "LocalStrategy" if options.is_empty() => Ok(Replication::Local),
        "MetaStrategy" => Ok(Replication::Meta(options.into())),
        "EverywhereStrategy" | "LocalStrategy" => Err(format!("no options for {class}")),
        other => Err(format!(
            "a replication class whose placement is known (not `{}`)",
            super::error::shorten(other)
        )),
    }
}

fn factors(options: &str) -> Result<BTreeMap<DataCenter, ReplicationFactor>, String> {
    let mut factors = BTreeMap::new();
    if options.is_empty() {
        return Ok(factors);
    }
    for option in options.split(", ") {
        let read = option.rsplit_once('=').and_then(|(name, value)| {
            // Cassandra expands this shorthand when the keyspace is made; it is never a data center.
            let is_name = !name.is_empty() && name != "replication_factor";
            Some((is_name.then(|| DataCenter::new(name))?, factor(value)?))
        });
        let Some((name, factor)) = read else {
            return Err("options `DC=N` for NetworkTopologyStrategy".into());
        };
        if factors.insert(name, factor).is_some() {
            return Err("every data center once".into());
        }
    }
    Ok(factors)
}

/// `3`, or `3/1` with one transient replica among the three.
fn factor(text: &str) -> Option<ReplicationFactor> {
    let (all, transient) = match text.split_once('/') {
        Some((all, transient)) => (number(all)?, number(transient)?),
        None => (number(text)?, 0),
    };
    (transient == 0 || transient < all).then_some(ReplicationFactor { all, transient })
}

fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rf(all: u32, transient: u32) -> ReplicationFactor {
        ReplicationFactor { all, transient }
    }

    #[test]
    fn every_known_class_is_read() {
        assert_eq!(
            replication("NetworkTopologyStrategy {dc 2=3/1, a=b=0}").unwrap(),
            Replication::NetworkTopology(BTreeMap::from([
                (DataCenter::new("dc 2"), rf(3, 1)),
                (DataCenter::new("a=b"), rf(0, 0)),
            ]))
        );
        assert_eq!(
            replication("NetworkTopologyStrategy {}").unwrap(),
            Replication::NetworkTopology(BTreeMap::new())
        );
        assert_eq!(
            replication("SimpleStrategy {replication_factor=2}").unwrap(),
            Replication::Simple(rf(2, 0))
        );
        assert_eq!(replication("LocalStrategy {}").unwrap(), Replication::Local);
        assert_eq!(replication("EverywhereStrategy {}").unwrap(), Replication::Everywhere);
        assert_eq!(replication("MetaStrategy {dc1=3}").unwrap(), Replication::Meta("dc1=3".into()));
    }

    #[test]
    fn an_unknown_class_is_named() {
        let error = replication("TierStrategy {a=1}").unwrap_err();
        assert!(error.contains("`TierStrategy`"), "{error}");
    }

    #[test]
    fn options_that_can_not_be_read_are_refused() {
        for text in [
            "",
            "null",
            "NetworkTopologyStrategy",
            "NetworkTopologyStrategy {dc1=3",
            "NetworkTopologyStrategy {dc1}",
            "NetworkTopologyStrategy {dc1=}",
            "NetworkTopologyStrategy {=3}",
            "NetworkTopologyStrategy {dc1=3,dc2=x}",
            "NetworkTopologyStrategy {dc1=3, dc1=3}",
            "NetworkTopologyStrategy {dc1=+3}",
            "NetworkTopologyStrategy {dc1=3/3}",
            "NetworkTopologyStrategy {dc1=3/1/1}",
            "NetworkTopologyStrategy {dc1=99999999999}",
            "NetworkTopologyStrategy {replication_factor=3}",
            "SimpleStrategy {}",
            "SimpleStrategy {replication_factor=3, x=1}",
            "LocalStrategy {a=1}",
        ] {
            assert!(replication(text).is_err(), "{text}");
        }
    }
}
