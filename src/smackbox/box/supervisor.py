"""A set of processes that live and die together, and the file that tells other commands about them.

`DIR/run/NAME.json` holds each process' name, url, pid and state; it is replaced whole, so a reader never sees half of
it. It is removed on a clean stop; after a crash its pid no longer answers, which readers check.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import msgspec

from smackbox.base.errors import StartError
from smackbox.box.process import ManagedProcess, ProcessSpec

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - an event, not an error
    """SIGINT or SIGTERM came while something else was awaited."""


class ProcessState(msgspec.Struct, frozen=True):
    """One line of `smack status`."""

    name: str
    url: str
    pid: int
    state: str
    restarts: int
    ready_ms: int


class RunFile(msgspec.Struct, frozen=True):
    """What a supervisor tells about itself."""

    name: str
    pid: int
    processes: list[ProcessState]

    def url(self, process: str) -> str | None:
        return next((one.url for one in self.processes if one.name == process), None)


class Supervisor:
    """Starts processes in the order given and stops them in reverse; SIGINT and SIGTERM end its `async with`."""

    def __init__(self, name: str, directory: Path) -> None:
        self.processes: list[ManagedProcess] = []
        self._name = name
        self._directory = directory
        self._file = directory / "run" / f"{name}.json"
        self._told_to_stop = asyncio.Event()

    @classmethod
    def claim(cls, name: str, directory: Path) -> Supervisor:
        """The supervisor of that name. Raises `StartError` when another one is alive in the directory."""
        if any(other.name == name for other in running(directory)):
            raise StartError(f"{name} is running in {directory} already: see `smack status`, or give another --dir")
        return cls(name, directory)

    async def __aenter__(self) -> Supervisor:
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, self._told_to_stop.set)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        await self.stop()
        return kind is Stopped

    async def start(self, *specs: ProcessSpec) -> None:
        """Start these side by side and wait until all are ready.

        Raises the first `StartError`, or `Stopped` when told to stop meanwhile; what had started stays until `stop`.
        """
        started = [
            ManagedProcess(spec, self._directory / "logs" / f"{spec.name}.log", self._write_file) for spec in specs
        ]
        self.processes += started
        await self.unless_stopped(asyncio.gather(*(process.start() for process in started)))

    async def unless_stopped(self, work: Awaitable[T]) -> T:
        """The result of `work`; raises `Stopped` as soon as the supervisor is told to stop."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._told_to_stop.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Stopped
            return working.result()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def wait(self) -> None:
        """Until SIGINT or SIGTERM."""
        await self._told_to_stop.wait()

    async def stop(self) -> None:
        """Stop all, the last started first. Nothing is left running."""
        for process in reversed(self.processes):
            await process.stop()
        self._file.unlink(missing_ok=True)

    def table(self) -> str:
        """One line a process: name, URL, milliseconds to ready."""
        width = max(len(process.spec.name) for process in self.processes)
        return "\n".join(f"  {one.spec.name:<{width}}  {one.url:<36}  {one.ready_ms:>5} ms" for one in self.processes)

    def url(self, name: str) -> str:
        return next(process.url for process in self.processes if process.spec.name == name)

    def _write_file(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        state = RunFile(
            self._name,
            os.getpid(),
            [
                ProcessState(one.spec.name, one.url, one.pid, one.state, one.restarts, one.ready_ms)
                for one in self.processes
            ],
        )
        fresh = self._file.with_suffix(".fresh")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        fresh.replace(self._file)


def running(directory: Path) -> list[RunFile]:
    """The supervisors that are alive in this directory. Raises `StartError` for a file that is not one of ours."""
    found = []
    for file in sorted((directory / "run").glob("*.json")):
        try:
            state = msgspec.json.decode(file.read_bytes(), type=RunFile)
        except FileNotFoundError:
            continue  # its supervisor stopped between the two looks
        except msgspec.DecodeError as error:
            raise StartError(f"{file} is not a run file: {error}; remove it") from error
        if _alive(state.pid):
            found.append(state)
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
