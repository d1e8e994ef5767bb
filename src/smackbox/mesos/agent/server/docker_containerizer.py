"""Containers of type DOCKER, through the Docker Engine.

The status file of such a container has one line, `docker <id>`, written before the container is started: the engine
keeps its state even if the agent dies. Its output is copied to the sandbox; after the agent's death, copying resumes at
the modification time of the files.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from smackbox.mesos.agent.server import sandbox
from smackbox.mesos.agent.server.check_probes import command_of, probe
from smackbox.mesos.agent.server.docker_engine import DockerEngine, DockerError
from smackbox.mesos.agent.server.fetcher import Fetcher
from smackbox.mesos.agent.server.wrapper import LaunchError, read_status, wait_status
from smackbox.mesos.agent.state.container import (
    NEVER_STARTED,
    RUNNING,
    ContainerSpec,
    Ended,
    ProbeOutcome,
    Started,
    Statistics,
)
from smackbox.mesos.agent.state.docker_config import (
    DockerConfig,
    DockerInfoError,
    container_config,
    container_name,
    docker_info,
)
from smackbox.mesos.agent.state.task_run import LAUNCH_FAILED

if TYPE_CHECKING:
    from smackbox.mesos.agent.state.limited_resource import LimitedResource
    from smackbox.mesos.wire.messages import CheckInfo, CheckInfoCommand, CommandInfo, HealthCheck

RETRY_S = 1.0
FILE_TIME_S = 0.01
"""How much a file's modification time may lag behind its last write, due to the kernel's coarse clock."""
LOG_TIMEOUT_S = 5.0
"""Drain timeout for the output of a container that has ended."""
SIGKILLED = 128 + signal.SIGKILL

log = logging.getLogger(__name__)

T = TypeVar("T")


class _Docker:
    """One container being launched or running."""

    def __init__(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        self.spec = spec
        self.started = started
        self.ended = ended
        self.id = ""
        self.address: str | None = None
        self.work: asyncio.Task[None] | None = None
        self.is_over = False
        self.is_started = False
        self.is_resumed = False


class DockerContainerizer:
    """The containers of one agent in one engine; a `Containers` for those of type DOCKER."""

    def __init__(self, engine: DockerEngine, fetcher: Fetcher, *, remove_delay_s: float) -> None:
        self._engine = engine
        self._fetcher = fetcher
        self._remove_delay_s = remove_delay_s
        self._containers: dict[str, _Docker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._to_remove: dict[str, asyncio.TimerHandle] = {}

    async def stop(self) -> None:
        """Detach from running containers; remove those that have ended."""
        for container in self._containers.values():
            container.is_over = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for docker_id, timer in self._to_remove.items():
            timer.cancel()
            with contextlib.suppress(DockerError):
                await self._engine.remove(docker_id)
        await self._engine.close()

    def has(self, container_id: str) -> bool:
        """Whether it has that container."""
        return container_id in self._containers

    # --- Containers

    def launch(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        container = self._containers[spec.id] = _Docker(spec, started, ended)
        container.work = self._spawn(self._launch(container))
        container.work.add_done_callback(lambda task: self._done(container, task))

    def find(self, spec: ContainerSpec) -> str:
        return RUNNING if read_status(spec.status_file).docker else NEVER_STARTED

    def resume(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        container = self._containers[spec.id] = _Docker(spec, started, ended)
        container.id = read_status(spec.status_file).docker
        container.is_resumed = True
        container.work = self._spawn(self._resume(container))
        container.work.add_done_callback(lambda task: self._done(container, task))

    def signal(self, container_id: str, signum: int) -> None:
        container = self._containers.get(container_id)
        if container is not None and container.id:
            self._spawn(self._kill(container, signal.Signals(signum).name))

    def destroy(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is None or container.is_over:
            return
        if container.is_started:
            self._spawn(self._kill(container, "SIGKILL"))
        elif container.work is not None:
            container.work.cancel()

    def resize(self, container_id: str, resources: Sequence[LimitedResource]) -> None:
        """A container keeps its task's initial limits."""

    def statistics(self, container_id: str) -> Statistics:
        return {}

    def probe(
        self, spec: ContainerSpec, check: CheckInfo | HealthCheck, timeout_ms: int, done: Callable[[ProbeOutcome], None]
    ) -> Callable[[], None]:
        container = self._containers.get(spec.id)

        async def run() -> None:
            if container is not None and check["type"] == "COMMAND":
                done(await self._probe_command(container, check["command"], timeout_ms / 1_000))
            else:
                done(await probe(spec, check, timeout_ms / 1_000, None if container is None else container.address))

        task = self._spawn(run())

        def cancel() -> None:
            task.cancel()

        return cancel

    # --- from launch to end

    async def _launch(self, container: _Docker) -> None:
        spec = container.spec
        try:
            config = container_config(spec)
            await asyncio.to_thread(sandbox.prepare, spec)
            stdout, stderr = sandbox.open_output(spec)
            try:
                await self._fetcher.fetch(spec, stderr)
            finally:
                os.close(stdout)
                os.close(stderr)
            docker = docker_info(spec)
            if docker.get("force_pull_image") or not await self._engine.has_image(docker["image"]):
                await self._engine.pull(docker["image"])
            container.id = await self._create(spec, config)
            spec.status_file.write_text(f"docker {container.id}\n")
            await self._engine.start(container.id)
        except (LaunchError, DockerError, DockerInfoError, OSError) as error:
            message = f"Failed to launch container: {error}"
            self._over(container, Ended(None, started=False, reason=LAUNCH_FAILED, message=message))
            return
        await self._follow(container)

    async def _create(self, spec: ContainerSpec, config: DockerConfig) -> str:
        name = container_name(spec.id)
        try:
            return await self._engine.create(name, config)
        except DockerError as error:
            if error.status not in {409, 500}:
                raise
            # an earlier agent process created it, and died before it was started
            await self._engine.remove(name)
            return await self._engine.create(name, config)

    async def _resume(self, container: _Docker) -> None:
        async def started() -> bool:
            details = await self._engine.inspect(container.id)
            if details["State"].get("Status") in {"created", "configured", "initialized"}:
                await self._engine.start(container.id)
            return True

        if await self._unless_gone(container, started):
            await self._follow(container)

    async def _follow(self, container: _Docker) -> None:
        """It has been started: report that, copy its output, and wait for its end."""
        logs: asyncio.Task[None] | None = None

        async def ended() -> int:
            nonlocal logs
            details = await self._engine.inspect(container.id)
            if logs is None:
                container.is_started = True
                logs = self._spawn(self._copy_output(container))
                container.started(_started(container, details))
            return await self._engine.wait(container.id)

        code = await self._unless_gone(container, ended)
        if code is None or logs is None:
            return
        await asyncio.wait((logs,), timeout=LOG_TIMEOUT_S)
        logs.cancel()
        await self._end(container, code)

    async def _unless_gone(self, container: _Docker, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `work`, retried while the engine fails; None, and the container's end, if the container is
        gone.
        """
        while True:
            try:
                return await work()
            except DockerError as error:
                if error.status == 404:
                    self._over(container, Ended(None))
                    return None
                log.warning("container %s: %s", container.spec.id, error)
                await asyncio.sleep(RETRY_S)

    async def _end(self, container: _Docker, code: int) -> None:
        text = f"Container exited with status {code}"
        with contextlib.suppress(DockerError):
            if (await self._engine.inspect(container.id))["State"].get("OOMKilled"):
                reason = "REASON_CONTAINER_LIMITATION_MEMORY"
                self._over(container, Ended(wait_status(code), reason=reason, message="Memory limit exceeded"))
                return
        self._over(container, Ended(wait_status(code), message=text))

    async def _copy_output(self, container: _Docker) -> None:
        since = 0.0
        files = {1: container.spec.sandbox / "stdout", 2: container.spec.sandbox / "stderr"}
        if container.is_resumed:
            since = max((path.stat().st_mtime for path in files.values() if path.exists()), default=0.0)
            since += FILE_TIME_S
        descriptors = sandbox.open_output(container.spec)
        try:
            async for stream, data in self._engine.logs(container.id, since):
                os.write(descriptors[1 if stream == 2 else 0], data)
        except DockerError as error:
            log.warning("the output of container %s: %s", container.spec.id, error)
        finally:
            for fd in descriptors:
                os.close(fd)

    def _done(self, container: _Docker, task: asyncio.Task[None]) -> None:
        """A stopped launch also reports an end, and leaves nothing behind."""
        if container.is_over or container.spec.id not in self._containers:
            return
        if task.cancelled():
            if container.id:
                self._remove_soon(container.id, 0)
            self._over(container, Ended(None, started=False))
        elif (error := task.exception()) is not None:
            message = f"Failed to launch container: {error}"
            self._over(container, Ended(None, started=False, reason=LAUNCH_FAILED, message=message))

    def _over(self, container: _Docker, ended: Ended) -> None:
        container.is_over = True
        self._containers.pop(container.spec.id, None)
        if container.id:
            self._remove_soon(container.id, self._remove_delay_s)
        container.ended(ended)

    def _remove_soon(self, docker_id: str, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._to_remove[docker_id] = loop.call_later(delay_s, lambda: self._spawn(self._remove(docker_id)))

    async def _remove(self, docker_id: str) -> None:
        self._to_remove.pop(docker_id, None)
        try:
            await self._engine.remove(docker_id)
        except DockerError as error:
            log.warning("the Docker container %s stays: %s", docker_id, error)

    async def _kill(self, container: _Docker, signame: str) -> None:
        while not container.is_over:
            try:
                await self._engine.kill(container.id, signame)
                return
            except DockerError as error:
                if error.status:
                    log.warning("container %s: %s", container.spec.id, error)
                    return
                await asyncio.sleep(RETRY_S)

    async def _probe_command(
        self, container: _Docker, check: CheckInfoCommand | CommandInfo, timeout_s: float
    ) -> ProbeOutcome:
        command = command_of(check)
        words = [command.get("value", ""), *command.get("arguments", [])[1:]]
        if command.get("shell", True):
            words = ["/bin/sh", "-c", command.get("value", "")]
        try:
            async with asyncio.timeout(timeout_s or None):
                code = await self._engine.run(container.id, words)
        except TimeoutError:
            return ProbeOutcome(None, f"COMMAND check timed out after {timeout_s:g}secs")
        except DockerError as error:
            return ProbeOutcome(None, f"COMMAND check failed: {error}")
        return ProbeOutcome(code, "" if code == 0 else f"Command returned: exited with status {code}")

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _started(container: _Docker, details: dict[str, Any]) -> Started:
    """Its pid and addresses, and the output of `docker inspect`, which Mesos puts into the status' data."""
    settings = details.get("NetworkSettings", {})
    addresses = [
        settings.get("IPAddress"),
        *(Network.get("IPAddress") for Network in (settings.get("Networks") or {}).values()),
    ]
    known = tuple(dict.fromkeys(address for address in addresses if address))
    container.address = known[0] if known else None
    data = base64.b64encode(json.dumps([details], separators=(",", ":")).encode()).decode()
    return Started(details.get("State", {}).get("Pid") or None, known, data)
