"""What must hold on a real cluster. Each scenario finds all nodes up and says so by ending without an exception."""
from __future__ import annotations

import concurrent.futures
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from cluster import Cluster, Shape
from node import Node, NodeFault
from quorate import Quorate
from traffic import Traffic
from watch import Watch

# Generous: the machine may be busy with something else. What is slow shows in the times that are printed.
RUN_TIMEOUT = 600
RESTART_TIMEOUT = 1200


class Scenario(NamedTuple):
    """A name that says what holds, what tries it, and on what."""

    name: str
    run: Callable[[Cluster, Quorate], None]
    shape: Shape = Shape()


def say(text: str) -> None:
    print(f"    {text}", flush=True)


def both_stopped_costs_requests(cluster: Cluster, _: Quorate) -> None:
    """Without this, a load that never fails proves nothing."""
    victims = cluster.nodes[1:]
    with Traffic(cluster, "two-stopped") as traffic:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda node: node.service("stop"), victims))
        time.sleep(3)
    for node in victims:
        node.service("start")
    cluster.wait_up()
    report = traffic.report
    assert report["failed"] > 0, "two of three replicas were stopped and no request failed"
    assert report["succeeded"] > 0, "no request succeeded before"


def run_reaches_all(cluster: Cluster, quorate: Quorate) -> None:
    before = quorate.jobs()
    with Traffic(cluster, "run") as traffic, Watch(cluster.nodes) as watch:
        with quorate.start("run", "--seed-host", cluster.nodes[0].address, "--command", "nodetool version") as run:
            seconds = run.succeeds(RUN_TIMEOUT)
    say(f"quorate run took {seconds:.1f} s")
    (job,) = quorate.jobs() - before
    for node in cluster.nodes:
        out = (job / node.address / "out").read_text()
        version = cluster.installation.version
        assert re.search(rf"^ReleaseVersion: {re.escape(version)}$", out, re.M), f"{node}: it printed {out!r}"
    traffic.check_unharmed(seconds)
    watch.check_nothing_happened()


def restart_by_hand(cluster: Cluster) -> list[float]:
    """A careful person's rolling restart; gives the seconds of each node, from drain to UN everywhere."""
    times = []
    wanted = {node.address: "UN" for node in cluster.nodes}
    for node in cluster.nodes:
        began = time.monotonic()
        drained = node.nodetool("drain")
        if drained.returncode != 0:
            raise NodeFault(f"{node}: drain: {drained.stderr}")
        at_drained = time.monotonic()
        node.service("stop")
        at_stopped = time.monotonic()
        node.service("start")
        cluster.wait_serving([node])
        cluster.wait_shown(wanted, cluster.nodes)
        times.append(time.monotonic() - began)
        say(
            f"by hand {node}: drain {at_drained - began:.1f} s, stop {at_stopped - at_drained:.1f} s, "
            f"start to UN {time.monotonic() - at_stopped:.1f} s"
        )
    return times


def restart_costs_nothing(cluster: Cluster, quorate: Quorate) -> None:
    # Under the same load, or the comparison would flatter the hand.
    with Traffic(cluster, "restart-by-hand"):
        floor = sum(restart_by_hand(cluster))
    with Traffic(cluster, "restart") as traffic, Watch(cluster.nodes) as watch:
        with quorate.start("restart", "--seed-host", cluster.nodes[0].address) as run:
            seconds = run.succeeds(RESTART_TIMEOUT)
    say(f"quorate restart: {watch}")
    say(f"quorate restart took {seconds:.1f} s, by hand {floor:.1f} s: ratio {seconds / floor:.2f}")
    watch.check_one_restart_each()
    traffic.check_unharmed(seconds)
    cluster.wait_up()


def kill_until_seen(cluster: Cluster, dead: Node) -> None:
    """kill -9, and wait until the others show it down."""
    dead.kill()
    wanted = {node.address: "DN" if node is dead else "UN" for node in cluster.nodes}
    cluster.wait_shown(wanted, [node for node in cluster.nodes if node is not dead])


def dead_node_holds_others(cluster: Cluster, quorate: Quorate) -> None:
    target, _, dead = cluster.nodes
    kill_until_seen(cluster, dead)
    before = quorate.jobs()
    with quorate.start("run", "--host", target.address, "--command", "echo ran") as run:
        held = run.until(rf"{re.escape(target.address)} waits: .*{re.escape(dead.address)}\b", RUN_TIMEOUT)
        say(f"held: {held}")
        # Long enough for further looks at the cluster, of which none may let it through.
        time.sleep(10)
        run.interrupt()
        code = run.ended(120)
    assert code == 4, f"stopped on request it ends with {code}: {run.tail()}"
    ran = [out for job in quorate.jobs() - before for out in job.glob("*/out") if "ran" in out.read_text()]
    assert not ran, f"it ran all the same: {ran}"
    started = run.matching(rf"{re.escape(target.address)} started")
    assert not started, f"it was started all the same: {started}"


def restart_revives(cluster: Cluster, quorate: Quorate) -> None:
    dead = cluster.nodes[2]
    kill_until_seen(cluster, dead)
    others = cluster.nodes[:2]
    with Traffic(cluster, "revive", connected=2) as traffic, Watch(others) as watch:
        with quorate.start("restart", "--seed-host", others[0].address, "--host", dead.address) as run:
            seconds = run.succeeds(RESTART_TIMEOUT)
        # Its end says that the node is back: no waiting here.
        shown = [node.statuses() for node in cluster.nodes]
    say(f"quorate restart of the dead node took {seconds:.1f} s")
    wanted = {node.address: "UN" for node in cluster.nodes}
    assert all(statuses == wanted for statuses in shown), f"quorate had ended and the nodes showed {shown}"
    watch.check_nothing_happened()
    traffic.check_unharmed(seconds)


SCENARIOS = [
    Scenario("two_nodes_stopped_at_once_cost_requests", both_stopped_costs_requests),
    Scenario("run_reaches_every_node_and_costs_no_request", run_reaches_all),
    Scenario("restart_takes_one_node_at_a_time_and_costs_no_request", restart_costs_nothing),
    Scenario("a_dead_node_holds_the_others", dead_node_holds_others),
    Scenario("restart_brings_a_dead_node_back", restart_revives),
]
