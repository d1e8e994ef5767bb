"""Runs a projection as an actor: restarts it with back-off after a failure, pauses, resumes and rewinds it.

    system.spawn(ProjectionBehavior.of(projection), "totals")

It stops when its events end, or when it receives `ProjectionBehavior.STOP`; then what it handled is saved.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.record import record
from smackbox.akka.persistence.offset import NO_OFFSET, Offset
from smackbox.akka.projection.management import ProjectionManagement
from smackbox.akka.projection.messages import Clear, GetOffset, IsPaused, Pause, Resume, SetOffset
from smackbox.akka.projection.metrics import ProjectionStatus
from smackbox.akka.projection.projection import Projection
from smackbox.akka.projection.run import ProjectionRun

RUNNING, PAUSED, WAITING, STARTING = "running", "paused", "waiting to restart", "starting"


@record
class _Stop:
    """End after what is being handled, and save."""


@record
class _Ended:
    run: ProjectionRun
    error: BaseException | None


@record
class _Restart:
    """The back-off is over."""


class ProjectionBehavior(Actor[Any]):
    """Answers the messages of `messages.py` to their sender with `Done`, or with what they ask for."""

    STOP = _Stop()

    def __init__(self, projection: Projection, wall_ms: Callable[[], int]) -> None:
        self._projection = projection
        self._run: ProjectionRun | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._began_s = 0.0
        self._paused = False
        self.status = ProjectionStatus(projection.id, wall_ms)

    @classmethod
    def of(
        cls, projection: Projection, *, wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> Props[Any]:
        """What `spawn` takes. `wall_ms` gives milliseconds since 1970, for the lag."""
        return Props(cls, (projection, wall_ms))

    async def pre_start(self) -> None:
        ProjectionManagement.of(self.context.system)._add(self._projection.id, self.context.ref, self.status)
        await self._start_unless_paused()

    async def post_stop(self) -> None:
        await self._end()
        self.status.state = "stopped"
        ProjectionManagement.of(self.context.system)._remove(self._projection.id, self.context.ref)

    def on_signal(self, signal: Signal) -> Any:
        return UNHANDLED

    async def receive(self, message: Any) -> Any:
        sender = self.context.sender
        offsets, id_ = self._projection.offsets, self._projection.id
        match message:
            case _Ended(run, error):
                self._ended(run, error)
            case _Restart():
                await self._restart()
            case _Stop():
                self.context.stop()
            case GetOffset():
                sender.tell(await offsets.read(id_) or NO_OFFSET)
            case IsPaused():
                sender.tell(self._paused)
            case SetOffset(offset):
                await self._rewind(offset)
                sender.tell(offset)
            case Clear():
                await self._rewind(NO_OFFSET)
                sender.tell(NO_OFFSET)
            case Pause() | Resume():
                await self._pause(isinstance(message, Pause))
                sender.tell(message)
            case _:
                return UNHANDLED
        return None

    # -- changes

    async def _pause(self, paused: bool) -> None:
        await self._projection.offsets.save_paused(self._projection.id, paused)
        self._paused = paused
        if paused:
            await self._end()
            self.status.state = PAUSED
        elif self._task is None:
            self._start()

    async def _rewind(self, offset: Offset) -> None:
        await self._end()
        if offset == NO_OFFSET:
            await self._projection.offsets.clear(self._projection.id)
        else:
            await self._projection.offsets.save(self._projection.id, offset)
        self._start()

    async def _restart(self) -> None:
        if self._task is None:
            await self._start_unless_paused()

    async def _start_unless_paused(self) -> None:
        try:
            self._paused = await self._projection.offsets.read_paused(self._projection.id)
        except Exception as error:
            self._retry_later(error)
            return
        self._start()

    # -- the run

    def _start(self) -> None:
        self.context.timers.cancel("restart")
        if self._paused:
            self.status.state = PAUSED
            return
        system = self.context.system
        run = self._run = ProjectionRun(self._projection, system, self.status)
        self._began_s = system.dispatcher.now_s()
        task = self._task = asyncio.get_running_loop().create_task(run.run())
        system.keep(task)
        self.status.state = RUNNING
        ref = self.context.ref

        def ended(finished: asyncio.Task[None]) -> None:
            if not finished.cancelled():
                ref.tell(_Ended(run, finished.exception()))

        task.add_done_callback(ended)

    async def _end(self) -> None:
        """Let the run finish what it is handling, and wait for it."""
        self.context.timers.cancel("restart")
        run, task = self._run, self._task
        self._run = self._task = None
        if run is not None and task is not None:
            run.stop()
            await asyncio.wait({task})

    def _ended(self, run: ProjectionRun, error: BaseException | None) -> None:
        if run is not self._run:
            return
        self._run = self._task = None
        if error is None:
            self.context.stop()
        else:
            self._retry_later(error)

    def _retry_later(self, error: BaseException) -> None:
        back_off = self._projection.settings.back_off
        system = self.context.system
        if system.dispatcher.now_s() - self._began_s > back_off.reset_s:
            self._failures = 0
        delay_s = back_off.delay_s(self._failures, system.chance())
        self._failures += 1
        self.status.restarts += 1
        self.status.error = repr(error)
        self.status.state = WAITING
        self.context.log.error("projection %s restarts in %.1f s: %r", self._projection.id.text, delay_s, error)
        self.context.timers.start_single("restart", _Restart(), delay_s)
