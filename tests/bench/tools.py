"""The tools, each with the settings that serve it best here as far as its documentation tells them."""
from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from install import HERE
from sshd import Sshd

# At a time: what quorate does by default, and no worse for the others than more.
PARALLEL = 64


@dataclasses.dataclass(frozen=True)
class Ground:
    """Where a tool runs."""

    sshd: Sshd
    # Fresh for every run.
    scratch: Path
    # One address a line.
    hosts_file: Path
    quorate: Path
    # Components as quorate keeps them after its first run.
    compiled: Path
    venv: Path

    @property
    def addresses(self) -> list[str]:
        return self.sshd.addresses


@dataclasses.dataclass(frozen=True)
class Call:
    """A command line and what it finds in its environment."""

    words: list[object]
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Tool:
    """One tool in one setting."""

    name: str
    # How it is set, for the table.
    setting: str
    call: Callable[[Ground], Call]
    # Hosts on which `true` ended well, as the tool itself tells; from its scratch directory and its output.
    done: Callable[[Ground, str, int | None], int]
    # Needs the peers' environment.
    python: bool = True
    # It can't be waited for three times on many hosts.
    slow: bool = False


def count(pattern: str) -> Callable[[Ground, str, int | None], int]:
    """Counts the lines that say that a host is done."""
    return lambda _, output, __: len(re.findall(pattern, output, re.MULTILINE))


def total(pattern: str) -> Callable[[Ground, str, int | None], int]:
    """Reads the number of hosts that are done."""

    def read(_: Ground, output: str, __: int | None) -> int:
        found = re.findall(pattern, output, re.MULTILINE)
        return int(found[-1]) if found else 0

    return read


def all_or_none(ground: Ground, _: str, code: int | None) -> int:
    """Of a tool that tells no more than that all went well."""
    return len(ground.addresses) if code == 0 else 0


def quorate(ground: Ground) -> Call:
    home = ground.scratch / "quorate"
    home.mkdir(mode=0o700)
    if ground.compiled.is_dir():
        shutil.copytree(ground.compiled, home / "cache")
    words = [ground.quorate, "run", "-F", ground.sshd.client_config, "--seed-host", ground.addresses[0]]
    words += ["--impact", "none", "--strategy", "all", "--dc-parallel", "--command", "true"]
    return Call(words, {"QUORATE_HOME": str(home)})


def quorate_done(ground: Ground, _: str, __: int | None) -> int:
    """Read from what it keeps of each node: the exit status of the last action."""
    statuses = (ground.scratch / "quorate" / "jobs").glob("*/*/status")
    return sum(status.read_text().strip() == "0" for status in statuses)


def xargs(ground: Ground) -> Call:
    ssh = ["ssh", "-F", ground.sshd.client_config, "{}", "true"]
    return Call(["xargs", "-a", ground.hosts_file, "-P", PARALLEL, "-I", "{}", *ssh])


def parallel_ssh(ground: Ground) -> Call:
    script = HERE / "parallel_ssh.py"
    sshd = ground.sshd
    return Call([ground.venv / "bin" / "python", script, ground.hosts_file, sshd.port, sshd.login_key, PARALLEL])


def pyinfra(ground: Ground) -> Call:
    sshd = ground.sshd
    inventory = ground.scratch / "inventory.py"
    data = {
        "ssh_port": sshd.port,
        "ssh_user": sshd.user,
        "ssh_key": str(sshd.login_key),
        "ssh_known_hosts_file": str(sshd.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
    }
    inventory.write_text(f"hosts = ({ground.addresses!r}, {data!r})\n")
    words = [ground.venv / "bin" / "pyinfra", "--yes", "--parallel", PARALLEL, inventory, "exec", "--", "true"]
    return Call(words, {"PYTHONWARNINGS": "ignore"})


def ansible(ground: Ground) -> Call:
    inventory = ground.scratch / "inventory"
    inventory.write_text("[all]\n" + "".join(f"{address}\n" for address in ground.addresses))
    words = [ground.venv / "bin" / "ansible", "all", "-i", inventory, "-f", PARALLEL, "-o", "-m", "raw", "-a", "true"]
    return Call(
        words,
        {
            "ANSIBLE_HOME": str(ground.scratch / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            # It asks for a terminal otherwise, which costs.
            "ANSIBLE_SSH_USETTY": "False",
            "ANSIBLE_DEPRECATION_WARNINGS": "False",
            # A connection that is kept is used once here: it would only cost.
            "ANSIBLE_SSH_ARGS": f"-F {ground.sshd.client_config}",
        },
    )


def cstar(pause: float) -> Callable[[Ground], Call]:
    def call(ground: Ground) -> Call:
        words: list[object] = [ground.venv / "bin" / "python", HERE / "cstar_main.py", "run", "--command", "true"]
        words += ["--seed-host", ground.addresses[0], "--strategy", "all", "--dc-parallel"]
        if pause == 0:
            words += ["--ssh-pause-time", "0", "-j", PARALLEL]
        home = ground.scratch / "home"
        # It finds its key there, and keeps its jobs.
        shutil.copytree(ground.sshd.client, home)
        return Call(words, {"HOME": str(home), "BENCH_PORT": str(ground.sshd.port), "TERM": "xterm"})

    return call


def cstar_done(ground: Ground, _: str, __: int | None) -> int:
    statuses = (ground.scratch / "home" / ".cstar" / "jobs").glob("*/*/status")
    return sum(status.read_text().strip() == "0" for status in statuses)


TOOLS = [
    Tool("quorate", "as it comes: 64 handshakes at a time", quorate, quorate_done, python=False),
    Tool("xargs", f"`xargs -P {PARALLEL} ssh`", xargs, all_or_none, python=False),
    Tool("parallel-ssh", f"libssh2, `pool_size={PARALLEL}`", parallel_ssh, total(r"^(\d+) done$")),
    Tool("pyinfra", f"`--parallel {PARALLEL}`", pyinfra, count(r"\[[\d.]+\]\s+Success$")),
    Tool("ansible", f"`-m raw -f {PARALLEL}`, no kept connections", ansible, count(r"\| rc=0 \|")),
    Tool("cstar", f"`--strategy all -j {PARALLEL} --ssh-pause-time 0`", cstar(0), cstar_done),
    Tool("cstar-default", "`--strategy all`", cstar(0.5), cstar_done, slow=True),
]
