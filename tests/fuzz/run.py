#!/usr/bin/env python3
"""Fuzzes every parser for a while, from the samples and the kept corpus.

    python3 tests/fuzz/run.py [--seconds N] [--keep] [TARGET …]

Builds with the coverage flags of cargo-fuzz, which a stable toolchain knows. The kept corpus is run first. A crash
ends it with exit code 1 and the one command that repeats it. `--keep` adds what is new to `corpus/TARGET/`, minimised.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SAMPLES = ROOT / "tests" / "cassandra" / "samples"
FLAGS = [
    "-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters", "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares", "--cfg=fuzzing",
]
# How the samples of a target are called, where otherwise; what has no samples has seeds of its own.
NAMES = {"short": ("version", "statusbinary")}
# A corpus is there to be read by people who review it: small.
MOST_FILES = 60
MOST_BYTES = 4096


def host() -> str:
    said = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return re.search(r"^host: (.*)$", said, re.MULTILINE)[1]


def build(outside: bool) -> Path:
    """The program; with a platform named, build scripts aren't instrumented."""
    platform = host()
    folder = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target" / "fuzz")
    env = os.environ | {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(FLAGS), "CARGO_TARGET_DIR": str(folder)}
    words = ["cargo", "build", "--release", "--locked", "--manifest-path", str(HERE / "Cargo.toml"), "--target", platform]
    words += ["--features", "transport"] if outside else []
    subprocess.run(words, check=True, env=env)
    return folder / platform / "release" / "quorate-fuzz"


def targets(file: str) -> list[str]:
    return re.findall(r'\("(\w+)", \w+\)', (HERE / "src" / file).read_text())


def seeds(target: str, folder: Path) -> None:
    """Copies the samples of a target, cut so that a run of one takes no time."""
    kinds = NAMES.get(target, (target,))
    for number, path in enumerate(sorted(SAMPLES.rglob("*.txt"))):
        if path.name.split("_")[0].removesuffix(".txt") in kinds and "cql/" not in str(path):
            content = path.read_bytes()
            if len(content) <= 1 << 17:
                (folder / f"sample-{number}").write_bytes(content)
    for path in sorted((HERE / "seeds" / target).glob("*")):
        shutil.copy(path, folder / f"seed-{path.name}")


def call(program: Path, target: str, words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"QUORATE_FUZZ_TARGET": target}
    return subprocess.run([program, *words], env=env, cwd=cwd, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def fuzz(program: Path, target: str, seconds: int, keep: bool) -> bool:
    kept = HERE / "corpus" / target
    kept.mkdir(parents=True, exist_ok=True)
    limits = ["-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=256"]
    with tempfile.TemporaryDirectory(prefix="quorate-fuzz-") as name:
        work = Path(name)
        first, found = work / "seeds", work / "found"
        first.mkdir()
        found.mkdir()
        seeds(target, first)
        began = time.monotonic()
        places = [str(found), str(kept), str(first)]
        ended = call(program, target, [*limits, f"-max_total_time={seconds}", "-max_len=65536",
                                       "-print_final_stats=1", *places], work)
        said = ended.stdout
        runs = re.search(r"stat::number_of_executed_units: +(\d+)", said)
        peak = re.search(r"stat::peak_rss_mb: +(\d+)", said)
        covered = re.findall(r"cov: (\d+)", said)
        if ended.returncode != 0:
            print("\n".join(said.splitlines()[-30:]))
            crash = next(iter([*work.glob("crash-*"), *work.glob("timeout-*"), *work.glob("oom-*")]), None)
            if crash:
                saved = HERE / "crashes" / f"{target}-{crash.name}"
                saved.parent.mkdir(exist_ok=True)
                shutil.copy(crash, saved)
                print(f"repeat it: QUORATE_FUZZ_TARGET={target} {program} {saved}")
            print(f"FAILED {target}", flush=True)
            return False
        print(f"ok {target}: {runs[1] if runs else '?'} runs in {time.monotonic() - began:.0f} s, "
              f"{covered[-1] if covered else '?'} edges, {peak[1] if peak else '?'} MB at most", flush=True)
        if keep:
            minimise(program, target, [kept, found], kept, work)
    return True


def minimise(program: Path, target: str, places: list[Path], kept: Path, work: Path) -> None:
    """Keeps inputs that cover what all do, as many as a person may look at."""
    merged = work / "merged"
    merged.mkdir()
    call(program, target, ["-merge=1", f"-max_len={MOST_BYTES}", str(merged), *map(str, places)], work)
    every = sorted(merged.iterdir(), key=lambda path: (path.stat().st_size, path.name))
    # Of all sizes: the smallest alone are refused at once.
    step = max(1.0, len(every) / MOST_FILES)
    chosen = [every[-1 - int(place * step)] for place in range(min(MOST_FILES, len(every)))]
    for old in kept.iterdir():
        old.unlink()
    for path in chosen:
        shutil.copy(path, kept / path.name[:16])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--keep", action="store_true", help="add what is new to the kept corpus")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all")
    given = parser.parse_args()
    outside = targets("outside.rs")
    known = targets("targets.rs") + outside
    unknown = [name for name in given.targets if name not in known]
    if unknown or not known:
        parser.error(f"no target {', '.join(unknown)}: there are {', '.join(known)}")
    chosen = given.targets or known
    program = build(any(name in outside for name in chosen))
    results = [fuzz(program, name, given.seconds, given.keep) for name in chosen]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
