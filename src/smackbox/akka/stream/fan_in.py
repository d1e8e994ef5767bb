"""Operators that make one stream of several: merge, concat, zip, interleave, or_else, and their kin."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from smackbox.akka.stream.stage import Stage


class FanIn(Stage):
    """A stage of several inlets and one outlet."""

    def __init__(self, ins: int) -> None:
        self.ins = ins

    def _all_closed(self) -> bool:
        return all(inlet.is_drained for inlet in self.inlets)


class Merge(FanIn):
    """Elements as they come, fair between those that wait. `eager`: ends with the first inlet that does."""

    def __init__(self, ins: int, eager: bool = False) -> None:
        super().__init__(ins)
        self._eager = eager
        self._ready: deque[Any] = deque()

    def pre_start(self) -> None:
        for inlet in self.inlets:
            inlet.try_pull()

    def on_push_at(self, port: int) -> None:
        inlet = self.inlets[port]
        if self.outlet.is_wanted and not self._ready:
            self.outlet.push(inlet.grab())
            inlet.pull()
        else:
            self._ready.append(inlet)

    def on_pull(self) -> None:
        if self._ready:
            inlet = self._ready.popleft()
            self.outlet.push(inlet.grab())
            if not inlet.in_closed:
                inlet.pull()
            elif not self._ready and self._is_over():
                self.complete_stage()

    def on_finish_at(self, port: int) -> None:
        if not self._ready and self._is_over():
            self.complete_stage()

    def _is_over(self) -> bool:
        if self._eager:
            return any(inlet.in_closed for inlet in self.inlets)
        return self._all_closed()


class MergePreferred(FanIn):
    """Inlet 0 before all others, whenever it has an element."""

    def pre_start(self) -> None:
        for inlet in self.inlets:
            inlet.try_pull()

    def on_push_at(self, port: int) -> None:
        self._give()

    def on_pull(self) -> None:
        self._give()

    def on_finish_at(self, port: int) -> None:
        if self._all_closed():
            self.complete_stage()

    def _order(self) -> list[Any]:
        return self.inlets

    def _give(self) -> None:
        if not self.outlet.is_wanted:
            return
        for inlet in self._order():
            if inlet.has_element:
                self.outlet.push(inlet.grab())
                if not inlet.in_closed:
                    inlet.pull()
                elif self._all_closed():
                    self.complete_stage()
                return


class MergePrioritized(MergePreferred):
    """Of several elements that wait, one by chance, as often as its inlet's priority says."""

    def __init__(self, priorities: list[int], chance: Callable[[], float], eager: bool = False) -> None:
        super().__init__(len(priorities))
        self._priorities = priorities
        self._chance = chance
        self._eager = eager

    def on_finish_at(self, port: int) -> None:
        if self._all_closed() or (self._eager and not any(inlet.has_element for inlet in self.inlets)):
            self.complete_stage()

    def _order(self) -> list[Any]:
        waiting = [
            (inlet, priority)
            for inlet, priority in zip(self.inlets, self._priorities, strict=True)
            if inlet.has_element
        ]
        place = self._chance() * sum(priority for _, priority in waiting)
        for inlet, priority in waiting:
            place -= priority
            if place < 0:
                return [inlet]
        return [inlet for inlet, _ in waiting]


class MergeSorted(FanIn):
    """Two sorted streams as one."""

    def __init__(self, key: Callable[[Any], Any]) -> None:
        super().__init__(2)
        self._key = key

    def on_pull(self) -> None:
        self._give()

    def on_push_at(self, port: int) -> None:
        self._give()

    def on_finish_at(self, port: int) -> None:
        if self._all_closed():
            self.complete_stage()
        else:
            self._give()

    def _give(self) -> None:
        if not self.outlet.is_wanted:
            return
        for inlet in self.inlets:
            if not inlet.has_element and not inlet.in_closed:
                for other in self.inlets:
                    other.try_pull()
                return
        ready = [inlet for inlet in self.inlets if inlet.has_element]
        if ready:
            inlet = min(ready, key=lambda one: self._key(one.slot))
            self.outlet.push(inlet.grab())
        if self._all_closed():
            self.complete_stage()


class MergeLatest(FanIn):
    """After each element the newest of each inlet, as a list, once all have one."""

    def __init__(self, ins: int, eager: bool) -> None:
        super().__init__(ins)
        self._eager = eager
        self._latest: list[Any] = [None] * ins
        self._ready: deque[int] = deque()

    def pre_start(self) -> None:
        for inlet in self.inlets:
            inlet.try_pull()

    def on_push_at(self, port: int) -> None:
        if self._latest[port] is None or None in map(_presence, self._latest):
            self._latest[port] = self.inlets[port].grab()
            if all(element is not None for element in self._latest):
                self._ready.append(-1)
                self._give()
                if self.inlets[port].in_closed or self.inlets[port].is_asked:
                    return
            self.inlets[port].try_pull()
            return
        self._ready.append(port)
        self._give()

    def on_pull(self) -> None:
        self._give()

    def on_finish_at(self, port: int) -> None:
        if (self._latest[port] is None or self._is_over()) and not self._ready:
            self.complete_stage()

    def _is_over(self) -> bool:
        if self._eager:
            return any(inlet.in_closed for inlet in self.inlets)
        return all(inlet.in_closed for inlet in self.inlets)

    def _give(self) -> None:
        if self._ready and self.outlet.is_wanted:
            port = self._ready.popleft()
            if port >= 0:
                inlet = self.inlets[port]
                self._latest[port] = inlet.grab()
                inlet.try_pull()
            self.outlet.push(list(self._latest))
            if not self._ready and self._is_over():
                self.complete_stage()


class MergeSequence(FanIn):
    """Elements by their sequence numbers from 0, each in exactly one inlet."""

    def __init__(self, ins: int, sequence: Callable[[Any], int]) -> None:
        super().__init__(ins)
        self._sequence = sequence
        self._next = 0
        self._held: dict[int, Any] = {}

    def pre_start(self) -> None:
        for inlet in self.inlets:
            inlet.try_pull()

    def on_push_at(self, port: int) -> None:
        number = self._sequence(self.inlets[port].slot)
        if number < self._next or number in self._held:
            raise ValueError(f"the sequence number {number} came twice")
        self._held[number] = self.inlets[port]
        self._give()

    def on_pull(self) -> None:
        self._give()

    def on_finish_at(self, port: int) -> None:
        self._check()

    def _give(self) -> None:
        if self.outlet.is_wanted and self._next in self._held:
            inlet = self._held.pop(self._next)
            self._next += 1
            self.outlet.push(inlet.grab())
            inlet.try_pull()
        self._check()

    def _check(self) -> None:
        if self._all_closed():
            self.complete_stage()
        elif self._held and self._next not in self._held and all(i.has_element or i.in_closed for i in self.inlets):
            raise ValueError(f"no inlet has the sequence number {self._next}")


class Concat(FanIn):
    """One inlet after another."""

    def __init__(self, ins: int) -> None:
        super().__init__(ins)
        self._current = 0

    def on_push_at(self, port: int) -> None:
        self.outlet.push(self.inlets[port].grab())

    def on_pull(self) -> None:
        self.inlets[self._current].try_pull()

    def on_finish_at(self, port: int) -> None:
        if port != self._current:
            return
        while self._current < self.ins and self.inlets[self._current].in_closed:
            self._current += 1
        if self._current == self.ins:
            self.complete_stage()
        elif self.outlet.is_wanted:
            self.inlets[self._current].pull()


class OrElse(FanIn):
    """The second inlet, where the first ends without an element."""

    def __init__(self) -> None:
        super().__init__(2)
        self._use = 0
        self._had = False

    def on_push_at(self, port: int) -> None:
        if port == 0 and not self._had:
            self._had = True
            self.inlets[1].cancel()
        self.outlet.push(self.inlets[port].grab())

    def on_pull(self) -> None:
        self.inlets[self._use].try_pull()

    def on_finish_at(self, port: int) -> None:
        if port == 0 and not self._had and not self.inlets[1].in_closed:
            self._use = 1
            if self.outlet.is_wanted:
                self.inlets[1].pull()
        elif port == self._use or self._had or self.inlets[0].in_closed:
            self.complete_stage()


class Interleave(FanIn):
    """`segment` elements of each inlet in turn. `eager`: ends with the first inlet that does."""

    def __init__(self, ins: int, segment: int, eager: bool) -> None:
        super().__init__(ins)
        self._segment = segment
        self._eager = eager
        self._current = 0
        self._given = 0

    def on_push_at(self, port: int) -> None:
        self.outlet.push(self.inlets[port].grab())
        self._given += 1
        if self._given == self._segment:
            self._advance()

    def on_pull(self) -> None:
        self.inlets[self._current].try_pull()

    def on_finish_at(self, port: int) -> None:
        if self._eager or all(inlet.in_closed for inlet in self.inlets):
            self.complete_stage()
        elif port == self._current:
            self._advance()
            if self.outlet.is_wanted:
                self.inlets[self._current].try_pull()

    def _advance(self) -> None:
        self._given = 0
        for _ in range(self.ins):
            self._current = (self._current + 1) % self.ins
            if not self.inlets[self._current].in_closed:
                return


class ZipWith(FanIn):
    """One element of each inlet, combined. Ends with the first inlet that has no more."""

    def __init__(self, ins: int, combine: Callable[..., Any]) -> None:
        super().__init__(ins)
        self._combine = combine

    def on_push_at(self, port: int) -> None:
        self._give()

    def on_pull(self) -> None:
        for inlet in self.inlets:
            if inlet.is_drained:
                self.complete_stage()
                return
        for inlet in self.inlets:
            inlet.try_pull()
        self._give()

    def on_finish_at(self, port: int) -> None:
        if not self.inlets[port].has_element:
            self.complete_stage()

    def _give(self) -> None:
        if not self.outlet.is_wanted or not all(inlet.has_element for inlet in self.inlets):
            return
        self.outlet.push(self._combine(*[inlet.grab() for inlet in self.inlets]))
        if any(inlet.is_drained for inlet in self.inlets):
            self.complete_stage()


class ZipAll(FanIn):
    """As zip, to the end of the longer: what is missing is filled."""

    def __init__(self, fill_left: Any, fill_right: Any) -> None:
        super().__init__(2)
        self._fill = (fill_left, fill_right)

    def on_push_at(self, port: int) -> None:
        self._give()

    def on_pull(self) -> None:
        for inlet in self.inlets:
            inlet.try_pull()
        self._give()

    def on_finish_at(self, port: int) -> None:
        if self._all_closed():
            self.complete_stage()
        else:
            self._give()

    def _give(self) -> None:
        inlets = self.inlets
        complete = all(inlet.has_element or inlet.is_drained for inlet in inlets)
        if self.outlet.is_wanted and complete and not self._all_closed():
            pairs = zip(inlets, self._fill, strict=True)
            self.outlet.push(tuple(inlet.grab() if inlet.has_element else fill for inlet, fill in pairs))
        if self._all_closed():
            self.complete_stage()


class ZipLatest(FanIn):
    """Combines the newest element of each side, after each element of either."""

    def __init__(self, combine: Callable[[Any, Any], Any], eager: bool) -> None:
        super().__init__(2)
        self._combine = combine
        self._eager = eager
        self._latest: list[Any] = [None, None]
        self._fresh = False

    def on_pull(self) -> None:
        for port in (0, 1):
            if self.inlets[port].has_element:
                self._latest[port] = self.inlets[port].grab()
                self._fresh = True
        self._give()
        for inlet in self.inlets:
            inlet.try_pull()

    def on_push_at(self, port: int) -> None:
        if self.outlet.is_wanted:
            self._latest[port] = self.inlets[port].grab()
            self._fresh = True
            self._give()
            if self.outlet.is_wanted:
                self.inlets[port].try_pull()

    def on_finish_at(self, port: int) -> None:
        if self.inlets[port].has_element:
            return
        if self._eager or self._latest[port] is None or self._all_closed():
            self.complete_stage()

    def _give(self) -> None:
        if self._fresh and None not in map(_presence, self._latest):
            self._fresh = False
            self.outlet.push(self._combine(*self._latest))
            over = [inlet.is_drained for inlet in self.inlets]
            if all(over) or (self._eager and any(over)):
                self.complete_stage()


def _presence(element: Any) -> bool | None:
    return None if element is None else True
