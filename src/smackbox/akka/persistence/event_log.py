"""The journal as actors see it: events instead of bytes, with a circuit breaker and a time limit.

A write that the serializer refuses is `EventRejectedError` and reaches no journal. Any other failure counts for the
breaker and is `JournalFailureError`: whether the events are stored is then unknown, and the actor must recover.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from smackbox.akka.persistence.breaker import CircuitBreaker
from smackbox.akka.persistence.errors import EventRejectedError, JournalFailureError
from smackbox.akka.persistence.journal import Done, Journal, StoredEvent
from smackbox.akka.persistence.serialization import EventSerialization, SerializationError, Serialized


class EventLog:
    """Of one actor system. `now_s` is monotonic."""

    def __init__(
        self, journal: Journal, serialization: EventSerialization, breaker: CircuitBreaker, now_s: Callable[[], float]
    ) -> None:
        self.journal = journal
        self.breaker = breaker
        self._serialization = serialization
        self._now_s = now_s

    def encode(self, event: Any, persistence_id: str, sequence_nr: int) -> Serialized:
        """Raises `EventRejectedError`."""
        try:
            return self._serialization.write(event)
        except (SerializationError, msgspec.MsgspecError, TypeError, ValueError, NotImplementedError) as error:
            raise EventRejectedError(f"event {sequence_nr} of {persistence_id} cannot be stored: {error}") from error

    def decode(self, stored: StoredEvent) -> Any:
        """Raises `SerializationError`."""
        return self._serialization.read(stored.serializer, stored.manifest, stored.data)

    def write(self, events: Sequence[StoredEvent], done: Done) -> None:
        """Store events of one persistence id, all or none, and call `done` later. Raises `CircuitOpenError`."""
        self.breaker.enter(self._now_s())
        if self.journal.is_remote:
            _LimitedWrite(self, done).begin(events)
        else:
            self.journal.write(events, lambda error: self._finish(error, done))

    async def persist(
        self, persistence_id: str, sequence_nr: int, events: Iterable[Any], tags: Sequence[str] = ()
    ) -> None:
        """Store events that begin at `sequence_nr`, and wait: for tools and tests, actors have effects.

        Raises `EventRejectedError`, `CircuitOpenError` and `JournalFailureError`.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        stored = []
        for number, event in enumerate(events, sequence_nr):
            serialized = self.encode(event, persistence_id, number)
            stored.append(StoredEvent(persistence_id, number, *serialized, tags=tuple(tags)))
        self.write(stored, done)
        await future

    def _finish(self, error: BaseException | None, done: Done) -> None:
        if error is None:
            self.breaker.succeeded()
            done(None)
            return
        self.breaker.failed(self._now_s())
        failure = JournalFailureError(f"the journal did not store the events: {error}")
        failure.__cause__ = error
        done(failure)


class _LimitedWrite:
    """A write to a journal elsewhere, which fails when it takes too long."""

    __slots__ = ("_done", "_log", "_timer")

    def __init__(self, log: EventLog, done: Done) -> None:
        self._log = log
        self._done: Done | None = done
        limit_s = log.breaker.call_timeout_s
        error = TimeoutError(f"no answer within {limit_s} s")
        self._timer = asyncio.get_running_loop().call_later(limit_s, self._end, error)

    def begin(self, stored: Sequence[StoredEvent]) -> None:
        self._log.journal.write(stored, self._end)

    def _end(self, error: BaseException | None) -> None:
        done, self._done = self._done, None
        self._timer.cancel()
        if done is not None:
            self._log._finish(error, done)
