"""Events written as they are: rows of a table with the columns of the event, or records of other targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from smackbox.base.settings import near
from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.delivery import Delivery
from smackbox.spark.streaming.errors import StreamError
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.work import Outcome


class Copying:
    """Of events of `event_type`. Events that the table cannot hold are unfit, and go to no other target either."""

    def __init__(self, settings: StreamSettings, event_type: type[msgspec.Struct], delivery: Delivery) -> None:
        self._settings = settings
        self._event_type = event_type
        self._delivery = delivery
        self._fields = list(event_type.__struct_fields__)
        self._key_fields: list[str] = []
        self._values_of: Callable[[Any], Sequence[Any]] = (
            attrgetter(*self._fields) if len(self._fields) > 1 else lambda event: (getattr(event, self._fields[0]),)
        )
        self.required: Sequence[str] = ()

    def prepare(self, checkpoint: Checkpoint) -> None:
        target = self._delivery.table
        if target is None:
            return
        keys, values = target.key_types, target.value_types
        table = f"{self._settings.keyspace}.{self._settings.table}"
        for name in self._fields:
            if name not in keys and name not in values:
                raise StreamError(f"{table} has no column {name!r}{near(name, [*keys, *values])}")
        for name in keys:
            if name not in self._fields:
                raise StreamError(f"{self._event_type.__name__} lacks {name!r}, a part of the primary key of {table}")
        self.required = self._key_fields = list(keys)

    def run(self, events: Mapping[str, list[Any]], plan: Plan, checkpoint: Checkpoint) -> Outcome:
        rows = [event for arrived in events.values() for event in arrived]
        outcome = Outcome(written=len(rows))
        if not rows:
            return outcome
        if self._delivery.table is not None:
            outcome.written, outcome.unfit = self._copy(rows, plan)
        if self._delivery.outputs:
            unfit = {id(event) for event, _ in outcome.unfit}
            self._delivery.put([event for event in rows if id(event) not in unfit] if unfit else rows, plan)
        return outcome

    def is_behind(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        return False

    def is_due(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        return False

    def _copy(self, events: list[Any], plan: Plan) -> tuple[int, list[tuple[Any, str]]]:
        """Write the events as rows. Returns how many were written, and (event, reason) for those that do not fit."""
        if self._settings.delivery == "exactly_once" and self._key_fields == [self._settings.unique]:
            refused = self._write(events, plan)
            return len(events) - len(refused), refused
        # Of two events with one primary key the later one holds, whatever the order in which they are written.
        # Where that one is unfit, the one before it does.
        key_of = attrgetter(*self._key_fields)
        written = 0
        unfit: list[tuple[Any, str]] = []
        left = events
        while left:
            latest = {key_of(event): event for event in left}
            refused = self._write(list(latest.values()), plan)
            written += len(latest) - len(refused)
            unfit += refused
            refused_keys = {key_of(event) for event, _ in refused}
            left = [event for event in left if (key := key_of(event)) in refused_keys and event is not latest[key]]
        return written, unfit

    def _write(self, events: list[Any], plan: Plan) -> list[tuple[Any, str]]:
        rows = list(map(self._values_of, events))
        unfit = self._delivery.write(self._fields, rows, plan, absolute=False)
        return [(events[index], reason) for index, reason in unfit.items()]
