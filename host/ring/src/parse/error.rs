//! A text that isn't what a command prints.
use alloc::string::String;
use core::fmt::Write as _;

/// Characters of a refused line that an error shows.
const SHOWN_CHARS: usize = 120;

/// A text that isn't what the command prints: where, what was expected there and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The command with its arguments: `nodetool describering app`.
    pub command: String,
    /// Counts from 1. At the end of the output: one more than it has lines.
    pub line_number: usize,
    /// The line, shortened to 120 characters, control characters escaped; `None` at the end of the
    /// output.
    pub line: Option<String>,
    /// What should have been there instead: `a row of 8 columns`.
    pub expected: String,
}

impl ParseError {
    pub(super) fn new(
        command: &str,
        line_number: usize,
        line: Option<&str>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            command: command.into(),
            line_number,
            line: line.map(shorten),
            expected: expected.into(),
        }
    }
}

impl core::fmt::Display for ParseError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { command, line_number, line, expected } = self;
        write!(f, "{command}, line {line_number}: expected {expected}, found ")?;
        match line.as_deref() {
            Some("") => f.write_str("an empty line"),
            Some(line) => write!(f, "`{line}`"),
            None => f.write_str("the end of the output"),
        }
    }
}

impl core::error::Error for ParseError {}

/// The first characters of a text, fit for one line of a terminal. Escapes don't count.
pub(super) fn shorten(text: &str) -> String {
    let mut shown = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(SHOWN_CHARS) {
        if is_unprintable(c) {
            // Writing to a String can't fail.
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters, and those that reorder or hide what stands beside them on a terminal.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_error_says_where_what_and_instead_of_what() {
        let error = ParseError::new("nodetool status", 7, Some("Note:"), "a row of 8 columns");
        assert_eq!(
            error.to_string(),
            "nodetool status, line 7: expected a row of 8 columns, found `Note:`"
        );
        let error = ParseError::new("nodetool info", 1, None, "the line `ID`");
        assert_eq!(
            error.to_string(),
            "nodetool info, line 1: expected the line `ID`, found the end of the output"
        );
        let error = ParseError::new("nodetool info", 2, Some(""), "x");
        assert!(error.to_string().ends_with("found an empty line"));
    }

    #[test]
    fn a_long_line_is_shortened_and_can_not_drive_the_terminal() {
        let line = "\u{1b}[2J\u{202e}é".to_string() + &"x".repeat(1000);
        let shown = shorten(&line);
        assert!(shown.starts_with("\\u{1b}[2J\\u{202e}é"), "{shown}");
        assert_eq!(shown.chars().count(), 120 + 5 + 7 + 1);
        assert!(shown.ends_with("x…"));
        assert_eq!(shorten("a\tb"), "a\\tb");
    }
}
