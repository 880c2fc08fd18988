//! What a person should know of a cluster before anything is done to it.
use quorate_ring::{DataCenter, Keyspace, Replication, Topology};
use quorate_schedule::{Family, Guard, Outs, Policy, Reason, SchemaView};
use std::collections::{BTreeMap, BTreeSet};

/// One sentence each; none where all is well.
pub fn findings(topology: &Topology, guard: &Guard, policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    if policy.guards() {
        found.extend(bears_none(guard, policy));
        found.extend(open(guard));
        found.extend(below(topology, guard));
        found.extend(unclear(topology, policy));
    }
    found.extend(phantoms(topology));
    found.extend(system_auth(topology, policy));
    found.extend(simple_in_several(topology, policy));
    found.extend(topology.doubts.iter().map(|doubt| doubt.text(topology)));
    found.extend(unsettled(topology));
    found
}

/// Who isn't up, and schemas that differ: what may pass by itself.
pub fn unsettled(topology: &Topology) -> Vec<String> {
    let mut found: Vec<String> = not_up(topology).into_iter().collect();
    found.extend(schema(topology));
    found
}

/// Keyspaces that lose their level with any one node, whatever the order: the first by name, the rest
/// counted; none whose outage is accepted.
fn bears_none(guard: &Guard, policy: &Policy) -> Option<String> {
    let families = guard.bears_none();
    let costly = |family: &Family| -> Vec<String> {
        let accepted = &policy.guarantee.accepted;
        let names = family.keyspaces.iter().filter(|name| !accepted.contains(name));
        names.map(ToString::to_string).collect()
    };
    let (first, nodes) = families.iter().find(|(family, _)| !costly(family).is_empty())?;
    let keyspaces: BTreeSet<String> = families.iter().flat_map(|(f, _)| costly(f)).collect();
    let place = match &first.data_center {
        Some(dc) => format!(" in {dc}"),
        None => String::new(),
    };
    let replica = if first.full_only { "full replica" } else { "replica" };
    let who = match nodes {
        1 => "while its one node is out".into(),
        nodes => format!("whichever of its {nodes} nodes is out"),
    };
    let others = match keyspaces.len() {
        1 => String::new(),
        2 => "; so it is with one more keyspace".into(),
        n => format!("; so it is with {} more keyspaces", n - 1),
    };
    Some(format!(
        "{} (RF {}{place}) bears no {replica} out at {}: {who}, some ranges fail, in any order; they go one \
         at a time{others}",
        costly(first)[0],
        first.factor,
        first.level,
    ))
}

/// Keyspaces whose replication factor nobody tells and that may need every one of their nodes.
fn open(guard: &Guard) -> Vec<String> {
    let mut told: BTreeMap<Option<&DataCenter>, (&Family, BTreeSet<&str>)> = BTreeMap::new();
    for (family, _) in guard.open() {
        let (_, names) =
            told.entry(family.data_center.as_ref()).or_insert_with(|| (family, BTreeSet::new()));
        names.extend(family.keyspaces.iter().map(|name| name.as_str()));
    }
    let text = |(place, (family, names)): (Option<&DataCenter>, (&Family, BTreeSet<&str>))| {
        let shown = family.keyspaces[0].as_str();
        let others = match names.len() {
            1 => String::new(),
            n => format!(" (so it is with {} more)", n - 1),
        };
        let (place, example) = match place {
            Some(dc) => (format!(" in {dc}"), format!("{shown}:{dc}=N")),
            None => (String::new(), format!("{shown}:DC=N,DC=N (or {shown}=N)")),
        };
        format!(
            "{shown} has {} replicas{place}, and nobody tells whether it is configured for more{others}: its \
             nodes go one at a time; --rf {example} says it",
            family.factor
        )
    };
    told.into_iter().map(text).collect()
}

/// Who is out as the map shows it.
pub(crate) fn outs_as_shown(topology: &Topology, guard: &Guard) -> Outs {
    let mut outs = guard.nobody_out();
    let shown = topology.ids().map(|id| (id, topology.node(id).status));
    let not_up = shown.filter(|(_, s)| !s.is_up_normal()).map(|(id, s)| (id, Some(s))).collect();
    outs.update(guard, &not_up, &BTreeSet::new(), BTreeMap::new());
    outs
}

/// Ranges that have lost their level already.
fn below(topology: &Topology, guard: &Guard) -> Vec<String> {
    let outs = outs_as_shown(topology, guard);
    let text = |set: quorate_schedule::SetReason| {
        format!("below its level already: {}", set.text(topology))
    };
    guard.below(topology, &outs).into_iter().map(text).collect()
}

/// Data centers in which nothing that is up is started, since nobody can tell who is to hold which range.
fn unclear(topology: &Topology, policy: &Policy) -> Vec<String> {
    if policy.guarantee.allow_topology_change {
        return Vec::new();
    }
    let found = |dc: &DataCenter| {
        let change = Reason::TopologyChange(topology.unclear(Some(dc))?);
        Some(format!("no node of {dc} that is up is started: {}", change.text(topology)))
    };
    topology.data_centers().into_iter().filter_map(found).collect()
}

/// Data centers that keyspaces list and no node is in.
fn phantoms(topology: &Topology) -> Vec<String> {
    let living: BTreeSet<&DataCenter> = topology.data_centers().into_iter().collect();
    let mut gone: BTreeMap<&DataCenter, Vec<&str>> = BTreeMap::new();
    for keyspace in &topology.keyspaces {
        if let Replication::NetworkTopology(factors) = &keyspace.replication {
            for (dc, factor) in factors {
                if factor.all > 0 && !living.contains(dc) {
                    gone.entry(dc).or_default().push(keyspace.name.as_str());
                }
            }
        }
    }
    let text = |(dc, keyspaces): (&DataCenter, Vec<&str>)| {
        format!(
            "{} replicated to {dc}, which has no node: it holds nothing here, but QUORUM counts it",
            are(&keyspaces)
        )
    };
    gone.into_iter().map(text).collect()
}

fn are(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} is"),
        [one, other] => format!("{one} and {other} are"),
        [one, rest @ ..] => format!("{one} and {} more keyspaces are", rest.len()),
        [] => String::new(),
    }
}

/// Logins read `system_auth`; as it comes it has one replica.
fn system_auth(topology: &Topology, policy: &Policy) -> Option<String> {
    let keyspace = topology.keyspaces.iter().find(|ks| ks.name.as_str() == "system_auth")?;
    // `--keep system_auth=…` guards it as it is.
    if keyspace.is_guarded() || policy.guarantee.keyspaces.contains_key(&keyspace.name) {
        return None;
    }
    let mut counts: BTreeMap<&DataCenter, usize> = BTreeMap::new();
    for id in topology.ids() {
        *counts.entry(&topology.node(id).data_center).or_default() += 1;
    }
    if counts.values().all(|nodes| *nodes < 3) {
        return None;
    }
    let factor = |(dc, nodes): (&&DataCenter, &usize)| {
        format!("'{}': {}", dc.as_str().replace('\'', "''"), nodes.min(&3))
    };
    let factors: Vec<String> = counts.iter().map(factor).collect();
    Some(format!(
        "system_auth has too few replicas to be guarded: where logins are used, they may fail while a node \
         is out; better: ALTER KEYSPACE system_auth WITH replication = {{'class': \
         'NetworkTopologyStrategy', {}}}; then repair it",
        factors.join(", ")
    ))
}

fn simple_in_several(topology: &Topology, policy: &Policy) -> Option<String> {
    let several = topology.data_centers().len() > 1;
    let simple = |ks: &&Keyspace| {
        let is_simple = matches!(ks.replication, Replication::Simple(_));
        several && is_simple && policy.guarantee.level_of(ks).is_some()
    };
    let names: Vec<&str> =
        topology.keyspaces.iter().filter(simple).map(|ks| ks.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} replicated by SimpleStrategy, which knows no data centers: its quorum is taken over all of them",
            are(&names)
        )
    })
}

fn not_up(topology: &Topology) -> Option<String> {
    let other = topology.ids().map(|id| topology.node(id)).filter(|n| !n.status.is_up_normal());
    let shown: Vec<String> = other
        .map(|node| format!("{} of {} is {}", node.address, node.data_center, node.status))
        .collect();
    let more = match shown.len() {
        0..=5 => String::new(),
        n => format!(", and {} more", n - 5),
    };
    (!shown.is_empty()).then(|| format!("{}{more}", shown[..shown.len().min(5)].join(", ")))
}

fn schema(topology: &Topology) -> Vec<String> {
    let counts = SchemaView::of(topology).counts();
    let several = counts.into_iter().filter(|(_, versions)| *versions > 1);
    several
        .map(|(release, versions)| match release.is_empty() {
            true => format!("the cluster has {versions} schema versions already"),
            false => format!("nodes of {release} have {versions} schema versions already"),
        })
        .collect()
}
