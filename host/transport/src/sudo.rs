//! Becoming another user on the nodes: the command line for it, and what its refusal means.
use crate::{
    fault::{Fault, one_line},
    remote::{LOADER, READ},
};
use quorate_ports::{Exit, FaultKind};

/// Everything on a node runs under `sudo -n -H`: supervisors, their state, attaching, ending, removing, queries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sudo {
    /// Becomes this user; whom sudoers names (root, usually) when absent.
    pub user: Option<String>,
    /// More words for sudo, before the command.
    pub args: Vec<String>,
}

/// Flags that take the standard input away, which carries the script, or leave the command running behind.
const NOT_OURS: [&str; 8] =
    ["-S", "--stdin", "-A", "--askpass", "-b", "--background", "-e", "--edit"];

impl Sudo {
    /// What the login shell is given. `-n` never asks; `-H` makes HOME that of the user; the working directory is moved
    /// there as well, because the login's own may be closed to that user.
    ///
    /// # Errors
    /// A word that some login shell would read differently, or one that can't work.
    pub(crate) fn loader(&self) -> Result<String, Fault> {
        let mut line = "exec sudo -n -H".to_owned();
        if let Some(user) = &self.user {
            if user.is_empty() || user.starts_with('-') {
                return Err(refused(format!("--sudo={user}: that can't be a user's name")));
            }
            line.push_str(&format!(" -u {}", word("--sudo", user)?));
        }
        for arg in &self.args {
            if NOT_OURS.contains(&arg.as_str()) {
                return Err(refused(format!(
                    "--sudo-args {arg}: nobody is there to answer, and the input is taken"
                )));
            }
            line.push_str(&format!(" {}", word("--sudo-args", arg)?));
        }
        Ok(format!("{line} -- sh -c 'cd 2>/dev/null || cd /; {READ}'"))
    }

    /// Whom it becomes.
    fn whom(&self) -> &str {
        let given = || {
            let at = self.args.iter().position(|arg| arg == "-u" || arg == "--user")?;
            self.args.get(at + 1).map(String::as_str)
        };
        self.user.as_deref().or_else(given).unwrap_or("root")
    }

    /// The fault, where what was printed instead of our script's output comes from sudo or its absence.
    pub(crate) fn denial(&self, login: &str, printed: &str, exit: Option<Exit>) -> Option<Fault> {
        let whom = self.whom();
        let cause = Cause::of(printed, exit)?;
        let what = match cause {
            Cause::Absent => format!("there is no sudo in the PATH of {login}"),
            Cause::Password => format!("it wants a password of {login} to become {whom}"),
            Cause::NoRule => format!("no rule lets {login} become {whom}"),
            Cause::Terminal => format!("it wants a terminal of {login} (requiretty)"),
            Cause::UnknownUser => format!("it knows no user {whom}"),
            Cause::Powerless => "it has no rights there itself".to_owned(),
            Cause::Other => format!("it does not let {login} become {whom}"),
        };
        let rule = |line: &str| {
            format!("on the node: visudo -f /etc/sudoers.d/quorate, with the line: {line}")
        };
        let hint = match cause {
            Cause::Absent => {
                format!("install it, or leave --sudo out and log in as {whom} (--ssh-username)")
            }
            Cause::Terminal => rule(&format!("Defaults:{login} !requiretty")),
            Cause::UnknownUser => "--sudo=USER names one that the node has".to_owned(),
            Cause::Powerless => {
                "sudo must be setuid root, and its container or service must allow that".to_owned()
            }
            Cause::Password | Cause::NoRule | Cause::Other => {
                rule(&format!("{login} ALL=({whom}) NOPASSWD: ALL"))
            }
        };
        let mut message = format!("sudo denied: {what}");
        let printed = one_line(printed);
        if !printed.is_empty() {
            message.push_str(&format!("; it printed: {printed}"));
        }
        Some(Fault::new(FaultKind::Sudo, message).hint(hint))
    }
}

/// The login shell's line.
///
/// # Errors
/// As [`Sudo::loader`].
pub(crate) fn loader(sudo: Option<&Sudo>) -> Result<String, Fault> {
    sudo.map_or_else(|| Ok(LOADER.to_owned()), Sudo::loader)
}

/// Within single quotes csh and fish take some characters for more than themselves.
fn word(flag: &str, text: &str) -> Result<String, Fault> {
    match text.contains(['\'', '\\', '!']) || text.contains(char::is_control) {
        true => Err(refused(format!("{flag}: {text:?} can't be passed through every login shell"))),
        false => Ok(format!("'{text}'")),
    }
}

fn refused(message: String) -> Fault {
    Fault::new(FaultKind::Configuration, message)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Absent,
    Password,
    NoRule,
    Terminal,
    UnknownUser,
    Powerless,
    Other,
}

impl Cause {
    /// The words are those of sudo 1.8 and 1.9; in another language all but its absence is [`Cause::Other`].
    fn of(printed: &str, exit: Option<Exit>) -> Option<Self> {
        let text = printed.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["sudo: not found", "sudo: command not found", "command: sudo", "not found: sudo"])
        {
            return Some(Self::Absent);
        }
        if says(&["password is required", "no askpass program", "required to read the password"]) {
            return Some(Self::Password);
        }
        if says(&["must have a tty"]) {
            return Some(Self::Terminal);
        }
        if says(&["not in the sudoers", "is not allowed to", "may not run sudo"]) {
            return Some(Self::NoRule);
        }
        if says(&["unknown user"]) {
            return Some(Self::UnknownUser);
        }
        if says(&["no new privileges", "setuid", "effective uid is not 0"]) {
            return Some(Self::Powerless);
        }
        // It fails with 1 and names itself at the beginning of its lines.
        let failed = exit.is_none_or(|exit| exit == Exit::Code(1));
        let names_itself = text.lines().any(|line| line.trim_start().starts_with("sudo:"));
        (failed && names_itself && !text.contains("sudo: sh:")).then_some(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(user: &str) -> Sudo {
        Sudo { user: Some(user.into()), args: Vec::new() }
    }

    #[test]
    fn the_line_is_safe_in_every_login_shell() {
        let sudo = Sudo { user: Some("ann".into()), args: vec!["-g".into(), "#100".into()] };
        let line = sudo.loader().unwrap();
        let script = "cd 2>/dev/null || cd /; IFS= read -r c && eval \"$c\"";
        assert_eq!(line, format!("exec sudo -n -H -u 'ann' '-g' '#100' -- sh -c '{script}'"));
        assert_eq!(
            Sudo::default().loader().unwrap(),
            format!("exec sudo -n -H -- sh -c '{script}'")
        );
        assert_eq!(loader(None).unwrap(), LOADER);
        for user in ["", "-x", "a'b", "a\\b", "a!b", "a\nb"] {
            assert_eq!(to(user).loader().unwrap_err().kind, FaultKind::Configuration, "{user:?}");
        }
        for arg in ["-S", "--background", "it's"] {
            let sudo = Sudo { user: None, args: vec![arg.into()] };
            assert_eq!(sudo.loader().unwrap_err().kind, FaultKind::Configuration, "{arg:?}");
        }
    }

    #[test]
    fn what_sudo_prints_is_told_with_its_cure() {
        let one = Some(Exit::Code(1));
        for (printed, exit, told, cure) in [
            (
                "sudo: a password is required",
                one,
                "wants a password of ann to become cassandra",
                "ann ALL=(cassandra) NOPASSWD: ALL",
            ),
            (
                "sudo: no tty present and no askpass program specified",
                one,
                "a password",
                "NOPASSWD",
            ),
            ("sudo: sorry, you must have a tty to run sudo", one, "requiretty", "Defaults:ann"),
            ("ann is not in the sudoers file.", one, "no rule lets ann", "NOPASSWD"),
            (
                "Sorry, user ann is not allowed to execute '/bin/sh' as cassandra on n1.",
                one,
                "no rule lets ann become cassandra",
                "NOPASSWD",
            ),
            ("sudo: unknown user: cassandra", one, "knows no user cassandra", "--sudo=USER"),
            ("sudo: unknown user cassandra", one, "knows no user cassandra", "--sudo=USER"),
            (
                "sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set",
                one,
                "no rights there itself",
                "setuid root",
            ),
            (
                "sudo: il est nécessaire de saisir un mot de passe",
                one,
                "does not let ann",
                "NOPASSWD",
            ),
            (
                "sh: 1: exec: sudo: not found",
                Some(Exit::Code(127)),
                "no sudo in the PATH",
                "install",
            ),
            ("sudo: Command not found.", one, "no sudo in the PATH of ann", "--ssh-username"),
            ("fish: Unknown command: sudo", Some(Exit::Code(127)), "no sudo", "install"),
            ("zsh:1: command not found: sudo", Some(Exit::Code(127)), "no sudo", "install"),
        ] {
            let fault = to("cassandra").denial("ann", printed, exit).unwrap();
            assert_eq!(fault.kind, FaultKind::Sudo);
            assert!(fault.message.starts_with("sudo denied: "), "{}", fault.message);
            assert!(fault.message.contains(told), "{printed}: {}", fault.message);
            assert!(fault.message.ends_with(printed) && fault.hint.contains(cure), "{fault:?}");
        }
    }

    #[test]
    fn what_sudo_did_not_print_is_not_its_fault() {
        for (printed, code) in [
            ("this account is closed", 1),
            ("sudo: sh: command not found", 1),
            ("sh: not found", 127),
            ("", 1),
        ] {
            assert_eq!(
                to("root").denial("ann", printed, Some(Exit::Code(code))),
                None,
                "{printed}"
            );
        }
    }
}
