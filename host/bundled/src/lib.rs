//! The components that come with quorate, as bytes. `build.rs` builds them from `plugins/`.

/// A bundled component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// The command's name: that of its directory under `plugins/commands`.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// Every bundled command, sorted by name.
pub fn commands() -> &'static [Bundled] {
    COMMANDS
}

include!(concat!(env!("OUT_DIR"), "/commands.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_commands_are_components() {
        let names: Vec<_> = commands().iter().map(|command| command.name).collect();
        assert_eq!(names, ["restart", "run"]);
        for command in commands() {
            // The magic number, then version 13 of layer 1: a component and no core module.
            assert_eq!(&command.bytes[..8], b"\0asm\x0d\0\x01\0", "{}", command.name);
        }
    }
}
