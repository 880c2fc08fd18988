"""Fetches what a real cluster needs, once: Cassandra's jars with Maven, the driver with pip."""
from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
REQUIREMENTS = HERE / "requirements.txt"
DEFAULT_CACHE = HERE.parent.parent / "target" / "cassandra"


class Missing(Exception):
    """Something that this machine must bring isn't there."""


@dataclasses.dataclass(frozen=True)
class Installation:
    """Where everything is."""

    cache: Path
    version: str
    java: Path
    jars: tuple[Path, ...]
    python: Path
    server_archive: Path
    nodetool_archive: Path


def cassandra_version() -> str:
    found = xml.etree.ElementTree.parse(POM).findtext(".//{*}cassandra.version")
    if not found:
        raise Missing(f"{POM} names no cassandra.version")
    return found


def find_java() -> tuple[Path, str]:
    """The java to use and its full version."""
    home = os.environ.get("JAVA_HOME")
    named = Path(home, "bin", "java") if home else shutil.which("java")
    if not named or not Path(named).exists():
        raise Missing("no java: install a JDK 17, or set JAVA_HOME to one")
    answer = subprocess.run([named, "-version"], capture_output=True, text=True, check=True)
    version = re.search(r'version "([^"]+)"', answer.stderr)
    if not version or version[1].split(".")[0] != "17":
        raise Missing(f"{named} isn't Java 17: {answer.stderr.splitlines()[0]}; set JAVA_HOME")
    return Path(named).resolve(), version[1]


def program(name: str, package: str) -> Path:
    """A program of this machine; administrators' directories count too."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    if not found:
        raise Missing(f"no {name}: install {package}")
    return Path(found).resolve()


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One installer at a time; others wait and then find everything there."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def run(words: list[object], log: Path) -> None:
    """Runs a step of the installation; its output is shown where it fails."""
    with open(log, "w") as out:
        code = subprocess.call([str(word) for word in words], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise Missing(f"{words[0]} ended with {code}; the end of {log}:\n{tail}")


def fetch_jars(cache: Path) -> Path:
    lib = cache / f"lib-{digest(POM.read_text())}"
    if not lib.is_dir():
        print("fetching Cassandra with Maven", flush=True)
        unfinished = lib.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"]
        run([program("mvn", "Maven"), "-B", "-f", POM, *copy], cache / "maven.log")
        unfinished.rename(lib)
    return lib


def make_venv(cache: Path) -> Path:
    """A Python with the driver; gives its interpreter."""
    venv = cache / f"venv-{digest(REQUIREMENTS.read_text(), sys.version)}"
    complete = venv / "complete"
    if not complete.is_file():
        print("making a Python environment with cassandra-driver", flush=True)
        run([sys.executable, "-m", "venv", "--clear", venv], cache / "venv.log")
        run([venv / "bin" / "pip", "install", "--quiet", "-r", REQUIREMENTS], cache / "pip.log")
        complete.touch()
    return venv / "bin" / "python"


def install(cache: Path) -> Installation:
    """Installs what isn't there yet.

    The archives of classes are made by `archive.py`; without them everything works, slower.
    """
    program("sshd", "openssh-server")
    program("ssh-keygen", "openssh-client")
    java, java_version = find_java()
    cache = cache.absolute()
    with locked(cache):
        lib, python = fetch_jars(cache), make_venv(cache)
    jars = tuple(sorted(lib.glob("*.jar")))
    suffix = digest(java_version, str(java), *map(str, jars), (HERE / "jvm.py").read_text())
    return Installation(
        cache=cache,
        version=cassandra_version(),
        java=java,
        jars=jars,
        python=python,
        server_archive=cache / f"server-{suffix}.jsa",
        nodetool_archive=cache / f"nodetool-{suffix}.jsa",
    )
