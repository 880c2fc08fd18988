//! Questions whose answer isn't shown.
use crossterm::{
    event::{Event, KeyCode, KeyEventKind, KeyModifiers, read},
    terminal::{disable_raw_mode, enable_raw_mode},
};
use quorate_ports::Secret;
use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write, stderr, stdin},
};
use zeroize::Zeroizing;

/// Longer than any that is typed; the text is never moved in memory while it grows.
const LONGEST: usize = 1024;

/// The terminal's own echo, back however the question ends.
struct Quiet;

impl Quiet {
    fn new() -> Option<Self> {
        enable_raw_mode().ok().map(|()| Self)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing better can be done where this fails.
        let _ = disable_raw_mode();
    }
}

/// Whether somebody is there to be asked.
pub(crate) fn somebody() -> bool {
    (stdin().is_terminal() || stderr().is_terminal())
        && OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
}

/// Asks on the terminal. `None`: nobody is there, or whoever is doesn't want to answer (Ctrl-C).
pub(crate) fn hidden(question: &str) -> Option<Secret> {
    if !somebody() {
        return None;
    }
    let mut terminal = OpenOptions::new().write(true).open("/dev/tty").ok()?;
    let answer = {
        // Before the question: whoever answers at once isn't shown either.
        let _quiet = Quiet::new()?;
        terminal.write_all(question.as_bytes()).and_then(|()| terminal.flush()).ok()?;
        typed()
    };
    // The line end that wasn't echoed.
    let _ = terminal.write_all(b"\n");
    answer
}

fn typed() -> Option<Secret> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    loop {
        let Event::Key(key) = read().ok()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Some(Secret::new(text.as_bytes())),
            // The line end of what was typed before the echo was off.
            KeyCode::Char('j') if control => return Some(Secret::new(text.as_bytes())),
            KeyCode::Char('c' | 'd') if control => return None,
            KeyCode::Char('u') if control => text.clear(),
            KeyCode::Char(_) if control => {}
            KeyCode::Char(c) if text.len() + c.len_utf8() <= LONGEST => text.push(c),
            KeyCode::Backspace => {
                text.pop();
            }
            _ => {}
        }
    }
}
