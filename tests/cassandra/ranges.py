"""Who holds what, read from nodetool's text: a parser of its own, to hold the program's answer against."""
from __future__ import annotations

import re

from node import Node, NodeFault

# A range by its two tokens, and the addresses of its replicas.
Ranges = dict[tuple[str, str], frozenset[str]]

RANGE = re.compile(
    r"\tTokenRange\(start_token:(-?\d+), end_token:(-?\d+), endpoints:\[([\d., ]*)\], rpc_endpoints:\[.*\]\)"
)
KEYSPACE = re.compile(r"\t(\w+) -> Replication class: (\w+) \{.*\}")


def asked(node: Node, *words: str) -> str:
    answer = node.nodetool(*words)
    if answer.returncode != 0:
        raise NodeFault(f"{node}: nodetool {' '.join(words)}: {answer.returncode}: {answer.stderr.strip()}")
    return answer.stdout


def keyspaces(node: Node) -> dict[str, str]:
    """Every keyspace and the class of its replication, from `describecluster`."""
    _, found, listed = asked(node, "describecluster").partition("\nKeyspaces:\n")
    # The list ends with an empty line, where a remark follows.
    lines = listed.split("\n\n")[0].splitlines()
    read = [KEYSPACE.fullmatch(line) for line in lines]
    if not found or not lines or None in read:
        raise NodeFault(f"{node}: describecluster lists keyspaces in another form: {listed!r}")
    return {line[1]: line[2] for line in read}


def describering(node: Node, keyspace: str) -> Ranges:
    """The ranges of a keyspace."""
    lines = asked(node, "describering", keyspace).splitlines()
    read = [RANGE.fullmatch(line) for line in lines[2:]]
    if not lines[0].startswith("Schema Version:") or lines[1].strip() != "TokenRange:" or None in read:
        raise NodeFault(f"{node}: describering {keyspace} has another form: {lines[:3]}")
    ranges = {(line[1], line[2]): line[3].split(", ") if line[3] else [] for line in read}
    if len(ranges) != len(read) or any(len(set(held)) != len(held) for held in ranges.values()):
        raise NodeFault(f"{node}: describering {keyspace} says something twice: {lines}")
    return {tokens: frozenset(held) for tokens, held in ranges.items()}


def neighbours(node: Node, all_ranges: list[Ranges], among: list[Node]) -> set[str]:
    """Addresses among these nodes that share a range with the node."""
    held = [replicas for ranges in all_ranges for replicas in ranges.values() if node.address in replicas]
    return {other.address for other in among if other is not node and any(other.address in r for r in held)}
