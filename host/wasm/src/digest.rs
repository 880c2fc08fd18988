//! SHA-256 in lower-case hexadecimal.
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The digest of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).as_slice())
}

/// The digest of what a value feeds to a hasher. Equal within one build of this program and, as far as
/// the value allows, beyond.
pub(crate) fn sha256_of(value: impl std::hash::Hash) -> String {
    struct Feed(Sha256);

    impl std::hash::Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            // Only asked for by callers that want 64 bits; this one takes the digest itself.
            0
        }
    }

    let mut feed = Feed(Sha256::new());
    value.hash(&mut feed);
    hex(feed.0.finalize().as_slice())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_fips_180() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
    }

    #[test]
    fn different_values_have_different_digests() {
        assert_eq!(sha256_of("a"), sha256_of("a"));
        assert_ne!(sha256_of("a"), sha256_of("b"));
    }
}
