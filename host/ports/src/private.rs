//! What must not be seen: bytes that never print themselves, and files of them that exist on a node only as long as a
//! program needs them.
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// A password or the like. It doesn't print itself, and its memory is overwritten when the last copy of it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// Takes bytes over; whoever made them sees to other copies.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// The bytes, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Not even its length.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A file for a program that takes a secret from a file only. The transport makes it before the program starts, readable by the
/// login alone, and removes it when the program has ended. Its bytes never are an argument, a variable, or in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateFile {
    /// Its name: lower-case letters and dashes.
    pub name: &'static str,
    /// What is in it.
    pub bytes: Secret,
}

impl PrivateFile {
    /// The word of an argument list that the file's path takes the place of. It holds a NUL byte, which no argument can: nothing that
    /// somebody typed is mistaken for it, and where it isn't replaced, nothing runs.
    pub fn word(&self) -> String {
        format!("\0private file {}", self.name)
    }

    /// The file among these that a word stands for.
    pub fn of_word<'a>(files: &'a [Self], word: &str) -> Option<&'a Self> {
        files.iter().find(|file| file.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let file = PrivateFile { name: "password", bytes: Secret::new("hunter2") };
        let printed = format!("{file:?} {:?}", file.bytes);
        assert!(!printed.contains("hunter2") && !printed.contains('7'), "{printed}");
        assert_eq!(file.bytes.expose(), b"hunter2");
    }

    #[test]
    fn only_its_own_word_stands_for_a_file() {
        let files = [PrivateFile { name: "password", bytes: Secret::new("x") }];
        assert_eq!(PrivateFile::of_word(&files, &files[0].word()), Some(&files[0]));
        assert_eq!(PrivateFile::of_word(&files, "password"), None);
        assert!(files[0].word().contains('\0'));
    }
}
