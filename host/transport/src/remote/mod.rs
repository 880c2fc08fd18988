//! What runs on nodes: POSIX shell, put together from the files beside this one.
//!
//! A login shell may be anything (csh and fish included), so that it only ever sees [`LOADER`]: no quote within quotes, no
//! backslash, no exclamation mark. Everything else follows on standard input, where only `sh` reads it. Data
//! are single-quoted words there, or raw bytes behind the script; never part of an argument list.

mod bundle;
mod key;

use crate::{fault::Fault, quote};
use bytes::Bytes;
use quorate_ports::{ActionId, FaultKind, Query};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

pub(crate) use bundle::bundle;
pub(crate) use key::key;

/// What the login shell is given: runs the first line of its standard input.
pub(crate) const LOADER: &str = r#"exec sh -c 'IFS= read -r c && eval "$c"'"#;

static PRELUDE: LazyLock<String> = LazyLock::new(|| stripped(include_str!("prelude.sh")));
static START: LazyLock<String> = LazyLock::new(|| stripped(include_str!("start.sh")));
static ATTACH: LazyLock<String> = LazyLock::new(|| stripped(include_str!("attach.sh")));
static STREAM: LazyLock<String> = LazyLock::new(|| stripped(include_str!("stream.sh")));
static FORGET: LazyLock<String> = LazyLock::new(|| stripped(include_str!("forget.sh")));
static QUERY: LazyLock<String> = LazyLock::new(|| stripped(include_str!("query.sh")));

/// The text that a [`LOADER`] reads.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Everything up to where its own input begins.
    pub(crate) text: Bytes,
    /// The line that comes before its own output.
    pub(crate) mark: String,
    /// Whether it marks standard error as well.
    pub(crate) marks_stderr: bool,
}

/// Bytes of each stream that were delivered before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    /// Of standard output.
    pub(crate) out: u64,
    /// Of standard error.
    pub(crate) err: u64,
}

/// Delivers a bundle of `bytes` bytes, which follow, and attaches.
pub(crate) fn start(
    id: &ActionId,
    root: Option<&str>,
    bytes: usize,
    from: Offsets,
) -> Result<Script, Fault> {
    let given = format!("{}bytes={bytes} out={} err={}\n", place(id, root)?, from.out, from.err);
    Ok(script(&given, &[&PRELUDE, &START, &STREAM]))
}

/// Attaches to an action that was claimed.
pub(crate) fn attach(id: &ActionId, root: Option<&str>, from: Offsets) -> Result<Script, Fault> {
    let given = format!("{}out={} err={}\n", place(id, root)?, from.out, from.err);
    Ok(script(&given, &[&PRELUDE, &ATTACH, &STREAM]))
}

/// Removes an ended action's files.
pub(crate) fn forget(id: &ActionId, root: Option<&str>) -> Result<Script, Fault> {
    Ok(script(&place(id, root)?, &[&PRELUDE, &FORGET]))
}

/// Runs a query.
pub(crate) fn query(query: &Query) -> Result<Script, Fault> {
    let given = format!("set -- {}\n", quote::command(&query.argv)?);
    Ok(Script { marks_stderr: true, ..script(&given, &[&QUERY]) })
}

fn place(id: &ActionId, root: Option<&str>) -> Result<String, Fault> {
    // `~` is the login's home directory, where relative names begin anyway.
    let root = root.map(|root| root.strip_prefix("~/").unwrap_or(root)).unwrap_or_default();
    if root.contains('\n') || root.starts_with('~') {
        return Err(Fault::new(
            FaultKind::Configuration,
            format!("--remote-dir {root:?} can't be used as a directory there"),
        ));
    }
    Ok(format!(
        "root={} key={}\n",
        quote::word("--remote-dir", root)?,
        quote::word("the action's id", &key(id))?
    ))
}

fn script(given: &str, parts: &[&str]) -> Script {
    let mark = format!("quorate-{:016x}", RandomState::new().build_hasher().finish());
    // The first line collects the others up to the end mark. A script that was cut short never runs.
    let mut text = format!(
        "s=; n=$(printf '\\n_'); n=${{n%_}}; while IFS= read -r l; do if [ \"$l\" = '#{mark}' ]; then eval \"$s\"; exit; fi; s=$s$l$n; done; exit 1\n\
         mark={mark}\n{given}"
    );
    for part in parts {
        text.push_str(part);
    }
    text.push_str(&format!("#{mark}\n"));
    Script { text: text.into(), mark, marks_stderr: false }
}

/// A script without its comments, which needn't travel.
fn stripped(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
