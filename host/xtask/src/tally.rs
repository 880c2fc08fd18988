//! Counting tests while their output passes by.

/// The sum of the `test result:` lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Counts one line: `test result: ok. 46 passed; 0 failed; 0 ignored; …`.
    fn line(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let counts = counts.split_once(". ").map_or("", |(_, counts)| counts);
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// Finds lines in pieces of output.
#[derive(Default)]
pub(crate) struct Counter {
    /// The begun line, as far as it can matter.
    begun: Vec<u8>,
    pub(crate) tally: Tally,
}

/// A line that matters is shorter than this.
const LINE_BYTES: usize = 512;

impl Counter {
    /// Takes the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.tally.line(&String::from_utf8_lossy(&self.begun));
                self.begun.clear();
            } else if self.begun.len() < LINE_BYTES {
                self.begun.push(*byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_up_however_the_output_is_cut() {
        let text = b"test a ... ok\n\ntest result: ok. 46 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 9 passed; 2 failed; 0 ignored\nno test result: ok. 5 passed; 5 failed\ntest result: ok. 7 passed";
        for size in [1, 2, 7, 64, text.len()] {
            let mut counter = Counter::default();
            for piece in text.chunks(size) {
                counter.take(piece);
            }
            assert_eq!(counter.tally, Tally { passed: 55, failed: 2 }, "pieces of {size}");
        }
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut counter = Counter::default();
        for _ in 0..1000 {
            counter.take(&[b'x'; 4096]);
        }
        counter.take(b"\ntest result: ok. 1 passed; 0 failed\n");
        assert_eq!(counter.tally.passed, 1);
        assert!(counter.begun.capacity() <= 2 * LINE_BYTES);
    }
}
