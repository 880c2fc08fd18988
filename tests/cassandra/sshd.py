"""An sshd per node: `ssh ADDRESS nodetool status` means the node of that address."""
from __future__ import annotations

import getpass
import os
import signal
import subprocess
import time
from pathlib import Path

from install import program
from node import Node, NodeFault, listeners, process_has, read_pid

SSH_PORT = 2222

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_key(path: Path, comment: str) -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


class Sshd:
    """The sshd of one node. Logins are this user's, with the node's own PATH and HOME."""

    def __init__(self, node: Node, login_key: Path):
        self.node = node
        self.login_key = login_key
        self.directory = node.directory / "ssh"
        self.config = self.directory / "sshd_config"
        self.pid_file = self.directory / "pid"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.directory.mkdir()
        make_key(self.directory / "host_key", str(self.node))
        self.config.write_text(self.settings())
        if os.getuid() == 0:
            # Its unprivileged half is locked in there; the package's service makes it otherwise.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        words = [program("sshd", "openssh-server"), "-D", "-f", self.config, "-E", self.directory / "log"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + 60
        while (self.node.address, SSH_PORT) not in listeners():
            if self.process.poll() is not None or time.monotonic() > until:
                raise NodeFault(f"{self.node}: no sshd: {self.directory / 'log'}")
            time.sleep(0.02)

    def settings(self) -> str:
        node = self.node
        return (
            f"Port {SSH_PORT}\n"
            f"ListenAddress {node.address}\n"
            f'HostKey "{self.directory}/host_key"\n'
            f'PidFile "{self.pid_file}"\n'
            f'AuthorizedKeysFile "{self.login_key}.pub"\n'
            # The cache may lie below a directory that others can write to.
            "StrictModes no\n"
            "UsePAM no\n"
            "UseDNS no\n"
            "PermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\n"
            f'SetEnv "PATH={node.directory}/bin:{SYSTEM_PATH}" "HOME={node.directory}/home"\n'
        )

    def host_key(self) -> str:
        """The node's line for known_hosts."""
        kind, key, _ = (self.directory / "host_key.pub").read_text().split(" ", 2)
        return f"[{self.node}]:{SSH_PORT} {kind} {key}\n"

    def stop(self) -> None:
        """Ends the sshd, also one whose harness died."""
        pid = read_pid(self.pid_file)
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
        elif pid and process_has(pid, str(self.config)):
            os.kill(pid, signal.SIGTERM)


def write_client_config(path: Path, login_key: Path, sshds: list[Sshd]) -> None:
    """An ssh_config for clients, with the host keys as the nodes have them."""
    known_hosts = path.with_name("known_hosts")
    known_hosts.write_text("".join(sshd.host_key() for sshd in sshds))
    path.write_text(
        f"Host {' '.join(str(sshd.node) for sshd in sshds)}\n"
        f"  Port {SSH_PORT}\n"
        f"  User {getpass.getuser()}\n"
        f'  IdentityFile "{login_key}"\n'
        "  IdentitiesOnly yes\n"
        f'  UserKnownHostsFile "{known_hosts}"\n'
        "  StrictHostKeyChecking yes\n"
        "  BatchMode yes\n"
    )
