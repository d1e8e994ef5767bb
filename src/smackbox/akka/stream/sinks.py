"""Stages that end streams: head and last, and those that only look at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, NoSuchElementError
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.stage import Stage


class PromiseSink(Stage):
    """A sink whose promise is notified of every end."""

    outs = 0

    def __init__(self, promise: Promise[Any]) -> None:
        self.promise = promise

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_upstream_failure(self, error: BaseException) -> None:
        self.promise.fail(error)

    def fail_stage(self, error: BaseException) -> None:
        self.promise.fail(error)
        super().fail_stage(error)

    def post_stop(self) -> None:
        self.promise.detach(self.name)


class Head(PromiseSink):
    """`optional`: an empty stream gives None; else it fails with `NoSuchElementError`."""

    def __init__(self, promise: Promise[Any], optional: bool) -> None:
        super().__init__(promise)
        self._optional = optional

    def on_push(self) -> None:
        self.promise.succeed(self.inlet.grab())
        self.cancel_stage(NO_MORE_ELEMENTS)

    def on_upstream_finish(self) -> None:
        _empty(self.promise, self._optional, "head")


class Last(PromiseSink):
    """Promises the last element."""

    def __init__(self, promise: Promise[Any], optional: bool) -> None:
        super().__init__(promise)
        self._optional = optional
        self._last: Any = None

    def on_push(self) -> None:
        self._last = self.inlet.grab()
        self.inlet.pull()

    def on_upstream_finish(self) -> None:
        if self._last is None:
            _empty(self.promise, self._optional, "last")
        else:
            self.promise.succeed(self._last)


class Cancelled(Stage):
    """Cancels at once."""

    outs = 0

    def pre_start(self) -> None:
        self.cancel_stage(NO_MORE_ELEMENTS)

    def on_push(self) -> None: ...


class NeverSink(PromiseSink):
    """Never asks; its promise is notified of the end."""

    def pre_start(self) -> None: ...

    def on_push(self) -> None: ...

    def on_upstream_finish(self) -> None:
        self.promise.succeed(None)


class OnComplete(Stage):
    """Drops elements; `call` gets None or the failure at the end."""

    outs = 0

    def __init__(self, call: Callable[[BaseException | None], Any]) -> None:
        self._call = call
        self._done = False

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_push(self) -> None:
        self.inlet.grab()
        self.inlet.pull()

    def on_upstream_finish(self) -> None:
        self._end(None)

    def on_upstream_failure(self, error: BaseException) -> None:
        self._end(error)

    def post_stop(self) -> None:
        if not self._done:
            self._end(self.interpreter.aborted)

    def _end(self, error: BaseException | None) -> None:
        self._done = True
        self._call(error)


def _empty(promise: Promise[Any], optional: bool, name: str) -> None:
    if optional:
        promise.succeed(None)
    else:
        promise.fail(NoSuchElementError(f"{name} of a stream without elements"))
