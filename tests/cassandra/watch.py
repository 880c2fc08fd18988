"""Watches the nodes' processes and CQL ports from outside while something happens to them."""
from __future__ import annotations

import threading
import time

from node import CQL_PORT, Node, listeners

PERIOD = 0.1


class Watch:
    """Looks ten times a second while the `with` lasts.

    A node is out from the moment that it accepts no CQL clients (a drain does that) until it does again.
    """

    def __init__(self, nodes: list[Node]):
        self.nodes = nodes
        self.processes: dict[str, list[int]] = {node.address: [] for node in nodes}
        self.outages: dict[str, list[float]] = {node.address: [] for node in nodes}
        # Every set of two or more nodes that were seen out in one look.
        self.together: list[list[str]] = []
        self.fault: Exception | None = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> Watch:
        self.look({})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def run(self) -> None:
        out: dict[str, float] = {}
        try:
            while not self.ended.wait(PERIOD):
                self.look(out)
        except Exception as fault:  # shown by check_faultless, on the thread that asks
            self.fault = fault

    def look(self, out: dict[str, float]) -> None:
        now, listening = time.monotonic(), listeners()
        for node in self.nodes:
            pid, pids = node.pid(), self.processes[node.address]
            if pid is not None and pid not in pids[-1:]:
                pids.append(pid)
            serves = pid is not None and (node.address, CQL_PORT) in listening
            if not serves:
                out.setdefault(node.address, now)
            elif since := out.pop(node.address, None):
                self.outages[node.address].append(now - since)
        if len(out) > 1 and sorted(out) not in self.together:
            self.together.append(sorted(out))

    def check_one_restart_each(self) -> None:
        """Every node got one new process, was out once, and never two at once."""
        if self.fault:
            raise self.fault
        assert not self.together, f"out at the same time: {self.together}"
        for address, pids in self.processes.items():
            assert len(pids) == 2, f"{address}: one new process was to come, the processes were {pids}"
            outages = self.outages[address]
            assert len(outages) == 1, f"{address}: it was out {len(outages)} times"

    def check_nothing_happened(self) -> None:
        """Every process is the one that was there before, and served all the time."""
        if self.fault:
            raise self.fault
        for address, pids in self.processes.items():
            assert len(pids) == 1, f"{address}: the processes were {pids}"
            assert not self.outages[address], f"{address} was out for {self.outages[address]} s"

    def __str__(self) -> str:
        return ", ".join(
            f"{address} out {' + '.join(f'{seconds:.1f}' for seconds in outages)} s"
            for address, outages in self.outages.items()
            if outages
        )
