//! OpenSSH's patterns: `*`, `?`, lists with negation.

/// Whether a text matches a pattern of `*` (any characters) and `?` (exactly one). Case counts.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // The last star seen and where its match ends: the only place to come back to.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, end)) => {
                    star = Some((at, end + 1));
                    p = at + 1;
                    t = end + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Whether a text matches a list: at least one pattern, and none of those negated by `!`. Case doesn't count, as
/// with host names.
pub(crate) fn list_matches<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    let text = text.to_lowercase();
    let mut matched = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if glob(&negated.to_lowercase(), &text) => return false,
            Some(_) => {}
            None => matched |= glob(&pattern.to_lowercase(), &text),
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_openssh() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a.b", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.example.com", "n1.example.com", true),
            ("*.example.com", "example.com", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("10.0.?.*", "10.0.1.255", true),
            ("**", "x", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_negated_pattern_excludes_and_alone_matches_nothing() {
        assert!(list_matches(["*.dc1", "!n1.dc1"], "n2.dc1"));
        assert!(!list_matches(["*.dc1", "!n1.dc1"], "n1.dc1"));
        assert!(!list_matches(["!n1.dc1", "*.dc1"], "N1.DC1"));
        assert!(!list_matches(["!n1"], "n2"));
        assert!(list_matches(["N1"], "n1"));
    }
}
