"""Coordinated shutdown: an actor system ends in phases, each with its tasks and a time limit.

The phases are Pekko's, in its order. Tasks of a phase run side by side; a phase that takes longer than its limit, or a
task that fails, is logged and the next phase begins. It runs once, however often it is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any

BEFORE_SERVICE_UNBIND = "before-service-unbind"
SERVICE_UNBIND = "service-unbind"
SERVICE_REQUESTS_DONE = "service-requests-done"
SERVICE_STOP = "service-stop"
BEFORE_CLUSTER_SHUTDOWN = "before-cluster-shutdown"
CLUSTER_SHARDING_SHUTDOWN_REGION = "cluster-sharding-shutdown-region"
CLUSTER_LEAVE = "cluster-leave"
CLUSTER_EXITING = "cluster-exiting"
CLUSTER_EXITING_DONE = "cluster-exiting-done"
CLUSTER_SHUTDOWN = "cluster-shutdown"
BEFORE_ACTOR_SYSTEM_TERMINATE = "before-actor-system-terminate"
ACTOR_SYSTEM_TERMINATE = "actor-system-terminate"

PHASES: dict[str, float] = {
    BEFORE_SERVICE_UNBIND: 5.0,
    SERVICE_UNBIND: 5.0,
    SERVICE_REQUESTS_DONE: 5.0,
    SERVICE_STOP: 5.0,
    BEFORE_CLUSTER_SHUTDOWN: 5.0,
    CLUSTER_SHARDING_SHUTDOWN_REGION: 10.0,
    CLUSTER_LEAVE: 5.0,
    CLUSTER_EXITING: 10.0,
    CLUSTER_EXITING_DONE: 5.0,
    CLUSTER_SHUTDOWN: 5.0,
    BEFORE_ACTOR_SYSTEM_TERMINATE: 5.0,
    ACTOR_SYSTEM_TERMINATE: 10.0,
}
"""Seconds that each phase may take (Pekko's `coordinated-shutdown.phases`)."""

Task = Callable[[], Awaitable[Any]]

log = logging.getLogger("smackbox.akka")


class CoordinatedShutdown:
    """The shutdown of one actor system, which ends with `terminate`. `reason` is why it ran, or None."""

    def __init__(self, terminate: Task) -> None:
        self._terminate = terminate
        self._tasks: dict[str, list[tuple[str, Task]]] = {}
        self._run: asyncio.Task[None] | None = None
        self.reason: str | None = None

    def add_task(self, phase: str, name: str, task: Task) -> Callable[[], None]:
        """Add `task` to `phase`. Returns a function that removes it. Raises `ValueError` for an unknown phase."""
        if phase not in PHASES:
            raise ValueError(f"no phase {phase!r}; there is {', '.join(PHASES)}")
        entry = (name, task)
        self._tasks.setdefault(phase, []).append(entry)

        def remove() -> None:
            with contextlib.suppress(ValueError):
                self._tasks[phase].remove(entry)

        return remove

    async def run(self, reason: str, from_phase: str = BEFORE_SERVICE_UNBIND) -> None:
        """Run the phases from `from_phase` on, and terminate the system. Waits for a run in progress."""
        if self._run is None:
            self.reason = reason
            self._run = asyncio.ensure_future(self._phases(from_phase))
        await asyncio.shield(self._run)

    async def run_on_signals(self, *signums: signal.Signals) -> None:
        """Wait for SIGINT or SIGTERM (or `signums`), and run."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        caught: list[signal.Signals] = []

        def on_signal(signum: signal.Signals) -> None:
            caught.append(signum)
            stop.set()

        chosen = signums or (signal.SIGINT, signal.SIGTERM)
        for signum in chosen:
            loop.add_signal_handler(signum, on_signal, signum)
        try:
            await stop.wait()
            await self.run(caught[0].name)
        finally:
            for signum in chosen:
                loop.remove_signal_handler(signum)

    async def _phases(self, from_phase: str) -> None:
        names = list(PHASES)
        for phase in names[names.index(from_phase) :]:
            work = [self._do(phase, name, task) for name, task in self._tasks.get(phase, ())]
            if phase == ACTOR_SYSTEM_TERMINATE:
                work.append(self._do(phase, "terminate", self._terminate))
            if not work:
                continue
            try:
                async with asyncio.timeout(PHASES[phase]):
                    await asyncio.gather(*work)
            except TimeoutError:
                log.warning("coordinated shutdown: phase %s took longer than %.0f s", phase, PHASES[phase])

    async def _do(self, phase: str, name: str, task: Task) -> None:
        try:
            await task()
        except Exception:
            log.exception("coordinated shutdown: task %s of phase %s failed", name, phase)
