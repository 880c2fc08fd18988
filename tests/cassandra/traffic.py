"""The load as the tests see it: started before, stopped after, its report."""
from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from cluster import Cluster
from install import HERE
from node import NodeFault

RATE = 150


class Traffic:
    """Steady requests while the `with` lasts; `report` holds what came of them afterwards.

    It begins with connections to `connected` of the nodes: all, where nothing is said.
    """

    def __init__(self, cluster: Cluster, name: str, connected: int | None = None):
        self.name = name
        self.report: dict = {}
        self.log: Path = cluster.directory / "load" / f"{name}.log"
        self.words = [cluster.installation.python, HERE / "load.py", "--rate", str(RATE)]
        self.words += ["--connected", str(connected or len(cluster.nodes))]
        self.words += [node.address for node in cluster.nodes]

    def __enter__(self) -> Traffic:
        self.log.parent.mkdir(exist_ok=True)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                self.words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        try:
            begun = self.next_report()["ready"]
            if begun["failed"] or begun["stale"]:
                raise NodeFault(f"requests fail before anything is done: {begun['failures'][:3]}")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                # What an operation broke may show a moment after its end.
                time.sleep(2)
            self.process.stdin.close()
            self.report = self.next_report()
            self.process.wait(60)
            self.log.with_suffix(".json").write_text(json.dumps(self.report, indent=2))
        finally:
            self.process.kill()
            self.process.wait()
        print(f"    {self}", flush=True)

    def next_report(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise NodeFault(f"the load ended by itself: {self.log}")
        return json.loads(line)

    def __str__(self) -> str:
        shown = ("requests", "failed", "retried", "refused", "unanswered", "stale", "p50_ms", "p99_ms", "max_ms")
        return f"load {self.name}: " + ", ".join(f"{name} {self.report.get(name)}" for name in shown)

    def check_unharmed(self, seconds: float) -> None:
        """Nothing failed in all the time, and there was something that could have."""
        report = self.report
        assert report["requests"] > seconds * RATE / 2, f"{report['requests']} requests in {seconds:.0f} s prove little"
        assert report["failed"] == 0, f"{report['failed']} requests failed, the first: {report['failures'][:3]}"
        assert report["unanswered"] == 0, f"{report['unanswered']} requests have no end"
        assert report["stale"] == 0, f"{report['stale']} reads missed what was written"
