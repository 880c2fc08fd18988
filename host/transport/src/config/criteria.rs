//! The criteria of `Match` lines.
use super::{
    directives::Values,
    expand::{Tokens, host_name, plain_words},
    lines::Line,
    pattern::list_matches,
};
use crate::fault::Fault;
use std::{
    collections::HashMap,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// What the lines of a configuration are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// The host as it was given, without a user.
    pub(super) original: &'a str,
    /// What `Host` lines are held against: the host as given; in the last pass its `HostName`.
    pub(super) host: &'a str,
    /// The second reading, which `Match final` asks for.
    pub(super) last: bool,
    /// The user, where something that wins over the file names one.
    pub(super) user: Option<&'a str>,
    /// The port, where something that wins over the file names one.
    pub(super) port: Option<u16>,
    /// The user here.
    pub(super) local_user: &'a str,
    /// `~`
    pub(super) home: &'a Path,
    /// `Match exec`
    pub(super) commands: &'a Commands,
}

/// Whether a command succeeded, once somebody has run it; or why it couldn't be run.
type Ran = Arc<OnceLock<Result<bool, String>>>;

/// The commands of `Match exec` and what came of them: each runs once.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    ran: Mutex<HashMap<String, Ran>>,
    forbidden: bool,
}

impl Commands {
    /// None are run: each counts as failed.
    pub(crate) fn forbidden() -> Self {
        Self { forbidden: true, ..Self::default() }
    }

    /// Whether a command succeeds. It runs in `sh`, with nothing to read and nobody who sees what it prints.
    fn succeeds(&self, command: &str) -> Result<bool, String> {
        if self.forbidden {
            return Ok(false);
        }
        let known = {
            let mut known = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(command.to_owned()).or_default().clone()
        };
        let ran = known.get_or_init(|| {
            let status = Command::new("sh")
                .args(["-c", command])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            status.map(|status| status.success()).map_err(|error| error.to_string())
        });
        ran.clone()
    }
}

/// Whether a `Match` line applies. Criteria that can't be judged here only matter where the others hold.
pub(super) fn matches(
    line: &Line,
    at: &Circumstances<'_>,
    values: &mut Values<'_>,
) -> Result<bool, Fault> {
    let mut unjudged = None;
    let mut all_hold = true;
    let mut arguments = line.arguments.iter();
    while let Some(criterion) = arguments.next() {
        let (negated, name) =
            criterion.strip_prefix('!').map_or((false, criterion.as_str()), |name| (true, name));
        let (name, inline) = name
            .split_once('=')
            .map_or((name, None), |(name, value)| (name, Some(value.to_owned())));
        let name = name.to_lowercase();
        if name == "final" {
            values.wants_last_pass = true;
        }
        let holds = match name.as_str() {
            "all" => true,
            // No name is made canonical here, so that both hold in the second pass, as in OpenSSH.
            "canonical" | "final" => at.last,
            _ => {
                let value = inline
                    .or_else(|| arguments.next().cloned())
                    .ok_or_else(|| line.fault(format!("Match {name} has no value")))?;
                // What comes behind a criterion that fails is read, for its form, and not run.
                if !all_hold {
                    continue;
                }
                match judge(line, &name, &value, at, values)? {
                    Some(holds) => holds,
                    None => {
                        unjudged.get_or_insert(name);
                        continue;
                    }
                }
            }
        };
        all_hold &= holds != negated;
    }
    match unjudged {
        Some(name) if all_hold => Err(line
            .fault(format!("Match {name} can't be judged for {}; all, final, host, originalhost, user, localuser, tagged and exec are supported", at.original))
            .hint("use Host, or name another file with -F")),
        _ => Ok(all_hold),
    }
}

/// Whether a criterion with a value holds; `None`: it isn't known here.
fn judge(
    line: &Line,
    name: &str,
    value: &str,
    at: &Circumstances<'_>,
    values: &Values<'_>,
) -> Result<Option<bool>, Fault> {
    let list = |text: &str| list_matches(value.split(','), text);
    Ok(Some(match name {
        "host" => list(&name_so_far(at, values)?),
        "originalhost" => list(at.original),
        "user" => list(at.user.or_else(|| values.text("user")).unwrap_or(at.local_user)),
        "localuser" => list(at.local_user),
        "tagged" => list(values.text("tag").unwrap_or_default()),
        "exec" => {
            let command = expanded(line, value, at, values)?;
            at.commands.succeeds(&command).map_err(|error| {
                line.fault(format!("Match exec: {command:?} can't be run: {error}"))
            })?
        }
        _ => return Ok(None),
    }))
}

/// The name after `HostName`, as far as it has been read.
fn name_so_far(at: &Circumstances<'_>, values: &Values<'_>) -> Result<String, Fault> {
    match values.first.get("hostname") {
        Some(line) => {
            host_name(&line.arguments[0], at.original).map_err(|message| line.fault(message))
        }
        None => Ok(at.host.to_owned()),
    }
}

fn expanded(
    line: &Line,
    command: &str,
    at: &Circumstances<'_>,
    values: &Values<'_>,
) -> Result<String, Fault> {
    let host = name_so_far(at, values)?;
    let port = match (at.port, values.text("port")) {
        (Some(port), _) => port,
        (None, Some(text)) => text.parse().unwrap_or(22),
        (None, None) => 22,
    };
    let tokens = Tokens {
        host: &host,
        original: at.original,
        port,
        user: at.user.or_else(|| values.text("user")).unwrap_or(at.local_user),
        local_user: at.local_user,
        home: at.home,
        key_alias: values.text("hostkeyalias").unwrap_or(&host),
    };
    plain_words(&tokens).map_err(|message| line.fault(message))?;
    tokens.command(command).map_err(|message| line.fault(message))
}
