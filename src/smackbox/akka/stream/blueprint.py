"""What sources, flows and sinks are made of: steps that attach stages to a part, and combine what they materialize.

A blueprint is immutable and may run any number of times; each run makes its stages again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from smackbox.akka.actor.supervision import Decider
from smackbox.akka.stream.attributes import Attributes, stopping_decider
from smackbox.akka.stream.fused import Chain, FoldSink, IteratorSource, Loop, Op, Ops
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Out, Part

Combine = Callable[[Any, Any], Any]


class Keep:
    """Which materialized value stays when two parts are joined."""

    @staticmethod
    def left(left: Any, _right: Any) -> Any:
        """The value from before."""
        return left

    @staticmethod
    def right(_left: Any, right: Any) -> Any:
        """The value of what was attached."""
        return right

    @staticmethod
    def both(left: Any, right: Any) -> tuple[Any, Any]:
        """Both, as a pair."""
        return left, right

    @staticmethod
    def none(_left: Any, _right: Any) -> None:
        """Neither."""
        return


class Head(Protocol):
    """Begins a source."""

    def attach(self, part: Part) -> tuple[Out, Any]:
        """Add the stages of the beginning. Returns its outlet and its materialized value."""
        ...


class Tail(Protocol):
    """Ends a stream."""

    def attach(self, part: Part, out: Out) -> Any:
        """Take what comes out of `out`. Returns the materialized value."""
        ...


class Step(Protocol):
    """Goes on from an outlet. `value` is what was materialized so far."""

    def attach(self, part: Part, out: Out, value: Any) -> tuple[Out, Any]:
        """Add the stages of this step behind `out`. Returns its outlet and the materialized value so far."""
        ...


class IterableHead:
    """A source of what an iterable gives, made again for each run."""

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self.make = make

    def attach(self, part: Part) -> tuple[Out, Any]:
        return (part.add(IteratorSource(self.make)), 0), None


class StageHead:
    """One stage, and what it materializes."""

    def __init__(self, make: Callable[[Part], tuple[Stage, Any]]) -> None:
        self._make = make

    def attach(self, part: Part) -> tuple[Out, Any]:
        stage, value = self._make(part)
        return (part.add(stage), 0), value


class PartHead:
    """Whatever `attach` does."""

    def __init__(self, attach: Callable[[Part], tuple[Out, Any]]) -> None:
        self.attach = attach


class OpStep:
    """An operator that may be fused with its neighbours."""

    def __init__(self, op: Op, function: Callable[[Any], Any]) -> None:
        self.op = (op, function)

    def attach(self, part: Part, out: Out, value: Any) -> tuple[Out, Any]:
        return _chain(part, out, (self.op,)), value


class StageStep:
    """One stage that materializes nothing."""

    def __init__(self, make: Callable[[], Stage]) -> None:
        self._make = make

    def attach(self, part: Part, out: Out, value: Any) -> tuple[Out, Any]:
        stage = part.add(self._make())
        part.connect(out, stage)
        return (stage, 0), value


class PartStep:
    """Whatever `attach` does, whose value is combined."""

    def __init__(self, attach: Callable[[Part, Out], tuple[Out, Any]], combine: Combine = Keep.left) -> None:
        self._attach = attach
        self._combine = combine

    def attach(self, part: Part, out: Out, value: Any) -> tuple[Out, Any]:
        out, right = self._attach(part, out)
        return out, self._combine(value, right)


class ValueStep:
    """Only the materialized value changes."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def attach(self, part: Part, out: Out, value: Any) -> tuple[Out, Any]:
        return out, self._function(value)


class FoldSpec:
    """A sink that only gathers: it may be fused with its whole stream."""

    def __init__(
        self,
        zero: Callable[[], Any],
        step: Callable[[Any, Any], Any],
        finish: Callable[[Any], Any] | None = None,
    ) -> None:
        self.zero = zero
        self.step = step
        self.finish = finish

    def promise(self, part: Part) -> Promise[Any]:
        """The promise of the fold's result."""
        if self.finish is None:
            return Promise(part.system)
        return _Finishing(part.system, self.finish)

    def attach(self, part: Part, out: Out) -> Any:
        """Add the sink that folds. Returns the future of its result."""
        promise = self.promise(part)
        stage = part.add(FoldSink(self.zero, self.step, promise))
        part.connect(out, stage)
        return promise.future


class _Finishing(Promise[Any]):
    __slots__ = ("_finish",)

    def __init__(self, system: Any, finish: Callable[[Any], Any]) -> None:
        super().__init__(system)
        self._finish = finish

    def succeed(self, value: Any) -> None:
        super().succeed(self._finish(value))


def attach_source(part: Part, head: Head, steps: tuple[Step, ...]) -> tuple[Out, Any]:
    """Add a source's beginning and its steps; simple steps at the beginning are fused into one stage."""
    ops, rest = _leading_ops(steps)
    out: Out
    if isinstance(head, IterableHead) and ops and part.attributes.decider is stopping_decider:
        out, value = (part.add(IteratorSource(head.make, ops)), 0), None
    else:
        out, value = head.attach(part)
        rest = steps
    return attach_steps(part, out, value, rest)


def attach_steps(part: Part, out: Out, value: Any, steps: tuple[Step, ...]) -> tuple[Out, Any]:
    """Add steps behind `out`; neighbouring simple ones are fused into one stage."""
    at = 0
    while at < len(steps):
        ops, rest = _leading_ops(steps[at:])
        if ops:
            out = _chain(part, out, ops)
            at = len(steps) - len(rest)
        else:
            out, value = steps[at].attach(part, out, value)
            at += 1
    return out, value


def attach_loop(part: Part, head: Head, steps: tuple[Step, ...], spec: FoldSpec) -> tuple[bool, Any]:
    """A whole stream as one loop, where it is nothing but an iterable, operators and a fold."""
    if not isinstance(head, IterableHead) or part.attributes.decider is not stopping_decider:
        return False, None
    ops, rest = _leading_ops(steps)
    if rest:
        return False, None
    promise = spec.promise(part)
    part.add(Loop(head.make, ops, spec.zero, spec.step, promise))
    return True, promise.future


def _leading_ops(steps: tuple[Step, ...]) -> tuple[Ops, tuple[Step, ...]]:
    ops = []
    for step in steps:
        if not isinstance(step, OpStep):
            break
        ops.append(step.op)
    return tuple(ops), steps[len(ops) :]


def _chain(part: Part, out: Out, ops: Ops) -> Out:
    stage = part.add(Chain(ops))
    part.connect(out, stage)
    return stage, 0


class Scope:
    """Attributes, and whether it is an island of its own."""

    def __init__(
        self,
        decider: Decider | None = None,
        input_buffer: int | None = None,
        name: str | None = None,
        island: bool = False,
    ) -> None:
        self._changes = (decider, input_buffer, name)
        Attributes().with_changes(*self._changes)
        self._island = island

    def source(self, attach: Callable[[Part], tuple[Out, Any]]) -> Head:
        """A beginning whose stages have this scope's attributes."""
        return PartHead(lambda part: self._within(part, lambda: attach(part)))

    def steps(self, steps: tuple[Step, ...]) -> Step:
        """Steps whose stages have this scope's attributes."""
        return _Scoped(self, steps)

    def sink(self, attach: Callable[[Part, Out], Any]) -> Callable[[Part, Out], Any]:
        """The attaching of a sink whose stages have this scope's attributes."""
        return lambda part, out: self._within(part, lambda: attach(part, out))

    def _within(self, part: Part, attach: Callable[[], Any]) -> Any:
        with part.with_attributes(part.attributes.with_changes(*self._changes)):
            if not self._island:
                return attach()
            with part.new_island():
                return attach()


class _Scoped:
    def __init__(self, scope: Scope, steps: tuple[Step, ...]) -> None:
        self._scope = scope
        self._steps = steps

    def attach(self, part: Part, out: Out, value: Any) -> tuple[Out, Any]:
        result: tuple[Out, Any] = self._scope._within(part, lambda: attach_steps(part, out, value, self._steps))
        return result
