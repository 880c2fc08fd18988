"""A real Cassandra cluster on loopback addresses of this machine. Run as a program, it stays up until Ctrl-C."""
from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import fcntl
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, NamedTuple

from install import DEFAULT_CACHE, HERE, Installation, install
from jvm import JMX_PORT
from node import CQL_PORT, STORAGE_PORT, Node, NodeFault
from sshd import SSH_PORT, Sshd, make_key, write_client_config

NUMBERS = itertools.count(1)

PORTS = (STORAGE_PORT, CQL_PORT, JMX_PORT, SSH_PORT)


class Shape(NamedTuple):
    """What a cluster consists of: in each data center one node in each of its racks."""

    racks: int = 3
    data_centers: int = 1
    tokens: int = 4
    jmx_login: bool = False
    """Whether JMX wants a user and a password: those of `node.JMX_LOGIN`."""

    def places(self) -> list[tuple[str, str]]:
        """The data center and rack of each node."""
        return [
            (f"dc{center}", f"rack{rack}")
            for center in range(1, self.data_centers + 1)
            for rack in range(1, self.racks + 1)
        ]

    def __str__(self) -> str:
        login = " whose JMX wants a login" if self.jmx_login else ""
        return f"{self.data_centers} x {self.racks} nodes of {self.tokens} tokens{login}"


def is_free(address: str) -> bool:
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_addresses(count: int) -> list[str]:
    """Addresses of a random network in 127.0.0.0/8, so that clusters don't meet."""
    for _ in range(100):
        network = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"
        addresses = [f"{network}.{host}" for host in range(1, count + 1)]
        if all(map(is_free, addresses)):
            return addresses
    raise NodeFault(f"no loopback network has the ports {PORTS} free (Linux is needed)")


def sweep(runs: Path) -> None:
    """Takes down clusters whose harness died without doing so."""
    for path in runs.glob("*/owner"):
        directory = path.parent
        with open(path) as owner:
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            nodes = [Node(place, place.name, "", "") for place in directory.glob("node*")]
            end_all(directory, nodes, [Sshd(node, directory / "login") for node in nodes])
            shutil.rmtree(directory)


def own(directory: Path) -> IO[str]:
    """Marks a cluster's directory as owned for as long as this process lives and the file is open."""
    unlocked = directory / "owner.new"
    owner = open(unlocked, "w")
    fcntl.flock(owner, fcntl.LOCK_EX)
    unlocked.rename(directory / "owner")
    return owner


def end_all(directory: Path, nodes: list[Node], sshds: list[Sshd]) -> None:
    """Ends what runs for a cluster, each also where another can't be ended."""
    # From here on no node is started any more, whoever still tries.
    (directory / "closed").touch()
    with contextlib.ExitStack() as stack:
        for node in nodes:
            stack.callback(node.kill)
        for sshd in sshds:
            stack.callback(sshd.stop)


class Cluster:
    """Nodes on loopback addresses; `with` takes everything down at its end."""

    def __init__(
        self, installation: Installation, shape: Shape, extra: dict[str, list[str]] | None = None
    ):
        runs = installation.cache / "runs"
        sweep(runs)
        self.installation = installation
        # Two clusters of one process may begin within a second.
        self.directory = runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{next(NUMBERS)}"
        self.directory.mkdir(parents=True)
        self.owner = own(self.directory)
        places = shape.places()
        addresses = free_addresses(len(places))
        self.nodes = [
            Node(self.directory / f"node{n}", address, *place)
            for n, (address, place) in enumerate(zip(addresses, places, strict=True), start=1)
        ]
        login_key = self.directory / "login"
        make_key(login_key, "quorate test")
        self.sshds = [Sshd(node, login_key) for node in self.nodes]
        self.ssh_config = self.directory / "ssh_config"
        for node in self.nodes:
            node.jmx_login = shape.jmx_login
            node.write(installation, [self.nodes[0].address], shape.tokens, extra or {})

    def __enter__(self) -> Cluster:
        try:
            for sshd in self.sshds:
                sshd.start()
            write_client_config(self.ssh_config, self.directory / "login", self.sshds)
            # The others learn the ring from the first.
            self.nodes[0].service("start")
            self.wait_serving(self.nodes[:1])
            for node in self.nodes[1:]:
                node.service("start")
            self.wait_up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def of(self, data_center: str) -> list[Node]:
        """The nodes of a data center."""
        return [node for node in self.nodes if node.data_center == data_center]

    def execute(self, *statements: str) -> None:
        """Carries out CQL statements, one after the other, through the first node."""
        words = [self.installation.python, HERE / "cql.py", self.nodes[0].address, *statements]
        answer = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=180)
        if answer.returncode != 0:
            raise NodeFault(f"{self.nodes[0]}: {statements}: {answer.stderr.strip()[-500:]}")

    def down(self) -> None:
        """Ends what was started for this cluster; logs stay, data goes."""
        end_all(self.directory, self.nodes, self.sshds)
        for node in self.nodes:
            for name in ("data", "commitlog", "hints", "caches", "cdc", "tmp"):
                shutil.rmtree(node.directory / name, ignore_errors=True)
        (self.directory / "owner").unlink()
        self.owner.close()

    def remove(self) -> None:
        """Deletes the directory of a cluster that is down."""
        shutil.rmtree(self.directory)

    def wait_serving(self, nodes: list[Node], timeout: float = 300) -> None:
        """Until these nodes accept CQL clients."""
        until = time.monotonic() + timeout
        while waiting := [node for node in nodes if not node.serves()]:
            for node in waiting:
                if node.pid() is None:
                    raise NodeFault(f"{node}: its process ended: {node.directory}/log")
            if time.monotonic() > until:
                raise NodeFault(f"{waiting[0]} accepts no CQL clients after {timeout:.0f} s: {waiting[0].directory}/log")
            time.sleep(0.05)

    def wait_shown(self, wanted: dict[str, str], by: list[Node], timeout: float = 300) -> None:
        """Until each node of `by` shows exactly these statuses."""
        until = time.monotonic() + timeout
        left = list(by)
        with concurrent.futures.ThreadPoolExecutor(len(by)) as pool:
            while left:
                shown = list(pool.map(Node.statuses, left))
                left = [node for node, statuses in zip(left, shown, strict=True) if statuses != wanted]
                if left and time.monotonic() > until:
                    raise NodeFault(f"{left[0]} doesn't show {wanted} after {timeout:.0f} s but {shown}")

    def wait_up(self) -> None:
        """Until all nodes serve and every node's own view shows all of them up."""
        self.wait_serving(self.nodes)
        self.wait_shown({node.address: "UN" for node in self.nodes}, self.nodes)

    def restore(self) -> None:
        """Brings up whatever is down."""
        for node in self.nodes:
            if node.pid() and not node.serves():
                # It may be drained: such a node serves again only as a new process.
                node.service("restart")
            node.service("start")
        self.wait_up()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--racks", type=int, default=3, help="of each data center, with one node each")
    parser.add_argument("--data-centers", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=4, help="of each node")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where Cassandra is installed")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster = Cluster(install(args.cache), Shape(args.racks, args.data_centers, args.tokens))
    try:
        with cluster:
            print(f"up. ssh -F {cluster.ssh_config} {cluster.nodes[0]} nodetool status", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass
    cluster.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
