"""One Cassandra node of a cluster on this machine: its directory, configuration and process."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import jvm
from install import HERE, Installation

STORAGE_PORT = 7000
CQL_PORT = 9042

# With what a shell or a file of words might trip over; nodetool's password files hold no white space.
JMX_LOGIN = ("ops", "Kx9vQ2mLw7-'\"$x\\#;*")

# {file} is filled in; standard error of nodetool stays for what matters.
SERVER_LOG = """<configuration>
  <appender name="file" class="ch.qos.logback.core.FileAppender">
    <file>{file}</file>
    <encoder><pattern>%-5level %date{{HH:mm:ss.SSS}} [%thread] %logger{{0}} %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="file"/></root>
</configuration>
"""
NODETOOL_LOG = """<configuration>
  <appender name="err" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%-5level %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="err"/></root>
</configuration>
"""


class NodeFault(Exception):
    """A node didn't do what it was told."""


def listeners() -> set[tuple[str, int]]:
    """Addresses and ports of this machine on which something listens (IPv4, /proc/net/tcp)."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state = line.split()[:4]
        if state == "0A":
            address, port = local.split(":")
            octets = [str(byte) for byte in reversed(bytes.fromhex(address))]
            found.add((".".join(octets), int(port, 16)))
    return found


def process_has(pid: int, text: str) -> bool:
    """Whether a process runs and has this on its command line; pids are used again."""
    try:
        # Not word by word: sshd joins its own.
        return text.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


class Node:
    """A node; `directory` is its whole world, `bin` in it stands first on the PATH of its logins."""

    def __init__(self, directory: Path, address: str, data_center: str, rack: str):
        self.directory = directory
        self.address = address
        self.data_center = data_center
        self.rack = rack
        self.jmx_login = False

    def __str__(self) -> str:
        return self.address

    def write(
        self, installation: Installation, seeds: list[str], tokens: int, extra: dict[str, list[str]]
    ) -> None:
        """Writes everything that the node needs; `extra` adds JVM flags to `server` or `nodetool`."""
        for name in ("bin", "conf", "home", "log", "tmp"):
            (self.directory / name).mkdir(parents=True)
        for name in ("service", "nodetool"):
            shutil.copy(HERE / "bin" / name, self.directory / "bin" / name)
        (self.directory / "bin" / "java").symlink_to(installation.java)
        conf = self.directory / "conf"
        # JSON is YAML.
        (conf / "cassandra.yaml").write_text(json.dumps(self.settings(seeds, tokens), indent=2))
        (conf / "rackdc.properties").write_text(f"dc={self.data_center}\nrack={self.rack}\n")
        (conf / "server-log.xml").write_text(SERVER_LOG.format(file=self.directory / "log" / "system.log"))
        (conf / "nodetool-log.xml").write_text(NODETOOL_LOG)
        self.write_jmx_files()
        jvm.write_args(conf / "server.args", jvm.server(self, installation, extra.get("server", [])))
        jvm.write_args(conf / "nodetool.args", jvm.nodetool(self, installation, extra.get("nodetool", [])))

    @property
    def jmx_password_file(self) -> Path:
        return self.directory / "conf" / "jmxremote.password"

    @property
    def jmx_access_file(self) -> Path:
        return self.directory / "conf" / "jmxremote.access"

    def write_jmx_files(self) -> None:
        """Users, passwords and rights of JMX; the JVM insists on files that nobody else can read."""
        # The JVM puts a hash in the password's place.
        self.jmx_password_file.write_text(" ".join(JMX_LOGIN) + "\n")
        self.jmx_access_file.write_text(f"{JMX_LOGIN[0]} readwrite\n")
        for path in (self.jmx_password_file, self.jmx_access_file):
            path.chmod(0o600)

    def settings(self, seeds: list[str], tokens: int) -> dict[str, object]:
        """Cassandra's settings: one address, little memory, no bootstrap into an empty cluster."""
        provider = {
            "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
            "parameters": [{"seeds": ",".join(seeds)}],
        }
        return {
            "cluster_name": "quorate test",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "num_tokens": tokens,
            "auto_bootstrap": False,
            "endpoint_snitch": "GossipingPropertyFileSnitch",
            "seed_provider": [provider],
            "listen_address": self.address,
            "rpc_address": self.address,
            "storage_port": STORAGE_PORT,
            "native_transport_port": CQL_PORT,
            "data_file_directories": [str(self.directory / "data")],
            "commitlog_directory": str(self.directory / "commitlog"),
            "hints_directory": str(self.directory / "hints"),
            "saved_caches_directory": str(self.directory / "caches"),
            "cdc_raw_directory": str(self.directory / "cdc"),
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "10s",
            "commitlog_segment_size": "4MiB",
            "commitlog_total_space": "64MiB",
            "memtable_allocation_type": "heap_buffers",
            "memtable_heap_space": "32MiB",
            "memtable_offheap_space": "32MiB",
            "memtable_flush_writers": 1,
            "file_cache_size": "16MiB",
            "key_cache_size": "4MiB",
            "concurrent_reads": 4,
            "concurrent_writes": 4,
            "concurrent_counter_writes": 2,
            "concurrent_materialized_view_writes": 2,
            "concurrent_compactors": 1,
            "native_transport_max_threads": 8,
            "disk_access_mode": "standard",
            "auto_snapshot": False,
        }

    def pid(self) -> int | None:
        """The server's process, where it runs."""
        pid = read_pid(self.directory / "pid")
        return pid if pid and process_has(pid, f"@{self.directory}/conf/server.args") else None

    def serves(self) -> bool:
        """Whether CQL clients are accepted."""
        return (self.address, CQL_PORT) in listeners()

    def service(self, verb: str) -> None:
        """What `service cassandra VERB` does in a login on this node."""
        words = [self.directory / "bin" / "service", "cassandra", verb]
        answer = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=180)
        if answer.returncode != 0:
            raise NodeFault(f"{self}: service cassandra {verb}: {answer.returncode}: {answer.stderr.strip()}")

    def nodetool(self, *args: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        words = [self.directory / "bin" / "nodetool", *self.jmx_words(), *args]
        return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout)

    def jmx_words(self) -> list[str]:
        """What the harness's own calls log in with."""
        if not self.jmx_login:
            return []
        own = self.directory / "conf" / "nodetool.password"
        own.write_text(" ".join(JMX_LOGIN) + "\n")
        own.chmod(0o600)
        return ["-u", JMX_LOGIN[0], "-pwf", str(own)]

    def kill(self) -> None:
        """Ends the server as a power cut does; gives back when it is gone."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while self.pid() is not None:
            if time.monotonic() > until:
                raise NodeFault(f"{self}: process {pid} outlives SIGKILL")
            time.sleep(0.02)

    def statuses(self) -> dict[str, str]:
        """What this node shows of every node, such as `{'127.1.2.3': 'UN'}`; empty where it can't be asked."""
        answer = self.nodetool("status")
        rows = [line.split() for line in answer.stdout.splitlines()] if answer.returncode == 0 else []
        return {row[1]: row[0] for row in rows if len(row) > 2 and len(row[0]) == 2 and row[0][0] in "UD?"}
