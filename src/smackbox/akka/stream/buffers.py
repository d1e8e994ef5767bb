"""Operators that let the two sides run at rates of their own: buffer, batch, conflate, expand."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from smackbox.akka.actor.supervision import Directive
from smackbox.akka.stream.errors import BufferOverflowError
from smackbox.akka.stream.stage import Stage


class OverflowStrategy(enum.Enum):
    """What happens to an element for which a buffer has no room."""

    BACK_PRESSURE = "back pressure"
    DROP_HEAD = "drop head"
    DROP_TAIL = "drop tail"
    DROP_NEW = "drop new"
    DROP_BUFFER = "drop buffer"
    FAIL = "fail"
    EMIT_EARLY = "emit early"
    """Of `delay` alone: the oldest goes before its time."""


def overflow(buffer: deque[Any], size: int, strategy: OverflowStrategy, element: Any) -> bool:
    """Put `element` into a buffer of at most `size`. False when it was dropped itself; raises `BufferOverflowError`."""
    if len(buffer) >= size:
        if strategy is OverflowStrategy.DROP_HEAD:
            buffer.popleft()
        elif strategy is OverflowStrategy.DROP_TAIL:
            buffer.pop()
        elif strategy is OverflowStrategy.DROP_BUFFER:
            buffer.clear()
        elif strategy is OverflowStrategy.DROP_NEW:
            return False
        else:
            raise BufferOverflowError(f"the buffer holds {size} elements and is full")
    buffer.append(element)
    return True


class Buffer(Stage):
    """Elements wait, up to `size`; the strategy says what happens beyond."""

    def __init__(self, size: int, strategy: OverflowStrategy) -> None:
        self._size = size
        self._strategy = strategy
        self._buffer: deque[Any] = deque()

    @property
    def waiting(self) -> int:
        return len(self._buffer)

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self.outlet.is_wanted:
            self.outlet.push(element)
        else:
            overflow(self._buffer, self._size, self._strategy, element)
        if self._strategy is not OverflowStrategy.BACK_PRESSURE or len(self._buffer) < self._size:
            self.inlet.pull()

    def on_pull(self) -> None:
        if self._buffer:
            self.outlet.push(self._buffer.popleft())
        if self.inlet.in_closed:
            if not self._buffer:
                self.complete_stage()
        else:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        if not self._buffer:
            self.complete_stage()


class Batch(Stage):
    """While downstream is slow, gathers elements up to `limit`; `conflate` is a batch without one."""

    def __init__(
        self,
        limit: float | None,
        weight: Callable[[Any], float],
        seed: Callable[[Any], Any],
        aggregate: Callable[[Any, Any], Any],
    ) -> None:
        self._limit = limit
        self._weight = weight
        self._seed = seed
        self._aggregate = aggregate
        self._gathered: Any = None
        self._left = 0.0
        self._held: tuple[Any, float] | None = None

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            weight = self._weight(element)
            if self._gathered is None:
                self._begin(element, weight)
            elif self._limit is not None and self._left < weight:
                self._held = (element, weight)
            else:
                self._gathered = self._aggregate(self._gathered, element)
                self._left -= weight
        except Exception as error:
            if self.decide(error) is Directive.RESTART:
                self._gathered = None
                self._held = None
        if self.outlet.is_wanted and self._gathered is not None:
            self._give()
        if self._held is None:
            self.inlet.try_pull()

    def on_pull(self) -> None:
        if self._gathered is not None:
            self._give()
        if self.inlet.in_closed:
            if self._gathered is None:
                self.complete_stage()
        elif self._held is None:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        if self._gathered is None:
            self.complete_stage()

    def _begin(self, element: Any, weight: float) -> None:
        self._gathered = self._seed(element)
        self._left = (self._limit or 0.0) - weight

    def _give(self) -> None:
        gathered, self._gathered = self._gathered, None
        self.outlet.push(gathered)
        if self._held is not None:
            held, self._held = self._held, None
            try:
                self._begin(*held)
            except Exception as error:
                self.decide(error)


class Expand(Stage):
    """While upstream is slow, gives what `extend` makes of the last element. The first of it comes in any case."""

    def __init__(self, extend: Callable[[Any], Iterator[Any]]) -> None:
        self._extend = extend
        self._iterator: Iterator[Any] = iter(())
        self._next: Any = None
        self._fresh = False

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        self._iterator = iter(self._extend(self.inlet.grab()))
        self._next = next(self._iterator, None)
        if self._next is None:
            self.inlet.pull()
        elif self.outlet.is_wanted:
            self._give()
            self.inlet.pull()
        else:
            self._fresh = True

    def on_pull(self) -> None:
        if self._next is None:
            return
        fresh, self._fresh = self._fresh, False
        self._give()
        if self.inlet.in_closed:
            if fresh:
                self.complete_stage()
        elif fresh:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        if not self._fresh:
            self.complete_stage()

    def _give(self) -> None:
        element = self._next
        self.outlet.push(element)
        self._next = next(self._iterator, None)


class Detach(Stage):
    """Asks for one element ahead of demand."""

    def __init__(self) -> None:
        self._held: Any = None

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self.outlet.is_wanted:
            self.outlet.push(element)
            self.inlet.pull()
        else:
            self._held = element

    def on_pull(self) -> None:
        if self._held is not None:
            element, self._held = self._held, None
            self.outlet.push(element)
            if self.inlet.in_closed:
                self.complete_stage()
            else:
                self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        if self._held is None:
            self.complete_stage()
