"""Fetches the tools that quorate is measured beside, once."""
from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
DEFAULT_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quorate-bench"


class Missing(Exception):
    """Something that this machine must bring isn't there."""


def program(name: str, package: str) -> Path:
    """A program of this machine; administrators' directories count too."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    if not found:
        raise Missing(f"no {name}: install {package} (apt-get update && apt-get install -y {package})")
    # Not resolved: sshd wants its own absolute path, whatever that is a link to.
    return Path(found).absolute()


def step(words: list[object]) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Missing(f"{words[0]} ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def make_venv(cache: Path) -> Path:
    """A Python environment with the peers; gives its directory."""
    digest = hashlib.sha256(f"{REQUIREMENTS.read_text()}{sys.version}".encode()).hexdigest()[:12]
    venv = cache / f"venv-{digest}"
    complete = venv / "complete"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        # One installer at a time; others wait and then find everything there.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.is_file():
            print("making a Python environment with the peers", flush=True)
            step([sys.executable, "-m", "venv", "--clear", venv])
            step([venv / "bin" / "pip", "install", "--quiet", "-r", REQUIREMENTS])
            complete.touch()
    return venv
