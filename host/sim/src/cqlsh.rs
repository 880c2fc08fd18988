//! The simulated `cqlsh`: it answers the one question that quorate asks, from a node whose native transport is open.
use std::fmt::Write as _;

use crate::requests::Reply;
use crate::spec::Replication;
use crate::world::World;

/// Runs `cqlsh ARGV` on `node`. Without a host it asks 127.0.0.1, where no node listens.
pub(crate) fn run(world: &World, node: usize, argv: &[String]) -> Reply {
    let own = world.members[node].address.to_string();
    let statement = argv.iter().skip_while(|word| *word != "-e").nth(1);
    let open = world.with(|cluster, _| cluster.node(node).serves_clients());
    if !open || !argv.contains(&own) {
        let text = "Connection error: ('Unable to connect to any servers', {'127.0.0.1:9042': ConnectionRefusedError(111, \"Tried connecting to [('127.0.0.1', 9042)]. Last error: Connection refused\")})\n";
        return Reply::of(1, "", text);
    }
    let expected = "PAGING OFF; SELECT host_id, schema_version FROM system.local; SELECT keyspace_name, replication FROM system_schema.keyspaces";
    if statement.map(String::as_str) != Some(expected) {
        return Reply::of(2, "", "<stdin>:1:SyntaxException: this cqlsh knows one statement\n");
    }
    let schema =
        world.with(|cluster, _| world.schema_version(node, cluster.node(node).other_schema));
    let mut out = String::from("Disabled Query paging.\n");
    table(
        &mut out,
        ["host_id", "schema_version"],
        &[(world.members[node].host_id.clone(), schema)],
    );
    let rows: Vec<(String, String)> = world
        .spec
        .keyspaces
        .iter()
        .map(|keyspace| (keyspace.name.clone(), map(&keyspace.replication)))
        .collect();
    table(&mut out, ["keyspace_name", "replication"], &rows);
    Reply::out(out)
}

fn map(replication: &Replication) -> String {
    let (class, options) = match replication {
        Replication::NetworkTopology(per_dc) => (
            "NetworkTopologyStrategy",
            per_dc.iter().map(|(dc, rf)| format!(", '{dc}': '{rf}'")).collect(),
        ),
        Replication::Simple(rf) => ("SimpleStrategy", format!(", 'replication_factor': '{rf}'")),
        Replication::Local => ("LocalStrategy", String::new()),
    };
    format!("{{'class': 'org.apache.cassandra.locator.{class}'{options}}}")
}

/// Names are on the left in the header, on the right in the rows of collections and text.
fn table(out: &mut String, names: [&str; 2], rows: &[(String, String)]) {
    let width = |name: &str, cells: &dyn Fn(&(String, String)) -> usize| {
        rows.iter().map(cells).chain([name.len()]).max().unwrap_or_default()
    };
    let (one, two) = (width(names[0], &|row| row.0.len()), width(names[1], &|row| row.1.len()));
    let _ = writeln!(out, "\n {:<one$} | {}", names[0], names[1]);
    let _ = writeln!(out, "-{}-+-{}", "-".repeat(one), "-".repeat(two));
    for (first, second) in rows {
        let _ = writeln!(out, " {first:>one$} | {second:>two$}");
    }
    let _ = writeln!(out, "\n({} rows)", rows.len());
}
