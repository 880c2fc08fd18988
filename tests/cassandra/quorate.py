"""The program under test, run as an operator runs it."""
from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from cluster import Cluster


class Quorate:
    """The binary with a home of its own, pointed at one cluster."""

    def __init__(self, binary: Path, cluster: Cluster):
        self.binary = binary
        self.cluster = cluster
        self.home = cluster.directory / "quorate-home"
        self.logs = cluster.directory / "quorate-logs"
        self.logs.mkdir()
        self.runs = 0

    def jobs(self) -> set[Path]:
        """Directories of jobs with the outputs of their nodes."""
        return set((self.home / "jobs").glob("*/"))

    def start(self, command: str, *args: str) -> Running:
        """Starts `quorate COMMAND -F CONFIG --plain -v ARGS…`."""
        words = [str(self.binary), command, "-F", str(self.cluster.ssh_config), "--plain", "-v", *args]
        return self.spawn(command, words)

    def warm_up(self) -> None:
        """Asks for help, for which it reads all its commands."""
        with self.spawn("help", [str(self.binary), "restart", "--help"]) as run:
            run.succeeds(300)

    def spawn(self, name: str, words: list[str]) -> Running:
        return Running(words, self.environment(), self.next_log(name))

    def ask(self, command: str, *args: str) -> dict:
        """What `quorate COMMAND ARGS… --output json` prints."""
        words = [str(self.binary), command, *args, "--output", "json"]
        log = self.next_log(command)
        answer = subprocess.run(
            words,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        log.write_text(f"$ {' '.join(words)}\n{answer.stdout}\n{answer.stderr}")
        assert answer.returncode == 0, f"{command} ended with {answer.returncode}: {answer.stderr.strip()} ({log})"
        return json.loads(answer.stdout)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.cluster.directory),
            "USER": getpass.getuser(),
            "QUORATE_HOME": str(self.home),
        }

    def next_log(self, name: str) -> Path:
        self.runs += 1
        return self.logs / f"{self.runs}-{name}.log"


class Running:
    """One run; what it prints is kept, with the time of each line."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path):
        self.words = words
        self.log = log
        self.lines: list[str] = []
        self.news = threading.Condition()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        with open(self.log, "w") as log:
            log.write(f"$ {' '.join(self.words)}\n")
            for line in self.process.stdout:
                log.write(f"{time.monotonic() - self.began:7.2f}  {line}")
                log.flush()
                with self.news:
                    self.lines.append(line.rstrip("\n"))
                    self.news.notify_all()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join(10)

    def matching(self, pattern: str) -> list[str]:
        with self.news:
            return [line for line in self.lines if re.search(pattern, line)]

    def until(self, pattern: str, timeout: float) -> str:
        """The first line that matches, as soon as it is there."""
        end = time.monotonic() + timeout
        while True:
            # Looked at before the lines: the last of them may come meanwhile.
            ended = not self.thread.is_alive()
            if found := self.matching(pattern):
                return found[0]
            if ended:
                raise AssertionError(f"it ended ({self.process.wait()}) without a line like {pattern!r}: {self.tail()}")
            if time.monotonic() > end:
                raise AssertionError(f"no line like {pattern!r} within {timeout:.0f} s: {self.tail()}")
            with self.news:
                self.news.wait(0.2)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def ended(self, timeout: float) -> int:
        """Its exit code."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it hasn't ended after {timeout:.0f} s: {self.tail()}") from None
        self.thread.join(10)
        return code

    def succeeds(self, timeout: float) -> float:
        """Ends with exit code 0; gives the seconds that it took."""
        code = self.ended(timeout)
        assert code == 0, f"quorate ended with {code}: {self.tail()}"
        return time.monotonic() - self.began

    def tail(self) -> str:
        with self.news:
            return " / ".join(self.lines[-6:]) + f" ({self.log})"
