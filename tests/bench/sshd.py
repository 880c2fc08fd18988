"""One sshd that is every host of 127.0.0.0/8, each with a home directory of its own."""
from __future__ import annotations

import getpass
import os
import shlex
import socket
import subprocess
import time
from pathlib import Path

from install import Missing, program

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

# Read by the login shell of every session in place of what was asked for; no process is started for it.
# The first line of an address's home tells the harness that somebody came.
ENTER = """HOME=${{SSH_CONNECTION% *}}
HOME={homes}/${{HOME##* }}
export HOME
cd "$HOME" || exit 125
: >entered
unset QUORATE_REMOTE_DIR
eval "$SSH_ORIGINAL_COMMAND"
"""

# sshd's own default, and one that no tool here reaches.
MAX_STARTUPS = {"default": "10:30:100", "raised": "20000"}


def make_key(path: Path) -> None:
    words = [program("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def free_port() -> int:
    """One that nothing listens on now, on any address."""
    with socket.socket() as found:
        found.bind(("", 0))
        return found.getsockname()[1]


def sftp_server() -> Path:
    """What cstar sends its script with; sshd's own one can't run behind a forced command."""
    for place in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"):
        if Path(place).exists():
            return Path(place)
    raise Missing("no sftp-server: install openssh-sftp-server")


class Sshd:
    """Logins are this user's."""

    def __init__(self, directory: Path, nodetool: Path, addresses: list[str], startups: str):
        self.directory = directory
        self.nodetool = nodetool
        self.addresses = addresses
        self.startups = startups
        self.homes = directory / "homes"
        self.client = directory / "client"
        self.login_key = self.client / ".ssh" / "id_ed25519"
        self.known_hosts = self.client / ".ssh" / "known_hosts"
        self.client_config = self.client / ".ssh" / "config"
        self.user = getpass.getuser()
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sshd:
        self.directory.mkdir()
        self.homes.mkdir()
        (self.client / ".ssh").mkdir(parents=True, mode=0o700)
        make_key(self.directory / "host_key")
        make_key(self.login_key)
        for address in self.addresses:
            (self.homes / address).mkdir()
        (self.directory / "enter").write_text(ENTER.format(homes=shlex.quote(str(self.homes))))
        if os.getuid() == 0:
            # Its unprivileged half is locked in there; the package's service makes it otherwise.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for _ in range(5):
            # Somebody else may take the port before sshd does.
            if self._start():
                break
        else:
            raise Missing(f"sshd doesn't come up: {self.directory / 'log'}")
        self._write_client()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def _start(self) -> bool:
        self.port = free_port()
        config = self.directory / "sshd_config"
        config.write_text(self._settings())
        words = [program("sshd", "openssh-server"), "-D", "-f", config, "-E", self.directory / "log"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((self.addresses[0], self.port)) == 0:
                    return True
            time.sleep(0.02)
        self.__exit__()
        return False

    def _settings(self) -> str:
        return (
            # All of 127.0.0.0/8 is more than it could be given one by one; who isn't on this machine can't log in.
            f"ListenAddress 0.0.0.0:{self.port}\n"
            f"AllowUsers {self.user}@127.0.0.0/8\n"
            f'HostKey "{self.directory}/host_key"\n'
            f"PidFile none\n"
            f'AuthorizedKeysFile "{self.login_key}.pub"\n'
            "StrictModes no\n"
            "UsePAM no\n"
            "UseDNS no\n"
            "PermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\n"
            "PrintLastLog no\n"
            f"Subsystem sftp {sftp_server()}\n"
            f"MaxStartups {self.startups}\n"
            # HOME until `enter` has set it: the login shell must not read this user's own start-up files.
            f'SetEnv "PATH={self.nodetool}:{SYSTEM_PATH}" "HOME={self.directory}"\n'
            f"ForceCommand . {shlex.quote(str(self.directory / 'enter'))}\n"
        )

    def _write_client(self) -> None:
        """A home for clients: the key, the host keys as they are, and an ssh_config that says so."""
        kind, key, _ = (self.directory / "host_key.pub").read_text().split(" ", 2)
        lines = [f"[{address}]:{self.port} {kind} {key}\n" for address in self.addresses]
        self.known_hosts.write_text("".join(lines))
        self.client_config.write_text(
            "Host 127.*\n"
            f"  Port {self.port}\n"
            f"  User {self.user}\n"
            f'  IdentityFile "{self.login_key}"\n'
            "  IdentitiesOnly yes\n"
            f'  UserKnownHostsFile "{self.known_hosts}"\n'
            "  StrictHostKeyChecking yes\n"
            "  BatchMode yes\n"
            "  ControlMaster no\n"
        )

    def cpu(self) -> float:
        """Seconds that the sshd and all sessions that have ended took, with what they ran and waited for."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def settle(self) -> None:
        """Waits until the sessions of the tool before are gone."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until = time.monotonic() + 60
        while children.read_text().split() and time.monotonic() < until:
            time.sleep(0.05)

    def forget(self) -> None:
        """Nobody has come so far."""
        for address in self.addresses:
            (self.homes / address / "entered").unlink(missing_ok=True)

    def reached(self) -> int:
        """Hosts on which a session has run since."""
        return sum((self.homes / address / "entered").exists() for address in self.addresses)
