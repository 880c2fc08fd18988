//! Why a guest was ended, told in one line.
use crate::limits::{Breach, Limits};
use wasmtime::{FrameInfo, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// The host ended the guest. Carried through wasmtime as the error of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("it passed a limit")]
    Limit(Breach),
    #[error("it called {call} in its {export}, where nothing may be asked for")]
    Forbidden { call: &'static str, export: &'static str },
    #[error("it waits by WASI's clock, which stands still; flow.sleep of quorate:plugin waits")]
    WasiSleep,
}

/// The code and the message of a call that the guest didn't end by itself. `who` is the component, such
/// as `command restart`.
pub(crate) fn describe(
    error: &wasmtime::Error,
    who: &str,
    limits: &Limits,
) -> (&'static str, String) {
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return match ended {
            Ended::Limit(breach) => (breach.code(), breach.message(who, limits)),
            other => ("plugin", format!("{who} was ended: {other}")),
        };
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return ("plugin", format!("{who} called exit({status}) where it should have returned"));
    }
    let place = error
        .downcast_ref::<WasmBacktrace>()
        .and_then(|trace| function(trace.frames()))
        .map(|name| format!(" in {name}"))
        .unwrap_or_default();
    let reason = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let reason = reason.lines().next().unwrap_or_default().trim_start_matches("wasm trap: ");
    ("trap", printable(&format!("{who} trapped{place}: {reason}"), 400))
}

/// Why a component can't be linked.
pub(crate) fn misfit(error: &wasmtime::Error) -> String {
    // The outer text names the import or export, the inner one what is wrong with it.
    let inner = error.root_cause().to_string();
    printable(&format!("it doesn't fit the contract: {error}: {inner}"), 400)
}

/// The innermost function that isn't a part of its language's runtime.
fn function(frames: &[FrameInfo]) -> Option<String> {
    const RUNTIME: [&str; 8] =
        ["std::", "core::", "alloc::", "rust_", "__", "_R", "abort", "panic"];
    let names: Vec<String> = frames
        .iter()
        .filter_map(FrameInfo::func_name)
        .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
        .collect();
    let own = names.iter().find(|name| {
        let name = name.trim_start_matches(['<', '&']);
        !RUNTIME.iter().any(|prefix| name.starts_with(prefix))
    });
    own.or(names.first()).cloned()
}

/// Text of a guest for a terminal: no control characters but tabs, no marks that reverse the order of
/// text, and not longer than so many characters.
pub(crate) fn printable(text: &str, max_chars: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(max_chars)
        .map(|c| match c {
            '\t' => c,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    if text.chars().nth(max_chars).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_can_not_drive_the_terminal() {
        assert_eq!(printable("a\tb\x1b[2Jc\u{202e}d", 100), "a\tb\u{fffd}[2Jc\u{fffd}d");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
