//! `service cassandra …` and `systemctl … cassandra`: as Debian's init script and systemd answer.
use crate::cluster::Phase;
use crate::requests::Reply;
use crate::world::World;

/// Runs `service ARGV` on `node`; ends when the order is carried out, which for a start is the launch.
pub(crate) async fn service(world: &World, node: usize, argv: &[String]) -> Reply {
    let (name, action) = match argv {
        [name, action, ..] => (name.as_str(), action.as_str()),
        _ => {
            return Reply::of(
                1,
                "",
                "Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]\n",
            );
        }
    };
    if name != "cassandra" {
        return Reply::of(1, "", format!("{name}: unrecognized service\n"));
    }
    match action {
        "start" => start(world, node).await,
        "stop" => stop(world, node).await,
        "restart" | "force-reload" => {
            stop(world, node).await;
            start(world, node).await
        }
        "status" if phase(world, node) == Phase::Down => {
            Reply::of(3, " * Cassandra is not running\n", "")
        }
        "status" => Reply::out(" * Cassandra is running\n"),
        _ => Reply::of(
            3,
            "",
            "Usage: /etc/init.d/cassandra {start|stop|restart|force-reload|status}\n",
        ),
    }
}

/// Runs `systemctl ARGV` on `node`.
pub(crate) async fn systemctl(world: &World, node: usize, argv: &[String]) -> Reply {
    let words: Vec<&str> =
        argv.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let quiet = argv.iter().any(|word| word == "-q" || word == "--quiet");
    let (action, unit) = match words.as_slice() {
        [action, unit] => (*action, unit.trim_end_matches(".service")),
        ["daemon-reload"] => return Reply::out(""),
        _ => return Reply::of(1, "", "Too few or too many arguments.\n"),
    };
    if unit != "cassandra" {
        return match action {
            "is-active" => Reply::of(4, if quiet { "" } else { "inactive\n" }, ""),
            "status" => Reply::of(4, "", format!("Unit {unit}.service could not be found.\n")),
            _ => Reply::of(
                5,
                "",
                format!("Failed to {action} {unit}.service: Unit {unit}.service not found.\n"),
            ),
        };
    }
    match action {
        "start" => start(world, node).await,
        "stop" => stop(world, node).await,
        "restart" | "try-restart" => {
            stop(world, node).await;
            start(world, node).await
        }
        "is-active" | "status" => {
            let (state, code) = match phase(world, node) {
                Phase::Down => ("inactive", 3),
                Phase::Stopping => ("deactivating", 3),
                Phase::Starting | Phase::Up | Phase::Draining | Phase::Drained => ("active", 0),
            };
            match action {
                "status" => Reply::of(
                    code,
                    format!("cassandra.service - Cassandra\n     Active: {state}\n"),
                    "",
                ),
                _ => Reply::of(code, if quiet { String::new() } else { format!("{state}\n") }, ""),
            }
        }
        _ => Reply::of(1, "", format!("Unknown command verb '{action}'.\n")),
    }
}

fn phase(world: &World, node: usize) -> Phase {
    world.with(|cluster, _| cluster.node(node).phase)
}

async fn stop(world: &World, node: usize) -> Reply {
    world.with(|cluster, now| cluster.stop(now, node));
    world.phase_after(node, Phase::Stopping).await;
    Reply::out("")
}

async fn start(world: &World, node: usize) -> Reply {
    // A process that is just stopping has to be gone first, or the launch would be taken for done.
    world.phase_after(node, Phase::Stopping).await;
    world.with(|cluster, now| cluster.start(now, node));
    Reply::out("")
}
