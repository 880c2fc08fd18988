"""What was measured, as text."""
from __future__ import annotations

import dataclasses
import statistics

from measure import Taken
from tools import TOOLS, Tool

# The tool that the others' times are given as parts of.
BESIDE = "parallel-ssh"


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one tool."""

    tool: Tool
    taken: Taken
    hosts: int
    # Hosts where it says that all went well, and hosts where a session ran.
    done: int
    reached: int
    # CPU seconds of the sshd, its sessions and what those waited for.
    node_cpu: float

    @property
    def is_whole(self) -> bool:
        """Whether `true` ran everywhere and the tool knows it."""
        return self.taken.code == 0 and self.done == self.reached == self.hosts


def fault(run: Run) -> str:
    """What is wrong with a run that isn't whole."""
    code = "ended by the bench" if run.taken.code is None else f"exit code {run.taken.code}"
    return f"{code}, {run.done} of {run.hosts} done, {run.reached} reached"


def line(run: Run) -> str:
    """A run, when it has ended."""
    taken = run.taken
    text = (
        f"{run.hosts:5} hosts  {run.tool.name:14} {taken.seconds:7.2f} s  CPU {taken.cpu:7.2f} s, nodes {run.node_cpu:6.2f} s"
        f"  {taken.peak_bytes / 2**20:7.1f} MiB"
    )
    return text if run.is_whole else f"{text}  FAILED: {fault(run)}"


def median(runs: list[Run]) -> float:
    return statistics.median(run.taken.seconds for run in runs)


def peak(runs: list[Run]) -> float:
    """Bytes, the median of the runs' peaks."""
    return statistics.median(run.taken.peak_bytes for run in runs)


def by_tool(runs: list[Run]) -> dict[str, list[Run]]:
    grouped: dict[str, list[Run]] = {}
    for tool in TOOLS:
        of_tool = [run for run in runs if run.tool is tool]
        if of_tool:
            grouped[tool.name] = of_tool
    return grouped


def row(runs: list[Run], beside: float | None) -> str:
    tool = runs[0].tool
    whole = [run for run in runs if run.is_whole]
    counted = whole or runs
    seconds = [run.taken.seconds for run in counted]
    time = f"{median(counted):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
    if not whole:
        time = "failed"
    ratio = f"{median(counted) / beside:.2f}" if beside and whole else ""
    cpu = statistics.median(run.taken.cpu for run in counted)
    remark = "" if len(whole) == len(runs) else f"{len(runs) - len(whole)} of {len(runs)} runs failed: " + "; ".join(
        fault(run) for run in runs if not run.is_whole
    )
    cells = [tool.name, tool.setting, time, ratio, f"{cpu:.1f} s", f"{peak(counted) / 2**20:.0f} MiB", remark]
    return f"| {' | '.join(cells)} |"


def table(hosts: int, runs: list[Run]) -> str:
    grouped = by_tool(runs)
    whole = [run for run in grouped.get(BESIDE, []) if run.is_whole]
    beside = median(whole) if whole else None
    lines = [
        f"| {hosts} hosts | setting | median (range) | of {BESIDE} | its CPU | memory | |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
        *(row(of_tool, beside) for of_tool in grouped.values()),
    ]
    return "\n".join(lines)


def memory_per_host(sets: dict[int, list[Run]]) -> str:
    """quorate's growth from the fewest hosts to the most."""
    few, many = min(sets), max(sets)
    runs = {hosts: [run for run in sets[hosts] if run.tool is TOOLS[0] and run.is_whole] for hosts in (few, many)}
    if few == many or not runs[few] or not runs[many]:
        return ""
    growth = (peak(runs[many]) - peak(runs[few])) / (many - few)
    return f"\nquorate's memory from {few} to {many} hosts grows by {growth / 1024:.0f} KiB a host"


def tables(sets: dict[int, list[Run]]) -> str:
    """Everything, as tables in Markdown."""
    return "\n\n".join(table(hosts, runs) for hosts, runs in sets.items()) + memory_per_host(sets)
