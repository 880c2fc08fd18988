"""The command lines of Cassandra's two programs: the server and nodetool."""
from __future__ import annotations

import typing
from pathlib import Path

if typing.TYPE_CHECKING:
    from install import Installation
    from node import Node

SERVER = "org.apache.cassandra.service.CassandraDaemon"
NODETOOL = "org.apache.cassandra.tools.NodeTool"

JMX_PORT = 7199

# What Cassandra 5.0 reaches of the JDK's insides on Java 17.
EXPORTS = """
    java.base/java.lang.ref java.base/java.lang.reflect java.base/jdk.internal.misc java.base/jdk.internal.ref
    java.base/sun.nio.ch java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry
    java.rmi/sun.rmi.server java.sql/java.sql
""".split()
OPENS = """
    java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.math
    java.base/java.net java.base/java.nio java.base/java.time java.base/java.util java.base/java.util.concurrent
    java.base/java.util.concurrent.atomic java.base/java.util.concurrent.locks java.base/jdk.internal.loader
    java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.ref
    java.base/jdk.internal.reflect java.base/jdk.internal.util.jar java.base/sun.nio.ch
    java.rmi/sun.rmi.transport.tcp jdk.management/com.sun.management.internal
""".split()


def write_args(path: Path, words: list[str]) -> None:
    """Writes a file for `java @FILE`: one quoted word per line."""
    quoted = [word.replace("\\", "\\\\").replace('"', '\\"') for word in words]
    path.write_text("".join(f'"{word}"\n' for word in quoted))


def shared(installation: Installation, archive: Path) -> list[str]:
    """The class path, and the archive of classes loaded from it, where there is one yet."""
    # An archive holds for the very class path that it was made with.
    words = ["-cp", ":".join(map(str, installation.jars))]
    if archive.is_file():
        words += [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto"]
    return words


def common(node: Node) -> list[str]:
    words = [f"--add-exports={package}=ALL-UNNAMED" for package in EXPORTS]
    words += [f"--add-opens={package}=ALL-UNNAMED" for package in OPENS]
    conf = node.directory / "conf"
    return words + [
        "-Djava.security.manager=allow",
        "-Djava.net.preferIPv4Stack=true",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        f"-Dcassandra.storagedir={node.directory}",
        f"-Dcassandra.config=file://{conf}/cassandra.yaml",
        f"-Djava.io.tmpdir={node.directory}/tmp",
    ]


def server(node: Node, installation: Installation, extra: list[str]) -> list[str]:
    """A small node that starts fast."""
    conf = node.directory / "conf"
    jmx = "-Dcom.sun.management.jmxremote"
    return [
        *shared(installation, installation.server_archive),
        *common(node),
        "-Xms256M",
        "-Xmx256M",
        "-Xss512k",
        "-XX:MaxDirectMemorySize=128M",
        "-XX:ReservedCodeCacheSize=64m",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djdk.attach.allowAttachSelf=true",
        f"-Dcassandra.logdir={node.directory}/log",
        f"-Dcassandra-rackdc.properties=file://{conf}/rackdc.properties",
        f"-Dlogback.configurationFile={conf}/server-log.xml",
        # The JVM's own agent: Cassandra's binds 127.0.0.1 or every address, not one.
        f"{jmx}.port={JMX_PORT}",
        f"{jmx}.rmi.port={JMX_PORT}",
        f"{jmx}.host={node.address}",
        f"-Djava.rmi.server.hostname={node.address}",
        f"{jmx}.authenticate={'true' if node.jmx_login else 'false'}",
        f"{jmx}.password.file={node.jmx_password_file}",
        f"{jmx}.access.file={node.jmx_access_file}",
        f"{jmx}.ssl=false",
        # Waits that protect large clusters and cost a small one seconds each.
        "-Dcassandra.ring_delay_ms=5000",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.superuser_setup_delay_ms=0",
        "-Dcassandra.shutdown_announce_in_ms=500",
        "-Dcassandra.memtable_row_overhead_computation_step=1000",
        "-Dcassandra.available_processors=2",
        "-Dio.netty.eventLoopThreads=2",
        "-Dio.netty.tryReflectionSetAccessible=true",
        *extra,
        SERVER,
    ]


def nodetool(node: Node, installation: Installation, extra: list[str]) -> list[str]:
    """nodetool for this node; the caller's arguments follow."""
    return [
        *shared(installation, installation.nodetool_archive),
        *common(node),
        "-Xmx128M",
        # Nothing of the JVM's own on the output that programs read.
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        f"-Dlogback.configurationFile={node.directory}/conf/nodetool-log.xml",
        # Its history file goes there.
        f"-Duser.home={node.directory}/home",
        "-Dcom.sun.jndi.rmiURLParsing=legacy",
        *extra,
        NODETOOL,
        "-h",
        node.address,
        "-p",
        str(JMX_PORT),
    ]
