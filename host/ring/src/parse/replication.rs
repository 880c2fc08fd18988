//! A replication strategy with its options, as `describecluster` prints it:
//! `NetworkTopologyStrategy {dc1=3, dc2=3/1}`.
use crate::{DataCenter, Keyspace, KeyspaceName, Replication, ReplicationFactor};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

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

/// Makes a replication of a class, with or without its package, and of its options in any order, as
/// `system_schema.keyspaces` has them. The error as with [`replication`].
pub(super) fn from_options(
    class: &str,
    options: &[(String, String)],
) -> Result<Replication, String> {
    let class = class.strip_prefix("org.apache.cassandra.locator.").unwrap_or(class);
    match class {
        "NetworkTopologyStrategy" => {
            let mut factors = BTreeMap::new();
            for (name, value) in options {
                let factor = factor(value).filter(|_| !name.is_empty());
                let factor = factor.ok_or("options `DC: N` for NetworkTopologyStrategy")?;
                if name == "replication_factor" || factors.contains_key(name.as_str()) {
                    return Err("every data center once".into());
                }
                factors.insert(name.as_str(), factor);
            }
            let named = factors.into_iter().map(|(name, factor)| (DataCenter::new(name), factor));
            Ok(Replication::NetworkTopology(named.collect()))
        }
        "SimpleStrategy" => match options {
            [(name, value)] if name == "replication_factor" => {
                let factor = factor(value).ok_or("a number of replicas")?;
                Ok(Replication::Simple(factor))
            }
            _ => Err("one option `replication_factor`".into()),
        },
        _ => {
            let options: Vec<String> = options.iter().map(|(k, v)| format!("{k}={v}")).collect();
            replication(&format!("{class} {{{}}}", options.join(", ")))
        }
    }
}

/// Reads what a person says of a keyspace (`--rf`): `shop:dc1=3,dc2=3` under NetworkTopologyStrategy,
/// `shop=3` under SimpleStrategy.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn replication_by_hand(text: &str) -> Result<Keyspace, String> {
    let wrong = || "KEYSPACE:DC=N[,DC=N], or KEYSPACE=N for SimpleStrategy";
    let name_end = text.find([':', '=']).ok_or_else(wrong)?;
    let (name, rest) = text.split_at(name_end);
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(wrong().into());
    }
    let replication = match rest.strip_prefix(':') {
        None => Replication::Simple(factor(&rest[1..]).ok_or_else(wrong)?),
        Some(options) => {
            let factors = factors(&options.replace(',', ", ")).map_err(|_| wrong())?;
            if factors.is_empty() {
                return Err(wrong().into());
            }
            Replication::NetworkTopology(factors)
        }
    };
    let none = match &replication {
        Replication::Simple(factor) => factor.all == 0,
        Replication::NetworkTopology(factors) => factors.values().all(|factor| factor.all == 0),
        _ => false,
    };
    match none {
        true => Err("a keyspace has one replica at least".into()),
        false => Ok(Keyspace { name: KeyspaceName::new(name), replication }),
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

    #[test]
    fn options_of_a_table_make_the_same_replications() {
        let read = |class: &str, options: &[(&str, &str)]| {
            let options: Vec<_> =
                options.iter().map(|(k, v)| (String::from(*k), String::from(*v))).collect();
            from_options(class, &options)
        };
        let long = "org.apache.cassandra.locator.NetworkTopologyStrategy";
        assert_eq!(
            read(long, &[("dc2", "2"), ("a, b", "3")]).unwrap(),
            Replication::NetworkTopology(BTreeMap::from([
                (DataCenter::new("a, b"), rf(3, 0)),
                (DataCenter::new("dc2"), rf(2, 0)),
            ]))
        );
        assert_eq!(
            read("SimpleStrategy", &[("replication_factor", "3")]).unwrap(),
            Replication::Simple(rf(3, 0))
        );
        assert_eq!(
            read("org.apache.cassandra.locator.LocalStrategy", &[]).unwrap(),
            Replication::Local
        );
        for (class, options) in [
            ("TierStrategy", &[("a", "1")][..]),
            ("com.example.NetworkTopologyStrategy", &[("dc1", "1")]),
            (long, &[("dc1", "x")]),
            (long, &[("dc1", "1"), ("dc1", "1")]),
            (long, &[("replication_factor", "3")]),
            ("SimpleStrategy", &[("replication_factor", "3"), ("dc1", "3")]),
            ("SimpleStrategy", &[]),
            ("LocalStrategy", &[("a", "1")]),
        ] {
            assert!(read(class, options).is_err(), "{class} {options:?}");
        }
    }

    #[test]
    fn a_person_can_say_how_a_keyspace_is_replicated() {
        let shop = replication_by_hand("shop:dc1=3,dc 2=3/1").unwrap();
        assert_eq!(shop.name.as_str(), "shop");
        assert_eq!(
            shop.replication,
            Replication::NetworkTopology(BTreeMap::from([
                (DataCenter::new("dc1"), rf(3, 0)),
                (DataCenter::new("dc 2"), rf(3, 1)),
            ]))
        );
        let named = replication_by_hand("shop:eu:west=3").unwrap();
        assert!(
            matches!(named.replication, Replication::NetworkTopology(f) if f.contains_key(&DataCenter::new("eu:west")))
        );
        assert_eq!(replication_by_hand("s=2").unwrap().replication, Replication::Simple(rf(2, 0)));
        for text in [
            "",
            "shop",
            "shop:",
            "shop=",
            "shop=x",
            "shop=0",
            "=3",
            ":dc1=3",
            "shop:dc1",
            "shop:dc1=",
            "shop:dc1=0",
            "shop:dc1=3,dc1=2",
            "shop:dc1=3,",
            "a b=3",
            "shop=3,dc1=3",
        ] {
            assert!(replication_by_hand(text).is_err(), "{text}");
        }
    }
}
