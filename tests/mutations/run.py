#!/usr/bin/env python3
"""Deliberate mistakes in the guard and in what it counts, each of which a test must catch.

    python3 tests/mutations/run.py           all of them
    python3 tests/mutations/run.py NAME...   some of them

Works on a copy of the pure crates. A mutation that doesn't compile, or whose text isn't there exactly
once, is a mistake of the list and fails as well.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
CRATES = ["host/ring", "host/schedule", "host/journal", "tests/fixtures", "tests/oracle"]
# Seconds until a test binary counts as one that never ends, or a build as one that is stuck.
TIMEOUT = 300
# The fast ones first.
TESTS = [
    ["-p", "quorate-ring", "--lib"],
    ["-p", "quorate-ring", "--test", "placement"],
    ["-p", "quorate-schedule", "--test", "guard"],
    ["-p", "quorate-schedule", "--test", "textbook"],
    ["-p", "quorate-schedule", "--test", "retry"],
    ["-p", "quorate-schedule", "--test", "exact"],
    ["-p", "quorate-schedule", "--test", "order"],
    ["-p", "quorate-schedule", "--test", "gates"],
    ["-p", "quorate-schedule", "--test", "maps"],
    ["-p", "quorate-schedule", "--test", "random"],
]


def copy(to: Path) -> None:
    for crate in CRATES:
        shutil.copytree(ROOT / crate, to / crate)
    for name in ["Cargo.lock", "clippy.toml", "rust-toolchain.toml"]:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, to / name)
    manifest = (ROOT / "Cargo.toml").read_text()
    members = ", ".join(f'"{crate}"' for crate in CRATES)
    manifest = re.sub(r"^members = .*$", f"members = [{members}]", manifest, flags=re.M)
    manifest = re.sub(r"^exclude = .*$", "", manifest, flags=re.M)
    manifest = re.sub(r"\[profile[^\[]*", "", manifest)
    manifest += "\n[profile.dev]\nopt-level = 1\ndebug = false\nincremental = true\n"
    (to / "Cargo.toml").write_text(manifest)


def command(work: Path, words: list[str]) -> tuple[int | None, str]:
    """Runs cargo: its exit status, none where its time was over, and what it said."""
    env = dict(os.environ, CARGO_TARGET_DIR=str(work / "target"), QUORATE_CASES="300", QUORATE_RINGS="300")
    env["RUST_BACKTRACE"] = "0"
    # A session of its own: a test that never ends is no child of ours, but of cargo.
    started = subprocess.Popen(
        ["cargo", *words], cwd=work, env=env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    try:
        said, _ = started.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        return None, started.communicate()[0]
    except BaseException:
        os.killpg(started.pid, signal.SIGKILL)
        raise
    return started.returncode, said


def test(work: Path, words: list[str]) -> tuple[str, str]:
    """Runs one test binary: `passed`, `failed` or `broken` (it doesn't compile), and what it said."""
    status, said = command(work, ["test", "--quiet", "--no-run", *words])
    if status != 0:
        return "broken", said
    status, said = command(work, ["test", "--quiet", *words])
    return ("passed" if status == 0 else "failed"), said


def tests_of(file: str) -> list[list[str]]:
    """Those that the file can fail: a crate's tests know nothing of the crates that build on it."""
    return [words for words in TESTS if file.startswith("host/ring/") or "quorate-ring" not in words]


def failing(said: str) -> str:
    found = re.search(r"^    ([a-z_:0-9]+)$", said, flags=re.M)
    return found.group(1) if found else "a test that doesn't say which: it aborted, or never ended"


def main() -> int:
    wanted = sys.argv[1:]
    unknown = set(wanted) - {mutation.name for mutation in MUTATIONS}
    if unknown:
        print(f"there is no mutation {', '.join(sorted(unknown))}")
        return 2
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="quorate-mutations-") as folder:
        work = Path(folder)
        copy(work)
        for words in TESTS:
            outcome, said = test(work, words)
            if outcome != "passed":
                print(said)
                print(f"the tests don't pass without a mutation: {' '.join(words)}")
                print("0 passed, 1 failed")
                return 1
        for mutation in MUTATIONS:
            if wanted and mutation.name not in wanted:
                continue
            path = work / mutation.file
            text = path.read_text()
            begun = time.monotonic()
            if text.count(mutation.old) != 1:
                verdict = f"{text.count(mutation.old)} places in {mutation.file} have its text"
            else:
                path.write_text(text.replace(mutation.old, mutation.new))
                verdict = f"SURVIVED: {mutation.harm}"
                for words in tests_of(mutation.file):
                    outcome, said = test(work, words)
                    if outcome == "failed":
                        verdict = f"caught by {failing(said)}"
                        break
                    if outcome == "broken":
                        print(said)
                        verdict = "doesn't compile"
                        break
                path.write_text(text)
            caught = verdict.startswith("caught")
            passed, failed = passed + caught, failed + (not caught)
            print(f"{mutation.name:<34} {verdict}  ({time.monotonic() - begun:.0f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    # Whoever is asked to end takes cargo along, and leaves no folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
