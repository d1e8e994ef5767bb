"""One run of a projection, from its saved offset to a failure, a stop, or the end of its events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.persistence.offset import NO_OFFSET, Offset
from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.projection.metrics import ProjectionStatus
from smackbox.akka.projection.progress import Progress
from smackbox.akka.projection.projection import Guarantee, Projection
from smackbox.akka.stream.queues import SinkQueue
from smackbox.akka.stream.sink import Sink

log = logging.getLogger("smackbox.akka")

BUFFER = 256
"""Events that wait for the handler."""


class ProjectionRun:
    """`status` is kept up to date. `stop` ends it after the event or group that is being handled."""

    def __init__(self, projection: Projection, system: ActorSystem, status: ProjectionStatus) -> None:
        self._projection = projection
        self._system = system
        self._status = status
        self._stopping = asyncio.Event()
        settings = projection.settings
        self._progress: Progress[EventEnvelope] = Progress(settings.save_after, settings.save_after_s)
        grouped = projection.guarantee in {Guarantee.GROUPED, Guarantee.EXACTLY_ONCE}
        self._handle = self._gather if grouped else self._handle_one

    def stop(self) -> None:
        """End after what is being handled, and save."""
        self._stopping.set()

    async def run(self) -> None:
        """Raises what the store, the events or the handler raise."""
        projection = self._projection
        target = projection.target
        if target is not None:
            await target.start(projection.id)
        try:
            offset = await projection.offsets.read(projection.id)
            self._status.saved(offset)
            source = projection.events(NO_OFFSET if offset is None else offset)
            async with source.run_with(Sink.queue(BUFFER), self._system) as events:
                await self._consume(events)
        finally:
            if target is not None:
                await target.stop()

    async def _consume(self, events: SinkQueue[EventEnvelope]) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        pulling: asyncio.Future[EventEnvelope | None] | None = None
        try:
            while not self._stopping.is_set():
                pulling = pulling or asyncio.ensure_future(events.pull())
                wait_s = self._progress.wait_s(self._now_s())
                waiting: set[asyncio.Future[Any]] = {pulling, stopping}
                await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                if pulling.done() and not self._stopping.is_set():
                    envelope, pulling = pulling.result(), None
                    if envelope is None:
                        break
                    await self._handle(envelope)
                if self._progress.is_due(self._now_s()):
                    await self._save()
            if self._progress.pending:
                await self._save()
        finally:
            stopping.cancel()
            if pulling is not None:
                pulling.cancel()

    async def _handle_one(self, envelope: EventEnvelope) -> None:
        handler = self._projection.handler
        assert handler is not None
        if self._projection.guarantee is Guarantee.AT_MOST_ONCE:
            await self._save_offset(envelope.offset)
            await self._insist(lambda: handler(envelope), [envelope])
        else:
            await self._insist(lambda: handler(envelope), [envelope])
            self._progress.add(envelope, self._now_s())

    async def _gather(self, envelope: EventEnvelope) -> None:
        self._progress.add(envelope, self._now_s())

    async def _save(self) -> None:
        projection = self._projection
        pending = self._progress.take()
        offset = pending[-1].offset
        if projection.target is not None:
            await projection.target.commit(projection.id, pending, offset)
            self._status.handled(pending)
            self._status.saved(offset)
            return
        if projection.group_handler is not None:
            handler = projection.group_handler
            await self._insist(lambda: handler(pending), pending)
        await self._save_offset(offset)

    async def _save_offset(self, offset: Offset) -> None:
        await self._projection.offsets.save(self._projection.id, offset)
        self._status.saved(offset)

    async def _insist(self, work: Callable[[], Awaitable[Any]], envelopes: list[EventEnvelope]) -> None:
        """Call the handler, again where told, and leave the events out where told."""
        retry = self._projection.settings.retry
        for attempt in range(retry.retries + 1):
            try:
                await work()
            except Exception as error:
                where = f"{envelopes[0].persistence_id} event {envelopes[0].sequence_nr}"
                log.warning("projection %s failed at %s: %r", self._projection.id.text, where, error)
                if attempt < retry.retries:
                    await asyncio.sleep(retry.delay_s)
                elif not retry.skip:
                    raise
            else:
                self._status.handled(envelopes)
                return
        self._status.skipped(len(envelopes))

    def _now_s(self) -> float:
        return self._system.dispatcher.now_s()
