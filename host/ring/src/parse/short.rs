//! Commands that print one line.
use super::{ParseError, lines::Lines};
use alloc::string::String;

/// Reads the output of `nodetool statusbinary`: whether the native transport runs.
///
/// # Errors
/// On anything but `running` and `not running`.
pub fn statusbinary(text: &str) -> Result<bool, ParseError> {
    let mut lines = Lines::new("nodetool statusbinary", text);
    let expected = "`running` or `not running`";
    let line = lines.require(expected)?;
    let running = match line.text {
        "running" => true,
        "not running" => false,
        _ => return Err(lines.unexpected(line, expected)),
    };
    lines.finish()?;
    Ok(running)
}

/// Reads the output of `nodetool version`: the release version, as `5.0.4`.
///
/// # Errors
/// On anything but one line `ReleaseVersion: …`.
pub fn version(text: &str) -> Result<String, ParseError> {
    let mut lines = Lines::new("nodetool version", text);
    let (line, version) = lines.field("ReleaseVersion: ")?;
    if version.is_empty() || version.contains(char::is_whitespace) {
        return Err(lines.unexpected(line, "a version without spaces after `ReleaseVersion:`"));
    }
    lines.finish()?;
    Ok(version.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_transport_runs_or_does_not() {
        assert!(statusbinary("running\n").unwrap());
        assert!(!statusbinary("not running\n").unwrap());
        for text in ["", "running", "runnin\n", "yes\n", "running\nrunning\n", " running\n"] {
            assert!(statusbinary(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_version_is_one_word() {
        assert_eq!(
            version("ReleaseVersion: 5.1-alpha1-SNAPSHOT\n").unwrap(),
            "5.1-alpha1-SNAPSHOT"
        );
        for text in
            ["", "5.0.4\n", "ReleaseVersion: \n", "ReleaseVersion: 5.0.1", "ReleaseVersion: 5 0\n"]
        {
            assert!(version(text).is_err(), "{text}");
        }
    }
}
