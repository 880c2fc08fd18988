//! The terminal: an alternate screen, redrawn in place, and keys.
use crossterm::{
    cursor, event, execute, queue,
    terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen},
};
use std::{
    io::{self, Write, stdout},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::mpsc;

/// What a person typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Ctrl-C.
    Interrupt,
    /// An arrow: so many nodes on.
    Move(i32),
    /// `l`
    Output,
    /// `e`
    Errors,
    /// Esc or `q`.
    Back,
    /// Tab: the next cluster.
    Next,
}

/// The terminal while the board is drawn. Gives it back when it is closed or dropped.
pub(crate) struct Screen {
    keys: mpsc::UnboundedReceiver<Key>,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    drawn: Vec<String>,
    size: (usize, usize),
}

impl Screen {
    pub(crate) fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        if let Err(error) = execute!(stdout(), EnterAlternateScreen, cursor::Hide) {
            let _ = terminal::disable_raw_mode();
            return Err(error);
        }
        let (sender, keys) = mpsc::unbounded_channel();
        let over = Arc::new(AtomicBool::new(false));
        let reader = std::thread::Builder::new().name("keys".into()).spawn({
            let over = over.clone();
            move || read_keys(&sender, &over)
        })?;
        Ok(Self { keys, over, reader: Some(reader), drawn: Vec::new(), size: (0, 0) })
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (width, height) = terminal::size().unwrap_or((80, 24));
        (usize::from(width.max(20)), usize::from(height.max(8)))
    }

    /// The next key; never, once the keyboard is gone.
    pub(crate) async fn key(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }

    /// Draws lines; only those that changed are written.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        // A terminal that went away is noticed by its hang-up, not here.
        let _ = self.write(lines);
    }

    fn write(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = stdout().lock();
        if self.size != self.size() {
            self.size = self.size();
            self.drawn.clear();
            queue!(out, Clear(ClearType::All))?;
        }
        for (row, line) in lines.iter().enumerate() {
            if self.drawn.get(row) != Some(line) {
                queue!(out, cursor::MoveTo(0, row as u16), Clear(ClearType::CurrentLine))?;
                out.write_all(line.as_bytes())?;
            }
        }
        self.drawn = lines.to_vec();
        out.flush()
    }

    /// Gives the terminal back.
    pub(crate) fn close(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
            let _ = execute!(stdout(), LeaveAlternateScreen, cursor::Show);
            let _ = terminal::disable_raw_mode();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

fn read_keys(keys: &mpsc::UnboundedSender<Key>, over: &AtomicBool) {
    use event::{Event, KeyCode, KeyEventKind, KeyModifiers};
    while !over.load(Ordering::Relaxed) {
        match event::poll(Duration::from_millis(100)) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        let Ok(Event::Key(pressed)) = event::read() else { continue };
        if pressed.kind == KeyEventKind::Release {
            continue;
        }
        let control = pressed.modifiers.contains(KeyModifiers::CONTROL);
        let key = match pressed.code {
            KeyCode::Char('c') if control => Key::Interrupt,
            KeyCode::Right | KeyCode::Down => Key::Move(1),
            KeyCode::Left | KeyCode::Up => Key::Move(-1),
            KeyCode::Char('l') => Key::Output,
            KeyCode::Char('e') => Key::Errors,
            KeyCode::Tab => Key::Next,
            KeyCode::Esc | KeyCode::Char('q') => Key::Back,
            _ => continue,
        };
        if keys.send(key).is_err() {
            return;
        }
    }
}
