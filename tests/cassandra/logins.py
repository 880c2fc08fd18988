"""What must hold where JMX wants a login."""
from __future__ import annotations

from pathlib import Path

from cluster import Cluster, Shape
from node import JMX_LOGIN
from quorate import Quorate
from scenarios import RESTART_TIMEOUT, RUN_TIMEOUT, Scenario, say

LOGIN = Shape(racks=1, jmx_login=True)
USER, PASSWORD = JMX_LOGIN

# The part of the password that looks the same however it is quoted.
CORE = PASSWORD[:10]


def password_file(cluster: Cluster, password: str) -> str:
    path = cluster.directory / "operators-jmx-password"
    path.touch(mode=0o600)
    path.write_text(password + "\n")
    return str(path)


def seen_in(directory: Path) -> list[Path]:
    """Files that hold the password."""
    files = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if CORE.encode() in path.read_bytes()]


def mistakes_name_their_flags(cluster: Cluster, quorate: Quorate) -> None:
    host = cluster.nodes[0].address
    wrong = password_file(cluster, "another")
    for words, text in (
        ([], "--jmx-username NAME"),
        (["--jmx-username", USER, "--jmx-password-file", wrong], "Invalid username or password"),
        (["--jmx-username", USER, "--jmx-passwordfile", "/no/such/file"], "/no/such/file"),
    ):
        with quorate.start("run", "--seed-host", host, *words, "--command", "true") as run:
            code = run.ended(RUN_TIMEOUT)
            assert code == 3, f"it ends with {code}: {run.tail()}"
            assert any(text in line for line in run.lines), f"no {text!r}: {run.tail()}"
            assert any("hint: " in line for line in run.lines), run.tail()


def restart_logs_in(cluster: Cluster, quorate: Quorate) -> None:
    node = cluster.nodes[0]
    before = node.pid()
    own = password_file(cluster, PASSWORD)
    words = ["--seed-host", node.address, "--jmx-username", USER, "--jmx-password-file", own]
    with quorate.start("restart", *words) as run:
        seconds = run.succeeds(RESTART_TIMEOUT)
        said = "\n".join(run.lines)
    say(f"quorate restart took {seconds:.1f} s")
    assert node.pid() not in (None, before), f"{node} has no new process"
    assert "drain" in said and CORE not in said, said
    Path(own).unlink()
    # The operator's side, the node's home (with nodetool's history), and memory.
    for place in (quorate.home, quorate.logs, node.directory / "home", node.directory / "log", Path("/dev/shm")):
        assert not seen_in(place), f"the password is in {seen_in(place)}"


SCENARIOS = [
    Scenario("a_wrong_jmx_login_is_refused_and_names_its_flags", mistakes_name_their_flags, LOGIN),
    Scenario("restart_logs_in_to_jmx_and_leaves_no_password", restart_logs_in, LOGIN),
]
