"""What must hold on six nodes in two data centers: who holds what, and whom a node that is out holds back."""
from __future__ import annotations

import contextlib
import functools
import re
import time

from cluster import Cluster, Shape
from node import Node
from quorate import Quorate, Running
from ranges import describering, keyspaces, neighbours
from scenarios import RUN_TIMEOUT, Scenario, kill_until_seen, say
from traffic import Traffic

LOAD_KEYSPACE = "quorate_load"

# Beside those that Cassandra brings, which are SimpleStrategy or LocalStrategy.
REPLICATION = {
    "three_and_three": "{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 3}",
    "two_and_one": "{'class': 'NetworkTopologyStrategy', 'dc1': 2, 'dc2': 1}",
    LOAD_KEYSPACE: "{'class': 'NetworkTopologyStrategy', 'dc1': 3}",
    "simple": "{'class': 'SimpleStrategy', 'replication_factor': 3}",
}

# Only these: `simple` knows no data centers, a node of one that is out can cost the other's its quorum; and
# `two_and_one` bears no node out anyway.
GUARDED = ("three_and_three", LOAD_KEYSPACE)


def make_keyspaces(cluster: Cluster) -> None:
    cluster.execute(
        *(f"CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {r}" for name, r in REPLICATION.items())
    )


def ranges_are_cassandras(tokens: int, cluster: Cluster, quorate: Quorate) -> None:
    """Range by range, the program's replicas are those that Cassandra names."""
    make_keyspaces(cluster)
    first = cluster.nodes[0]
    placed = [name for name, strategy in keyspaces(first).items() if strategy != "LocalStrategy"]
    assert {*REPLICATION, "system_auth", "system_traces"} <= set(placed), f"the keyspaces are {placed}"
    login = ("-F", str(cluster.ssh_config), "--seed-host", first.address)
    for keyspace in placed:
        wanted = describering(first, keyspace)
        answer = quorate.ask("topology", *login, "--ranges", keyspace)
        assert answer["keyspace"] == keyspace, f"asked for {keyspace}, it answers {answer['keyspace']}"
        shown = {(r["start"], r["end"]): frozenset(r["replicas"]) for r in answer["ranges"]}
        twice = [r for r in answer["ranges"] if len(set(r["replicas"])) != len(r["replicas"])]
        assert not twice and len(shown) == len(answer["ranges"]), f"{keyspace}: said twice: {twice or answer}"
        pending = [r for r in answer["ranges"] if r["pending"]]
        assert not pending, f"{keyspace}: nobody joins, and these wait for somebody: {pending}"
        wrong = {
            between: (sorted(shown.get(between, ())), sorted(wanted.get(between, ())))
            for between in shown.keys() | wanted.keys()
            if shown.get(between) != wanted.get(between)
        }
        assert not wrong, f"{keyspace}: {len(wrong)} ranges differ (its answer, Cassandra's): {wrong}"
        assert len(wanted) == len(cluster.nodes) * tokens, f"{keyspace}: only {len(wanted)} ranges were compared"
    say(f"{len(placed)} keyspaces of {len(cluster.nodes) * tokens} ranges each")


def explained(quorate: Quorate, job: str, node: Node) -> dict:
    answer = quorate.ask("explain", job, node.address)
    assert (answer["job"], answer["node"]) == (job, node.address), f"it explains something else: {answer}"
    return answer


def until_done(quorate: Quorate, job: str, nodes: list[Node], dead: Node, run: Running) -> None:
    """Until the job, which still runs, has done these nodes; none may wait for the dead one."""
    end = time.monotonic() + RUN_TIMEOUT
    theirs = rf"\b({any_of(nodes)}) waits: .*{re.escape(dead.address)}\b"
    while True:
        answers = [explained(quorate, job, node) for node in nodes]
        if all(answer["state"] == "done" for answer in answers):
            return
        wrongly = run.matching(theirs)
        assert not wrongly, f"LOCAL_QUORUM in dc1 needs nobody of dc2: {wrongly[0]}"
        texts = [answer["text"] for answer in answers]
        assert run.process.poll() is None, f"the job ended and these aren't done: {texts}: {run.tail()}"
        assert time.monotonic() < end, f"after {RUN_TIMEOUT} s these aren't done: {texts}"
        time.sleep(1)


def any_of(nodes: list[Node]) -> str:
    return "|".join(re.escape(node.address) for node in nodes)


def check_held(quorate: Quorate, job: str, dead: Node, held: list[Node]) -> None:
    """Each of these waits for a replica set, whose reason names the dead node among those that are out."""
    for node in held:
        answer = explained(quorate, job, node)
        reason = answer["reason"] or {}
        assert answer["state"] == "waiting" and reason.get("kind") == "replica-set", f"{node} isn't held: {answer}"
        assert reason["keyspace"] in GUARDED, f"{node} is held for a keyspace that isn't guarded: {answer}"
        out = {entry["node"] for entry in reason["out"]}
        assert dead.address in out and dead.address in reason["text"], f"{node}: {dead} isn't the reason: {answer}"
        say(f"held: {reason['text']}")


def killed_holds_neighbours(is_target: bool, cluster: Cluster, quorate: Quorate) -> None:
    """A node of dc2 is killed while a job runs whose target it is, and that hasn't come to it, or isn't."""
    make_keyspaces(cluster)
    near, far = cluster.of("dc1"), cluster.of("dc2")
    targets = near + (far if is_target else far[:-1])
    # What the nodes are told to do ends when this is there: nothing depends on how fast the machine is.
    go_on = cluster.directory / f"go-on-{quorate.runs}"
    command = f"while [ ! -e '{go_on}' ]; do sleep 0.2; done"
    args = ["--seed-host", near[0].address, "--dc-parallel", "--impact", "down", "--command", command]
    args += [word for name in GUARDED for word in ("--keyspace", name)]
    if not is_target:
        args += [word for node in targets for word in ("--host", node.address)]
    before = quorate.jobs()
    with Traffic(cluster, f"killed-{quorate.runs}", connected=len(near)) as traffic, contextlib.ExitStack() as stack:
        # Also where the test fails, or the nodes would wait for ever.
        stack.callback(go_on.touch)
        with quorate.start("run", *args) as run:
            for nodes in (near, far):
                run.until(rf"\b({any_of(nodes)}) started", RUN_TIMEOUT)
            (job,) = (path.name for path in quorate.jobs() - before)
            waiting = [node for node in far if explained(quorate, job, node)["state"] == "waiting"]
            dead = waiting.pop() if is_target else far[-1]
            shared = neighbours(dead, [describering(near[0], name) for name in GUARDED], far)
            held = [node for node in waiting if node.address in shared]
            assert held, f"no waiting node of dc2 shares a range with {dead}"
            kill_until_seen(cluster, dead)
            go_on.touch()
            until_done(quorate, job, near, dead, run)
            check_held(quorate, job, dead, held)
            dead.service("start")
            seconds = run.succeeds(RUN_TIMEOUT)
    states = {node.address: explained(quorate, job, node)["state"] for node in targets}
    assert set(states.values()) == {"done"}, f"the job ended well, and its nodes are {states}"
    traffic.check_unharmed(seconds)
    cluster.wait_up()


SCENARIOS = [
    *(
        Scenario(
            f"ranges_are_those_of_describering_with_{tokens}_tokens",
            functools.partial(ranges_are_cassandras, tokens),
            Shape(data_centers=2, tokens=tokens),
        )
        for tokens in (1, 4, 16)
    ),
    *(
        Scenario(name, functools.partial(killed_holds_neighbours, is_target), Shape(data_centers=2))
        for name, is_target in (
            ("a_node_killed_beside_a_job_holds_its_neighbours_alone", False),
            ("a_target_killed_mid_job_holds_its_neighbours_alone", True),
        )
    ),
]
