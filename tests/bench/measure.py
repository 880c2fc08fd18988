"""Runs a program and says what it took: time, CPU, memory."""
from __future__ import annotations

import dataclasses
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

# Between two looks at the memory of a program's processes: seldom enough not to slow it down.
LOOK = 0.1
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclasses.dataclass(frozen=True)
class Taken:
    """What a run of a program took."""

    seconds: float
    # Of the program and all that it started and waited for.
    cpu: float
    # The most that it and its processes had resident together, as far as looked at; at least its own peak.
    peak_bytes: int
    # None where it had to be ended.
    code: int | None


def resident(pid: int) -> int:
    """Bytes of a process and its descendants, those that are gone meanwhile left out."""
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        children = [
            child
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (OSError, IndexError):
        return 0
    return own + sum(resident(int(child)) for child in children)


def measure(words: Sequence[object], environment: dict[str, str], output: Path, limit: float) -> Taken:
    """Runs a program in a session of its own; what it prints goes to `output`."""
    peak = 0
    with open(output, "wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        ended_by_us = False
        watched = os.pidfd_open(process.pid)
        try:
            while True:
                # Wakes at once when the program ends.
                if _ended(watched, LOOK):
                    break
                peak = max(peak, resident(process.pid))
                if not ended_by_us and time.monotonic() - began > limit:
                    ended_by_us = True
                    os.killpg(process.pid, signal.SIGKILL)
            seconds = time.monotonic() - began
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            os.close(watched)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_bytes=max(peak, usage.ru_maxrss * 1024),
        code=None if ended_by_us else process.returncode,
    )


def _ended(watched: int, seconds: float) -> bool:
    return bool(select.select([watched], [], [], seconds)[0])
