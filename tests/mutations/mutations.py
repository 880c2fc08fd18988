"""The mistakes: what each would do to somebody's cluster, and where it is made."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    name: str
    harm: str
    file: str
    old: str
    new: str


GUARD = "host/schedule/src/guard.rs"
SETS = "host/schedule/src/sets.rs"
PLACEMENT = "host/ring/src/placement.rs"
ADMISSION = "host/schedule/src/job/admission.rs"
CONFIRMATION = "host/schedule/src/job/confirmation.rs"
MAP = "host/schedule/src/job/map.rs"

MUTATIONS = [
    Mutation(
        "forget-down-nodes",
        "a second replica goes while one is down",
        GUARD,
        "                wanted.entry(*id).or_insert(OutCause::Shown(*status));",
        "                let _ = (&mut wanted, id, status);",
    ),
    Mutation(
        "rf-from-endpoints",
        "RF 3 on two nodes is taken for RF 2, whose quorum is the same, and RF 5 on three for RF 3",
        SETS,
        "        let replicas = level.replicas(factor.all);\n",
        "        let replicas = level.replicas(found.iter().map(|s| s.natural().count()).max().unwrap_or(0) as u32);\n",
    ),
    Mutation(
        "ignore-pending",
        "a replica goes while another is being replaced: writes lose their quorum",
        SETS,
        "            let need = replicas + set.pending.len() as u32;",
        "            let need = replicas;",
    ),
    Mutation(
        "one-data-center-only",
        "only the first data center of a keyspace is guarded",
        SETS,
        "                factors.into_iter().map(|(dc, factor)| Key::Local(dc, factor, level)).collect()",
        "                factors.into_iter().take(1).map(|(dc, f)| Key::Local(dc, f, level)).collect()",
    ),
    Mutation(
        "joining-tokens-are-natural",
        "a node that joins is counted as a replica that it isn't",
        PLACEMENT,
        "                (Mode::Joining, _) if counted == shown => None,",
        "                (Mode::Joining, _) if counted == shown => Some(shown),",
    ),
    Mutation(
        "believe-gossip",
        "a node that was just stopped is still UN for its peers, for up to twenty seconds",
        "host/schedule/src/job.rs",
        "        let out = self.state.nodes.iter().filter(|(_, run)| run.out);",
        "        let out = self.state.nodes.iter().filter(|(id, run)| run.out && self.state.not_up.contains_key(id));",
    ),
    Mutation(
        "quorum-off-by-one",
        "half of the replicas are taken for a quorum",
        "host/schedule/src/level.rs",
        "factor / 2 + 1",
        "factor.div_ceil(2)",
    ),
    Mutation(
        "racks-do-not-matter",
        "replica sets are computed as if racks didn't exist",
        PLACEMENT,
        "                Some(_) => *names.entry(topology.node(*id).rack.as_str()).or_insert(next),",
        "                Some(_) => next.max(found as u32),",
    ),
    Mutation(
        "no-second-replica-in-a-rack",
        "with fewer racks than replicas the others are forgotten",
        PLACEMENT,
        "            let mut others = self.wanted - self.racks;",
        "            let mut others = 0 * (self.wanted - self.racks);",
    ),
    Mutation(
        "transient-as-full",
        "both full replicas of a transient set go",
        SETS,
        "        if factor.transient > 0 {",
        "        if factor.transient > u32::MAX - 1 {",
    ),
    Mutation(
        "two-of-a-set-that-bears-none",
        "both replicas of an RF 2 keyspace go together",
        SETS,
        "            true => u16::from(lost == 0),",
        "            true => u16::from(lost <= 1),",
    ),
    Mutation(
        "slack-off-by-one",
        "one replica more than the level bears",
        SETS,
        "            false => (self.members() - lost).saturating_sub(self.need),",
        "            false => (self.members() - lost + 1).saturating_sub(self.need),",
    ),
    Mutation(
        "no-max-out",
        "a cluster without a user's keyspace restarts all at once",
        GUARD,
        "    if outs.in_center[number] >= center.cap {",
        "    if outs.in_center[number] >= center.cap + usize::MAX / 2 {",
    ),
    Mutation(
        "ignore-unclear-changes",
        "a replica goes while a node moves to nobody knows where",
        GUARD,
        "    if let Some(unclear) = center.unclear.or(elsewhere) {",
        "    if let Some(unclear) = center.unclear.or(elsewhere).filter(|_| false) {",
    ),
    Mutation(
        "admit-the-unsettled",
        "a node that joins or leaves is restarted",
        GUARD,
        "    if let Some(status) = outs.not_up.get(&node) {",
        "    if let Some(status) = outs.not_up.get(&node).filter(|_| false) {",
    ),
    Mutation(
        "phantoms-count",
        "a removed data center that is still listed holds every node for ever at QUORUM",
        SETS,
        "factor.all > 0 && centers.contains(dc);",
        "factor.all > 0 && (centers.contains(dc) || true);",
    ),
    Mutation(
        "judged-by-prefix",
        "a user's system_of_record isn't guarded",
        "host/ring/src/replication.rs",
        "                _ => true,\n            },",
        "                name => !name.starts_with(\"system\"),\n            },",
    ),
    Mutation(
        "stock-keyspaces-hold",
        "the stock system_traces, blind to racks, turns three waves into many",
        "host/ring/src/replication.rs",
        "                \"system_traces\" | \"system_distributed\" | \"system_auth\"\n",
        "                \"system_auth\"\n",
    ),
    Mutation(
        "nobody-takes-over",
        "who takes over from a leaving node isn't waited for",
        PLACEMENT,
        "    left.into_iter().chain(joined)",
        "    left.into_iter().take(0).chain(joined)",
    ),
    Mutation(
        "replaced-is-gone",
        "a dead node that is being replaced is forgotten in its replica sets",
        "host/ring/src/token_ring.rs",
        "find(|r| r.by == shown)",
        "find(|r| r.by == shown && false)",
    ),
    Mutation(
        "a-released-node-stays-out",
        "the job never goes on",
        GUARD,
        "            self.take_back(guard, id);",
        "            let _ = id;",
    ),
    Mutation(
        "any-look-will-do",
        "a start relies on what was seen before the last node came back",
        ADMISSION,
        "            began >= self.state.released_at\n",
        "            began < u64::MAX\n",
    ),
    Mutation(
        "old-looks-will-do",
        "a start relies on what was seen a minute ago",
        ADMISSION,
        "now.saturating_sub(seen) <= self.policy.round_max_age_ms",
        "now.saturating_sub(seen) <= u64::MAX",
    ),
    Mutation(
        "the-strategy-decides",
        "the guard isn't asked",
        ADMISSION,
        "                .or_else(guarded)\n",
        "                .or_else(|| guarded().filter(|_| false))\n",
    ),
    Mutation(
        "a-new-ring-goes-unnoticed",
        "a node that joins in the middle of a job isn't counted",
        MAP,
        "        self.outdated = Some(why);",
        "        let _ = why;\n        return;",
    ),
    Mutation(
        "the-new-map-is-not-used",
        "a keyspace that was made in the middle of a job isn't guarded",
        MAP,
        "        self.topology = topology;\n        self.ready = None;",
        "        self.topology = topology;",
    ),
    Mutation(
        "one-observer-is-enough",
        "a node that one observer calls down is started beside a neighbour that is out",
        "host/schedule/src/observe.rs",
        "others.peek().is_some() && others.all(down)",
        "others.peek().is_some() && others.any(down)",
    ),
    Mutation(
        "schema-disagreement-confirms",
        "a node is released while it has another schema than its peers",
        "host/schedule/src/gates.rs",
        "find(|(release, count)| *count > before(release))",
        "find(|(release, count)| *count > before(release) + 9)",
    ),
    Mutation(
        "streams-confirm",
        "a node is released while ranges stream to it",
        "host/schedule/src/gates.rs",
        "    if let Some(stream) = own.streams.first() {",
        "    if let Some(stream) = own.streams.first().filter(|_| false) {",
    ),
]
