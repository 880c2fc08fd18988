//! Texts held against the files of `tests/expected`.
use std::path::PathBuf;

/// Fails unless the file holds this text; `UPDATE_EXPECTED=1` writes it anew.
pub(crate) fn check(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{} (UPDATE_EXPECTED=1 writes it)\n{text}", path.display());
}
