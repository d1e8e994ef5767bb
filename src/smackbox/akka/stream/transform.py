"""Operators on one stream, by what has come so far: scan, fold, grouped, sliding, take, drop, limit, and more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from smackbox.akka.actor.supervision import Directive
from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, NoSuchElementError, StageError, StreamLimitReachedError
from smackbox.akka.stream.stage import Emitter, Stage


class MapConcat(Stage):
    """The elements of what `function` makes of each. One result at a time, drawn as they are asked for."""

    def __init__(self, function: Callable[[Any], Iterable[Any]]) -> None:
        self._function = function
        self._current: Iterator[Any] | None = None

    def on_push(self) -> None:
        try:
            self._current = iter(self._function(self.inlet.grab()))
        except Exception as error:
            self.pass_over(error)
            return
        self._next()

    def on_pull(self) -> None:
        if self._current is None:
            self.inlet.pull()
        else:
            self._next()

    def on_upstream_finish(self) -> None:
        if self._current is None:
            self.complete_stage()

    def _next(self) -> None:
        try:
            for element in self._current or ():
                self.outlet.push(element)
                return
        except StageError:
            raise
        except Exception as error:
            self.decide(error)
        self._current = None
        if self.inlet.in_closed:
            self.complete_stage()
        else:
            self.inlet.try_pull()


class StatefulMap(Stage):
    """`function(state, element)` gives the state that follows and an element. `at_end(state)` may give a last one."""

    def __init__(
        self,
        zero: Callable[[], Any],
        function: Callable[[Any, Any], tuple[Any, Any]],
        at_end: Callable[[Any], Any | None],
    ) -> None:
        self._zero = zero
        self._function = function
        self._at_end = at_end
        self._last: Any = None
        self._has_state = False

    def pre_start(self) -> None:
        self._state = self._zero()
        self._has_state = True

    def on_push(self) -> None:
        try:
            self._state, element = self._function(self._state, self.inlet.grab())
        except Exception as error:
            if self.decide(error) is Directive.RESTART:
                self._end_state()
                self._state = self._zero()
                self._has_state = True
            self.inlet.pull()
            return
        if element is None:
            self.inlet.pull()
        else:
            self.outlet.push(element)

    def on_pull(self) -> None:
        if self._last is not None:
            self.outlet.push(self._last)
            self.complete_stage()
        else:
            self.inlet.pull()

    def on_upstream_finish(self) -> None:
        self._last = self._end_state()
        if self._last is None:
            self.complete_stage()
        elif self.outlet.is_wanted:
            self.on_pull()

    def post_stop(self) -> None:
        self._end_state()

    def _end_state(self) -> Any:
        if not self._has_state:
            return None
        self._has_state = False
        return self._at_end(self._state)


class Scan(Stage):
    """`zero`, and then what was gathered after each element."""

    def __init__(self, zero: Any, function: Callable[[Any, Any], Any]) -> None:
        self._zero = self._gathered = zero
        self._function = function
        self._began = False

    def on_pull(self) -> None:
        if self._began:
            self.inlet.pull()
        else:
            self._began = True
            self.outlet.push(self._zero)
            if self.inlet.in_closed:
                self.complete_stage()

    def on_push(self) -> None:
        try:
            self._gathered = self._function(self._gathered, self.inlet.grab())
        except Exception as error:
            if self.decide(error) is Directive.RESTART:
                self._gathered = self._zero
                self.outlet.push(self._zero)
            else:
                self.inlet.pull()
            return
        self.outlet.push(self._gathered)

    def on_upstream_finish(self) -> None:
        if self._began:
            self.complete_stage()


class AtEnd(Stage):
    """Gives one element, at the end."""

    def result(self) -> Any:
        """That element."""
        raise NotImplementedError

    def on_pull(self) -> None:
        if self.inlet.in_closed:
            self._end()
        else:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        if self.outlet.is_wanted:
            self._end()

    def _end(self) -> None:
        self.outlet.push(self.result())
        self.complete_stage()


class Fold(AtEnd):
    """What was gathered, at the end."""

    def __init__(self, zero: Any, function: Callable[[Any, Any], Any]) -> None:
        self._zero = self._gathered = zero
        self._function = function

    def result(self) -> Any:
        return self._gathered

    def on_push(self) -> None:
        try:
            self._gathered = self._function(self._gathered, self.inlet.grab())
        except Exception as error:
            if self.decide(error) is Directive.RESTART:
                self._gathered = self._zero
        self.inlet.pull()


class Reduce(Stage):
    """As a fold that begins with the first element. An empty stream fails with `NoSuchElementError`."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self._function = function
        self._gathered: Any = None

    def on_pull(self) -> None:
        self.inlet.try_pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self._gathered is None:
            self._gathered = element
        else:
            try:
                self._gathered = self._function(self._gathered, element)
            except Exception as error:
                if self.decide(error) is Directive.RESTART:
                    self._gathered = None
        self.inlet.pull()

    def on_upstream_finish(self) -> None:
        if self._gathered is None:
            self.fail_stage(NoSuchElementError("reduce of a stream without elements"))
        else:
            self.outlet.push(self._gathered)
            self.complete_stage()


def weigh(weight: Callable[[Any], float], element: Any) -> float:
    """What `weight` says of the element. Raises `ValueError` below 0."""
    found = weight(element)
    if found < 0:
        raise ValueError(f"{element!r} weighs {found}, which is less than nothing")
    return found


class Grouped(Emitter):
    """Lists of elements whose weights sum to `size` or more (the last one may be less)."""

    def __init__(self, size: float, weight: Callable[[Any], float]) -> None:
        self._size = size
        self._weight = weight
        self._group: list[Any] = []
        self._weighs = 0.0

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            weight = weigh(self._weight, element)
        except Exception as error:
            self.pass_over(error)
            return
        self._group.append(element)
        self._weighs += weight
        if self._weighs >= self._size:
            self._flush()
        else:
            self.inlet.pull()

    def on_upstream_finish(self) -> None:
        if self._group:
            self._flush()
        self.finish()

    def _flush(self) -> None:
        group, self._group = self._group, []
        self._weighs = 0.0
        self.emit(group)


class Sliding(Emitter):
    """Windows of `size` elements, each `step` after the one before; the last may be shorter, unless it was in one."""

    def __init__(self, size: int, step: int) -> None:
        self._size = size
        self._step = step
        self._window: list[Any] = []
        self._skip = 0

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self._skip:
            self._skip -= 1
            self.inlet.pull()
            return
        self._window.append(element)
        if len(self._window) < self._size:
            self.inlet.pull()
            return
        window = self._window
        self._window = window[self._step :]
        self._skip = max(0, self._step - self._size)
        self._fresh = False
        self.emit(window)

    _fresh = True

    def on_upstream_finish(self) -> None:
        window = self._window
        if window and (self._fresh or len(window) > self._size - self._step):
            self.emit(window)
        self.finish()


class Take(Stage):
    """The first `count` elements."""

    def __init__(self, count: int) -> None:
        self._left = count

    def pre_start(self) -> None:
        if self._left <= 0:
            self.cancel_stage(NO_MORE_ELEMENTS)

    def on_push(self) -> None:
        self._left -= 1
        self.outlet.push(self.inlet.grab())
        if self._left <= 0:
            self.cancel_stage(NO_MORE_ELEMENTS)


class TakeWhile(Stage):
    """Elements as long as the predicate holds; `inclusive` gives the first for which it does not, too."""

    def __init__(self, predicate: Callable[[Any], bool], inclusive: bool) -> None:
        self._predicate = predicate
        self._inclusive = inclusive

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            goes_on = self._predicate(element)
        except Exception as error:
            self.pass_over(error)
            return
        if goes_on or self._inclusive:
            self.outlet.push(element)
        if not goes_on:
            self.cancel_stage(NO_MORE_ELEMENTS)


class Drop(Stage):
    """All but the first `count` elements."""

    def __init__(self, count: int) -> None:
        self._left = count

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self._left > 0:
            self._left -= 1
            self.inlet.pull()
        else:
            self.outlet.push(element)


class DropWhile(Stage):
    """Elements from the first for which the predicate does not hold."""

    def __init__(self, predicate: Callable[[Any], bool]) -> None:
        self._predicate = predicate
        self._dropping = True

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self._dropping:
            try:
                self._dropping = self._predicate(element)
            except Exception as error:
                self.pass_over(error)
                return
        if self._dropping:
            self.inlet.pull()
        else:
            self.outlet.push(element)


class DropRepeated(Stage):
    """Elements that differ from the one before."""

    def __init__(self, same: Callable[[Any, Any], bool]) -> None:
        self._same = same
        self._last: Any = None

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            if self._last is not None and self._same(self._last, element):
                self.inlet.pull()
                return
        except Exception as error:
            self.pass_over(error)
            return
        self._last = element
        self.outlet.push(element)


class Limit(Stage):
    """Fails with the element whose weight is over the limit."""

    def __init__(self, limit: float, weight: Callable[[Any], float]) -> None:
        self._limit = limit
        self._weight = weight
        self._left = limit

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            self._left -= self._weight(element)
        except Exception as error:
            if self.decide(error) is Directive.RESTART:
                self._left = self._limit
            self.inlet.pull()
            return
        if self._left < 0:
            raise StreamLimitReachedError(f"the stream has more than its limit of {self._limit}")
        self.outlet.push(element)


class Intersperse(Emitter):
    """Puts an element between two others, and where given before the first and behind the last."""

    def __init__(self, start: Any, separator: Any, end: Any) -> None:
        self._start = start
        self._separator = separator
        self._end = end
        self._first = True

    def on_push(self) -> None:
        element = self.inlet.grab()
        if self._first:
            self._first = False
            self.emit(*(() if self._start is None else (self._start,)), element)
        else:
            self.emit(self._separator, element)

    def on_upstream_finish(self) -> None:
        if self._first and self._start is not None:
            self.emit(self._start)
        if self._end is not None:
            self.emit(self._end)
        self.finish()


class ZipWithIndex(Stage):
    """Pairs of an element and its number, from 0."""

    def __init__(self) -> None:
        self._index = -1

    def on_push(self) -> None:
        self._index += 1
        self.outlet.push((self.inlet.grab(), self._index))


class TakeLast(AtEnd):
    """The last `count` elements, as one list, at the end."""

    def __init__(self, count: int) -> None:
        self._last: deque[Any] = deque(maxlen=count)

    def result(self) -> Any:
        return list(self._last)

    def on_push(self) -> None:
        self._last.append(self.inlet.grab())
        self.inlet.pull()


class Log(Stage):
    """Tells `logger` of elements (DEBUG), the end (DEBUG) and a failure (ERROR)."""

    def __init__(self, title: str, extract: Callable[[Any], Any], logger: Any) -> None:
        self._title = title
        self._extract = extract
        self._log = logger

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            self._log.debug("[%s] Element: %s", self._title, self._extract(element))
        except Exception as error:
            self.pass_over(error)
            return
        self.outlet.push(element)

    def on_upstream_finish(self) -> None:
        self._log.debug("[%s] Upstream finished.", self._title)
        self.complete_stage()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._log.error("[%s] Upstream failed: %r", self._title, error)
        self.fail_stage(error)

    def on_downstream_finish(self, cause: BaseException) -> None:
        self._log.debug("[%s] Downstream finished: %r", self._title, cause)
        self.cancel_stage(cause)
