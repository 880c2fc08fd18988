"""What nodetool prints on a made-up cluster of loopback addresses, in the form of Cassandra 5.0.4 (tests/cassandra/samples)."""
from __future__ import annotations

import dataclasses
import random
import shutil
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
RACKS = 3
REPLICAS = 3
# Cassandra's default since 4.0.
TOKENS = 16
SCHEMA = "4631f8b1-ca56-39c7-8dd5-52ba2e8b8a76"
KEYSPACE = "app"
NOTE = "Note: Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless\n"


@dataclasses.dataclass(frozen=True)
class Host:
    """One node."""

    address: str
    rack: str
    host_id: str
    tokens: tuple[int, ...]


def make_hosts(network: int, count: int) -> list[Host]:
    """Hosts of 127.`network`.0.0/16 in three racks; the same for the same arguments."""
    dice = random.Random(f"{network} {count}")
    tokens = iter([dice.randrange(-(2**63) + 1, 2**63) for _ in range(count * TOKENS)])
    return [
        Host(
            address=f"127.{network}.{at // 250}.{at % 250 + 1}",
            rack=f"rack{at % RACKS + 1}",
            host_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            tokens=tuple(sorted(next(tokens) for _ in range(TOKENS))),
        )
        for at in range(count)
    ]


def status(hosts: list[Host]) -> str:
    lines = [
        "Datacenter: dc1",
        "===============",
        "Status=Up/Down",
        "|/ State=Normal/Leaving/Joining/Moving",
        f"--  {'Address':<15}  {'Load':<10}  Tokens  Owns  {'Host ID':<36}  Rack ",
    ]
    lines += [
        f"UN  {host.address:<15}  {'105.58 KiB':<10}  {TOKENS:<6}  ?     {host.host_id}  {host.rack}" for host in hosts
    ]
    return "\n".join(lines) + f"\n\n{NOTE}"


def describecluster(hosts: list[Host]) -> str:
    addresses = ", ".join(host.address for host in hosts)
    storage = ", ".join(f"{host.address}:7000" for host in hosts)
    return f"""Cluster Information:
	Name: bench
	Snitch: org.apache.cassandra.locator.GossipingPropertyFileSnitch
	DynamicEndPointSnitch: enabled
	Partitioner: org.apache.cassandra.dht.Murmur3Partitioner
	Schema versions:
		{SCHEMA}: [{addresses}]

Stats for all nodes:
	Live: {len(hosts)}
	Joining: 0
	Moving: 0
	Leaving: 0
	Unreachable: 0

Data Centers: 
	dc1 #Nodes: {len(hosts)} #Down: 0

Database versions:
	5.0.4: [{storage}]

Keyspaces:
	system_traces -> Replication class: SimpleStrategy {{replication_factor=2}}
	system_distributed -> Replication class: SimpleStrategy {{replication_factor=3}}
	{KEYSPACE} -> Replication class: NetworkTopologyStrategy {{dc1={REPLICAS}}}
	system_auth -> Replication class: NetworkTopologyStrategy {{dc1={REPLICAS}}}
	system_schema -> Replication class: LocalStrategy {{}}
	system -> Replication class: LocalStrategy {{}}

{NOTE}"""


def in_order(hosts: list[Host]) -> list[tuple[int, Host]]:
    """All tokens with their nodes, around the ring."""
    return sorted(((token, host) for host in hosts for token in host.tokens), key=lambda pair: pair[0])


def ring(hosts: list[Host]) -> str:
    pairs = in_order(hosts)
    lines = [
        "",
        "Datacenter: dc1",
        "==========",
        f"{'Address':<16}{'Rack':<12}{'Status':<7}{'State':<8}{'Load':<16}{'Owns':<20}{'Token':<44}",
        " " * 79 + f"{pairs[-1][0]:<44}",
    ]
    lines += [
        f"{host.address:<16}{host.rack:<12}{'Up':<7}{'Normal':<8}{'105.58 KiB':<16}{'?':<20}{token:<44}"
        for token, host in pairs
    ]
    return (
        "\n".join(lines)
        + '\n\n  Warning: "nodetool ring" is used to output all the tokens of a node.\n'
        + '  To view status related info of a node use "nodetool status" instead.\n\n\n'
        + f"  {NOTE}"
    )


def replicas(pairs: list[tuple[int, Host]], at: int) -> list[Host]:
    """The first node of each rack from a token on: NetworkTopologyStrategy with as many replicas as racks."""
    found: dict[str, Host] = {}
    for step in range(len(pairs)):
        host = pairs[(at + step) % len(pairs)][1]
        found.setdefault(host.rack, host)
        if len(found) == REPLICAS:
            break
    return list(found.values())


def describering(hosts: list[Host]) -> str:
    pairs = in_order(hosts)
    lines = [f"Schema Version:{SCHEMA}", "TokenRange: "]
    for at, (token, _) in enumerate(pairs):
        nodes = replicas(pairs, at)
        addresses = ", ".join(host.address for host in nodes)
        details = ", ".join(
            f"EndpointDetails(host:{host.address}, datacenter:dc1, rack:{host.rack})" for host in nodes
        )
        lines.append(
            f"\tTokenRange(start_token:{pairs[at - 1][0]}, end_token:{token}, endpoints:[{addresses}], "
            f"rpc_endpoints:[{addresses}], endpoint_details:[{details}])"
        )
    return "\n".join(lines) + "\n"


def info(host: Host) -> str:
    rows = {
        "ID": host.host_id,
        "Gossip active": "true",
        "Native Transport active": "true",
        "Load": "105.58 KiB",
        "Generation No": "1795308475",
        "Uptime (seconds)": "86400",
        "Data Center": "dc1",
        "Rack": host.rack,
    }
    return "".join(f"{name:<23}: {value}\n" for name, value in rows.items())


def write(directory: Path, hosts: list[Host]) -> None:
    """Makes a directory with nodetool and all its answers."""
    (directory / "info").mkdir(parents=True)
    shutil.copy(HERE / "bin" / "nodetool", directory / "nodetool")
    answers = {
        "status": status(hosts),
        "describecluster": describecluster(hosts),
        "ring": ring(hosts),
        "describering": describering(hosts),
        "version": "ReleaseVersion: 5.0.4\n",
    }
    for name, text in answers.items():
        (directory / f"{name}.txt").write_text(text)
    for host in hosts:
        (directory / "info" / f"{host.address}.txt").write_text(info(host))
