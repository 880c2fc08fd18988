"""Tests of quorate on real Cassandra clusters; README.md says what they need."""
from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import logins
import scenarios
import two_centers
from archive import make_archives
from cluster import Cluster, Shape
from install import DEFAULT_CACHE, HERE, Installation, Missing, install
from node import NodeFault
from quorate import Quorate
from scenarios import Scenario

# Those of one shape share a cluster, in this order.
SCENARIOS = scenarios.SCENARIOS + two_centers.SCENARIOS + logins.SCENARIOS

DEFAULT_BINARY = HERE.parent.parent / "target" / "debug" / "quorate"


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long something takes."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    binary = Path(os.environ.get("QUORATE_BIN") or DEFAULT_BINARY)
    parser.add_argument("--quorate", type=Path, default=binary, help="the binary under test, or env QUORATE_BIN")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where Cassandra is installed")
    parser.add_argument("--keep", action="store_true", help="keep the logs also where everything passes")
    parser.add_argument("names", nargs="*", metavar="NAME", help="tests whose name contains one of these; all")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Scenario]:
    found = [s for s in SCENARIOS if not names or any(name in s.name for name in names)]
    if not found:
        raise Missing(f"no test is called like {names}: {', '.join(s.name for s in SCENARIOS)}")
    return found


def present(binary: Path) -> Path:
    if not os.access(binary, os.X_OK):
        raise Missing(f"{binary} can't be run: build it, or name another with --quorate")
    return binary.absolute()


def perform(scenario: Scenario, cluster: Cluster, quorate: Quorate) -> bool:
    """Runs one test; what the one before left down is brought up first."""
    began = time.monotonic()
    try:
        cluster.restore()
        scenario.run(cluster, quorate)
    except Exception as error:  # any fault is this test's failure, and the others go on
        text = traceback.format_exc()
        (cluster.directory / f"{scenario.name}.failure").write_text(text)
        print(f"FAILED {scenario.name}: {error or text.splitlines()[-1]}", flush=True)
        return False
    print(f"ok {scenario.name} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def perform_all(tests: list[Scenario], cluster: Cluster, binary: Path) -> list[bool]:
    """Brings the cluster up for the tests, and down whatever happens."""
    with contextlib.ExitStack() as stack:
        with timed("cluster up"):
            stack.enter_context(cluster)
        quorate = Quorate(binary, cluster)
        with timed("first look at the commands"):
            # Compiles them; later runs find that in quorate's cache.
            quorate.warm_up()
        return [perform(test, cluster, quorate) for test in tests]


def perform_on(shape: Shape, tests: list[Scenario], installation: Installation, args: argparse.Namespace) -> list[bool]:
    """Runs the tests of one shape on a cluster of their own; without one, none has passed."""
    print(f"a cluster of {shape}", flush=True)
    cluster = Cluster(installation, shape)
    results: list[bool] = []
    try:
        results = perform_all(tests, cluster, args.quorate)
    except (NodeFault, OSError, AssertionError) as fault:
        print(f"no test was run: {fault}", file=sys.stderr)
    finally:
        if results and all(results) and not args.keep:
            cluster.remove()
        else:
            print(f"logs: {cluster.directory}", flush=True)
    return results


def main() -> int:
    args = arguments()
    # A terminated harness takes its cluster down as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        tests, args.quorate = chosen(args.names), present(args.quorate)
        with timed("install"):
            installation = install(args.cache)
            make_archives(installation)
    except (Missing, NodeFault) as fault:
        print(f"cannot test: {fault}", file=sys.stderr)
        return 2
    passed = 0
    for shape in dict.fromkeys(test.shape for test in tests):
        of_shape = [test for test in tests if test.shape == shape]
        passed += sum(perform_on(shape, of_shape, installation, args))
    print(f"in all: {time.monotonic() - began:.1f} s", flush=True)
    print(f"{passed} passed, {len(tests) - passed} failed")
    return 0 if passed == len(tests) else 1


if __name__ == "__main__":
    sys.exit(main())
