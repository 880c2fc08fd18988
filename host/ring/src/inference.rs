//! How a keyspace is replicated where no node says it: read off its ranges.
//!
//! Before 4.0 nodetool shows who holds each range and nothing else. A data center with more nodes than a range
//! has replicas there has exactly so many. One in which every node holds every range may be configured for
//! more than it has nodes: its factor stays open. Whether NetworkTopologyStrategy or SimpleStrategy placed the
//! ranges is told by placing them both ways; where both fit, both count.
use crate::{
    Address, DataCenter, Keyspace, KeyspaceName, Mode, NodeId, Replication, ReplicationFactor,
    Topology, TopologyError, parse::Described,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use serde::{Deserialize, Serialize};

/// A keyspace whose replication nobody tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inferred {
    /// The keyspace.
    pub keyspace: KeyspaceName,
    /// Every replication that its ranges fit, one at least; the first is the one of
    /// [`Topology::keyspaces`]. Each has to be guarded.
    pub readings: Vec<Reading>,
}

/// One of the replications that the ranges of a keyspace fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// With as many replicas as are shown.
    pub replication: Replication,
    /// Data centers where every node holds every range, so that the factor may be greater than the shown one.
    /// Under SimpleStrategy all of them, or none.
    pub open: BTreeSet<DataCenter>,
}

impl Reading {
    /// What is known for certain.
    pub fn certain(replication: Replication) -> Self {
        Self { replication, open: BTreeSet::new() }
    }
}

impl Topology {
    /// What keyspace is replicated how, every reading of each. Keyspaces whose replication is told have one.
    pub fn readings(&self) -> impl Iterator<Item = (&KeyspaceName, Reading)> {
        self.keyspaces.iter().flat_map(|keyspace| {
            let inferred = self.inferred.iter().find(|known| known.keyspace == keyspace.name);
            let readings = match inferred {
                Some(inferred) => inferred.readings.clone(),
                None => [Reading::certain(keyspace.replication.clone())].into(),
            };
            readings.into_iter().map(|reading| (&keyspace.name, reading))
        })
    }

    /// Reads the replication of a keyspace off its ranges.
    ///
    /// # Errors
    /// Ranges that neither strategy places so, or that the ring doesn't have.
    pub(crate) fn infer(
        &self,
        keyspace: &KeyspaceName,
        described: &Described,
    ) -> Result<Inferred, TopologyError> {
        let holders = self.holders();
        let mut readings = Vec::new();
        if described.ranges.iter().all(|range| range.endpoints.is_empty()) {
            // Of data centers alone that have no node.
            readings.push(Reading::certain(Replication::NetworkTopology(BTreeMap::new())));
        }
        for reading in [by_center(self, described, &holders), by_ring(described, &holders)] {
            let Some(reading) = reading else { continue };
            if self.compare(keyspace, &reading.replication, described)?.is_none() {
                let more = self.with_one_more(&reading);
                readings.push(reading);
                readings.extend(more);
            }
        }
        match readings.is_empty() {
            true => Err(TopologyError::UnknownReplication(keyspace.clone())),
            false => Ok(Inferred { keyspace: keyspace.clone(), readings }),
        }
    }

    /// Where a node joins a data center whose factor is open: the reading in which there are more replicas than
    /// nodes, so that the joining one is to take every range and not some.
    fn with_one_more(&self, reading: &Reading) -> Option<Reading> {
        let joins = |dc: &DataCenter| {
            let joins = |id| self.node(id).status.mode == Mode::Joining;
            self.ids().any(|id| self.node(id).data_center == *dc && joins(id))
        };
        if !reading.open.iter().any(joins) {
            return None;
        }
        let mut more = reading.clone();
        match &mut more.replication {
            Replication::NetworkTopology(factors) => {
                let open = factors.iter_mut().filter(|(dc, _)| reading.open.contains(*dc));
                open.for_each(|(_, factor)| factor.all += 1);
            }
            Replication::Simple(factor) => factor.all += 1,
            Replication::Everywhere | Replication::Local | Replication::Meta(_) => return None,
        }
        Some(more)
    }

    /// Checks what a person said of a keyspace against the number of replicas that its ranges have.
    ///
    /// # Errors
    /// A range has more or fewer.
    pub(crate) fn check_given(
        &self,
        keyspace: &Keyspace,
        described: &Described,
    ) -> Result<(), TopologyError> {
        let holders = self.holders();
        let everywhere: u32 = holders.values().sum();
        let centers = self.centers();
        let wrong = |place: Option<&DataCenter>, shown: u32| TopologyError::OtherFactor {
            keyspace: keyspace.name.clone(),
            data_center: place.cloned(),
            shown,
        };
        for range in &described.ranges {
            let mut shown: BTreeMap<&DataCenter, u32> = BTreeMap::new();
            for center in range.endpoints.iter().filter_map(|endpoint| centers.get(endpoint)) {
                *shown.entry(center).or_default() += 1;
            }
            let all: u32 = shown.values().sum();
            match &keyspace.replication {
                Replication::Simple(factor) if factor.all.min(everywhere) != all => {
                    return Err(wrong(None, all));
                }
                Replication::NetworkTopology(factors) => {
                    for (dc, nodes) in &holders {
                        let given = factors.get(*dc).map_or(0, |factor| factor.all);
                        let shown = shown.get(dc).copied().unwrap_or(0);
                        if given.min(*nodes) != shown {
                            return Err(wrong(Some(dc), shown));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How many nodes of each data center can hold a range now.
    fn holders(&self) -> BTreeMap<&DataCenter, u32> {
        let owners: BTreeSet<NodeId> =
            self.ring.owned().iter().map(|(_, shown)| self.ring.owner(*shown)).collect();
        let holds = |id: &NodeId| self.node(*id).status.mode != Mode::Joining;
        let mut holders = BTreeMap::new();
        for id in owners.into_iter().filter(holds) {
            *holders.entry(&self.node(id).data_center).or_default() += 1;
        }
        holders
    }

    /// The data center of each address.
    fn centers(&self) -> BTreeMap<Address, &DataCenter> {
        self.ids().map(|id| self.node(id)).map(|node| (node.address, &node.data_center)).collect()
    }
}

/// As NetworkTopologyStrategy places: in each data center every range has as many replicas.
fn by_center(
    topology: &Topology,
    described: &Described,
    holders: &BTreeMap<&DataCenter, u32>,
) -> Option<Reading> {
    let centers = topology.centers();
    let mut counts: Option<BTreeMap<&DataCenter, u32>> = None;
    for range in &described.ranges {
        let mut here = BTreeMap::new();
        for endpoint in &range.endpoints {
            *here.entry(*centers.get(endpoint)?).or_default() += 1;
        }
        if counts.get_or_insert_with(|| here.clone()) != &here {
            return None;
        }
    }
    let counts = counts.filter(|counts| !counts.is_empty())?;
    let open = counts.iter().filter(|(dc, count)| holders.get(*dc) == Some(count));
    let open = open.map(|(dc, _)| (*dc).clone()).collect();
    let factors = counts.into_iter().map(|(dc, all)| (dc.clone(), factor(all))).collect();
    Some(Reading { replication: Replication::NetworkTopology(factors), open })
}

/// As SimpleStrategy places: every range has as many replicas, wherever they are.
fn by_ring(described: &Described, holders: &BTreeMap<&DataCenter, u32>) -> Option<Reading> {
    let first = described.ranges.first()?.endpoints.len();
    if first == 0 || described.ranges.iter().any(|range| range.endpoints.len() != first) {
        return None;
    }
    let all = first as u32;
    let open = match holders.values().sum::<u32>() == all {
        true => holders.keys().map(|dc| (*dc).clone()).collect(),
        false => BTreeSet::new(),
    };
    Some(Reading { replication: Replication::Simple(factor(all)), open })
}

fn factor(all: u32) -> ReplicationFactor {
    ReplicationFactor { all, transient: 0 }
}
