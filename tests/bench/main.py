"""quorate beside other tools: `true` on many hosts of 127.0.0.0/8; README.md says how it is measured."""
from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import report
import ring
from install import DEFAULT_CACHE, HERE, Missing, make_venv, program
from measure import measure
from report import Run
from sshd import MAX_STARTUPS, Sshd
from tools import TOOLS, Call, Ground, Tool

DEFAULT_BINARY = HERE.parent.parent / "target" / "release" / "quorate"
# A tool that takes longer is ended, and that is what is reported.
LIMIT = 900
# A tool needs one for each connection, and a few.
DESCRIPTORS = 20_000


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    binary = Path(os.environ.get("QUORATE_BIN") or DEFAULT_BINARY)
    names = ",".join(tool.name for tool in TOOLS)
    parser.add_argument("--hosts", type=numbers, default=[100, 1000], metavar="N,…", help="numbers of hosts")
    parser.add_argument("--runs", type=int, default=3, help="runs of each tool, in turn; the median counts")
    parser.add_argument("--quorate", type=Path, default=binary, help="an optimised binary, or env QUORATE_BIN")
    parser.add_argument("--only", metavar="NAME,…", help=f"only these of {names}")
    parser.add_argument("--max-startups", choices=MAX_STARTUPS, default="raised", help="sshd's MaxStartups")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where the peers are installed")
    parser.add_argument("--keep", action="store_true", help="keep what the tools printed")
    return parser.parse_args()


def chosen(only: str | None) -> list[Tool]:
    names = only.split(",") if only else [tool.name for tool in TOOLS]
    unknown = set(names) - {tool.name for tool in TOOLS}
    if unknown:
        raise Missing(f"no tool is called {', '.join(unknown)}: {', '.join(tool.name for tool in TOOLS)}")
    return [tool for tool in TOOLS if tool.name in names]


def descriptors() -> int:
    """Raises this process's limit of open files, which the tools inherit, as far as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return allowed


def environment(ground: Ground, call: Call) -> dict[str, str]:
    """What every tool finds: nothing of this user's, but for the PATH."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(ground.sshd.client),
        "USER": ground.sshd.user,
        "LANG": "C.UTF-8",
        **call.environment,
    }


def run_once(tool: Tool, ground: Ground, output: Path) -> Run:
    sshd = ground.sshd
    sshd.settle()
    sshd.forget()
    ground.scratch.mkdir()
    call = tool.call(ground)
    before = sshd.cpu()
    taken = measure(call.words, environment(ground, call), output, LIMIT)
    sshd.settle()
    done = tool.done(ground, output.read_text(errors="replace"), taken.code)
    run = Run(tool, taken, len(ground.addresses), done, sshd.reached(), sshd.cpu() - before)
    shutil.rmtree(ground.scratch)
    return run


def compile_components(ground: Ground) -> None:
    """quorate compiles its components when it first needs them; every later run finds them."""
    ground.scratch.mkdir()
    call = TOOLS[0].call(ground)
    words = [*call.words, "--host", ground.addresses[0]]
    output = ground.scratch / "output"
    taken = measure(words, environment(ground, call), output, LIMIT)
    if taken.code != 0:
        raise Missing(f"quorate doesn't run on one host: {output.read_text()}")
    shutil.copytree(ground.scratch / "quorate" / "cache", ground.compiled)
    shutil.rmtree(ground.scratch)
    print(f"quorate's first run, on one host: {taken.seconds:.2f} s", flush=True)


def rounds(tools: list[Tool], ground: Ground, count: int, logs: Path) -> Iterator[Run]:
    """Each tool once in each round, in another order each time: what the machine does meanwhile hits all alike."""
    for turn in range(count):
        at = turn % len(tools)
        for tool in tools[at:] + tools[:at]:
            if tool.slow and turn > 0:
                continue
            run = run_once(tool, ground, logs / f"{tool.name}-{len(ground.addresses)}-{turn + 1}.txt")
            print(report.line(run), flush=True)
            yield run


def bench(hosts: int, args: argparse.Namespace, venv: Path, directory: Path, network: int) -> list[Run]:
    """All runs on one number of hosts."""
    cluster = ring.make_hosts(network, hosts)
    nodetool = directory / "nodetool"
    ring.write(nodetool, cluster)
    addresses = [host.address for host in cluster]
    hosts_file = directory / "hosts"
    hosts_file.write_text("".join(f"{address}\n" for address in addresses))
    with Sshd(directory / "sshd", nodetool, addresses, MAX_STARTUPS[args.max_startups]) as sshd:
        ground = Ground(sshd, directory / "scratch", hosts_file, args.quorate, directory / "compiled", venv)
        if TOOLS[0] in args.tools:
            compile_components(ground)
        return list(rounds(args.tools, ground, args.runs, directory))


def main() -> int:
    args = arguments()
    # A terminated harness ends its sshd as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="quorate-bench-"))
    try:
        args.tools = chosen(args.only)
        args.quorate = args.quorate.absolute()
        program("sshd", "openssh-server")
        if TOOLS[0] in args.tools and not os.access(args.quorate, os.X_OK):
            raise Missing(f"{args.quorate} can't be run: cargo build --release -p quorate-cli, or --quorate names another")
        venv = make_venv(args.cache) if any(tool.python for tool in args.tools) else args.cache
        print(f"open files: {descriptors()}; MaxStartups {MAX_STARTUPS[args.max_startups]}", flush=True)
        network = random.randrange(1, 255)
        sets = {}
        for hosts in args.hosts:
            place = directory / str(hosts)
            place.mkdir()
            sets[hosts] = bench(hosts, args, venv, place, network)
    except Missing as missing:
        print(f"cannot measure: {missing}", file=sys.stderr)
        return 2
    finally:
        if args.keep:
            print(f"outputs: {directory}")
        else:
            shutil.rmtree(directory)
    print(report.tables(sets))
    runs = [run for of_count in sets.values() for run in of_count]
    failed = sum(not run.is_whole for run in runs)
    print(f"{len(runs) - failed} passed, {failed} failed")
    return 0 if all(run.is_whole for run in runs if run.tool is TOOLS[0]) else 1


if __name__ == "__main__":
    sys.exit(main())
