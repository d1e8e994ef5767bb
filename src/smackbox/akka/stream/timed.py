"""Operators that go by the clock: throttle, delay, groups within a time, time-outs, keep_alive, ticks."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from smackbox.akka.stream.buffers import Detach, OverflowStrategy
from smackbox.akka.stream.errors import (
    NO_MORE_ELEMENTS,
    BufferOverflowError,
    RateExceededError,
    StreamTimeoutError,
)
from smackbox.akka.stream.stage import Stage
from smackbox.akka.stream.transform import weigh


class ThrottleMode(enum.Enum):
    """What happens beyond the rate: elements wait, or the stream fails."""

    SHAPING = "shaping"
    ENFORCING = "enforcing"


class Throttle(Stage):
    """A token bucket: `cost` in `per_s`, with `burst` tokens at most and at the beginning."""

    def __init__(
        self, cost: float, per_s: float, burst: float, weight: Callable[[Any], float], mode: ThrottleMode
    ) -> None:
        self._rate = cost / per_s
        self._burst = burst
        self._weight = weight
        self._mode = mode
        self._tokens = burst
        self._at_s = 0.0
        self._waiting: Any = None

    def pre_start(self) -> None:
        self._at_s = self.now_s()

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            weight = self._weight(element)
        except Exception as error:
            self.pass_over(error)
            return
        now_s = self.now_s()
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        self._tokens -= weight
        if self._tokens >= -1e-9:
            self.outlet.push(element)
        elif self._mode is ThrottleMode.ENFORCING:
            raise RateExceededError("the stream is faster than the throttle allows")
        else:
            self._waiting = element
            self.schedule_once("", -self._tokens / self._rate)

    def on_timer(self, key: Hashable) -> None:
        element, self._waiting = self._waiting, None
        self.outlet.push(element)
        if self.inlet.in_closed:
            self.complete_stage()

    def on_upstream_finish(self) -> None:
        if self._waiting is None:
            self.complete_stage()


class Delay(Stage):
    """Each element `delay_s(element)` after it came, in order. What waits is bounded by `size` and `strategy`."""

    def __init__(self, delay_s: Callable[[Any], float], size: int, strategy: OverflowStrategy) -> None:
        self._delay_s = delay_s
        self._size = size
        self._strategy = strategy
        self._waiting: deque[tuple[float, Any]] = deque()

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        waiting = self._waiting
        if len(waiting) >= self._size:
            strategy = self._strategy
            if strategy is OverflowStrategy.EMIT_EARLY:
                if self.outlet.is_wanted:
                    self.cancel_timer("")
                    self.outlet.push(waiting.popleft()[1])
            elif strategy is OverflowStrategy.DROP_HEAD:
                waiting.popleft()
            elif strategy is OverflowStrategy.DROP_TAIL:
                waiting.pop()
            elif strategy is OverflowStrategy.DROP_BUFFER:
                waiting.clear()
            elif strategy is OverflowStrategy.DROP_NEW:
                self.inlet.grab()
                self.inlet.pull()
                return
            elif strategy is OverflowStrategy.FAIL:
                raise BufferOverflowError(f"the buffer of delay holds {self._size} elements and is full")
            if strategy in {OverflowStrategy.DROP_HEAD, OverflowStrategy.DROP_BUFFER}:
                self.cancel_timer("")
        element = self.inlet.grab()
        waiting.append((self.now_s() + self._delay_s(element), element))
        self._move()

    def on_pull(self) -> None:
        if len(self._waiting) > self._size:
            self.outlet.push(self._waiting.popleft()[1])
            self.cancel_timer("")
        self._move()

    def on_timer(self, key: Hashable) -> None:
        self._move()

    def on_upstream_finish(self) -> None:
        self._move()

    def _move(self) -> None:
        waiting = self._waiting
        if waiting and self.outlet.is_wanted:
            left_s = waiting[0][0] - self.now_s()
            if left_s <= 1e-9:
                self.outlet.push(waiting.popleft()[1])
            elif not self.is_timer_active(""):
                self.schedule_once("", left_s)
        if self.inlet.in_closed:
            if not waiting:
                self.complete_stage()
        elif len(waiting) < self._size or self._may_overflow():
            self.inlet.try_pull()

    def _may_overflow(self) -> bool:
        if self._strategy is OverflowStrategy.EMIT_EARLY:
            return len(self._waiting) == self._size and self.outlet.is_wanted
        return self._strategy is not OverflowStrategy.BACK_PRESSURE


class GroupedWithin(Stage):
    """Lists of what came within `within_s`, or as soon as they weigh `limit`. A time without elements gives none."""

    def __init__(self, limit: float, within_s: float, weight: Callable[[Any], float]) -> None:
        self._limit = limit
        self._within_s = within_s
        self._weight = weight
        self._group: list[Any] = []
        self._weighs = 0.0
        self._held: tuple[Any, float] | None = None
        self._due = False

    def pre_start(self) -> None:
        self.schedule_every("", self._within_s, self._within_s)
        self.inlet.pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            weight = weigh(self._weight, element)
        except Exception as error:
            self.pass_over(error)
            return
        if self._group and self._weighs + weight > self._limit:
            self._held = (element, weight)
            self._ready()
            return
        self._add(element, weight)

    def on_pull(self) -> None:
        if self._due:
            self._flush()

    def on_timer(self, key: Hashable) -> None:
        if self._group:
            self._ready()

    def on_upstream_finish(self) -> None:
        if self._group:
            self._ready()
        elif self._held is None:
            self.complete_stage()

    def _add(self, element: Any, weight: float) -> None:
        self._group.append(element)
        self._weighs += weight
        if self._weighs >= self._limit:
            self._ready()
        elif not self.inlet.in_closed:
            self.inlet.try_pull()

    def _ready(self) -> None:
        self._due = True
        if self.outlet.is_wanted:
            self._flush()
        elif self._weighs < self._limit and self._held is None and not self.inlet.in_closed:
            self.inlet.try_pull()

    def _flush(self) -> None:
        group, self._group = self._group, []
        self._weighs = 0.0
        self._due = False
        self.outlet.push(group)
        self.schedule_every("", self._within_s, self._within_s)
        if self._held is not None:
            held, self._held = self._held, None
            self._add(*held)
        if self.inlet.in_closed:
            if self._group:
                self._due = True
            else:
                self.complete_stage()
        elif not self._due:
            self.inlet.try_pull()


class TakeWithin(Stage):
    """Completes when its time is over."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s

    def pre_start(self) -> None:
        self.schedule_once("", self._within_s)

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def on_timer(self, key: Hashable) -> None:
        self.cancel_stage(NO_MORE_ELEMENTS)


class DropWithin(Stage):
    """Drops elements until its time is over."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s

    def pre_start(self) -> None:
        self._until_s = self.now_s() + self._within_s

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self.now_s() < self._until_s:
            self.inlet.pull()
        else:
            self.outlet.push(element)


class InitialDelay(Stage):
    """The first pull waits."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._open = False

    def pre_start(self) -> None:
        if self._delay_s <= 0:
            self._open = True
        else:
            self.schedule_once("", self._delay_s)

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def on_pull(self) -> None:
        if self._open:
            self.inlet.pull()

    def on_timer(self, key: Hashable) -> None:
        self._open = True
        if self.outlet.is_wanted:
            self.inlet.try_pull()


class Timeout(Stage):
    """Fails when its time is over, in `on_timer`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def pre_start(self) -> None:
        self.schedule_once("", self._timeout_s)

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())


class InitialTimeout(Timeout):
    """Fails when no element came within the time."""

    def on_push(self) -> None:
        self.cancel_timer("")
        self.outlet.push(self.inlet.grab())

    def on_timer(self, key: Hashable) -> None:
        raise StreamTimeoutError(f"the first element did not come within {self._timeout_s} s")


class CompletionTimeout(Timeout):
    """Fails when the stream did not end within the time."""

    def on_timer(self, key: Hashable) -> None:
        raise StreamTimeoutError(f"the stream did not complete within {self._timeout_s} s")


class IdleTimeout(Timeout):
    """Fails when the time passes between two elements."""

    def pre_start(self) -> None:
        self._due_s = self.now_s() + self._timeout_s
        super().pre_start()

    def on_push(self) -> None:
        self._due_s = self.now_s() + self._timeout_s
        self.outlet.push(self.inlet.grab())

    def on_timer(self, key: Hashable) -> None:
        left_s = self._due_s - self.now_s()
        if left_s <= 1e-9:
            raise StreamTimeoutError(f"no element passed within {self._timeout_s} s")
        self.schedule_once("", left_s)


class BackpressureTimeout(Stage):
    """Fails when the time passes between an element and the next demand."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def pre_start(self) -> None:
        self.schedule_once("", self._timeout_s)

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())
        self.schedule_once("", self._timeout_s)

    def on_pull(self) -> None:
        self.cancel_timer("")
        self.inlet.pull()

    def on_timer(self, key: Hashable) -> None:
        raise StreamTimeoutError(f"no demand came within {self._timeout_s} s of the last element")


class KeepAlive(Detach):
    """Gives `inject()` when `idle_s` passed without an element, and one is wanted."""

    def __init__(self, idle_s: float, inject: Callable[[], Any]) -> None:
        super().__init__()
        self._idle_s = idle_s
        self._inject = inject
        self._due_s = 0.0
        self._injects = False

    def pre_start(self) -> None:
        self._due_s = self.now_s() + self._idle_s
        self.schedule_once("", self._idle_s)
        super().pre_start()

    def on_push(self) -> None:
        self._due_s = self.now_s() + self._idle_s
        self._injects = False
        super().on_push()

    def on_pull(self) -> None:
        if self._held is None and self._injects:
            self._give()
        else:
            super().on_pull()

    def on_timer(self, key: Hashable) -> None:
        left_s = self._due_s - self.now_s()
        if left_s > 1e-9:
            self.schedule_once("", left_s)
        elif self.outlet.is_wanted:
            self._give()
        else:
            self._injects = True
            self.schedule_once("", self._idle_s)

    def _give(self) -> None:
        self._injects = False
        self._due_s = self.now_s() + self._idle_s
        self.outlet.push(self._inject())
        self.schedule_once("", self._idle_s)


class Ticks(Stage):
    """`element` each `every_s`, first after `first_s`; a tick without demand is lost. `cancelled()` completes it."""

    ins = 0

    def __init__(self, first_s: float, every_s: float, element: Any) -> None:
        self._first_s = first_s
        self._every_s = every_s
        self._element = element
        self.is_cancelled = False

    def pre_start(self) -> None:
        if self.is_cancelled:
            self.complete_stage()
        else:
            self.cancelled = self.callback(self.complete_stage)
            self.schedule_every("", self._first_s, self._every_s)

    def on_pull(self) -> None: ...

    def on_timer(self, key: Hashable) -> None:
        if self.outlet.is_wanted:
            self.outlet.push(self._element)

    cancelled: Callable[[], None] | None = None


class TickHandle:
    """Materialized by `Source.tick`."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks

    @property
    def is_cancelled(self) -> bool:
        """Whether the ticks were cancelled."""
        return self._ticks.is_cancelled

    def cancel(self) -> bool:
        """Complete the source. False when that was done already."""
        if self._ticks.is_cancelled:
            return False
        self._ticks.is_cancelled = True
        if self._ticks.cancelled is not None:
            self._ticks.cancelled()
        return True
