"""A set of processes that start and stop together on the box's platform, and the file that lists them.

The first supervisor in a directory starts the platform (`platform.py`) in its own process; later ones use it. Each
deploys its processes as Marathon apps of its own group, and removes them when it stops.

`DIR/run/NAME.json` holds each process' name, url, pid and state; it is replaced atomically, so a reader never sees a
partial file. It is removed on a clean stop; after a crash its pid no longer answers, which readers check.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from smackbox.base.errors import StartError, StorageError
from smackbox.net.listener import free_port
from smackbox.runtime.marathon_client import PlatformClient
from smackbox.runtime.process import (
    LIFELINE,
    STOP_TIMEOUT_S,
    ManagedProcess,
    ProcessSpec,
    app_name,
    is_alive,
    job_files,
)
from smackbox.runtime.settings import BoxSettings
from smackbox.store.fs import Disk

READY_TIMEOUT_S = 60.0
STARTING_LOOK_S = 0.01
RUNNING_LOOK_S = 0.2
FAILURE_LOOK_S = 0.1
KILL_TIMEOUT_S = 2.0

T = TypeVar("T")
log = logging.getLogger(__name__)


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
    """A supervisor's own entry in the file."""

    name: str
    pid: int
    processes: list[ProcessState]

    def url(self, process: str) -> str | None:
        """The URL of the process of that name, None if there is none."""
        return next((one.url for one in self.processes if one.name == process), None)


class Supervisor:
    """Starts processes in the order given and stops them in reverse; SIGINT and SIGTERM end its `async with`."""

    def __init__(self, name: str, settings: BoxSettings) -> None:
        self.processes: list[ManagedProcess] = []
        self._name = name
        self._group = f"/{app_name(name)}"
        self._settings = settings
        self._directory = settings.dir
        self._file = settings.dir / "run" / f"{name}.json"
        self._lifeline = settings.dir / "run" / f"{name}.lifeline"
        self._lifeline_fd: int | None = None
        self._platform: Any = None
        self._client: PlatformClient | None = None
        self._batches: list[list[ManagedProcess]] = []
        self._jobs: list[str] = []
        self._watching: asyncio.Task[None] | None = None
        self._told_to_stop = asyncio.Event()

    @classmethod
    def claim(cls, name: str, settings: BoxSettings) -> Supervisor:
        """The supervisor of that name. Raises `StartError` when another one is alive in the directory."""
        if any(other.name == name for other in running(settings.dir)):
            raise StartError(f"{name} is running in {settings.dir} already: see `smack status`, or give another --dir")
        return cls(name, settings)

    async def __aenter__(self) -> Supervisor:
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, self._told_to_stop.set)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        await self.stop()
        return kind is Stopped

    async def start(self, *specs: ProcessSpec) -> None:
        """Start these side by side and wait until all are ready.

        Raises the first `StartError`, or `Stopped` when told to stop meanwhile; started processes stay until `stop`.
        """
        await self.unless_stopped(self._start(specs))

    async def schedule(self, *jobs: dict[str, Any]) -> None:
        """Add these jobs to Chronos until `stop`. Raises `StartError`."""
        client = await self._connected()
        for job in jobs:
            for file in job_files(self._directory, job["name"]):
                file.parent.mkdir(parents=True, exist_ok=True)
                if file.suffix == ".failure":
                    file.unlink(missing_ok=True)
            self._jobs.append(job["name"])
            await client.put_job(job)

    async def unless_stopped(self, work: Awaitable[T]) -> T:
        """The result of `work`; raises `Stopped` as soon as the supervisor must stop."""
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
        """Wait for SIGINT or SIGTERM."""
        await self._told_to_stop.wait()

    async def stop(self) -> None:
        """Stop all, the last started first. Nothing is left running."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._client is not None:
            for job in self._jobs:
                with contextlib.suppress(StartError):
                    await self._client.delete_job(job)
            for batch in reversed(self._batches):
                await self._stop_batch(self._client, batch)
            with contextlib.suppress(StartError):
                await self._client.delete_group(self._group)
            await self._client.close()
        if self._platform is not None:
            await self._platform.stop()
        if self._lifeline_fd is not None:
            os.close(self._lifeline_fd)
            self._lifeline.unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)

    def table(self) -> str:
        """One line a process: name, URL, milliseconds to ready."""
        lines = self._states()
        width = max(len(process.name) for process in lines)
        return "\n".join(f"  {process.name:<{width}}  {process.url:<36}  {process.ready_ms:>5} ms" for process in lines)

    def url(self, name: str) -> str:
        """The URL of the process of that name."""
        return next(process.url for process in self._states() if process.name == name)

    # --- starting

    async def _start(self, specs: tuple[ProcessSpec, ...]) -> None:
        client = await self._connected()
        batch = [ManagedProcess(self._with_port(spec), self._directory, self._group) for spec in specs]
        self.processes += batch
        self._batches.append(batch)
        await client.put_apps([process.definition(self._lifeline) for process in batch])
        waits = [asyncio.create_task(self._until_ready(client, process)) for process in batch]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._write_file()

    async def _until_ready(self, client: PlatformClient, one: ManagedProcess) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_TIMEOUT_S
        next_look = loop.time() + FAILURE_LOOK_S
        while True:
            if one.look():
                self._write_file()
            if one.state == "ready":
                return
            if loop.time() >= next_look:
                next_look = loop.time() + FAILURE_LOOK_S
                app = await client.app(one.app_id)
                if app is not None and "lastTaskFailure" in app:
                    words = one.shutdown_reason() or app["lastTaskFailure"]["message"]
                    raise StartError(words or f"{one.spec.name} ended, see {one.log_file}")
            if loop.time() >= deadline:
                raise StartError(f"{one.spec.name} was not ready within {READY_TIMEOUT_S:.0f} s, see {one.log_file}")
            await asyncio.sleep(STARTING_LOOK_S)

    async def _connected(self) -> PlatformClient:
        """The platform of the directory, started if there is none. Raises `StartError`."""
        if self._client is not None:
            return self._client
        urls = next((state for state in running(self._directory) if state.url("marathon")), None)
        if urls is None:
            from smackbox.runtime.platform import Platform, quiet

            quiet()
            self._platform = Platform(self._settings)
            await self._platform.start()
            marathon, chronos = (
                next(process.url for process in self._platform.servers if process.name == name)
                for name in ("marathon", "chronos")
            )
        else:
            marathon, chronos = urls.url("marathon") or "", urls.url("chronos") or ""
        self._client = PlatformClient(marathon, chronos)
        if self._platform is not None:
            await self._forget_the_dead(self._client)
        self._lifeline.parent.mkdir(parents=True, exist_ok=True)
        self._lifeline.unlink(missing_ok=True)
        os.mkfifo(self._lifeline)
        self._lifeline_fd = os.open(self._lifeline, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._watching = asyncio.create_task(self._watch())
        return self._client

    async def _forget_the_dead(self, client: PlatformClient) -> None:
        """Remove the apps of a killed supervisor. Users' own apps stay."""
        apps = await client.apps()
        left = [app["id"] for app in apps if LIFELINE in app.get("env", {})]
        for app_id in left:
            await client.delete_app(app_id)
        wanted = {app["id"].split("/")[1] for app in apps if app["id"] not in left}
        for group in await client.groups():
            if group.removeprefix("/") not in wanted:
                await client.delete_group(group)

    def _with_port(self, spec: ProcessSpec) -> ProcessSpec:
        """Port 0 becomes one that is free, and stays the same over restarts."""
        if spec.port != 0:
            return spec
        return ProcessSpec(spec.name, spec.argv, free_port(self._settings.host), spec.environ)

    # --- running

    async def _watch(self) -> None:
        while True:
            changes = [
                process.look() for process in self.processes if process.state not in {"new", "starting"} or process.url
            ]
            if any(changes):
                for one in self.processes:
                    if one.state == "waiting":
                        log.warning("%s has ended: Marathon starts it again, see %s", one.spec.name, one.log_file)
                self._write_file()
            self._tell_of_failed_jobs()
            await asyncio.sleep(RUNNING_LOOK_S)

    def _tell_of_failed_jobs(self) -> None:
        for name in self._jobs:
            log_file, failure = job_files(self._directory, name)
            try:
                reason = failure.read_text(errors="replace").strip()
                failure.unlink()
            except OSError:
                continue
            log.warning("job %s failed: %s; see %s", name, reason.removeprefix("smack: "), log_file)

    async def _stop_batch(self, client: PlatformClient, batch: list[ManagedProcess]) -> None:
        """By Marathon; by signals where it does not do it."""
        for one in batch:
            one.state = "stopping"
        try:
            for one in batch:
                await client.delete_app(one.app_id)
        except StartError as error:
            log.warning("%s: the processes are stopped by signals", error)
            for one in batch:
                one.signal(signal.SIGTERM)
        if not await _until(lambda: all(process.ended() for process in batch), STOP_TIMEOUT_S + KILL_TIMEOUT_S):
            for one in batch:
                one.signal(signal.SIGKILL)
            await _until(lambda: all(process.ended() for process in batch), KILL_TIMEOUT_S)
        for one in batch:
            one.state, one.pid = "stopped", 0

    def _states(self) -> list[ProcessState]:
        platform = self._platform.servers if self._platform is not None else []
        own = [
            ProcessState(process.name, process.url, os.getpid(), "ready", 0, process.ready_ms) for process in platform
        ]
        return own + [
            ProcessState(process.spec.name, process.url, process.pid, process.state, process.restarts, process.ready_ms)
            for process in self.processes
        ]

    def _write_file(self) -> None:
        state = RunFile(self._name, os.getpid(), self._states())
        try:
            Disk().make_directory(self._file.parent)
            Disk().replace(self._file, msgspec.json.format(msgspec.json.encode(state)))
        except StorageError as error:
            log.error("`smack status` does not see this change: %s", error)


def running(directory: Path) -> list[RunFile]:
    """The supervisors that are alive in this directory. Raises `StartError` for a file that is not one of ours."""
    found = []
    for file in sorted((directory / "run").glob("*.json")):
        try:
            state = msgspec.json.decode(file.read_bytes(), type=RunFile)
        except FileNotFoundError:
            continue  # its supervisor has stopped meanwhile
        except msgspec.DecodeError as error:
            raise StartError(f"{file} is not a run file: {error}; remove it") from error
        if is_alive(state.pid):
            found.append(state)
    return found


async def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it holds within that time."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(STARTING_LOOK_S)
    return True
