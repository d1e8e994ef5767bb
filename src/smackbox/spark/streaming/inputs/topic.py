"""A topic as one of several sources. State: partition -> next offset; a plan: partition -> [first, end]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.spark.streaming.inputs.input import Bounds, Done, Known, Stopped, Taken
from smackbox.spark.streaming.source import KafkaSource


class TopicInput:
    """`make_source` connects, as `StreamSettings` says."""

    strict = True

    def __init__(self, name: str, make_source: Callable[[], KafkaSource]) -> None:
        self.name = name
        self._make_source = make_source
        self._kafka: KafkaSource | None = None
        self._offsets: dict[int, int] = {}

    def open(self, saved: Any, known: Known) -> Any:
        if self._kafka is None:
            self._kafka = self._make_source()
        self._offsets = {int(number): offset for number, offset in (saved or {}).items()}
        self._kafka.assign(self._offsets)
        self._offsets = self._kafka.next_offsets
        return _as_json(self._offsets)

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        kafka = self._source()
        began = kafka.next_offsets
        messages = kafka.collect(bounds.deadline, bounds.rows, bounds.size, stopped, eager=bounds.eager)
        if not messages:
            return None
        ends = {number: end for number, end in kafka.next_offsets.items() if end != began.get(number)}
        return Taken(messages, {str(number): [began.get(number, 0), end] for number, end in ends.items()})

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        return self._source().read({int(number): (first, end) for number, (first, end) in plan.items()}, stopped)

    def done(self, plan: Any) -> Done:
        ends = {int(number): end for number, (_, end) in plan.items()}
        self._offsets = {**self._offsets, **ends}
        self._source().show_progress(ends)
        return Done(_as_json(self._offsets))

    def lag(self) -> int | None:
        return self._source().lag()

    def close(self) -> None:
        if self._kafka is not None:
            self._kafka.close()
            self._kafka = None

    def _source(self) -> KafkaSource:
        assert self._kafka is not None, "open comes first"
        return self._kafka


def _as_json(offsets: dict[int, int]) -> dict[str, int]:
    return {str(number): offset for number, offset in offsets.items()}
