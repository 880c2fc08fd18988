//! A node and what the cluster says of it.
use crate::{DataCenter, HostId, Rack};
use core::{fmt, net::IpAddr};
use serde::{Deserialize, Serialize};

/// A node's number in one [`Topology`](crate::Topology): an index, small and cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The node's place in [`Topology::nodes`](crate::Topology::nodes).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node's address in gossip (its broadcast address).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(pub IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first letter of a row of `nodetool status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Liveness {
    /// `U`
    Up,
    /// `D`
    Down,
    /// `?`: neither in the live nor in the unreachable list.
    Unknown,
}

/// The second letter of a row of `nodetool status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// `N`
    Normal,
    /// `L`
    Leaving,
    /// `J`
    Joining,
    /// `M`
    Moving,
    /// `S` (DSE): stopped.
    Stopped,
    /// `?`
    Unknown,
}

/// Status and state as one observer shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Up or down.
    pub liveness: Liveness,
    /// What it does in the ring.
    pub mode: Mode,
}

impl NodeStatus {
    /// `UN`, the only status that counts as healthy.
    pub const UP_NORMAL: Self = Self { liveness: Liveness::Up, mode: Mode::Normal };
    /// `DN`
    pub const DOWN_NORMAL: Self = Self { liveness: Liveness::Down, mode: Mode::Normal };

    /// Whether it is `UN`.
    pub fn is_up_normal(self) -> bool {
        self == Self::UP_NORMAL
    }

    /// Reads the two letters of a status row.
    pub fn from_letters(letters: &str) -> Option<Self> {
        let mut chars = letters.chars();
        let liveness = match chars.next()? {
            'U' => Liveness::Up,
            'D' => Liveness::Down,
            '?' => Liveness::Unknown,
            _ => return None,
        };
        let mode = match chars.next()? {
            'N' => Mode::Normal,
            'L' => Mode::Leaving,
            'J' => Mode::Joining,
            'M' => Mode::Moving,
            'S' => Mode::Stopped,
            '?' => Mode::Unknown,
            _ => return None,
        };
        chars.next().is_none().then_some(Self { liveness, mode })
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let liveness = match self.liveness {
            Liveness::Up => 'U',
            Liveness::Down => 'D',
            Liveness::Unknown => '?',
        };
        let mode = match self.mode {
            Mode::Normal => 'N',
            Mode::Leaving => 'L',
            Mode::Joining => 'J',
            Mode::Moving => 'M',
            Mode::Stopped => 'S',
            Mode::Unknown => '?',
        };
        write!(f, "{liveness}{mode}")
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Absent for a node that prints `null` (it is about to join).
    pub host_id: Option<HostId>,
    /// Broadcast address.
    pub address: Address,
    /// Its data center.
    pub data_center: DataCenter,
    /// Its rack.
    pub rack: Rack,
    /// As the observer that was asked shows it.
    pub status: NodeStatus,
    /// Release version (`5.0.4`), where `describecluster` lists it.
    pub version: Option<alloc::string::String>,
}
