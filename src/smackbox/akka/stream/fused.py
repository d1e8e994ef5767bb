"""Operators that look at one element at a time, and nothing else: neighbours of this kind run as one stage.

Behind an iterable they are generators round it, so that the source gives what has passed them all; elsewhere they are
one `Chain`. A stream of nothing but an iterable, such operators and a folding sink is a plain loop, in chunks, so that
other actors have their turns.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from smackbox.akka.actor.supervision import Directive
from smackbox.akka.stream.errors import StageError
from smackbox.akka.stream.stage import Stage

CHUNK = 1_000
"""Elements that a loop handles in one turn."""

Function = Callable[[Any], Any]

_COUNTED = {type(iter([])), type(iter(())), type(iter(range(0)))}
"""Iterators that say exactly how many elements are left: the stream ends with the last, and not with the next pull."""


class Op(enum.Enum):
    """The simple steps that are fused."""

    MAP = "map"
    FILTER = "filter"
    COLLECT = "collect"


Ops = tuple[tuple[Op, Function], ...]


class IteratorSource(Stage):
    """Gives what an iterator gives, when it is asked."""

    ins = 0

    def __init__(self, make: Callable[[], Iterable[Any]], ops: Ops = ()) -> None:
        self._make = make
        self._ops = ops
        self._iterator: Iterator[Any] = iter(())
        self._closable: Any = None
        self._left: Callable[[], int] | None = None

    def pre_start(self) -> None:
        self._closable = self._iterator = iter(self._make())
        if type(self._iterator) in _COUNTED:
            self._left = self._closable.__length_hint__
            if not self._left():
                self.complete_stage()
        self._iterator = passed(self._iterator, self._ops)

    def on_pull(self) -> None:
        for element in self._iterator:
            self.outlet.push(element)
            if self._left is not None and not self._left():
                self.complete_stage()
            return
        self.complete_stage()

    def post_stop(self) -> None:
        for closable in (self._iterator, self._closable):
            close = getattr(closable, "close", None)
            if close is not None:
                close()


class Chain(Stage):
    """Several operators as one."""

    def __init__(self, ops: Ops) -> None:
        self._ops = ops

    @property
    def name(self) -> str:
        return self.attributes.name or "+".join(op.value for op, _ in self._ops)

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            for op, function in self._ops:
                if op is Op.MAP:
                    element = function(element)
                    if element is None:
                        raise _none(function)
                elif op is Op.FILTER:
                    if not function(element):
                        self.inlet.pull()
                        return
                else:
                    element = function(element)
                    if element is None:
                        self.inlet.pull()
                        return
        except Exception as error:
            self.pass_over(error)
            return
        self.outlet.push(element)


class FoldSink(Stage):
    """Gathers elements by `step`. `promise` gets the end, or the failure."""

    outs = 0
    reports_failure = True

    def __init__(self, zero: Callable[[], Any], step: Callable[[Any, Any], Any], promise: Any) -> None:
        self._zero = zero
        self._step = step
        self._promise = promise
        self._gathered: Any = None

    def pre_start(self) -> None:
        self._gathered = self._zero()
        self.inlet.pull()

    def on_push(self) -> None:
        try:
            self._gathered = self._step(self._gathered, self.inlet.grab())
        except Exception as error:
            if self.decide(error) is Directive.RESTART:
                self._gathered = self._zero()
        self.inlet.pull()

    def on_upstream_finish(self) -> None:
        self._promise.succeed(self._gathered)

    def on_upstream_failure(self, error: BaseException) -> None:
        self._promise.fail(error)

    def fail_stage(self, error: BaseException) -> None:
        self._promise.fail(error)
        super().fail_stage(error)


class Loop(Stage):
    """A whole stream without a port."""

    ins = 0
    outs = 0
    keep_going = True

    def __init__(
        self,
        make: Callable[[], Iterable[Any]],
        ops: Ops,
        zero: Callable[[], Any],
        step: Callable[[Any, Any], Any],
        promise: Any,
    ) -> None:
        self._make = make
        self._ops = ops
        self._zero = zero
        self._step = step
        self._promise = promise
        self._iterator: Iterator[Any] = iter(())

    def pre_start(self) -> None:
        self._gathered = self._zero()
        self._source = iter(self._make())
        self._iterator = passed(self._source, self._ops)
        self.run_chunk = self.callback(self._run_chunk)
        self.run_chunk()

    def _run_chunk(self) -> None:
        step, gathered, left = self._step, self._gathered, CHUNK
        for element in islice(self._iterator, CHUNK):
            gathered = step(gathered, element)
            left -= 1
        self._gathered = gathered
        self.interpreter.spent += CHUNK // 2
        if left:
            self._promise.succeed(gathered)
            self.complete_stage()
        else:
            self.run_chunk()

    def fail_stage(self, error: BaseException) -> None:
        self._promise.fail(error)
        super().fail_stage(error)

    def post_stop(self) -> None:
        for closable in (self._iterator, getattr(self, "_source", None)):
            close = getattr(closable, "close", None)
            if close is not None:
                close()


def passed(iterator: Iterator[Any], ops: Ops) -> Iterator[Any]:
    """What of `iterator` passes all of `ops`. Generators, so that a `StopIteration` of a function is an error."""
    if not ops:
        return _elements(iterator)
    for op, function in ops:
        iterator = _PASS[op](function, iterator)
    return iterator


def _elements(iterator: Iterator[Any]) -> Iterator[Any]:
    for element in iterator:
        if element is None:
            raise StageError("the source of a stream gave None, which is no element")
        yield element


def _mapped(function: Function, iterator: Iterator[Any]) -> Iterator[Any]:
    for element in iterator:
        mapped = function(element)
        if mapped is None:
            raise _none(function)
        yield mapped


def _filtered(function: Function, iterator: Iterator[Any]) -> Iterator[Any]:
    for element in iterator:
        if function(element):
            yield element


def _collected(function: Function, iterator: Iterator[Any]) -> Iterator[Any]:
    for element in iterator:
        collected = function(element)
        if collected is not None:
            yield collected


_PASS = {Op.MAP: _mapped, Op.FILTER: _filtered, Op.COLLECT: _collected}


def _none(function: Function) -> StageError:
    name = getattr(function, "__qualname__", function)
    return StageError(f"{name} returned None, which is no element of a stream: use collect to drop elements")
