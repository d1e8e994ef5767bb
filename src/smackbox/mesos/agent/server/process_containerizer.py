"""The containerizer: runs containers as processes of this host. Their events arrive on the event loop.

A process, child or not, is watched through a process descriptor (`pidfd`). If the kernel does not support them, the
lock of its status file is polled ten times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.agent.server import sandbox, wrapper
from smackbox.mesos.agent.server.fetcher import Fetcher
from smackbox.mesos.agent.server.wrapper import LaunchError, StatusFile, read_status
from smackbox.mesos.agent.state.container import (
    ENDED,
    NEVER_STARTED,
    RUNNING,
    ContainerSpec,
    Ended,
    ProbeOutcome,
    Started,
    Statistics,
)
from smackbox.mesos.agent.state.task_run import LAUNCH_FAILED

if TYPE_CHECKING:
    from smackbox.mesos.agent.state.limited_resource import LimitedResource
    from smackbox.mesos.wire.messages import CheckInfo, HealthCheck, Resource

POLL_S = 0.1
SIGNAL_RETRY_S = 0.01
SIGNAL_RETRIES = 200
DESTROY_RETRY_S = 0.1
DESTROY_RETRIES = 20
"""How many times a container is killed before its wrapper is killed too."""

log = logging.getLogger(__name__)


class Container:
    """One container being launched or running."""

    def __init__(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        self.spec = spec
        self.started = started
        self.ended = ended
        self.pid: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.launching: asyncio.Task[None] | None = None
        self.is_over = False
        self.limit: tuple[str, str, list[Resource]] | None = None
        """The reason, message and resources of the limit that it exceeded."""


class ProcessContainerizer:
    """Containers that are processes. `is_same_boot` means that processes of an earlier agent may still be running."""

    def __init__(self, fetcher: Fetcher, *, is_same_boot: bool = True) -> None:
        self._fetcher = fetcher
        self._is_same_boot = is_same_boot
        self._containers: dict[str, Container] = {}
        self._fds: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Detach from all containers; they keep running."""
        for container in self._containers.values():
            container.is_over = True
            self._unwatch(container)
            if container.process is not None:
                container.process.returncode = 0  # by design nobody will wait for it
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- Containers

    def launch(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        container = self._containers[spec.id] = Container(spec, started, ended)
        container.launching = self._spawn(self._launch(container))
        container.launching.add_done_callback(lambda task: self._launch_done(container, task))

    def find(self, spec: ContainerSpec) -> str:
        status = read_status(spec.status_file)
        if not status.exists or (status.pid is None and not status.locked):
            return NEVER_STARTED
        return RUNNING if status.locked and self._is_same_boot else ENDED

    def resume(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        container = self._containers[spec.id] = Container(spec, started, ended)
        status = read_status(spec.status_file)
        if status.locked and self._is_same_boot:
            self._spawn(self._resume(container, status))
        else:
            self._call_soon(lambda: self._end_resumed(container, status))

    def signal(self, container_id: str, signum: int) -> None:
        container = self._containers.get(container_id)
        if container is not None and not container.is_over:
            self._spawn(self._signal(container, signum))

    def destroy(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is None or container.is_over:
            return
        if container.launching is not None:
            container.launching.cancel()
        else:
            self._spawn(self._destroy(container))

    def resize(self, container_id: str, resources: Sequence[LimitedResource]) -> None:
        """Without isolation, processes have no limits to change."""

    def statistics(self, container_id: str) -> Statistics:
        container = self._containers.get(container_id)
        if container is None or container.pid is None:
            return {}
        pids = wrapper.members(container.pid, self._cgroup(container.spec))
        return {"pid": container.pid, **wrapper.usage(pids)}

    def probe(
        self, spec: ContainerSpec, check: CheckInfo | HealthCheck, timeout_ms: int, done: Callable[[ProbeOutcome], None]
    ) -> Callable[[], None]:
        from smackbox.mesos.agent.server.check_probes import probe

        async def run() -> None:
            done(await probe(spec, check, timeout_ms / 1_000))

        task = self._spawn(run())
        return lambda: None if task.done() else _cancel(task)

    # --- launching

    async def _launch(self, container: Container) -> None:
        spec = container.spec
        try:
            sandbox.prepare(spec)
            stdout, stderr = sandbox.open_output(spec)
            try:
                await self._fetcher.fetch(spec, stderr)
                process = self._start(container, stdout, stderr)
            finally:
                os.close(stdout)
                os.close(stderr)
        except LaunchError as error:
            message = f"Failed to launch container: {error}"
            self._over(container, Ended(None, started=False, reason=LAUNCH_FAILED, message=message))
            return
        container.launching = None
        container.process = process
        container.pid = process.pid
        self._watch(container)
        container.started(Started(process.pid))

    def _launch_done(self, container: Container, task: asyncio.Task[None]) -> None:
        """A stopped launch, even one that had not begun, also reports an end."""
        if container.is_over:
            return
        if task.cancelled():
            self._over(container, Ended(None, started=False))
        elif (error := task.exception()) is not None:
            message = f"Failed to launch container: {error}"
            self._over(container, Ended(None, started=False, reason=LAUNCH_FAILED, message=message))

    def _start(self, container: Container, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        spec = container.spec
        rlimits = [] if spec.container is None else spec.container.get("rlimit_info", {}).get("rlimits", [])
        command = wrapper.command_line(spec.command)
        return wrapper.start(
            wrapper.with_identity(command, spec.user, rlimits),
            environment=spec.environment,
            sandbox=spec.sandbox,
            status_file=spec.status_file,
            stdout=stdout,
            stderr=stderr,
            cgroups=self._cgroups(spec),
        )

    def _cgroups(self, spec: ContainerSpec) -> Sequence[Path]:
        """The files through which the container's wrapper joins its cgroups."""
        return ()

    def _cgroup(self, spec: ContainerSpec) -> Path | None:
        """The folder that lists the processes of the container."""
        return None

    # --- recovered containers

    async def _resume(self, container: Container, status: StatusFile) -> None:
        """Its wrapper is alive, and may not have written its pid yet."""
        file = container.spec.status_file
        while status.locked and status.pid is None:
            await asyncio.sleep(POLL_S / 10)
            status = read_status(file)
        container.pid = status.pid
        self._watch(container)
        if status.pid is not None:
            container.started(Started(status.pid))

    def _end_resumed(self, container: Container, status: StatusFile) -> None:
        container.pid = status.pid
        if container.pid is not None:
            container.started(Started(container.pid))
        if status.pid is not None and self._is_same_boot:
            wrapper.kill_orphans(status.pid, container.spec.sandbox, self._cgroup(container.spec))
        self._end(container, status)

    # --- watching

    def _watch(self, container: Container) -> None:
        assert container.pid is not None or container.process is None
        try:
            fd = os.pidfd_open(container.pid or -1)
        except (AttributeError, OSError):
            self._spawn(self._poll(container))
            return
        if container.process is None and not read_status(container.spec.status_file).locked:
            os.close(fd)  # it ended, and its pid may have been reused
            self._exited(container)
            return
        self._fds[container.spec.id] = fd
        asyncio.get_running_loop().add_reader(fd, self._readable, container)

    def _readable(self, container: Container) -> None:
        self._unwatch(container)
        self._exited(container)

    def _unwatch(self, container: Container) -> None:
        fd = self._fds.pop(container.spec.id, None)
        if fd is not None:
            asyncio.get_running_loop().remove_reader(fd)
            os.close(fd)

    async def _poll(self, container: Container) -> None:
        while read_status(container.spec.status_file).locked:
            await asyncio.sleep(POLL_S)
        self._exited(container)

    def _exited(self, container: Container) -> None:
        """The wrapper is gone: clean up everything in its container."""
        if container.is_over:
            return
        if container.pid is not None:
            wrapper.kill_left_over(container.pid, self._cgroup(container.spec))
        if container.process is not None:
            container.process.wait()
        elif container.pid is not None:
            with contextlib.suppress(ChildProcessError):  # an earlier agent in this same process may be its parent
                os.waitpid(container.pid, os.WNOHANG)
        self._end(container, read_status(container.spec.status_file))

    def _end(self, container: Container, status: StatusFile) -> None:
        if status.failed:
            message = f"Failed to launch container: cannot join {status.failed}"
            self._over(container, Ended(None, started=False, reason=LAUNCH_FAILED, message=message))
        elif container.limit is not None:
            reason, message, resources = container.limit
            self._over(container, Ended(status.exit_status, reason=reason, message=message, limitation=resources))
        else:
            self._over(container, Ended(status.exit_status))

    def _over(self, container: Container, ended: Ended) -> None:
        container.is_over = True
        self._containers.pop(container.spec.id, None)
        container.ended(ended)

    # --- killing

    async def _signal(self, container: Container, signum: int) -> None:
        """The wrapper may not have started the command yet: then the signal is sent later."""
        for _ in range(SIGNAL_RETRIES):
            if container.is_over:
                return
            if container.pid is not None and wrapper.send_signal(container.pid, signum, self._cgroup(container.spec)):
                return
            await asyncio.sleep(SIGNAL_RETRY_S)

    async def _destroy(self, container: Container) -> None:
        for _ in range(DESTROY_RETRIES):
            await self._signal(container, signal.SIGKILL)
            await asyncio.sleep(DESTROY_RETRY_S)
            if container.is_over:
                return
        log.warning("container %s does not end: its wrapper is killed", container.spec.id)
        if container.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(container.pid, signal.SIGKILL)

    # --- the loop

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a container's task failed", exc_info=task.exception())

    def _call_soon(self, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(act)


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
