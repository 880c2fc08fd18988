//! What nodes print, from pieces of bytes to lines.
use quorate_ring::parse::is_unprintable;

/// A line that is longer is shown in pieces.
const LONGEST: usize = 16 << 10;

/// A line of output, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLine {
    /// The text; bytes that aren't UTF-8 are replaced by U+FFFD.
    pub text: String,
    /// Bytes were replaced.
    pub lossy: bool,
    /// The line goes on in the next one: it is longer than what is kept of one.
    pub partial: bool,
}

impl OutputLine {
    fn new(bytes: &[u8], partial: bool) -> Self {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes).into_owned();
        Self { lossy: std::str::from_utf8(bytes).is_err(), text, partial }
    }

    /// The text for a terminal: nothing that moves its cursor, changes its colours or turns what stands beside it around.
    pub fn printable(&self) -> String {
        self.text.chars().filter(|c| !is_unprintable(*c) || *c == '\t').collect()
    }
}

/// One stream of one node; keeps the line that hasn't ended yet.
#[derive(Clone, Debug, Default)]
pub struct OutputLines {
    rest: Vec<u8>,
}

impl OutputLines {
    /// The lines that end in the next bytes. `skipped` bytes were left out before them.
    pub fn push(&mut self, skipped: usize, bytes: &[u8]) -> Vec<OutputLine> {
        if skipped > 0 {
            // The line that began before what is left out isn't the one that ends after it.
            self.rest.clear();
        }
        self.rest.extend_from_slice(bytes);
        let mut lines = Vec::new();
        let mut from = 0;
        while let Some(length) = self.rest[from..].iter().position(|byte| *byte == b'\n') {
            lines.push(OutputLine::new(&self.rest[from..from + length], false));
            from += length + 1;
        }
        self.rest.drain(..from);
        while self.rest.len() > LONGEST {
            // A character isn't cut, where there are characters.
            let cut = (LONGEST - 3..=LONGEST).rev().find(|at| self.rest[*at] & 0xc0 != 0x80);
            let piece: Vec<u8> = self.rest.drain(..cut.unwrap_or(LONGEST)).collect();
            lines.push(OutputLine::new(&piece, true));
        }
        lines
    }

    /// What was printed without a line's end, once nothing comes any more.
    pub fn end(self) -> Option<OutputLine> {
        (!self.rest.is_empty()).then(|| OutputLine::new(&self.rest, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[OutputLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn a_character_that_comes_in_two_pieces_is_whole() {
        let mut lines = OutputLines::default();
        let bytes = "müde\r\nwach".as_bytes();
        assert!(lines.push(0, &bytes[..2]).is_empty());
        let told = lines.push(0, &bytes[2..]);
        assert_eq!(texts(&told), ["müde"]);
        assert!(!told[0].lossy);
        assert_eq!(lines.end().unwrap().text, "wach");
    }

    #[test]
    fn bytes_that_are_no_text_are_flagged() {
        let mut lines = OutputLines::default();
        let told = lines.push(0, b"a\xffb\nplain\n");
        assert_eq!(texts(&told), ["a\u{fffd}b", "plain"]);
        assert_eq!((told[0].lossy, told[1].lossy), (true, false));
    }

    #[test]
    fn a_long_line_comes_in_pieces_and_loses_nothing() {
        let mut lines = OutputLines::default();
        let text = "ü".repeat(LONGEST);
        let told = lines.push(0, text.as_bytes());
        assert!(told.iter().all(|line| line.partial && !line.lossy));
        let all: String = told.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(all + &lines.end().unwrap().text, text);
    }

    #[test]
    fn what_is_left_out_ends_the_line_before_it() {
        let mut lines = OutputLines::default();
        lines.push(0, b"begun");
        assert_eq!(texts(&lines.push(10, b"ended\n")), ["ended"]);
    }

    #[test]
    fn nothing_printed_moves_the_cursor() {
        let line = OutputLine::new(b"a\x1b[2Jb\tc", false);
        assert_eq!(line.printable(), "a[2Jb\tc");
        let line = OutputLine::new("a\u{202e}b\u{200b}c ü".as_bytes(), false);
        assert_eq!(line.printable(), "abc ü");
    }
}
