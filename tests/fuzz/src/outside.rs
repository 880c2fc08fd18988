//! Targets of `quorate-transport`: files of the operator's machine, and what a node's attachment prints.
use quorate_transport::fuzzing;

/// A target and its name, which is that of its corpus' folder.
pub type Named = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: [Named; 3] =
    [("ssh_config", ssh_config), ("known_hosts", known_hosts), ("frames", frames)];

fn ssh_config(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        fuzzing::ssh_config(text);
    }
}

fn known_hosts(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        fuzzing::known_hosts(text);
    }
}

/// In pieces of any size the same output comes of it.
fn frames(bytes: &[u8]) {
    let [piece, rest @ ..] = bytes else { return };
    let whole = fuzzing::frames(rest, rest.len());
    assert!(whole <= rest.len());
    assert_eq!(fuzzing::frames(rest, usize::from(*piece)), whole);
}
