//! The components that come with quorate, as bytes. `build.rs` builds them from `plugins/`.

/// A bundled component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// The name of the command or strategy: that of its directory under `plugins/`.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// Every bundled command, sorted by name.
pub fn commands() -> &'static [Bundled] {
    COMMANDS
}

/// Every bundled strategy, sorted by name.
pub fn strategies() -> &'static [Bundled] {
    STRATEGIES
}

include!(concat!(env!("OUT_DIR"), "/components.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[Bundled]) -> Vec<&str> {
        all.iter().map(|component| component.name).collect()
    }

    #[test]
    fn what_is_bundled_are_components() {
        assert_eq!(names(commands()), ["restart", "run"]);
        assert_eq!(names(strategies()), ["canary", "longest-first", "rack"]);
        for component in commands().iter().chain(strategies()) {
            // The magic number, then version 13 of layer 1: a component and no core module.
            assert_eq!(&component.bytes[..8], b"\0asm\x0d\0\x01\0", "{}", component.name);
        }
    }
}
