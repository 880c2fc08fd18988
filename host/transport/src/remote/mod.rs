//! What runs on nodes: POSIX shell, put together from the files beside this one.
//!
//! A login shell may be anything (csh and fish included), so that it only ever sees [`LOADER`]: no quote within quotes, no
//! backslash, no exclamation mark. Everything else follows on standard input, where only `sh` reads it. Data
//! are single-quoted words there, or raw bytes behind the script; never part of an argument list.

mod bundle;
mod key;
mod private;

use crate::{fault::Fault, quote};
use bytes::Bytes;
use quorate_ports::{ActionId, FaultKind, NodeKey, ProbeRequest, Query};
use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

pub(crate) use bundle::{Bundle, bundle};
pub(crate) use key::{key, unsafe_name};

/// Runs the first line of the standard input.
pub(crate) const READ: &str = r#"IFS= read -r c && eval "$c""#;
/// What the login shell is given: [`READ`] in a POSIX shell. With `--sudo`, [`crate::sudo`] makes the line.
pub(crate) const LOADER: &str = r#"exec sh -c 'IFS= read -r c && eval "$c"'"#;

static PRELUDE: LazyLock<String> = LazyLock::new(|| stripped(include_str!("prelude.sh")));
static START: LazyLock<String> = LazyLock::new(|| stripped(include_str!("start.sh")));
static ATTACH: LazyLock<String> = LazyLock::new(|| stripped(include_str!("attach.sh")));
static STREAM: LazyLock<String> = LazyLock::new(|| stripped(include_str!("stream.sh")));
static FORGET: LazyLock<String> = LazyLock::new(|| stripped(include_str!("forget.sh")));
static PRIVATE: LazyLock<String> = LazyLock::new(|| stripped(include_str!("private.sh")));
static PROBE: LazyLock<String> = LazyLock::new(|| stripped(include_str!("probe.sh")));
static OUTLIVED: LazyLock<String> = LazyLock::new(|| stripped(include_str!("outlived.sh")));
static QUERY: LazyLock<String> = LazyLock::new(|| stripped(include_str!("query.sh")));

/// The text that a [`LOADER`] reads.
#[derive(Clone)]
pub(crate) struct Script {
    /// Everything up to where its own input begins. It may hold secrets.
    pub(crate) text: Bytes,
    /// The line that comes before its own output.
    pub(crate) mark: String,
    /// Whether it marks standard error as well.
    pub(crate) marks_stderr: bool,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("mark", &self.mark).finish_non_exhaustive()
    }
}

/// Bytes of each stream that were delivered before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    /// Of standard output.
    pub(crate) out: u64,
    /// Of standard error.
    pub(crate) err: u64,
}

/// Longer bundles follow behind the script: as a word they are quoted, held and compared as a whole.
const LONGEST: usize = 16 * 1024;
/// The line that says, after the end was told, that the action's files may go.
pub(crate) const FORGET_LINE: &[u8] = b"forget\n";

/// Delivers a bundle and attaches; gives what has to follow the script, to the end of the input. Where nothing does, the input
/// stays open for [`FORGET_LINE`].
pub(crate) fn start(
    id: &ActionId,
    root: Option<&str>,
    bundle: &Bundle,
    from: Offsets,
) -> Result<(Script, Option<Bytes>), Fault> {
    let text = bundle.text.as_deref().filter(|text| text.len() <= LONGEST);
    let (word, behind) = match text {
        Some(text) => (quote::word("the action", text)?, None),
        None => ("''".to_owned(), Some(bundle.bytes.clone())),
    };
    let given = format!(
        "mask=$(umask)\n{}bytes={} out={} err={} text={word}\n",
        place(id, root)?,
        bundle.bytes.len(),
        from.out,
        from.err
    );
    Ok((script(&given, &[&PRELUDE, &START, &STREAM, &FORGET]), behind))
}

/// Attaches to an action that was claimed. The input stays open as with [`start`].
pub(crate) fn attach(id: &ActionId, root: Option<&str>, from: Offsets) -> Result<Script, Fault> {
    let given = format!("{}out={} err={}\n", place(id, root)?, from.out, from.err);
    Ok(script(&given, &[&PRELUDE, &ATTACH, &STREAM, &FORGET]))
}

/// Removes an ended action's files.
pub(crate) fn forget(id: &ActionId, root: Option<&str>) -> Result<Script, Fault> {
    Ok(script(&place(id, root)?, &[&PRELUDE, &FORGET]))
}

/// Runs a query. A fault of its own is a line on standard error that begins with the mark again.
pub(crate) fn query(query: &Query, root: Option<&str>) -> Result<Script, Fault> {
    private::check(&query.private)?;
    let words = private::command(&query.argv, &query.private, "\"$private\"")?;
    let mut given = "printf '%s\\n' \"$mark\"\nprintf '%s\\n' \"$mark\" >&2\n".to_owned();
    if !query.private.is_empty() {
        given.push_str(&format!("{}\n{}", directory(root)?, *PRIVATE));
        for file in &query.private {
            given.push_str(&format!("lay {} {}\n", file.name, file.bytes.expose().len()));
        }
        given.push_str("umask \"$mask\"\n");
    }
    given.push_str(&format!("set -- {words}\n"));
    let script = script(&given, &[&QUERY]);
    let mut text = Vec::from(script.text);
    for file in &query.private {
        text.extend_from_slice(file.bytes.expose());
    }
    Ok(Script { text: text.into(), marks_stderr: true, ..script })
}

/// Looks at the node. `nap` leaves something running that [`outlived`] asks for.
pub(crate) fn probe(
    node: &NodeKey,
    request: &ProbeRequest,
    root: Option<&str>,
) -> Result<Script, Fault> {
    let words: Result<Vec<_>, _> =
        request.programs.iter().map(|program| quote::word("a program's name", program)).collect();
    let given = format!(
        "{} key= run={} me={} nap={}\nset -- {}\n",
        directory(root)?,
        quote::word("the look's name", &request.look)?,
        quote::word("the node's key", &key::safe_name(&node.0))?,
        u8::from(request.thorough).to_string().trim_start_matches('0'),
        words?.join(" ")
    );
    Ok(script(&given, &[&PRELUDE, &PROBE]))
}

/// Asks whether what a probe left running is still there.
pub(crate) fn outlived(node: &NodeKey, root: Option<&str>) -> Result<Script, Fault> {
    let me = quote::word("the node's key", &key::safe_name(&node.0))?;
    Ok(script(&format!("{} key= me={me}\n", directory(root)?), &[&PRELUDE, &OUTLIVED]))
}

fn place(id: &ActionId, root: Option<&str>) -> Result<String, Fault> {
    let key = quote::word("the action's id", &key(id))?;
    Ok(format!("{} key={key}\n", directory(root)?))
}

/// Where state lies on the node, as given.
fn directory(root: Option<&str>) -> Result<String, Fault> {
    // `~` is the login's home directory, where relative names begin anyway.
    let root = root.map(|root| root.strip_prefix("~/").unwrap_or(root)).unwrap_or_default();
    if root.contains('\n') || root.starts_with('~') {
        return Err(Fault::new(
            FaultKind::Configuration,
            format!("--remote-dir {root:?} can't be used as a directory there"),
        ));
    }
    Ok(format!("root={}", quote::word("--remote-dir", root)?))
}

fn script(given: &str, parts: &[&str]) -> Script {
    let mark = format!("quorate-{:016x}", RandomState::new().build_hasher().finish());
    let mut rest = format!("mark={mark}\n{given}");
    for part in parts {
        rest.push_str(part);
    }
    rest.push_str(&format!("#{mark}\n"));
    // The first line collects the others up to the end mark. A script that was cut short never runs. A shell's `read` takes a
    // byte at a time, so dd takes what there is of exactly this many bytes, which is nearly always all; `read` takes what it left.
    let text = format!(
        "n=; s=$(dd bs={} count=1 2>/dev/null; echo _); s=${{s%_}}; \
         until case $s in *'#{mark}'?) true;; *) false;; esac; do IFS= read -r l || exit 1; n=${{n:-$(printf '\\n_')}}; s=$s$l$n; s=${{s%_}}; done; \
         eval \"$s\"; exit\n{rest}",
        rest.len()
    );
    Script { text: text.into(), mark, marks_stderr: false }
}

/// A script without its comments and indentation, which needn't travel.
fn stripped(text: &str) -> String {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
