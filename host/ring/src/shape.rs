//! Who is in the ring, as one observer shows it: what a map of replicas was made from.
use crate::{Address, DataCenter, HostId, Mode, Rack, parse::StatusRow};
use alloc::{collections::BTreeSet, string::String};
use serde::{Deserialize, Serialize};

/// The members of a ring with all that placement depends on, as far as `status` shows it. Two equal shapes
/// have one map; whether nodes are up is no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingShape(BTreeSet<Member>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Member {
    address: Address,
    host_id: Option<HostId>,
    data_center: DataCenter,
    rack: Rack,
    mode: Mode,
    tokens: Option<u32>,
    token: Option<String>,
}

impl RingShape {
    /// The shape that these rows show.
    pub fn of(rows: &[StatusRow]) -> Self {
        let member = |row: &StatusRow| Member {
            address: row.address,
            host_id: row.host_id.clone(),
            data_center: row.data_center.clone(),
            rack: row.rack.clone(),
            mode: row.status.mode,
            tokens: row.tokens,
            token: row.token.clone(),
        };
        Self(rows.iter().map(member).collect())
    }

    /// An address that the two show differently, if there is one.
    pub fn difference(&self, other: &Self) -> Option<Address> {
        self.0.symmetric_difference(&other.0).next().map(|member| member.address)
    }
}
