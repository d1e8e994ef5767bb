"""Operators that make several streams of one: broadcast, balance, partition, unzip, also_to, wire_tap, divert_to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, NonFailureCancellation
from smackbox.akka.stream.stage import Stage


class FanOut(Stage):
    """By default it ends when its last outlet is cancelled, or with `eager_cancel` the first."""

    eager_cancel = False

    def __init__(self, outs: int, eager_cancel: bool = False) -> None:
        self.outs = outs
        self.eager_cancel = eager_cancel

    def on_cancel_at(self, port: int, cause: BaseException) -> None:
        if self.eager_cancel or all(outlet.out_closed for outlet in self.outlets):
            self.cancel_stage(cause)
        else:
            self._left(port)

    def _left(self, port: int) -> None:
        """An outlet is gone, and others are there."""


class Broadcast(FanOut):
    """Each element to all, as fast as the slowest."""

    def on_push(self) -> None:
        element = self.inlet.grab()
        for outlet in self.outlets:
            if not outlet.out_closed:
                outlet.push(element)

    def on_pull_at(self, port: int) -> None:
        self._check()

    def _left(self, port: int) -> None:
        self._check()

    def _check(self) -> None:
        if all(outlet.is_wanted or outlet.out_closed for outlet in self.outlets):
            self.inlet.try_pull()


class Balance(FanOut):
    """Each element to one that wants it. `wait_for_all`: not before all have asked once."""

    def __init__(self, outs: int, wait_for_all: bool = False, eager_cancel: bool = False) -> None:
        super().__init__(outs, eager_cancel)
        self._wanting: deque[int] = deque()
        self._silent = set(range(outs)) if wait_for_all else set()

    def on_push(self) -> None:
        while self._wanting:
            outlet = self.outlets[self._wanting.popleft()]
            if outlet.is_wanted:
                outlet.push(self.inlet.grab())
                break
        self._check()

    def on_pull_at(self, port: int) -> None:
        self._silent.discard(port)
        self._wanting.append(port)
        if self.inlet.has_element:
            self.on_push()
        else:
            self._check()

    def on_upstream_finish(self) -> None:
        if not self.inlet.has_element:
            self.complete_stage()

    def _left(self, port: int) -> None:
        self._silent.discard(port)
        self._wanting = deque(waiting_port for waiting_port in self._wanting if waiting_port != port)
        self._check()

    def _check(self) -> None:
        if self._wanting and not self._silent:
            self.inlet.try_pull()
        if self.inlet.is_drained:
            self.complete_stage()


class Partition(FanOut):
    """Each element to the outlet whose number `partitioner` gives."""

    def __init__(self, outs: int, partitioner: Callable[[Any], int], eager_cancel: bool = False) -> None:
        super().__init__(outs, eager_cancel)
        self._partitioner = partitioner
        self._held: Any = None
        self._held_for = 0

    def on_push(self) -> None:
        element = self.inlet.grab()
        port = self._partitioner(element)
        if not 0 <= port < self.outs:
            raise IndexError(f"the partitioner gave {port} for {element!r}; it must be 0 to {self.outs - 1}")
        outlet = self.outlets[port]
        if outlet.is_wanted:
            outlet.push(element)
            self._check()
        elif outlet.out_closed:
            self._check()
        else:
            self._held, self._held_for = element, port

    def on_pull_at(self, port: int) -> None:
        if self._held is not None:
            if port == self._held_for:
                element, self._held = self._held, None
                self.outlets[port].push(element)
                if self.inlet.in_closed:
                    self.complete_stage()
                else:
                    self._check()
        elif not self.inlet.in_closed:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        if self._held is None:
            self.complete_stage()

    def _left(self, port: int) -> None:
        if self._held is not None and self._held_for == port:
            self._held = None
            if self.inlet.in_closed:
                self.complete_stage()
                return
        self._check()

    def _check(self) -> None:
        if self._held is None and any(outlet.is_wanted for outlet in self.outlets):
            self.inlet.try_pull()


class UnzipWith(FanOut):
    """Element `i` of what `split` gives to outlet `i`, as fast as the slowest."""

    def __init__(self, outs: int, split: Callable[[Any], tuple[Any, ...]]) -> None:
        super().__init__(outs)
        self._split = split

    def on_push(self) -> None:
        parts = self._split(self.inlet.grab())
        for outlet, part in zip(self.outlets, parts, strict=True):
            if not outlet.out_closed:
                outlet.push(part)

    def on_pull_at(self, port: int) -> None:
        if all(outlet.is_wanted or outlet.out_closed for outlet in self.outlets):
            self.inlet.try_pull()

    def _left(self, port: int) -> None:
        self.on_pull_at(port)


class AlsoTo(Stage):
    """Outlet 0 is downstream, outlet 1 the side: both get each element, and any of them ends the other.

    A side that cancels without a failure is left out (`Broadcast` with eager cancel is Pekko's alsoTo: so is this).
    """

    outs = 2

    def on_push(self) -> None:
        element = self.inlet.grab()
        for outlet in self.outlets:
            outlet.push(element)

    def on_pull_at(self, port: int) -> None:
        if all(outlet.is_wanted for outlet in self.outlets):
            self.inlet.try_pull()


class WireTap(Stage):
    """Outlet 1, the tap, gets an element only when it wants one: it never slows the stream, and may miss some."""

    outs = 2

    def __init__(self) -> None:
        self._pending: Any = None

    def on_push(self) -> None:
        element = self.inlet.grab()
        main, tap = self.outlets
        main.push(element)
        if tap.is_wanted:
            tap.push(element)
        elif not tap.out_closed:
            self._pending = element

    def on_pull_at(self, port: int) -> None:
        if port == 0:
            self.inlet.try_pull()
        elif self._pending is not None:
            element, self._pending = self._pending, None
            self.outlets[1].push(element)

    def on_cancel_at(self, port: int, cause: BaseException) -> None:
        if port == 0:
            self.cancel_stage(cause)
        else:
            self._pending = None


class DivertTo(Partition):
    """Outlet 1 gets what `when` is true for."""

    def __init__(self, when: Callable[[Any], bool]) -> None:
        super().__init__(2, lambda element: 1 if when(element) else 0, eager_cancel=True)


class SinkFan(Stage):
    """Feeds several sinks; a sink that cancels without a failure leaves the others."""

    def __init__(self, outs: int) -> None:
        self.outs = outs

    def on_push(self) -> None:
        element = self.inlet.grab()
        for outlet in self.outlets:
            if not outlet.out_closed:
                outlet.push(element)

    def on_pull_at(self, port: int) -> None:
        if all(outlet.is_wanted or outlet.out_closed for outlet in self.outlets):
            self.inlet.try_pull()

    def on_cancel_at(self, port: int, cause: BaseException) -> None:
        if not isinstance(cause, NonFailureCancellation):
            self.cancel_stage(cause)
        elif all(outlet.out_closed for outlet in self.outlets):
            self.cancel_stage(NO_MORE_ELEMENTS)
        else:
            self.on_pull_at(port)
