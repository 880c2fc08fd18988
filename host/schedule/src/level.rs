//! Consistency levels.
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// The consistency level at which requests must go on succeeding (`--keep`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// One replica anywhere.
    One,
    /// One replica in each data center that has any.
    LocalOne,
    /// A quorum in each data center; implies QUORUM, EACH_QUORUM and the serial levels, as far as data
    /// centers exist.
    #[default]
    LocalQuorum,
    /// A quorum over all data centers together.
    Quorum,
}

impl Level {
    /// All of them, for messages.
    pub const ALL: [Self; 4] = [Self::One, Self::LocalOne, Self::LocalQuorum, Self::Quorum];

    /// The level that is meant under SimpleStrategy, which knows no data centers.
    pub(crate) fn anywhere(self) -> Self {
        match self {
            Self::One | Self::LocalOne => Self::One,
            Self::LocalQuorum | Self::Quorum => Self::Quorum,
        }
    }

    /// How many live replicas the level needs, of a set with this configured factor.
    pub(crate) fn replicas(self, factor: u32) -> u32 {
        match self {
            Self::One | Self::LocalOne => 1,
            Self::LocalQuorum | Self::Quorum => factor / 2 + 1,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "ONE",
            Self::LocalOne => "LOCAL_ONE",
            Self::LocalQuorum => "LOCAL_QUORUM",
            Self::Quorum => "QUORUM",
        })
    }
}

/// Not the name of a level that can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a level is ONE, LOCAL_ONE, LOCAL_QUORUM or QUORUM")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let spelled = text.replace('-', "_").to_ascii_uppercase();
        let known = |level: &Self| alloc::format!("{level}") == spelled;
        Self::ALL.into_iter().find(known).ok_or(UnknownLevel)
    }
}
