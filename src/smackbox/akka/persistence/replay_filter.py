"""Looks for events of two writers under one id, as Pekko's replay filter does: by writer and sequence number.

A second actor for an id may live for a moment, for example while a network is split, and write events with numbers
that the first one uses as well. The newer writer is right: what an older one wrote after it is dropped (`REPAIR`),
fails the recovery (`FAIL`) or is only logged (`WARN`). Events wait in a window, so that one that is overtaken later can
still be dropped.
"""

from __future__ import annotations

import enum
import logging
from collections import OrderedDict, deque

from smackbox.akka.persistence.errors import ReplayError
from smackbox.akka.persistence.journal import StoredEvent

WINDOW = 100
OLD_WRITERS = 10

log = logging.getLogger("smackbox.akka")


class ReplayFilterMode(enum.Enum):
    """Pekko's `repair-by-discard-old`, `fail`, `warn` and `off`."""

    REPAIR = "repair-by-discard-old"
    FAIL = "fail"
    WARN = "warn"
    OFF = "off"


class ReplayFilter:
    """Of one recovery. `push` gives the events that are settled, `flush` the rest at the end."""

    def __init__(self, mode: ReplayFilterMode, window: int = WINDOW, old_writers: int = OLD_WRITERS) -> None:
        self._mode = mode
        self._window = window
        self._limit = old_writers
        self._waiting: deque[StoredEvent] = deque()
        self._old: OrderedDict[str, None] = OrderedDict()
        self._writer: str | None = None
        self._sequence_nr = -1

    def push(self, event: StoredEvent) -> list[StoredEvent]:
        """Raises `ReplayError` in mode `FAIL`."""
        if self._mode is ReplayFilterMode.OFF:
            return [event]
        ready = [self._waiting.popleft()] if len(self._waiting) >= self._window else []
        if event.writer_uuid == self._writer:
            if event.sequence_nr < self._sequence_nr:
                self._issue(event, f"its writer has written {self._sequence_nr} already")
            else:
                self._sequence_nr = event.sequence_nr
                self._waiting.append(event)
        elif event.writer_uuid in self._old:
            self._issue(event, f"a newer writer has written {self._sequence_nr}")
        else:
            self._change_writer(event)
        return ready

    def flush(self) -> list[StoredEvent]:
        """The events that wait in the window."""
        rest = list(self._waiting)
        self._waiting.clear()
        return rest

    def _issue(self, event: StoredEvent, why: str) -> None:
        if self._complain(event, why):
            self._waiting.append(event)

    def _change_writer(self, event: StoredEvent) -> None:
        if self._writer is not None:
            self._old[self._writer] = None
            if len(self._old) > self._limit:
                self._old.popitem(last=False)
        self._writer = event.writer_uuid
        self._sequence_nr = event.sequence_nr
        kept: deque[StoredEvent] = deque()
        for waiting in self._waiting:
            overtaken = waiting.sequence_nr >= event.sequence_nr
            if not overtaken or self._complain(waiting, f"a newer writer has written {event.sequence_nr}"):
                kept.append(waiting)
        self._waiting = kept
        self._waiting.append(event)

    def _complain(self, event: StoredEvent, why: str) -> bool:
        """Whether the event is kept."""
        text = (
            f"event {event.sequence_nr} of {event.persistence_id} by writer {event.writer_uuid!r}: {why}. "
            "Did two actors run under one id?"
        )
        if self._mode is ReplayFilterMode.FAIL:
            raise ReplayError(text)
        log.warning(text)
        return self._mode is ReplayFilterMode.WARN
