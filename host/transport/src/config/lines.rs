//! Reading configuration files into lines of words.
use super::pattern::glob;
use crate::fault::Fault;
use quorate_ports::FaultKind;
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// As deep as OpenSSH lets files include each other.
const DEEPEST: usize = 16;

/// One file, its includes read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigFile {
    /// In the order of the file.
    pub(crate) lines: Vec<Line>,
}

/// A directive.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The file that it stands in.
    pub(crate) file: Arc<Path>,
    /// Counted from 1.
    pub(crate) number: usize,
    /// In lower case.
    pub(crate) keyword: String,
    /// Its arguments, unquoted.
    pub(crate) arguments: Vec<String>,
    /// Everything behind the keyword as it stands: a shell reads the quotes of a command.
    pub(crate) rest: String,
    /// It stands in the system's file: what does nothing there isn't the operator's to change.
    pub(crate) system: bool,
    /// For `Include`: the files, in order.
    pub(crate) included: Vec<ConfigFile>,
}

impl Line {
    /// An error at this line.
    pub(crate) fn fault(&self, message: impl AsRef<str>) -> Fault {
        fault(&self.file, self.number, message.as_ref())
    }
}

fn fault(file: &Path, number: usize, message: &str) -> Fault {
    Fault::new(FaultKind::Configuration, format!("{}:{number}: {message}", file.display()))
}

impl ConfigFile {
    /// Reads a file and what it includes. `home` is what `~` and relative includes start from.
    ///
    /// # Errors
    /// A file that can't be read or parsed. `must_exist` makes an absent file an error as well.
    pub(crate) fn read(path: &Path, home: &Path, must_exist: bool) -> Result<Self, Fault> {
        let from = From { home, relative: &home.join(".ssh"), system: false, depth: 0 };
        Self::read_from(path, must_exist, from)
    }

    /// Reads the system's file; relative includes start from its directory. An absent file says nothing.
    ///
    /// # Errors
    /// A file that can't be read or parsed.
    pub(crate) fn read_system(path: &Path, home: &Path) -> Result<Self, Fault> {
        let relative = path.parent().unwrap_or(Path::new("/"));
        Self::read_from(path, false, From { home, relative, system: true, depth: 0 })
    }

    /// The lines of a text that isn't in a file; it may include none.
    ///
    /// # Errors
    /// What can't be parsed.
    pub(crate) fn of_text(text: &str) -> Result<Self, Fault> {
        let nowhere = Path::new("/nonexistent");
        let from = From { home: nowhere, relative: nowhere, system: false, depth: DEEPEST };
        Self::parse(Path::new("text"), text, from)
    }

    fn read_from(path: &Path, must_exist: bool, from: From<'_>) -> Result<Self, Fault> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text, from),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
                Ok(Self::default())
            }
            Err(error) => Err(Fault::new(
                FaultKind::Configuration,
                format!("the SSH configuration {} can't be read: {error}", path.display()),
            )
            .hint("name a file that is there with -F, or `-F none` for no file at all")),
        }
    }

    fn parse(path: &Path, text: &str, from: From<'_>) -> Result<Self, Fault> {
        let file: Arc<Path> = Arc::from(path);
        let mut lines = Vec::new();
        for (at, text) in text.lines().enumerate() {
            let number = at + 1;
            let mut words = split(text).map_err(|message| fault(path, number, message))?;
            if words.is_empty() {
                continue;
            }
            let keyword = words.remove(0).to_lowercase();
            if words.is_empty() {
                return Err(fault(path, number, &format!("{keyword} has no value")));
            }
            let mut line = Line {
                file: file.clone(),
                number,
                keyword,
                arguments: words,
                rest: behind_keyword(text).1.to_owned(),
                system: from.system,
                included: Vec::new(),
            };
            if line.keyword == "include" {
                line.included = include(&line, from)?;
            }
            lines.push(line);
        }
        Ok(Self { lines })
    }
}

/// What the paths in a file start from.
#[derive(Clone, Copy)]
struct From<'a> {
    /// `~`
    home: &'a Path,
    /// Where relative includes are looked for.
    relative: &'a Path,
    /// It is the system's file, or included by it.
    system: bool,
    /// How many files include this one.
    depth: usize,
}

fn include(line: &Line, from: From<'_>) -> Result<Vec<ConfigFile>, Fault> {
    if from.depth >= DEEPEST {
        return Err(line.fault(format!("more than {DEEPEST} files include each other")));
    }
    let mut files = Vec::new();
    for argument in &line.arguments {
        let path = match argument.strip_prefix("~/") {
            Some(rest) => from.home.join(rest),
            None => from.relative.join(argument),
        };
        for path in paths(&path) {
            // Like OpenSSH: what is absent or can't be opened is passed over, `Include conf.d/*` being the usual form.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            files.push(ConfigFile::parse(&path, &text, From { depth: from.depth + 1, ..from })?);
        }
    }
    Ok(files)
}

/// The existing paths that match a path whose components may be patterns, in order.
fn paths(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str().to_string_lossy();
        if !matches!(component, Component::Normal(_)) || !name.contains(['*', '?']) {
            for path in &mut found {
                path.push(component);
            }
            continue;
        }
        let mut next = Vec::new();
        for directory in found {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            next.extend(entries.flatten().filter_map(|entry| {
                let entry_name = entry.file_name();
                let text = entry_name.to_string_lossy();
                // As in a shell, a pattern doesn't name what is hidden.
                let hidden = text.starts_with('.') && !name.starts_with('.');
                (!hidden && glob(&name, &text)).then(|| directory.join(&entry_name))
            }));
        }
        next.sort();
        found = next;
    }
    found.retain(|path| path.exists());
    found
}

/// A line's keyword, and everything behind it.
fn behind_keyword(line: &str) -> (&str, &str) {
    let line = line.trim();
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (keyword, rest.strip_prefix('=').unwrap_or(rest).trim_start())
}

/// Words of a line: a keyword, an optional `=`, arguments that may be quoted, a comment.
fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Vec::new());
    }
    let (keyword, rest) = behind_keyword(line);
    let mut words = vec![keyword.trim_matches('"').to_owned()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (_, '\\') if chars.peek().is_some_and(|next| matches!(next, '"' | '\'' | '\\')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_openssh_splits_them() {
        for (line, words) in [
            ("", &[][..]),
            ("  # Host x", &[]),
            ("Host a  b\t!c", &["Host", "a", "b", "!c"]),
            ("Port=22", &["Port", "22"]),
            ("Port = 22 # why", &["Port", "22"]),
            ("IdentityFile \"/a b/c\"", &["IdentityFile", "/a b/c"]),
            ("IdentityFile=\"/a b/c\"", &["IdentityFile", "/a b/c"]),
            ("User a\\\"b'c d'", &["User", "a\"bc d"]),
            ("UserKnownHostsFile \"\"", &["UserKnownHostsFile", ""]),
            ("ProxyCommand nc %h#1 %p", &["ProxyCommand", "nc", "%h#1", "%p"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert!(split("User \"x").is_err());
    }

    #[test]
    fn includes_are_read_in_order_and_faults_name_file_and_line() {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        fs::create_dir_all(ssh.join("conf.d")).unwrap();
        fs::write(ssh.join("conf.d/20-b"), "User b\n").unwrap();
        fs::write(ssh.join("conf.d/10-a"), "\nUser a\n").unwrap();
        fs::write(ssh.join("conf.d/.hidden"), "User hidden\n").unwrap();
        let main = ssh.join("config");
        fs::write(&main, "Include conf.d/* absent\nPort 1\n").unwrap();
        let read = ConfigFile::read(&main, home.path(), true).unwrap();
        assert_eq!(read.lines.len(), 2);
        let users: Vec<_> =
            read.lines[0].included.iter().map(|file| file.lines[0].arguments[0].clone()).collect();
        assert_eq!(users, ["a", "b"]);
        assert_eq!(read.lines[0].included[0].lines[0].number, 2);

        fs::write(&main, "Port 1\nUser\n").unwrap();
        let fault = ConfigFile::read(&main, home.path(), true).unwrap_err();
        assert_eq!(fault.message, format!("{}:2: user has no value", main.display()));

        fs::write(&main, "Include config\n").unwrap();
        let fault = ConfigFile::read(&main, home.path(), true).unwrap_err();
        assert!(fault.message.contains("include each other"), "{}", fault.message);

        let absent = home.path().join("absent");
        assert!(ConfigFile::read(&absent, home.path(), false).unwrap().lines.is_empty());
        assert_eq!(
            ConfigFile::read(&absent, home.path(), true).unwrap_err().kind,
            FaultKind::Configuration
        );
    }
}
