"""A JVM with pekko-persistence-cassandra 1.1.0: built from `tests/contract/akka/pekko_persistence`, told by lines.

with RealPekkoPersistence(("127.0.0.1", 9042), "datacenter1", "pekko", "pekko_snapshot") as jvm:
    jvm.say("add Account|1 5")
"""

from __future__ import annotations

import subprocess
from typing import Self

from bench.engines.java import java
from bench.engines.real_pekko import ROOT, STOP_TIMEOUT_S, build, missing

SOURCES = ROOT / "tests" / "contract" / "akka" / "pekko_persistence"

__all__ = ["RealPekkoPersistence", "missing"]


class RealPekkoPersistence:
    """A context manager. Raises `RuntimeError` when it cannot start."""

    def __init__(self, cassandra: tuple[str, int], datacenter: str, keyspace: str, snapshot_keyspace: str) -> None:
        self._arguments = [str(cassandra[1]), datacenter, keyspace, snapshot_keyspace]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        home = build(SOURCES)
        command = java()
        assert command is not None, "missing() says so"
        self._process = subprocess.Popen(
            [
                command, "-Xmx256m", "-Dfile.encoding=UTF-8", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp", f"{home / 'classes'}:{home / 'libs'}/*", "lab.Accounts", *self._arguments,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )  # fmt: skip
        lines = self._until("ready")
        if lines[-1] != "ready":
            self.__exit__()
            raise RuntimeError(f"the JVM did not start: {' '.join(lines)[-1000:]}")
        return self

    def say(self, command: str) -> str:
        """The answer to a command of `Accounts`. Raises `RuntimeError` when the JVM ended."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        lines = self._until("= ")
        if not lines or not lines[-1].startswith("= "):
            raise RuntimeError(f"the JVM ended: {' '.join(lines)[-1000:]}")
        return lines[-1][2:]

    def _until(self, beginning: str) -> list[str]:
        assert self._process is not None and self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line.strip())
            if line.startswith(beginning):
                break
        return lines or [""]

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
