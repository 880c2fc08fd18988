"""Archives of loaded classes (class-data sharing): servers and nodetool start in about half the time."""
from __future__ import annotations

from cluster import Cluster, Shape
from install import Installation, locked
from node import NodeFault


def make_archives(installation: Installation) -> None:
    """Makes the archives that aren't there yet, from a node of its own."""
    with locked(installation.cache):
        if installation.server_archive.is_file() and installation.nodetool_archive.is_file():
            return
        print("archiving Cassandra's classes for faster starts", flush=True)
        server = installation.server_archive.with_suffix(".unfinished")
        nodetool = installation.nodetool_archive.with_suffix(".unfinished")
        flags = {"server": [f"-XX:ArchiveClassesAtExit={server}"]}
        cluster = Cluster(installation, Shape(racks=1), flags)
        with cluster:
            node = cluster.nodes[0]
            args = node.directory / "conf" / "nodetool.args"
            lines = args.read_text().splitlines(keepends=True)
            args.write_text(f'"-XX:ArchiveClassesAtExit={nodetool}"\n' + "".join(lines))
            # The archive is written when the JVM ends, and only when it ends by itself.
            node.nodetool("info")
            node.service("stop")
        for archive in (server, nodetool):
            if not archive.is_file():
                raise NodeFault(f"java wrote no {archive}: {cluster.directory}/node1/log/console.log")
        cluster.remove()
        server.rename(installation.server_archive)
        nodetool.rename(installation.nodetool_archive)
