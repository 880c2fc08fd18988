//! Splits a command line into words as a shell does, without expanding anything.

/// Blanks separate words. Between `'…'` everything is taken as it is; between `"…"` everything but
/// `\"` and `\\`; elsewhere `\` takes the next character as it is. `$`, `*`, `~`, `;` and the like
/// mean nothing.
///
/// # Errors
/// A quote that isn't closed, or a `\` at the end.
pub(crate) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' | '"' => quoted(c, &mut chars, word.get_or_insert_default())?,
            '\\' => {
                let next = chars.next().ok_or("a \\ at the end takes no character")?;
                word.get_or_insert_default().push(next);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, chars: &mut core::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match chars.next() {
                Some(next @ ('"' | '\\')) => word.push(next),
                Some(next) => word.extend(['\\', next]),
                None => break,
            },
            c => word.push(c),
        }
    }
    Err(format!("the quote {quote} isn't closed"))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_split_and_quotes_hold_them_together() {
        for (line, words) in [
            ("service cassandra {verb}", &["service", "cassandra", "{verb}"][..]),
            ("  a\t b ", &["a", "b"]),
            ("a 'b  c' \"d e\"f", &["a", "b  c", "d ef"]),
            (r#"'a\b' "c\"d\\e\f" g\ h"#, &[r"a\b", r#"c"d\e\f"#, "g h"]),
            ("'' \"\"", &["", ""]),
            ("$HOME * ~ ; `x`", &["$HOME", "*", "~", ";", "`x`"]),
            ("", &[]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn what_is_left_open_is_an_error() {
        for line in ["'a", "\"a", "\"a\\", "a\\"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
