"""Enforces container limits: CPU and memory with cgroups, disk by periodic checks."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.agent.server.cgroups import Cgroups, amount
from smackbox.mesos.agent.server.fetcher import Fetcher
from smackbox.mesos.agent.server.process_containerizer import Container, ProcessContainerizer
from smackbox.mesos.agent.server.wrapper import LaunchError
from smackbox.mesos.agent.state.container import ContainerSpec, Ended, Started, Statistics

if TYPE_CHECKING:
    from smackbox.mesos.agent.state.limited_resource import LimitedResource
    from smackbox.mesos.wire.messages import Resource

MEMORY_WATCH_S = 0.5
REMOVE_RETRY_S = 0.05
REMOVE_RETRIES = 100
STOP_RETRIES = 10
MEMORY_LIMIT = "REASON_CONTAINER_LIMITATION_MEMORY"
DISK_LIMIT = "REASON_CONTAINER_LIMITATION_DISK"
BYTES_PER_MB = 1024 * 1024

log = logging.getLogger(__name__)


class IsolatingContainerizer(ProcessContainerizer):
    """`cgroups` is None for plain processes. `disk_watch_s` is None to disable the disk checks."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        cgroups: Cgroups | None = None,
        disk_watch_s: float | None = None,
        is_same_boot: bool = True,
    ) -> None:
        super().__init__(fetcher, is_same_boot=is_same_boot)
        self.isolation = cgroups
        self._disk_watch_s = disk_watch_s
        self._roots: dict[str, int] = {}
        """The number of containers in each cgroup."""
        self._leaving: set[str] = set()
        """Cgroups to remove as soon as the kernel has reaped their last process."""
        self._watching: asyncio.Task[None] | None = None
        self._watching_disk: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        await super().stop()
        if self.isolation is not None:
            for root in self._leaving:
                await self._try_to_remove(self.isolation, root, STOP_RETRIES)

    # --- Containers

    def launch(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        self._enter(spec)
        super().launch(spec, started, ended)

    def resume(self, spec: ContainerSpec, started: Callable[[Started], None], ended: Callable[[Ended], None]) -> None:
        self._enter(spec)
        super().resume(spec, started, ended)

    def resize(self, container_id: str, resources: Sequence[LimitedResource]) -> None:
        if self.isolation is None or container_id not in self._roots:
            return
        try:
            self.isolation.update(container_id, resources)
        except FileNotFoundError:
            pass  # none of its processes has started yet
        except OSError as error:
            log.warning("the limits of container %s stay as they were: %s", container_id, error)

    def statistics(self, container_id: str) -> Statistics:
        figures = super().statistics(container_id)
        if self.isolation is not None and container_id in self._roots:
            # the kernel counts in batches: for a small container it may report nothing yet
            figures.update({name: value for name, value in self.isolation.usage(container_id).items() if value})
        return figures

    # --- cgroups

    def _enter(self, spec: ContainerSpec) -> None:
        self._roots[spec.root_id] = self._roots.get(spec.root_id, 0) + 1
        if self.isolation is not None and self._watching is None:
            self._watching = self._spawn(self._watch_memory(self.isolation))
        if self._disk_watch_s is not None and self._watching_disk is None:
            self._watching_disk = self._spawn(self._watch_disk(self._disk_watch_s))

    def _cgroups(self, spec: ContainerSpec) -> Sequence[Path]:
        if self.isolation is None or spec.is_docker:
            return ()
        try:
            return self.isolation.make(spec.root_id, spec.resources)
        except OSError as error:
            raise LaunchError(f"Failed to make its cgroup: {error}") from error

    def _cgroup(self, spec: ContainerSpec) -> Path | None:
        """Nested containers share a cgroup, so its usage is not theirs alone."""
        if self.isolation is None or spec.root_id != spec.id:
            return None
        return self.isolation.members_folder(spec.id)

    def _over(self, container: Container, ended: Ended) -> None:
        root = container.spec.root_id
        if self.isolation is not None and ended.started and container.limit is None:
            reason = self.isolation.out_of_memory(root)
            if reason is not None:
                ended = Ended(ended.status, reason=MEMORY_LIMIT, message=reason, limitation=_limit(container, "mem"))
        self._roots[root] -= 1
        if not self._roots[root]:
            del self._roots[root]
            if self.isolation is not None:
                self._leaving.add(root)
                self._spawn(self._remove(self.isolation, root))
        super()._over(container, ended)

    async def _remove(self, cgroups: Cgroups, root: str) -> None:
        if not await self._try_to_remove(cgroups, root, REMOVE_RETRIES):
            log.warning("the cgroup of container %s is not empty and stays", root)
        self._leaving.discard(root)

    async def _try_to_remove(self, cgroups: Cgroups, root: str, times: int) -> bool:
        for _ in range(times):
            if root in self._roots or cgroups.remove(root):
                return True
            await asyncio.sleep(REMOVE_RETRY_S)
        return False

    async def _watch_memory(self, cgroups: Cgroups) -> None:
        """When the kernel kills one process of a container for its memory use, the rest must not go on without it."""
        while self._roots:
            await asyncio.sleep(MEMORY_WATCH_S)
            for root in list(self._roots):
                reason = cgroups.out_of_memory(root)
                if reason is not None:
                    self._break(root, MEMORY_LIMIT, reason, "mem")
        self._watching = None

    # --- disk

    async def _watch_disk(self, interval_s: float) -> None:
        while self._roots:
            await asyncio.sleep(interval_s)
            for container in [container for container in self._containers.values() if container.pid is not None]:
                reason = await asyncio.to_thread(_over_quota, container.spec)
                if reason is not None and not container.is_over:
                    self._break(container.spec.root_id, DISK_LIMIT, reason, "disk")
        self._watching_disk = None

    def _break(self, root: str, reason: str, message: str, resource: str) -> None:
        """A limit is exceeded: kill everything in the container."""
        for container in [container for container in self._containers.values() if container.spec.root_id == root]:
            if container.limit is None:
                container.limit = (reason, message, _limit(container, resource))
                self.destroy(container.spec.id)


def _limit(container: Container, name: str) -> list[Resource]:
    value = amount(container.spec.resources, name)
    return [{"name": name, "type": "SCALAR", "scalar": {"value": value}}]


def _over_quota(spec: ContainerSpec) -> str | None:
    """The message if the sandbox, or one of its volumes, exceeds its quota."""
    quotas = [(spec.sandbox, amount(spec.resources, "disk"))]
    sizes = {
        resource["disk"]["volume"]["container_path"]: float(resource["scalar"]["value"])
        for resource in spec.resources
        if "persistence" in resource.get("disk", {}) and "volume" in resource["disk"]
    }
    quotas += [
        (volume.source, sizes[volume.container_path]) for volume in spec.volumes if volume.container_path in sizes
    ]
    for directory, quota_mb in quotas:
        used = disk_usage(directory)
        if used > quota_mb * BYTES_PER_MB and quota_mb:
            return f"Disk usage ({_text(used)}) exceeds quota ({_text(int(quota_mb * BYTES_PER_MB))})"
    return None


def disk_usage(directory: Path) -> int:
    """The disk space of the files below a directory in bytes; links are not followed."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(f"{folder}/{name}").st_blocks * 512
            except OSError:
                continue
    return total


def _text(size: int) -> str:
    return f"{size // BYTES_PER_MB}MB" if size >= BYTES_PER_MB else f"{size // 1024}KB"
