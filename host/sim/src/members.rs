//! The nodes of a cluster as they were made: what never changes while it runs.
use std::net::Ipv4Addr;

use crate::random::Random;
use crate::spec::SimSpec;

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) address: Ipv4Addr,
    pub(crate) dc: String,
    pub(crate) rack: String,
    pub(crate) host_id: String,
    /// Ascending.
    pub(crate) tokens: Vec<i64>,
    pub(crate) load_bytes: u64,
}

impl Member {
    /// The size of its data as nodetool prints it: at most two decimals.
    pub(crate) fn load(&self) -> String {
        let hundredths = (self.load_bytes * 100 + 512) / 1024;
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        match rest {
            0 => format!("{whole} KiB"),
            rest if rest % 10 == 0 => format!("{whole}.{} KiB", rest / 10),
            rest => format!("{whole}.{rest:02} KiB"),
        }
    }
}

/// The nodes of `spec` on `addresses` (as many as it has nodes), in the order of the spec.
pub(crate) fn members(spec: &SimSpec, addresses: &[Ipv4Addr]) -> Vec<Member> {
    let mut random = Random::new(spec.seed);
    let mut taken = std::collections::HashSet::new();
    let places = spec.data_centers.iter().flat_map(|dc| {
        dc.racks.iter().flat_map(move |rack| {
            std::iter::repeat_n((dc.name.as_str(), rack.name.as_str()), rack.nodes)
        })
    });
    places
        .zip(addresses)
        .map(|((dc, rack), address)| {
            let mut tokens = Vec::with_capacity(spec.vnodes);
            while tokens.len() < spec.vnodes {
                let token = random.next().cast_signed();
                // The smallest token is the partitioner's own.
                if token != i64::MIN && taken.insert(token) {
                    tokens.push(token);
                }
            }
            tokens.sort_unstable();
            Member {
                address: *address,
                dc: dc.to_owned(),
                rack: rack.to_owned(),
                host_id: random.uuid(4),
                tokens,
                load_bytes: 80 * 1024 + random.below(40 * 1024),
            }
        })
        .collect()
}
