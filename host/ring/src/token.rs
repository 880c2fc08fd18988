//! Tokens, and the partitioners that make them.
//!
//! Sources: `Murmur3Partitioner`, `RandomPartitioner` and `ByteOrderedPartitioner` in
//! `org.apache.cassandra.dht`, and what their tokens print in `nodetool ring` and `describering`.
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// How keys become tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Partitioner {
    /// `Murmur3Partitioner`, the default since 1.2.
    #[serde(rename = "Murmur3Partitioner")]
    Murmur3,
    /// `RandomPartitioner`.
    #[serde(rename = "RandomPartitioner")]
    Random,
    /// `ByteOrderedPartitioner`.
    #[serde(rename = "ByteOrderedPartitioner")]
    ByteOrdered,
}

impl Partitioner {
    /// The partitioner of this class, with or without its package.
    pub fn from_class(name: &str) -> Option<Self> {
        match name.strip_prefix("org.apache.cassandra.dht.").unwrap_or(name) {
            "Murmur3Partitioner" => Some(Self::Murmur3),
            "RandomPartitioner" => Some(Self::Random),
            "ByteOrderedPartitioner" => Some(Self::ByteOrdered),
            _ => None,
        }
    }

    /// Its class without the package.
    pub fn class(self) -> &'static str {
        match self {
            Self::Murmur3 => "Murmur3Partitioner",
            Self::Random => "RandomPartitioner",
            Self::ByteOrdered => "ByteOrderedPartitioner",
        }
    }

    /// Reads a token as nodetool prints it.
    pub fn parse_token(self, text: &str) -> Option<Token> {
        match self {
            // Rust would read a leading `+`, which Java never prints.
            _ if text.starts_with('+') => None,
            Self::Murmur3 => text.parse().ok().map(Token::Number),
            Self::Random => {
                let number = text.parse().ok().filter(|number| *number <= 1 << 127);
                number.map(Token::Large)
            }
            Self::ByteOrdered => bytes(text).map(Token::Bytes),
        }
    }
}

/// A place on the ring. Tokens of one partitioner are ordered as the ring is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// Of Murmur3Partitioner.
    Number(i64),
    /// Of RandomPartitioner: 0 to 2^127.
    Large(u128),
    /// Of ByteOrderedPartitioner.
    Bytes(Box<[u8]>),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Large(number) => number.fmt(f),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

const LARGE: &str = "random:";
const BYTES: &str = "bytes:";

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self {
            Self::Number(_) => self.to_string(),
            Self::Large(_) => format!("{LARGE}{self}"),
            Self::Bytes(_) => format!("{BYTES}{self}"),
        };
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let token = if let Some(number) = text.strip_prefix(LARGE) {
            Partitioner::Random.parse_token(number)
        } else if let Some(bytes) = text.strip_prefix(BYTES) {
            Partitioner::ByteOrdered.parse_token(bytes)
        } else {
            Partitioner::Murmur3.parse_token(&text)
        };
        token.ok_or_else(|| D::Error::custom(format!("`{text}` is no token")))
    }
}

/// Pairs of hexadecimal digits.
fn bytes(text: &str) -> Option<Box<[u8]>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() || digits.is_empty() {
        return None;
    }
    Some(pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Partitioner::{ByteOrdered, Murmur3, Random};

    #[test]
    fn partitioners_are_known_by_their_class() {
        for partitioner in [Murmur3, Random, ByteOrdered] {
            let class = partitioner.class();
            assert_eq!(Partitioner::from_class(class), Some(partitioner));
            let whole = format!("org.apache.cassandra.dht.{class}");
            assert_eq!(Partitioner::from_class(&whole), Some(partitioner));
        }
        assert_eq!(Partitioner::from_class("OrderPreservingPartitioner"), None);
    }

    #[test]
    fn tokens_are_printed_as_they_were_read() {
        let max = (1_u128 << 127).to_string();
        for (partitioner, text) in [
            (Murmur3, "-9223372036854775808"),
            (Murmur3, "42"),
            (Random, "0"),
            (Random, max.as_str()),
            (ByteOrdered, "00ff10"),
        ] {
            let token = partitioner.parse_token(text).unwrap();
            assert_eq!(token.to_string(), text);
        }
        for (partitioner, text) in [
            (Murmur3, ""),
            (Murmur3, "+42"),
            (Murmur3, "9223372036854775808"),
            (Random, "-1"),
            (Random, "+1"),
            (Random, "170141183460469231731687303715884105729"),
            (ByteOrdered, "abc"),
            (ByteOrdered, "zz"),
            (ByteOrdered, ""),
        ] {
            assert_eq!(partitioner.parse_token(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_are_in_ring_order() {
        let less = |partitioner: Partitioner, a: &str, b: &str| {
            assert!(partitioner.parse_token(a) < partitioner.parse_token(b), "{a} {b}");
        };
        less(Murmur3, "-5", "3");
        less(Random, "9", "10");
        less(ByteOrdered, "00", "0000");
        less(ByteOrdered, "7fff", "80");
    }
    /// What serde makes of a token: a text, which it reads back.
    struct AsText<'a>(&'a Token);

    impl fmt::Display for AsText<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.serialize(f)
        }
    }

    fn from_text(text: &str) -> Result<Token, serde::de::value::Error> {
        Token::deserialize(serde::de::IntoDeserializer::into_deserializer(text))
    }

    #[test]
    fn tokens_of_two_partitioners_are_never_taken_for_each_other() {
        for (partitioner, printed, text) in [
            (Murmur3, "-42", "-42"),
            (Murmur3, "10", "10"),
            (Random, "10", "random:10"),
            (ByteOrdered, "10", "bytes:10"),
        ] {
            let token = partitioner.parse_token(printed).unwrap();
            assert_eq!(AsText(&token).to_string(), text);
            assert_eq!(from_text(text).unwrap(), token);
        }
        for text in ["", "0aff", "random:", "random:-1", "bytes:1", "murmur:1"] {
            let error = from_text(text).unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is no token"));
        }
    }
}
