"""One supervised process: started, known to be ready by the line it prints, restarted when it dies, stopped in the end.

A child prints `ready NAME URL in N ms` on its standard output; everything else that it says goes to its log file. It
holds the read end of a pipe whose other end is here: when this process dies, however it dies, the child sees the end
of its input and stops by itself. A child is restarted on the port it had, so that its clients find it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from smackbox.base.errors import StartError

READY = re.compile(rb"ready (\S+) (\S+) in (\d+) ms")
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
BACK_OFF_FIRST_S = 0.05
BACK_OFF_LIMIT_S = 5.0
HEALTHY_AFTER_S = 10.0
LINE_LIMIT = 64 * 1024
SUPERVISED = "SMACK_SUPERVISED"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to start a process. `argv` gets `--port N` appended when `port` is not None."""

    name: str
    argv: tuple[str, ...]
    port: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


class ManagedProcess:
    """A process kept alive until `stop`. `changed` is called whenever pid, url or state are different."""

    def __init__(self, spec: ProcessSpec, log_file: Path, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.log_file = log_file
        self.url = ""
        self.pid = 0
        self.state = "new"
        self.ready_ms = 0
        self.restarts = 0
        self._port = spec.port
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._log: BinaryIO | None = None
        self._life: asyncio.Task[None] | None = None
        self._drain: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start it and wait until it says that it is ready. Raises `StartError` with the reason it gave."""
        try:
            await self._spawn()
        except StartError:
            self._enter("failed")
            await self._kill()
            raise
        self._life = asyncio.create_task(self._keep_alive(), name=f"keep {self.spec.name} alive")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after `STOP_TIMEOUT_S`."""
        self._stopping = True
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            self._enter("stopping")
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                log.warning("%s did not stop within %d s: killed", self.spec.name, STOP_TIMEOUT_S)
        await self._kill()
        self._enter("stopped")

    async def _spawn(self) -> None:
        self._enter("starting")
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._log = self.log_file.open("ab")
        log_start = self._log.tell()
        port = () if self._port is None else ("--port", str(self._port))
        self._process = await asyncio.create_subprocess_exec(
            *self.spec.argv,
            *port,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **self.spec.environ, SUPERVISED: "1"},
            start_new_session=True,
            limit=LINE_LIMIT,
        )
        self.pid = self._process.pid
        self._changed()
        try:
            found = await asyncio.wait_for(self._read_until_ready(), READY_TIMEOUT_S)
        except TimeoutError as error:
            raise StartError(
                f"{self.spec.name} was not ready within {READY_TIMEOUT_S:.0f} s, see {self.log_file}"
            ) from error
        if found is None:
            await self._process.wait()
            raise StartError(_last_line(self.log_file, log_start) or f"{self.spec.name} ended, see {self.log_file}")
        self.url = found[2].decode()
        self.ready_ms = int(found[3])
        if self._port is not None:
            self._port = int(self.url.rpartition(":")[2].split("/")[0])
        self._drain = asyncio.create_task(self._drain_output())
        self._enter("ready")

    async def _read_until_ready(self) -> re.Match[bytes] | None:
        assert self._process is not None and self._process.stdout is not None and self._log is not None
        while line := await self._process.stdout.readline():
            if found := READY.match(line):
                return found
            self._log.write(line)
            self._log.flush()
        return None

    async def _drain_output(self) -> None:
        assert self._process is not None and self._process.stdout is not None and self._log is not None
        while chunk := await self._process.stdout.read(LINE_LIMIT):
            self._log.write(chunk)
            self._log.flush()

    async def _keep_alive(self) -> None:
        back_off_s = BACK_OFF_FIRST_S
        while True:
            assert self._process is not None
            ready_at = time.monotonic()
            code = await self._process.wait()
            if time.monotonic() - ready_at > HEALTHY_AFTER_S:
                back_off_s = BACK_OFF_FIRST_S
            log.warning("%s ended (%s): starting it again in %.2f s", self.spec.name, _ending(code), back_off_s)
            while True:
                self._enter("waiting")
                await self._kill()
                await asyncio.sleep(back_off_s)
                back_off_s = min(back_off_s * 2, BACK_OFF_LIMIT_S)
                self.restarts += 1
                try:
                    await self._spawn()
                    break
                except (StartError, OSError) as error:
                    log.warning("%s did not start: %s; again in %.1f s", self.spec.name, error, back_off_s)

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._drain is not None:
            await asyncio.gather(self._drain, return_exceptions=True)
            self._drain = None
        if self._log is not None:
            self._log.close()
            self._log = None
        self.pid = 0

    def _enter(self, state: str) -> None:
        self.state = state
        self._changed()


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _last_line(log_file: Path, start: int) -> str:
    """The last line written since `start`: what a server that cannot start says for a person."""
    with log_file.open("rb") as written:
        written.seek(start)
        lines = written.read(LINE_LIMIT).decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("smack: ") if lines else ""
