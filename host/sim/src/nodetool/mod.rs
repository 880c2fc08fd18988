//! The simulated nodetool: the same words, columns, exit statuses and errors as the real one of the spec's version (held against
//! outputs of real nodes by the tests of this crate).
mod cluster_view;
mod login;
mod own_state;
mod ring_view;
#[cfg(test)]
mod samples;
mod status_view;

use std::time::Duration;

use crate::cluster::{Cluster, Phase};
use crate::members::Member;
use crate::placement::fraction;
use crate::requests::Reply;
use crate::spec::Version;
use crate::world::World;

/// How a node's nodetool can be broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodetoolFault {
    /// Every call ends with this exit status and prints this on stderr.
    Fails {
        /// The exit status.
        code: u8,
        /// What is printed.
        stderr: String,
    },
    /// Exit status 0 and lines that mean nothing, some of them not even UTF-8.
    Garbage,
    /// Exit status 0 and no output.
    Silent,
    /// It never ends.
    Hangs,
    /// There is no such program on the node's PATH.
    MissingFromPath,
    /// Exit status 0 and this many bytes of output.
    Huge {
        /// How many.
        bytes: usize,
    },
}

const MEANINGLESS: &str = "Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless";
const MEANINGLESS_LOCAL: &str = "Ownership values for keyspaces with LocalStrategy are meaningless";

/// One call that has got through to a node.
struct Call<'a> {
    world: &'a World,
    cluster: &'a Cluster,
    /// Whose nodetool it is.
    node: usize,
    now: Duration,
    with_ports: bool,
    tokens: bool,
    keyspace: Option<&'a str>,
}

impl Call<'_> {
    /// The release of the node that is asked.
    fn version(&self) -> Version {
        self.world.spec.version_of(self.node)
    }

    fn member(&self) -> &Member {
        &self.world.members[self.node]
    }

    /// A node's address as this call prints it; the port is that of the storage protocol.
    fn address(&self, node: usize) -> String {
        let address = self.world.members[node].address;
        if self.with_ports { format!("{address}:7000") } else { address.to_string() }
    }

    /// How much of the data of the asked keyspace each node owns; an error where that has no meaning.
    fn ownership(&self) -> Result<Vec<f64>, &'static str> {
        let world = self.world;
        let keyspaces = || world.spec.keyspaces.iter().zip(&world.held);
        let (keyspace, ranges) = match self.keyspace {
            Some(name) => keyspaces().find(|(keyspace, _)| keyspace.name == name),
            None => {
                let mut own = keyspaces().filter(|(keyspace, _)| !keyspace.is_system());
                let first = own.next();
                if own.any(|(other, _)| {
                    first.is_some_and(|(first, _)| first.replication != other.replication)
                }) {
                    return Err(MEANINGLESS);
                }
                first.or_else(|| keyspaces().find(|(keyspace, _)| keyspace.name == "system_traces"))
            }
        }
        .ok_or(MEANINGLESS)?;
        if keyspace.replication == crate::spec::Replication::Local {
            return Err(MEANINGLESS_LOCAL);
        }
        let mut owned = vec![0.0; world.members.len()];
        for range in ranges {
            for node in &range.replicas {
                owned[*node] += fraction(range);
            }
        }
        Ok(owned)
    }

    /// The nodes' rows in an order that means nothing, as with real nodes, but is always the same.
    fn shuffled<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        crate::random::Random::new(self.world.spec.seed).shuffle(&mut rows);
        rows
    }
}

/// The arguments of a call, taken apart.
#[derive(Default)]
struct Arguments<'a> {
    host: Option<&'a str>,
    user: Option<&'a str>,
    password: Option<&'a str>,
    password_file: Option<&'a str>,
    with_ports: bool,
    tokens: bool,
    words: Vec<&'a str>,
}

fn arguments(argv: &[String]) -> Arguments<'_> {
    let mut parsed = Arguments::default();
    let mut rest = argv.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "-h" | "--host" => parsed.host = rest.next(),
            "-p" | "--port" => drop(rest.next()),
            "-u" | "--username" => parsed.user = rest.next(),
            "-pw" | "--password" => parsed.password = rest.next(),
            "-pwf" | "--password-file" => parsed.password_file = rest.next(),
            // The program's own script takes these for the JVM.
            "--ssl" => {}
            word if word.starts_with("-D") => {}
            "-pp" | "--print-port" => parsed.with_ports = true,
            "-T" | "--tokens" => parsed.tokens = true,
            "-r" | "--resolve-ip" | "-H" | "--human-readable" | "--" => {}
            word => parsed.words.push(word),
        }
    }
    parsed
}

const COMMANDS: [&str; 24] = [
    "cleanup",
    "compactionstats",
    "describecluster",
    "describering",
    "disablebinary",
    "drain",
    "enablebinary",
    "failuredetector",
    "flush",
    "getcompactionthroughput",
    "getseeds",
    "gossipinfo",
    "info",
    "netstats",
    "ring",
    "setcompactionthroughput",
    "status",
    "statusbackup",
    "statusbinary",
    "statusgossip",
    "statushandoff",
    "tablestats",
    "version",
    "help",
];

/// Runs `nodetool ARGV` on `node`. Takes as long as the command takes there; forever where that is the fault.
pub(crate) async fn run(world: &World, node: usize, argv: &[String]) -> Reply {
    let fault = world.with_desk(node, |desk| {
        desk.called_nodetool(argv);
        desk.fault.clone()
    });
    if let Some(fault) = fault {
        return broken(fault).await;
    }
    if !world.spec.timings.nodetool.is_zero() {
        tokio::time::sleep(world.spec.timings.nodetool).await;
    }
    let parsed = arguments(argv);
    let Some((command, rest)) = parsed.words.split_first() else {
        return Reply::out(usage());
    };
    if *command == "help" {
        return Reply::out(usage());
    }
    if !COMMANDS.contains(command) {
        return Reply::of(
            1,
            format!(
                "nodetool: Found unexpected parameters: [{}]\nSee 'nodetool help' or 'nodetool help <command>'.\n",
                parsed.words.join(", ")
            ),
            "",
        );
    }
    let password = match login::password(&parsed) {
        Ok(password) => password,
        Err(failed) => return failed,
    };
    if let Err(refused) = connect(world, node, &parsed, password.as_deref()) {
        return refused;
    }
    if *command == "drain" {
        return drain(world, node).await;
    }
    world.with(|cluster, now| {
        if let Some(reply) = change(cluster, node, command, rest) {
            return reply;
        }
        let keyspace = rest.first().copied();
        let call = Call {
            world,
            cluster,
            node,
            now,
            with_ports: parsed.with_ports,
            tokens: parsed.tokens,
            keyspace,
        };
        call.show(command)
    })
}

impl Call<'_> {
    fn show(&self, command: &str) -> Reply {
        match command {
            "status" => self.status(),
            "ring" => self.ring(),
            "describecluster" => Reply::out(self.describecluster()),
            "describering" => self.describering(),
            "gossipinfo" => Reply::out(self.gossipinfo()),
            "failuredetector" => Reply::out(self.failuredetector()),
            "info" => Reply::out(self.info()),
            "netstats" => Reply::out(self.netstats()),
            "compactionstats" => Reply::out(self.compactionstats()),
            "statusbinary" => Reply::out(running(self.cluster.node(self.node).serves_clients())),
            "statusgossip" => Reply::out(running(self.cluster.node(self.node).phase == Phase::Up)),
            "statusbackup" => Reply::out(running(false)),
            "statushandoff" => Reply::out("Hinted handoff is running\n"),
            "getseeds" => Reply::out("Seed node list does not contain any remote node IPs\n"),
            "getcompactionthroughput" => {
                let mb = self.cluster.node(self.node).compaction_throughput;
                Reply::out(format!("Current compaction throughput: {mb} MB/s\n"))
            }
            "tablestats" => Reply::out(self.tablestats()),
            "version" => Reply::out(format!("ReleaseVersion: {}\n", self.version())),
            // flush and cleanup: done before anybody could ask, and silent as the real ones.
            _ => Reply::out(""),
        }
    }
}

fn running(yes: bool) -> &'static str {
    if yes { "running\n" } else { "not running\n" }
}

fn usage() -> String {
    format!(
        "usage: nodetool [(-h <host> | --host <host>)] [(-p <port> | --port <port>)] [(-pp | --print-port)] <command> [<args>]\n\nThe commands are:\n    {}\n",
        COMMANDS.join("\n    ")
    )
}

/// Commands that change something at once; `None` for those that only show.
fn change(cluster: &mut Cluster, node: usize, command: &str, rest: &[&str]) -> Option<Reply> {
    let state = cluster.node_mut(node);
    match command {
        "disablebinary" => state.native_off = true,
        "enablebinary" => state.native_off = false,
        "setcompactionthroughput" => match rest.first().and_then(|value| value.parse().ok()) {
            Some(value) => state.compaction_throughput = value,
            None => {
                return Some(Reply::of(
                    1,
                    "nodetool: Required parameters are missing: compaction_throughput\nSee 'nodetool help' or 'nodetool help <command>'.\n",
                    "",
                ));
            }
        },
        _ => return None,
    }
    Some(Reply::out(""))
}

/// The management port listens on the node's own address only.
fn connect(
    world: &World,
    node: usize,
    arguments: &Arguments<'_>,
    password: Option<&str>,
) -> Result<(), Reply> {
    let own = world.members[node].address.to_string();
    let host = arguments.host.unwrap_or(&own);
    let refused = || {
        Reply::of(
            1,
            "",
            format!(
                "nodetool: Failed to connect to '{host}:7199' - ConnectException: 'Connection refused'.\n"
            ),
        )
    };
    if ![own.as_str(), "localhost", "127.0.0.1"].contains(&host) {
        return Err(refused());
    }
    world.with(|cluster, now| {
        let state = cluster.node(node);
        if !state.management_port_open(now) {
            return Err(refused());
        }
        login::check(world.spec.jmx_login.as_ref(), host, arguments.user, password)?;
        if state.phase == Phase::Starting {
            let text = "Exception in thread \"main\" java.lang.IllegalArgumentException: Server is not initialized yet, cannot run nodetool.\n\tat org.apache.cassandra.tools.NodeTool.err(NodeTool.java:319)\n\tat org.apache.cassandra.tools.NodeTool.execute(NodeTool.java:282)\n\tat org.apache.cassandra.tools.NodeTool.main(NodeTool.java:85)\n";
            return Err(Reply::of(1, "", text));
        }
        Ok(())
    })
}

/// The order is the node's own: it goes on when the caller is gone.
async fn drain(world: &World, node: usize) -> Reply {
    if !world.with(|cluster, now| cluster.drain(now, node)) {
        return lost_connection();
    }
    match world.phase_after(node, Phase::Draining).await {
        Phase::Drained => Reply::out(""),
        _ => lost_connection(),
    }
}

fn lost_connection() -> Reply {
    Reply::of(
        2,
        "",
        "error: Connection reset\n-- StackTrace --\njava.net.SocketException: Connection reset\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n\n",
    )
}

async fn broken(fault: NodetoolFault) -> Reply {
    match fault {
        NodetoolFault::Fails { code, stderr } => Reply::of(code, "", stderr),
        NodetoolFault::Garbage => {
            let mut out = b"#\xff\xfe\x00 ~~~ UN or DN, who knows\n\tTokenRange(start_token:, end_token:???\n".to_vec();
            out.extend((0..=255).rev());
            Reply { code: 0, out, err: Vec::new() }
        }
        NodetoolFault::Silent => Reply::out(""),
        NodetoolFault::Hangs => std::future::pending().await,
        // The program is gone before anybody can call it; this answers one that was just being called.
        NodetoolFault::MissingFromPath => Reply::of(127, "", "sh: nodetool: not found\n"),
        NodetoolFault::Huge { bytes } => {
            let line =
                b"UN  127.0.0.1  104.19 KiB  16  ?  00000000-0000-4000-8000-000000000000  rack1\n";
            Reply {
                code: 0,
                out: line.iter().copied().cycle().take(bytes).collect(),
                err: Vec::new(),
            }
        }
    }
}
