//! Private files on their way: their words in an argument list, and the names that they may have.
use crate::{fault::Fault, quote};
use quorate_ports::{FaultKind, PrivateFile};

/// Whether the files can be laid down as they are called. Their bytes may be anything.
///
/// # Errors
/// A name that could mean something to a shell or a file system, or that two have.
pub(super) fn check(files: &[PrivateFile]) -> Result<(), Fault> {
    for (at, file) in files.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        let usable = !file.name.is_empty() && file.name.bytes().all(plain);
        let twice = files[..at].iter().any(|earlier| earlier.name == file.name);
        if !usable || file.name.starts_with('-') || twice {
            let message = format!("{:?} can't be the name of a private file", file.name);
            return Err(Fault::new(FaultKind::Configuration, message));
        }
    }
    Ok(())
}

/// A program and its arguments as shell words. `directory` is the shell's word for where the files lie.
///
/// # Errors
/// Those of [`quote::command`].
pub(super) fn command(
    argv: &[String],
    files: &[PrivateFile],
    directory: &str,
) -> Result<String, Fault> {
    let mut words = quote::command(&argv[..argv.len().min(1)])?;
    for (at, text) in argv.iter().enumerate().skip(1) {
        words.push(' ');
        words.push_str(&word(&format!("argument {at}"), text, files, directory)?);
    }
    Ok(words)
}

/// One argument as a shell word: literally, or as the path of the file that it stands for.
///
/// # Errors
/// Those of [`quote::word`]: where a word stands for a file that isn't there, too.
pub(super) fn word(
    what: &str,
    text: &str,
    files: &[PrivateFile],
    directory: &str,
) -> Result<String, Fault> {
    match PrivateFile::of_word(files, text) {
        Some(file) => Ok(format!("{directory}/{}", file.name)),
        None => quote::word(what, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_ports::Secret;

    #[test]
    fn a_word_becomes_a_path_and_everything_else_stays_literal() {
        let files = [PrivateFile { name: "password", bytes: Secret::new("x") }];
        let argv = ["nodetool", "-pwf", &files[0].word(), "private file password"];
        let argv = argv.map(String::from);
        assert_eq!(
            command(&argv, &files, "\"$d\"").unwrap(),
            "'nodetool' '-pwf' \"$d\"/password 'private file password'"
        );
        // Without its file, or in the program's place, nothing runs.
        assert!(command(&argv, &[], "").unwrap_err().message.starts_with("argument 2 holds a NUL"));
        assert!(command(&argv[2..], &files, "").is_err());
    }

    #[test]
    fn names_that_could_lead_elsewhere_are_refused() {
        let file = |name| PrivateFile { name, bytes: Secret::new("SECRET") };
        for names in [["", "a"], ["..", "a"], ["a/b", "a"], ["-a", "a"], ["a", "a"], ["A", "a"]] {
            let fault = check(&names.map(file)).unwrap_err();
            assert!(!format!("{fault:?}").contains("SECRET"));
        }
        assert!(check(&["a", "jmx-password"].map(file)).is_ok());
    }
}
