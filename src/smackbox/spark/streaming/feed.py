"""Where a stream's records come from: one topic, or one or several sources of other kinds.

A topic alone keeps its offsets by partition in the checkpoint; other sources keep states of their own there, as JSON by
their names. A batch holds the records of each source, and what a plan says of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.errors import AwayError
from smackbox.spark.streaming.inputs.input import Bounds, Done, Input, Stopped
from smackbox.spark.streaming.source import KafkaSource, Ranges

SHORT_WAIT_S = 0.02

log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """Records by source, and the plan by which they are read again: ranges of a topic alone, plans of others."""

    records: dict[str, Sequence[Any]]
    ranges: Ranges
    inputs: dict[str, Any]

    @property
    def rows(self) -> int:
        """How many records there are."""
        return sum(map(len, self.records.values()))


class Feed(Protocol):
    """The records of a stream. Raises `AwayError` for what is worth another attempt."""

    def open(self, checkpoint: Checkpoint) -> None:
        """Go on where the checkpoint ends."""
        ...

    def take(self, bounds: Bounds, stopped: Stopped) -> Batch | None:
        """What comes within the bounds; None for nothing."""
        ...

    def again(self, plan: Plan, stopped: Stopped) -> dict[str, Sequence[Any]]:
        """The records of a plan."""
        ...

    def done(self, plan: Plan) -> dict[str, Done]:
        """What is committed with a plan, by source; not for a topic alone."""
        ...

    def show_progress(self, offsets: dict[int, int]) -> None:
        """Show offsets to tools that ask the broker."""
        ...

    @property
    def is_away(self) -> bool:
        """Whether a source did not answer when the last batch was taken."""
        ...

    def lag(self) -> int:
        """Records that are known to wait."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class TopicFeed:
    """A topic alone. `partitions` are those that are read; None is all of them."""

    def __init__(self, name: str, make_source: Callable[[], KafkaSource]) -> None:
        self.name = name
        self._make_source = make_source
        self._source: KafkaSource | None = None

    @property
    def source(self) -> KafkaSource:
        """The topic, as it is read."""
        assert self._source is not None, "open comes first"
        return self._source

    def open(self, checkpoint: Checkpoint) -> None:
        if self._source is None:
            self._source = self._make_source()
        self._source.assign(checkpoint.offsets)

    def take(self, bounds: Bounds, stopped: Stopped) -> Batch | None:
        source = self.source
        began = source.next_offsets
        messages = source.collect(bounds.deadline, bounds.rows, bounds.size, stopped, eager=bounds.eager)
        if not messages:
            return None
        ranges = {
            number: (began.get(number, 0), offset)
            for number, offset in source.next_offsets.items()
            if offset != began.get(number)
        }
        return Batch({self.name: messages}, ranges, {})

    def again(self, plan: Plan, stopped: Stopped) -> dict[str, Sequence[Any]]:
        return {self.name: self.source.read(plan.ranges, stopped)}

    def done(self, plan: Plan) -> dict[str, Done]:
        return {}

    def show_progress(self, offsets: dict[int, int]) -> None:
        self.source.show_progress(offsets)

    @property
    def is_away(self) -> bool:
        return False  # `take` raises then

    def lag(self) -> int:
        return self.source.lag()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None


class InputsFeed:
    """One source or several; each gives a part of every batch."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = {source.name: source for source in inputs}
        self._away: set[str] = set()

    def open(self, checkpoint: Checkpoint) -> None:
        saved = checkpoint.inputs
        for name, source in self._inputs.items():
            state = source.open(saved.get(name), lambda items, name=name: checkpoint.taken(name, items))  # type: ignore[misc]
            if name not in saved:
                checkpoint.save_inputs({name: state})

    def take(self, bounds: Bounds, stopped: Stopped) -> Batch | None:
        if not bounds.eager or len(self._inputs) == 1:
            return self._take(bounds, stopped)
        # each is asked in turn, for waiting for one would be silence of the others
        while True:
            left_s = min(SHORT_WAIT_S, bounds.deadline - time.monotonic())
            batch = self._take(bounds._replace(deadline=time.monotonic() + left_s), stopped)
            if batch is not None or left_s <= 0 or stopped():
                return batch

    def again(self, plan: Plan, stopped: Stopped) -> dict[str, Sequence[Any]]:
        return {name: self._inputs[name].again(taken, stopped) for name, taken in plan.inputs.items()}

    def done(self, plan: Plan) -> dict[str, Done]:
        return {name: self._inputs[name].done(taken) for name, taken in plan.inputs.items()}

    def show_progress(self, offsets: dict[int, int]) -> None: ...

    @property
    def is_away(self) -> bool:
        return bool(self._away)

    def lag(self) -> int:
        return sum(source.lag() or 0 for source in self._inputs.values())

    def close(self) -> None:
        for source in self._inputs.values():
            source.close()

    def _take(self, bounds: Bounds, stopped: Stopped) -> Batch | None:
        """A part of each source, in its share of the time that is left; what one leaves the next may take."""
        records: dict[str, Sequence[Any]] = {}
        plans: dict[str, Any] = {}
        left_rows = bounds.rows
        failure: AwayError | None = None
        for number, (name, source) in enumerate(self._inputs.items()):
            sharers = len(self._inputs) - number
            now = time.monotonic()
            deadline = now + max(0.0, bounds.deadline - now) / sharers
            try:
                share = bounds._replace(rows=max(1, left_rows // sharers), deadline=deadline)
                taken = source.take(share, stopped)
            except AwayError as error:
                if name not in self._away:
                    log.warning("%s; the other sources go on", error)
                self._away.add(name)
                failure = failure or error
                continue
            self._away.discard(name)
            if taken is not None:
                records[name], plans[name] = taken
                left_rows -= len(taken.records)
        if failure is not None and not plans:
            raise failure
        return Batch(records, {}, plans) if plans else None
