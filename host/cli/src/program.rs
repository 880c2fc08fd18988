//! What this program was called as: its own name, or cstar's.
use std::{ffi::OsString, path::Path, sync::OnceLock};

/// The names that it answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Quorate,
    /// As cstar: the same commands under its name.
    Cstar,
    /// As cstarpar: `par` without its name.
    Cstarpar,
}

static CALLED: OnceLock<Program> = OnceLock::new();

impl Program {
    /// From the word that it was called by.
    pub(crate) fn of(words: &[OsString]) -> Self {
        let name = words.first().and_then(|word| Path::new(word).file_name());
        match name.and_then(|name| name.to_str()) {
            Some("cstar") => Self::Cstar,
            Some("cstarpar") => Self::Cstarpar,
            _ => Self::Quorate,
        }
    }

    /// Remembers it for messages.
    pub(crate) fn remember(self) {
        // The first call of this process counts.
        let _ = CALLED.set(self);
    }

    /// The command line as it would be typed after the own name: cstarpar knows one command, and doesn't name it.
    pub(crate) fn spelled_out(self, mut words: Vec<OsString>) -> Vec<OsString> {
        if self == Self::Cstarpar {
            words.insert(1, crate::par::NAME.into());
        }
        words
    }

    /// The name that help and errors show.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quorate => "quorate",
            Self::Cstar => "cstar",
            Self::Cstarpar => "cstarpar",
        }
    }
}

/// A message with what it tells to type under the name that this was called by: `quorate show JOB`. cstarpar has
/// no other commands; there the own name stays.
pub(crate) fn as_called(text: &str) -> String {
    match CALLED.get() {
        Some(Program::Cstar) => renamed(text),
        _ => text.to_owned(),
    }
}

fn renamed(text: &str) -> String {
    let verbs = ["continue", "show", "logs", "jobs", "explain", "plan", "topology", "--help"];
    let mut text = text.to_owned();
    for verb in verbs {
        text = text.replace(&format!("quorate {verb}"), &format!("cstar {verb}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_decides() {
        let of = |word: &str| Program::of(&[word.into()]);
        assert_eq!(of("/usr/local/bin/cstar"), Program::Cstar);
        assert_eq!(of("cstarpar"), Program::Cstarpar);
        assert_eq!(of("./cstar/quorate"), Program::Quorate);
        assert_eq!(Program::of(&[]), Program::Quorate);
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let of = |text: &str| Program::of(&words(text)).spelled_out(words(text));
        assert_eq!(of("/bin/cstarpar --host a x"), words("/bin/cstarpar par --host a x"));
        assert_eq!(of("quorate par x"), words("quorate par x"));
    }

    #[test]
    fn what_to_type_next_bears_the_name_that_was_typed() {
        let text = "go on with `quorate continue k1` (quorate show k1); quorate: reading";
        let called = "go on with `cstar continue k1` (cstar show k1); quorate: reading";
        assert_eq!(renamed(text), called);
    }
}
