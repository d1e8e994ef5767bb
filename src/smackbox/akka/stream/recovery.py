"""Operators for failures of a stream: recover, recover_with, map_error, on_error_complete, watching its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.akka.stream.connection import Connection
from smackbox.akka.stream.errors import NonFailureCancellation
from smackbox.akka.stream.inner_streams import OuterStage
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.stage import Stage


class Recover(Stage):
    """A failure becomes a last element, where `function` gives one."""

    def __init__(self, function: Callable[[BaseException], Any]) -> None:
        self._function = function
        self._last: Any = None

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def on_pull(self) -> None:
        if self._last is not None:
            self.outlet.push(self._last)
            self.complete_stage()
        else:
            self.inlet.try_pull()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._last = self._function(error)
        if self._last is None:
            self.fail_stage(error)
        elif self.outlet.is_wanted:
            self.on_pull()


class RecoverWith(OuterStage):
    """After a failure go on with the source that `function` gives, at most `attempts` times (-1: no limit)."""

    def __init__(self, attempts: int, function: Callable[[BaseException], Any]) -> None:
        self._left = attempts
        self._function = function
        self._inner: Connection | None = None

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def on_pull(self) -> None:
        (self._inner or self.inlet).try_pull()

    def on_upstream_failure(self, error: BaseException) -> None:
        source = None if self._left == 0 else self._function(error)
        if source is None:
            self.fail_stage(error)
            return
        self._left -= 1
        self._inner, _ = self.run_source(
            source,
            lambda inner: self.outlet.push(inner.grab()),
            lambda _: self.complete_stage(),
            self.on_upstream_failure,
        )
        if self.outlet.is_wanted:
            self._inner.try_pull()


class MapError(Stage):
    """Fails with what a function makes of the failure."""

    def __init__(self, function: Callable[[BaseException], BaseException | None]) -> None:
        self._function = function

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def on_upstream_failure(self, error: BaseException) -> None:
        mapped = self._function(error)
        if mapped is not None and mapped is not error and mapped.__cause__ is None:
            mapped.__cause__ = error
        self.fail_stage(error if mapped is None else mapped)


class OnErrorComplete(Stage):
    """Completes where a predicate holds for the failure."""

    def __init__(self, when: Callable[[BaseException], bool]) -> None:
        self._when = when

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def on_upstream_failure(self, error: BaseException) -> None:
        if self._when(error):
            self.complete_stage()
        else:
            self.fail_stage(error)


class WatchTermination(Stage):
    """`promise` is notified of the end: success when the stream completed or was cancelled, else the failure."""

    def __init__(self, promise: Promise[None]) -> None:
        self._promise = promise

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def on_upstream_finish(self) -> None:
        self._promise.succeed(None)
        self.complete_stage()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._promise.fail(error)
        self.fail_stage(error)

    def on_downstream_finish(self, cause: BaseException) -> None:
        if isinstance(cause, NonFailureCancellation):
            self._promise.succeed(None)
        else:
            self._promise.fail(cause)
        self.cancel_stage(cause)

    def post_stop(self) -> None:
        if self.interpreter.aborted is not None:
            self._promise.fail(self.interpreter.aborted)
        self._promise.detach("the watched stream")


class FlowMonitor:
    """What a stream does, for people and probes who look at it: `state` is one of the names below."""

    INITIALIZED = "initialized"
    RECEIVED = "received"
    FAILED = "failed"
    FINISHED = "finished"

    def __init__(self) -> None:
        self.state = self.INITIALIZED
        self.last: Any = None
        """The element that passed last."""
        self.passed = 0
        self.demand_waits = False
        """Whether downstream asked, and nothing has come yet."""
        self.failure: BaseException | None = None


class Monitor(Stage):
    """Tells a `FlowMonitor` of what passes."""

    def __init__(self, monitor: FlowMonitor) -> None:
        self._monitor = monitor

    def on_push(self) -> None:
        element = self.inlet.grab()
        monitor = self._monitor
        monitor.state, monitor.last = FlowMonitor.RECEIVED, element
        monitor.passed += 1
        monitor.demand_waits = False
        self.outlet.push(element)

    def on_pull(self) -> None:
        self._monitor.demand_waits = True
        self.inlet.pull()

    def on_upstream_finish(self) -> None:
        self._monitor.state = FlowMonitor.FINISHED
        self.complete_stage()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._monitor.state, self._monitor.failure = FlowMonitor.FAILED, error
        self.fail_stage(error)

    def on_downstream_finish(self, cause: BaseException) -> None:
        self._monitor.state = FlowMonitor.FINISHED
        self.cancel_stage(cause)
