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
STATE = "host/schedule/src/state.rs"
GATES = "host/schedule/src/gates.rs"
REPLICATION = "host/ring/src/replication.rs"
ASSEMBLY = "host/ring/src/assembly.rs"
INFERENCE = "host/ring/src/inference.rs"

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
        "            level => level.replicas(self.factor),",
        "            level => level.replicas(members as u32),",
    ),
    Mutation(
        "ignore-pending",
        "a replica goes while another is being replaced: writes lose their quorum",
        SETS,
        "            let need = family.replicas(natural.len()) + set.pending.len() as u32;",
        "            let need = family.replicas(natural.len());",
    ),
    Mutation(
        "one-data-center-only",
        "only the first data center of a keyspace is guarded",
        SETS,
        "                factors.into_iter().map(key).collect()",
        "                factors.into_iter().take(1).map(key).collect()",
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
        "what-bears-none-never-runs",
        "RF 2, or a QUORUM that a removed data center makes impossible, holds every node for ever",
        SETS,
        "            true => u16::from(lost == 0),",
        "            true => 0 * u16::from(lost == 0),",
    ),
    Mutation(
        "phantoms-forgotten-at-quorum",
        "Cassandra counts a removed data center's replicas for QUORUM: what can't be kept isn't named",
        SETS,
        "            living => [Key::Cluster(living, sum(replication).all, level, inferred)].into(),",
        "            living => {\n                let all = sum(&living).all;\n"
        "                [Key::Cluster(living, all, level, inferred)].into()\n            }",
    ),
    Mutation(
        "judged-by-prefix",
        "a user's system_of_record isn't guarded",
        REPLICATION,
        "                _ => true,\n            },",
        "                name => !name.starts_with(\"system\"),\n            },",
    ),
    Mutation(
        "stock-keyspaces-hold",
        "the stock system_traces, blind to racks, turns three waves into many",
        REPLICATION,
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
        GATES,
        "find(|(release, count)| *count > before(release))",
        "find(|(release, count)| *count > before(release) + 9)",
    ),
    Mutation(
        "streams-confirm",
        "a node is released while ranges stream to it",
        GATES,
        "    if let Some(stream) = own.streams.first() {",
        "    if let Some(stream) = own.streams.first().filter(|_| false) {",
    ),
    Mutation(
        "ignored-is-forgotten",
        "--ignore-down-nodes takes a down node for one that is up: its neighbour goes as well",
        ADMISSION,
        "        outs.update(guard, &self.state.not_up, &self.state.down, self.out_by_job());",
        "        let seen = !self.policy.ignore_down_nodes;\n"
        "        let not_up = self.state.not_up.clone().into_iter().filter(|_| seen).collect();\n"
        "        outs.update(guard, &not_up, &self.state.down, self.out_by_job());",
    ),
    Mutation(
        "half-of-the-replicas",
        "RF 3 with one live replica passes for a quorum",
        "host/schedule/src/level.rs",
        "factor / 2 + 1",
        "(factor / 2).max(1)",
    ),
    Mutation(
        "simple-strategy-per-data-center",
        "SimpleStrategy, which knows no data centers, is placed and counted in each: other nodes, other counts",
        SETS,
        "        Replication::Simple(_) => {\n"
        "            let all = sum(replication).all;\n"
        "            let open = !open.is_empty();\n"
        "            [Key::Cluster(replication.clone(), all, level.anywhere(), open)].into()\n",
        "        Replication::Simple(factor) => {\n"
        "            let centers = topology.data_centers().into_iter();\n"
        "            let open = !open.is_empty();\n"
        "            centers.map(|dc| Key::Local(dc.clone(), *factor, level, open)).collect()\n",
    ),
    Mutation(
        "nobody-logs-in",
        "a well replicated system_auth isn't guarded: nodes are up and refuse every login",
        REPLICATION,
        '                "system_auth" => factors.values().any(|f| f.all >= 3),\n',
        '                "system_auth" => false,\n',
    ),
    Mutation(
        "logins-at-the-level-of-the-data",
        "system_auth is kept at ONE because the data are: logins read it at LOCAL_QUORUM",
        SETS,
        'if keyspace.name.as_str() == "system_auth" { Level::LocalQuorum } else { self.level }',
        "self.level",
    ),
    Mutation(
        "started-together-uncounted",
        "those that start at one moment aren't counted against each other",
        ADMISSION,
        "                        if observes {\n                            outs.put_out(",
        "                        if false {\n                            outs.put_out(",
    ),
    Mutation(
        "one-set-of-a-node",
        "only the first replica set of a node is looked at",
        GUARD,
        "mine.iter().find(|set|",
        "mine.iter().take(1).find(|set|",
    ),
    Mutation(
        "doubts-are-ignored",
        "describering shows other replicas than the tokens give, and they aren't guarded",
        SETS,
        "                if concerned && !members.is_empty() {",
        "                if concerned && !members.is_empty() && false {",
    ),
    Mutation(
        "doubts-are-not-noticed",
        "describering is read and not compared",
        "host/ring/src/doubt.rs",
        "            if next != computed {",
        "            if next != computed && false {",
    ),
    Mutation(
        "metadata-service-forgotten",
        "two of three members of the cluster metadata service go: no schema or ring change is possible",
        SETS,
        "                found.push(members, &[], &[], (0, 0));",
        "                let _ = (&mut found, members);",
    ),
    Mutation(
        "accepted-is-unguarded",
        "--accept-outage silences a finding; here it lets all replicas go together",
        SETS,
        "        if !named && (!self.only.is_empty() || !keyspace.is_guarded()) {",
        "        if self.accepted.contains(&keyspace.name)\n"
        "            || !named && (!self.only.is_empty() || !keyspace.is_guarded())\n        {",
    ),
    Mutation(
        "load-is-unguarded",
        "nodes under repair or compaction aren't counted",
        "host/schedule/src/policy.rs",
        "        self.impact != Impact::None",
        "        self.impact == Impact::Down",
    ),
    Mutation(
        "changes-elsewhere-do-not-matter",
        "a node of another data center moves, and a keyspace that is counted over all of them isn't held",
        GUARD,
        "    if let Some(unclear) = center.unclear.or(elsewhere) {",
        "    let _ = elsewhere;\n    if let Some(unclear) = center.unclear {",
    ),
    Mutation(
        "no-tokens-no-doubt",
        "a node that joins without tokens that are shown is taken for settled",
        "host/ring/src/topology.rs",
        "                    _ if !replaced && !owners.contains(&id) => Some(Unclear::Tokenless(id)),\n",
        "                    _ if !replaced && !owners.contains(&id) && false => Some(Unclear::Tokenless(id)),\n",
    ),
    Mutation(
        "who-is-replaced-is-not-read",
        "the dead node that describering alone still lists isn't found",
        ASSEMBLY,
        "        if !shown.contains(address) {",
        "        if !shown.contains(address) && false {",
    ),
    Mutation(
        "any-joining-node-replaces",
        "of two nodes that join, the wrong one is taken for the dead node's successor",
        ASSEMBLY,
        "    found.next().filter(|_| found.next().is_none())",
        "    found.next()",
    ),
    Mutation(
        "a-failed-node-is-back",
        "a node whose restart failed is taken for up: its neighbours go",
        STATE,
        "                        Outcome::Failed { .. } => Phase::Failed,\n",
        "                        Outcome::Failed { .. } => {\n"
        "                            run.out = false;\n"
        "                            Phase::Failed\n"
        "                        }\n",
    ),
    Mutation(
        "given-up-is-back",
        "a node that never came back within its time is taken for up",
        STATE,
        "                    run.stays_out = true;\n                    run.ended_at",
        "                    run.stays_out = true;\n                    run.out = false;\n                    run.ended_at",
    ),
    Mutation(
        "taken-up-is-back",
        "a job that is taken up again forgets who is out since the last run",
        STATE,
        "            Transition::TakenUp { stop_after } => {\n",
        "            Transition::TakenUp { stop_after } => {\n"
        "                self.nodes.values_mut().for_each(|run| run.out = false);\n",
    ),
    Mutation(
        "an-old-maps-look-will-do",
        "a new map is counted with what was seen of the old one",
        MAP,
        "        self.seen = None;\n",
        "",
    ),
    Mutation(
        "a-torn-schema-will-do",
        "a map that was read while the schema settled lacks a keyspace, and is kept",
        MAP,
        "            (None, None) if unsettled => {",
        "            (None, None) if unsettled && false => {",
    ),
    Mutation(
        "a-look-without-schema-will-do",
        "nobody told the schema's version: a keyspace that was made meanwhile isn't guarded",
        MAP,
        "            (None, None) if round.schema.is_none() => {",
        "            (None, None) if round.schema.is_none() && false => {",
    ),
    Mutation(
        "exposed-unasked",
        "a dead replica is removed in the middle of a job: now no order keeps the level, and it goes on",
        MAP,
        "        let exposed = self.exposed(&topology);",
        "        let exposed = self.exposed(&topology).filter(|_| false);",
    ),
    Mutation(
        "new-numbers",
        "after a new map the job counts another node's replicas",
        MAP,
        "        let topology = topology.renumbered(&self.topology);\n",
        "",
    ),
    Mutation(
        "one-view-is-enough",
        "a node is confirmed because the first observer shows it as UN",
        "host/schedule/src/observe.rs",
        "        self.views.iter().filter(|v| v.observer != node).find_map(|view| {",
        "        self.views.iter().filter(|v| v.observer != node).take(1).find_map(|view| {",
    ),
    Mutation(
        "blind-confirms",
        "a node that sees but its own data center is released: as a coordinator it fails requests",
        GATES,
        "        if shown && !sees(*other).is_some_and(NodeStatus::is_up_normal) {",
        "        if false && shown && !sees(*other).is_some_and(NodeStatus::is_up_normal) {",
    ),
    Mutation(
        "not-serving-confirms",
        "a node is released before it accepts clients",
        GATES,
        "    if !own.serving {",
        "    if !own.serving && false {",
    ),
    Mutation(
        "the-old-process-confirms",
        "a restart that did nothing counts as done",
        GATES,
        "    if gates.new_process && generation == Some(own.generation) {",
        "    if gates.new_process && generation == Some(own.generation) && false {",
    ),
    Mutation(
        "one-moment-is-stable",
        "a node that flaps is released the first time it is seen up",
        CONFIRMATION,
        "        if ended && stable_ms >= self.policy.stable_ms {",
        "        if ended && stable_ms < u64::MAX {",
    ),
    Mutation(
        "as-many-nodes-as-replicas-are-enough",
        "3.x: RF 5 on three nodes is taken for RF 3, and one node too many goes",
        INFERENCE,
        "    let open = counts.iter().filter(|(dc, count)| holders.get(*dc) == Some(count));",
        "    let open = counts.iter().filter(|(dc, count)| holders.get(*dc) == Some(count) && false);",
    ),
    Mutation(
        "a-joining-node-takes-but-some-ranges",
        "3.x: with more replicas configured than there are nodes a joining one takes every range",
        INFERENCE,
        "                readings.extend(more);\n",
        "                let _ = more;\n",
    ),
    Mutation(
        "one-strategy-that-fits-is-enough",
        "3.x: where both strategies place the ranges so, the other one's pending replicas and quorum are forgotten",
        INFERENCE,
        "        match readings.is_empty() {\n",
        "        readings.truncate(1);\n        match readings.is_empty() {\n",
    ),
    Mutation(
        "a-retried-node-is-not-out",
        "a failed node that isn't back counts as live as soon as somebody wants it run again",
        STATE,
        "                *run = NodeRun { attempt: run.attempt, out: run.out, ..NodeRun::default() };",
        "                *run = NodeRun { attempt: run.attempt, out: false, ..NodeRun::default() };",
    ),
    Mutation(
        "health-before-the-retry-counts",
        "a node that is tried again is released by what was seen of it before its command",
        ADMISSION,
        "            self.watched.remove(&node);\n",
        "",
    ),
]
