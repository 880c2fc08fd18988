//! A text, line by line, with what an error needs to point at one.
use super::ParseError;
use alloc::string::String;

/// A line longer than this is refused. The longest real one lists every node of a cluster in
/// `describecluster`, with some fifty bytes each.
const MAX_LINE_BYTES: usize = 1 << 20;

/// One line without its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) number: usize,
    pub(super) text: &'a str,
}

/// The lines of a command's output.
pub(super) struct Lines<'a> {
    command: String,
    rest: &'a str,
    /// Lines taken from `rest`.
    taken: usize,
    /// A line that was looked at and given back.
    returned: Option<Line<'a>>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(command: impl Into<String>, text: &'a str) -> Self {
        Self { command: command.into(), rest: text, taken: 0, returned: None }
    }

    /// The next line, or `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Line<'a>>, ParseError> {
        if let Some(line) = self.returned.take() {
            return Ok(Some(line));
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        // Looks no further than the limit, so that a text without line ends costs nothing.
        let window = &self.rest[..self.rest.floor_char_boundary(MAX_LINE_BYTES + 1)];
        let number = self.taken + 1;
        let Some(end) = window.find('\n') else {
            let expected = if window.len() < self.rest.len() {
                "a line of at most 1 MiB"
            } else {
                "a line end after the last line (is the output cut?)"
            };
            return Err(ParseError::new(&self.command, number, Some(window), expected));
        };
        let text = window[..end].strip_suffix('\r').unwrap_or(&window[..end]);
        if has_controls(text) {
            let expected = "a line without control characters";
            return Err(ParseError::new(&self.command, number, Some(text), expected));
        }
        self.rest = &self.rest[end + 1..];
        self.taken = number;
        Ok(Some(Line { number, text }))
    }

    /// Gives the line back that [`Lines::next`] returned last.
    pub(super) fn put_back(&mut self, line: Line<'a>) {
        self.returned = Some(line);
    }

    /// The next line, where the output mustn't end.
    pub(super) fn require(&mut self, expected: &str) -> Result<Line<'a>, ParseError> {
        match self.next()? {
            Some(line) => Ok(line),
            None => Err(self.at_end(expected)),
        }
    }

    /// The next line, which must be this text; spaces at its end don't matter.
    pub(super) fn literal(&mut self, text: &str) -> Result<(), ParseError> {
        let line = self.require(&alloc::format!("`{}`", text.trim()))?;
        if line.text.trim_end() == text.trim_end() {
            Ok(())
        } else {
            Err(self.unexpected(line, alloc::format!("`{}`", text.trim())))
        }
    }

    /// The rest of the next line, which must begin with this text.
    pub(super) fn field(&mut self, prefix: &str) -> Result<(Line<'a>, &'a str), ParseError> {
        let expected = || alloc::format!("`{} …`", prefix.trim());
        let line = self.require(&expected())?;
        match line.text.strip_prefix(prefix) {
            Some(value) => Ok((line, value)),
            None => Err(self.unexpected(line, expected())),
        }
    }

    /// Takes empty lines away.
    pub(super) fn skip_empty(&mut self) -> Result<(), ParseError> {
        while let Some(line) = self.next()? {
            if !line.text.trim().is_empty() {
                self.put_back(line);
                break;
            }
        }
        Ok(())
    }

    /// Fails unless nothing but empty lines is left.
    pub(super) fn finish(mut self) -> Result<(), ParseError> {
        self.skip_empty()?;
        match self.next()? {
            None => Ok(()),
            Some(line) => Err(self.unexpected(line, "the end of the output")),
        }
    }

    /// An error at a line.
    pub(super) fn unexpected(&self, line: Line<'_>, expected: impl Into<String>) -> ParseError {
        ParseError::new(&self.command, line.number, Some(line.text), expected)
    }

    /// An error at the end of the output.
    pub(super) fn at_end(&self, expected: impl Into<String>) -> ParseError {
        ParseError::new(&self.command, self.taken + 1, None, expected)
    }
}

/// Whether a line has control characters other than tabs. No name has any, and on a terminal they would do more
/// than stand there.
fn has_controls(text: &str) -> bool {
    let is_control = |b: u8| b < b' ' && b != b'\t' || b == 0x7f;
    text.bytes().any(is_control)
        || !text.is_ascii() && text.chars().any(|c| c.is_control() && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn lines_are_counted_and_end_with_a_line_end() {
        let mut lines = Lines::new("x", "a\r\n\nb");
        assert_eq!(lines.next().unwrap().unwrap().text, "a");
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.number, line.text), (2, ""));
        lines.put_back(line);
        assert_eq!(lines.next().unwrap().unwrap().number, 2);
        let error = lines.next().unwrap_err();
        assert_eq!((error.line_number, error.line.as_deref()), (3, Some("b")));
        assert!(error.expected.contains("cut"), "{error}");
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_also_where_it_ends_inside_a_character() {
        for length in [MAX_LINE_BYTES, MAX_LINE_BYTES + 1, MAX_LINE_BYTES + 2, MAX_LINE_BYTES + 3] {
            let text = "é".repeat(length / 2 + 2) + "\n";
            let error = Lines::new("x", &text).next().unwrap_err();
            assert!(error.expected.contains("1 MiB"), "{error}");
        }
        let text = "x".repeat(MAX_LINE_BYTES) + "\n";
        assert_eq!(Lines::new("x", &text).next().unwrap().unwrap().text.len(), MAX_LINE_BYTES);
    }

    #[test]
    fn control_characters_are_refused_and_tabs_are_not() {
        assert_eq!(Lines::new("x", "\ta b\té\n").next().unwrap().unwrap().text, "\ta b\té");
        for text in ["a\0\n", "a\u{1b}[31m\n", "a\r\r\n", "a\rb\n", "\u{7f}\n", "é\u{9b}31m\n"] {
            let error = Lines::new("x", text).next().unwrap_err();
            assert!(error.expected.contains("control"), "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }
}
