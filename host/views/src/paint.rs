//! Colours, or none.

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours.
    Colour,
    /// Plain text.
    Plain,
}

/// The few colours that are used, by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hue {
    Good,
    Active,
    Settling,
    Bad,
    Quiet,
    Strong,
    Picked,
}

impl Paint {
    pub(crate) fn with(self, hue: Hue, text: &str) -> String {
        let code = match hue {
            Hue::Good => "32",
            Hue::Active => "1;36",
            Hue::Settling => "33",
            Hue::Bad => "1;31",
            Hue::Quiet => "2",
            Hue::Strong => "1",
            Hue::Picked => "7",
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
