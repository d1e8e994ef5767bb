"""Garbage collection of sandboxes, by age and disk usage, as in Mesos:

    maximum age = gc_delay * max(0, 1 - gc_disk_headroom - used fraction of the disk)

checked every `disk_watch_interval`. A sandbox's age counts from its executor's end. For an orphaned one found at
start-up it counts from its last change.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

LATEST = "latest"
log = logging.getLogger(__name__)


def age_limit_s(delay_s: float, headroom: float, used: float) -> float:
    """The maximum age of a sandbox; `used` is the used fraction of the disk, 0 to 1."""
    return delay_s * max(0.0, 1.0 - headroom - used)


class SandboxCollector:
    """The sandboxes that are no longer needed, by the time since then."""

    def __init__(
        self,
        work_dir: Path,
        *,
        delay_s: float,
        headroom: float,
        interval_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._work_dir = work_dir
        self._delay_s = delay_s
        self._headroom = headroom
        self._interval_s = interval_s
        self._now = now
        self._left: dict[Path, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self, needed: set[Path]) -> None:
        """Adopt those left by earlier agents; `needed` are the sandboxes of executors that continue."""
        for run in self._work_dir.glob("slaves/*/frameworks/*/executors/*/runs/*"):
            if run not in needed and run.name != LATEST and run.is_dir():
                self._left[run] = run.stat().st_mtime
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Remove no more sandboxes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def leave(self, directory: Path) -> None:
        """That sandbox is no longer needed: it is removed after `gc_delay`."""
        self._left[directory] = self._now()

    async def collect(self) -> None:
        """Remove those that are old enough."""
        usage = await asyncio.to_thread(shutil.disk_usage, self._work_dir)
        limit_s = age_limit_s(self._delay_s, self._headroom, usage.used / usage.total)
        for directory, since in list(self._left.items()):
            if self._now() - since >= limit_s:
                await asyncio.to_thread(_remove, directory)
                del self._left[directory]

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.collect()
            except OSError as error:
                log.warning("old sandboxes could not be removed: %s", error)


def _remove(directory: Path) -> None:
    """Remove the sandbox, and the folders above it that become empty."""
    shutil.rmtree(directory, ignore_errors=True)
    runs = directory.parent
    latest = runs / LATEST
    if latest.is_symlink() and not latest.exists():
        latest.unlink()
    with contextlib.suppress(
        OSError
    ):  # up to the first that is not empty: runs, the executor, executors, the framework
        for folder in (runs, *list(runs.parents)[:3]):
            folder.rmdir()
