//! `~`, `%` tokens and `${VARIABLES}` in values.
use std::{
    env,
    path::{Path, PathBuf},
};

/// What tokens stand for. Empty where a token isn't known yet.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    /// `%h`: the name that is connected to.
    pub(crate) host: &'a str,
    /// `%n`: the name as given.
    pub(crate) original: &'a str,
    /// `%p`
    pub(crate) port: u16,
    /// `%r`: the user there.
    pub(crate) user: &'a str,
    /// `%u`: the user here.
    pub(crate) local_user: &'a str,
    /// `%d`, and `~`.
    pub(crate) home: &'a Path,
    /// `%k`: the name under which the host's keys are known.
    pub(crate) key_alias: &'a str,
}

impl Tokens<'_> {
    /// A path with everything expanded.
    ///
    /// # Errors
    /// What can't be expanded, in words.
    pub(crate) fn path(&self, value: &str) -> Result<PathBuf, String> {
        let value = variables(value)?;
        let value = self.tokens(&value)?;
        Ok(match value.strip_prefix('~') {
            Some("") => self.home.to_owned(),
            Some(rest) if rest.starts_with('/') => self.home.join(&rest[1..]),
            Some(_) => {
                return Err(format!("{value}: another user's home directory can't be looked up"));
            }
            None => PathBuf::from(value),
        })
    }

    /// A command for a shell with its tokens expanded. Callers see to it that the tokens are [`plain_words`].
    ///
    /// # Errors
    /// What can't be expanded, in words.
    pub(crate) fn command(&self, value: &str) -> Result<String, String> {
        self.tokens(value)
    }

    fn tokens(&self, value: &str) -> Result<String, String> {
        let mut expanded = String::with_capacity(value.len());
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                expanded.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => expanded.push('%'),
                Some('h') => expanded.push_str(self.host),
                Some('n') => expanded.push_str(self.original),
                Some('p') => expanded.push_str(&self.port.to_string()),
                Some('r') => expanded.push_str(self.user),
                Some('u') => expanded.push_str(self.local_user),
                Some('d') => expanded.push_str(&self.home.to_string_lossy()),
                Some('k') => expanded.push_str(self.key_alias),
                Some(other) => return Err(format!("{value}: the token %{other} is not supported")),
                None => return Err(format!("{value}: ends in a single %")),
            }
        }
        Ok(expanded)
    }
}

/// Refuses names that a shell would take for more than a word: those of hosts may come from a cluster's gossip.
///
/// # Errors
/// Which one, in words.
pub(crate) fn plain_words(tokens: &Tokens<'_>) -> Result<(), String> {
    for text in [tokens.host, tokens.original, tokens.user, tokens.key_alias] {
        let plain =
            |c: char| !c.is_control() && !c.is_whitespace() && !"'`\"$\\;&<>|(){}*?!#~".contains(c);
        if text.starts_with('-') || !text.chars().all(plain) {
            return Err(format!(
                "{text:?} is not put into a command: a shell would read more than a name in it"
            ));
        }
    }
    Ok(())
}

/// The value of `HostName`: only `%h` and `%%` mean something there.
pub(crate) fn host_name(value: &str, original: &str) -> Result<String, String> {
    let mut expanded = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next() {
                Some('h') => expanded.push_str(original),
                Some('%') => expanded.push('%'),
                _ => return Err(format!("{value}: only %h and %% have a meaning in HostName")),
            },
            c => expanded.push(c),
        }
    }
    Ok(expanded)
}

fn variables(value: &str) -> Result<String, String> {
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("{value}: ${{ is not closed"))?;
        let content =
            env::var(name).map_err(|_| format!("{value}: the variable {name} is not set"))?;
        expanded.push_str(before);
        expanded.push_str(&content);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_expand_home_tokens_and_variables() {
        let tokens = Tokens {
            host: "n1.example",
            original: "n1",
            port: 2222,
            user: "cass",
            local_user: "ann",
            home: Path::new("/home/ann"),
            key_alias: "n1.example",
        };
        for (value, path) in [
            ("~/.ssh/id", "/home/ann/.ssh/id"),
            ("~", "/home/ann"),
            ("%d/k/%h-%n-%p-%r-%u-%k%%", "/home/ann/k/n1.example-n1-2222-cass-ann-n1.example%"),
            ("/a/~b", "/a/~b"),
            ("relative", "relative"),
        ] {
            assert_eq!(tokens.path(value).unwrap(), PathBuf::from(path), "{value}");
        }
        let path = env::var("PATH").unwrap();
        assert_eq!(tokens.path("/x/${PATH}").unwrap(), PathBuf::from(format!("/x/{path}")));
        for bad in ["~bob/x", "%z", "x%", "${QUORATE_SURELY_NOT_SET}", "${x"] {
            assert!(tokens.path(bad).is_err(), "{bad}");
        }
        assert_eq!(tokens.command("nc %h %p # '100%%'").unwrap(), "nc n1.example 2222 # '100%'");
        assert_eq!(plain_words(&tokens), Ok(()));
        for bad in ["n1;reboot", "$(x)", "-oX", "a b", "`x`", "a\nb"] {
            assert!(plain_words(&Tokens { host: bad, ..tokens.clone() }).is_err(), "{bad}");
        }
        assert_eq!(host_name("%h.example.com", "n1").unwrap(), "n1.example.com");
        assert!(host_name("%p", "n1").is_err());
    }
}
