"""Steady reads and writes at LOCAL_QUORUM, in a process of its own, counted.

    load.py --rate N --connected N ADDRESS...

Prints a line of JSON once requests succeed over connections to so many nodes. When standard input ends it stops
and prints what happened as JSON. A request is sent a second time, to another node, only where its connection
broke (`retried`) or where a node that is being drained answered that it shuts down (`refused`). Anything else that
isn't a success is a failure, a second try's too: replicas that are missing, timeouts, any other overload.
"""
from __future__ import annotations

import argparse
import collections
import json
import random
import sys
import threading
import time

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.connection import ConnectionException
from cassandra.policies import (
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.protocol import OverloadedErrorMessage

KEYSPACE = "quorate_load"
ROWS = 500
KEPT_FAILURES = 20


def says_goodbye(error: object) -> bool:
    """Whether a node answered, instead of carrying out the request, that it shuts down.

    A drain does that on connections that it is about to close; the protocol has no message of its own for it.
    """
    return isinstance(error, OverloadedErrorMessage) and error.message == "Server is shutting down"


class OnceElsewhere(RetryPolicy):
    """Where the coordinator went away: once, on another node. Nothing else is tried again."""

    def __init__(self) -> None:
        self.retried = 0
        self.refused = 0

    def on_read_timeout(self, *_: object, **__: object) -> tuple[int, None]:
        return self.RETHROW, None

    def on_write_timeout(self, *_: object, **__: object) -> tuple[int, None]:
        return self.RETHROW, None

    def on_unavailable(self, *_: object, **__: object) -> tuple[int, None]:
        return self.RETHROW, None

    def on_request_error(
        self, query: object, consistency: int, error: object, retry_num: int
    ) -> tuple[int, None]:
        if retry_num == 0 and isinstance(error, ConnectionException):
            self.retried += 1
            return self.RETRY_NEXT_HOST, None
        if retry_num == 0 and says_goodbye(error):
            self.refused += 1
            return self.RETRY_NEXT_HOST, None
        return self.RETHROW, None


class Load:
    """Counts of what was asked and what came of it; callbacks come on the driver's threads."""

    def __init__(self, session: Session):
        self.session = session
        self.lock = threading.Condition()
        self.under_way = 0
        self.counts = collections.Counter(requests=0, succeeded=0, failed=0, stale=0)
        self.failures: list[dict[str, object]] = []
        self.latencies: list[float] = []
        # The newest value of each row that is known to be written.
        self.written = [0] * ROWS
        # Above every value of an earlier run, which would hide stale reads of this one.
        self.next = time.time_ns()
        self.write = session.prepare(f"INSERT INTO {KEYSPACE}.rows (id, value) VALUES (?, ?)")
        self.read = session.prepare(f"SELECT value FROM {KEYSPACE}.rows WHERE id = ?")
        for statement in (self.write, self.read):
            statement.is_idempotent = True

    def send(self) -> None:
        """One request: a write and a read in turn."""
        row = random.randrange(ROWS)
        began = time.time()
        with self.lock:
            self.under_way += 1
            self.counts["requests"] += 1
            known, self.next = self.written[row], self.next + 1
            value = self.next
        reading = value % 2 == 0

        def done(rows: list | None) -> None:
            with self.lock:
                if not reading:
                    self.written[row] = max(self.written[row], value)
                elif known and (not rows or rows[0].value < known):
                    self.counts["stale"] += 1
                self.counts["succeeded"] += 1
                self.latencies.append(time.time() - began)
                self.end()

        def failed(error: Exception) -> None:
            with self.lock:
                self.counts["failed"] += 1
                if len(self.failures) < KEPT_FAILURES:
                    what = "read" if reading else "write"
                    self.failures.append(
                        {"at": began, "after": time.time() - began, "what": what, "error": repr(error)[:300]}
                    )
                self.end()

        try:
            bound = (self.read, (row,)) if reading else (self.write, (row, value))
            future = self.session.execute_async(*bound)
        except Exception as error:  # whatever keeps it from being sent is a failed request
            failed(error)
        else:
            future.add_callbacks(done, failed)

    def end(self) -> None:
        self.under_way -= 1
        self.lock.notify_all()

    def finish(self, timeout: float) -> None:
        """Until everything that was sent has its end."""
        with self.lock:
            self.lock.wait_for(lambda: self.under_way == 0, timeout)

    def report(self, policy: OnceElsewhere) -> dict[str, object]:
        with self.lock:
            ordered = sorted(self.latencies)
            latency = {
                name: round(ordered[int((len(ordered) - 1) * part)] * 1000, 1)
                for name, part in (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))
                if ordered
            }
            return {
                **self.counts,
                "unanswered": self.under_way,
                "retried": policy.retried,
                "refused": policy.refused,
                **latency,
                "failures": self.failures,
            }


def prepare(session: Session) -> None:
    session.execute(
        f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = "
        "{'class': 'NetworkTopologyStrategy', 'dc1': 3}"
    )
    session.execute(f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.rows (id int PRIMARY KEY, value bigint)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--connected", type=int, required=True, help="nodes that must be connected at first")
    parser.add_argument("addresses", nargs="+")
    args = parser.parse_args()
    retry = OnceElsewhere()
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc="dc1")),
        retry_policy=retry,
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=10,
    )
    cluster = Cluster(
        args.addresses,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
        connect_timeout=30,
        max_schema_agreement_wait=60,
    )
    session = cluster.connect()
    prepare(session)
    load = Load(session)
    stopped = threading.Event()

    def stop_at_end_of_input() -> None:
        sys.stdin.read()
        stopped.set()

    threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    ready = False
    due = time.monotonic()
    while not stopped.wait(max(0.0, due - time.monotonic())):
        # A pause of this process isn't made up for by a burst.
        due = max(due + 1 / args.rate, time.monotonic() - 1)
        load.send()
        connected = sum(state["open_count"] > 0 for state in session.get_pool_state().values())
        if not ready and connected >= args.connected and load.counts["succeeded"] > args.rate:
            ready = True
            print(json.dumps({"ready": load.report(retry)}), flush=True)
    load.finish(30)
    print(json.dumps(load.report(retry)), flush=True)
    cluster.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
