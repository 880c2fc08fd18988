//! Data as words of a POSIX shell.
use crate::fault::Fault;
use quorate_ports::FaultKind;

/// One word that the shell takes literally, whatever is in it.
///
/// # Errors
/// A NUL byte, which neither a shell's word nor a program's argument can hold; `what` names the text.
pub(crate) fn word(what: &str, text: &str) -> Result<String, Fault> {
    if text.contains('\0') {
        return Err(Fault::new(
            FaultKind::Configuration,
            format!("{what} holds a NUL byte, which can't be passed to a program"),
        ));
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("'\\''"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    Ok(quoted)
}

/// A program and its arguments as shell words.
///
/// # Errors
/// No program, a program whose name starts with a dash (`setsid` and `exec` would take it as an option), or a NUL.
pub(crate) fn command(argv: &[String]) -> Result<String, Fault> {
    let invalid = |message: String| Err(Fault::new(FaultKind::Configuration, message));
    match argv.first().map(String::as_str) {
        None | Some("") => return invalid("no program to run was given".into()),
        Some(program) if program.starts_with('-') => {
            return invalid(format!("the program's name {program:?} starts with a dash"));
        }
        Some(_) => {}
    }
    let words: Result<Vec<_>, _> = argv
        .iter()
        .enumerate()
        .map(|(at, text)| {
            if at == 0 {
                word("the program's name", text)
            } else {
                word(&format!("argument {at}"), text)
            }
        })
        .collect();
    Ok(words?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn every_word_comes_out_of_a_shell_as_it_went_in() {
        let words: Vec<String> = [
            "",
            " ",
            "a b",
            "'",
            "''x'",
            "\"",
            "$HOME",
            "`id`",
            "$(id)",
            "\\",
            "\\n",
            "a\nb\n",
            "*",
            "~",
            "!x",
            "-n",
            "é…߿ ā",
            "\u{81}\u{88}",
            "\r\t\u{1b}[0m",
            "#end",
            ";&|<>(){}",
        ]
        .map(String::from)
        .to_vec();
        let quoted =
            words.iter().map(|text| word("x", text).unwrap()).collect::<Vec<_>>().join(" ");
        for shell in ["sh", "dash", "bash"] {
            let script = format!("for w in {quoted}; do printf '%s\\001' \"$w\"; done");
            let output = Command::new(shell).arg("-c").arg(script).output().unwrap();
            let seen = String::from_utf8(output.stdout).unwrap();
            let seen: Vec<_> = seen.split_terminator('\u{1}').collect();
            assert_eq!(seen, words, "{shell}");
        }
    }

    #[test]
    fn what_no_program_can_be_given_is_refused() {
        assert!(
            word("argument 1", "a\0b").unwrap_err().message.starts_with("argument 1 holds a NUL")
        );
        for argv in [vec![], vec![String::new()], vec!["-x".to_owned()]] {
            assert_eq!(command(&argv).unwrap_err().kind, FaultKind::Configuration, "{argv:?}");
        }
    }
}
