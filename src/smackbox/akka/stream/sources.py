"""Stages that begin streams and need nothing of others: empty, failed, unfold, resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.akka.actor.supervision import Directive
from smackbox.akka.stream.stage import Stage


class Single(Stage):
    """One element."""

    ins = 0

    def __init__(self, element: Any) -> None:
        if element is None:
            raise TypeError("None is no element of a stream")
        self._element = element

    def on_pull(self) -> None:
        self.outlet.push(self._element)
        self.complete_stage()


class Empty(Stage):
    """No element."""

    ins = 0

    def pre_start(self) -> None:
        self.complete_stage()

    def on_pull(self) -> None: ...


class Failed(Stage):
    """A failure at once."""

    ins = 0
    reports_failure = False

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def pre_start(self) -> None:
        self.fail_stage(self._error)

    def on_pull(self) -> None: ...


class Never(Stage):
    """Neither an element nor an end."""

    ins = 0

    def on_pull(self) -> None: ...


class Unfold(Stage):
    """`function(state)` gives the next state and an element, or None at the end."""

    ins = 0

    def __init__(self, state: Any, function: Callable[[Any], tuple[Any, Any] | None]) -> None:
        self._state = state
        self._function = function

    def on_pull(self) -> None:
        result = self._function(self._state)
        if result is None:
            self.complete_stage()
        else:
            self._state, element = result
            self.outlet.push(element)


class UnfoldResource(Stage):
    """Opened at the start, read for each element (None at the end), closed in any case."""

    ins = 0

    def __init__(self, create: Callable[[], Any], read: Callable[[Any], Any], close: Callable[[Any], None]) -> None:
        self._create = create
        self._read = read
        self._close_resource = close
        self._is_open = False

    def pre_start(self) -> None:
        self._open()

    def on_pull(self) -> None:
        while True:
            try:
                element = self._read(self._resource)
            except Exception as error:
                if self.decide(error) is Directive.RESTART:
                    self._shut()
                    self._open()
                continue
            if element is None:
                self._shut()
                self.complete_stage()
            else:
                self.outlet.push(element)
            return

    def post_stop(self) -> None:
        self._shut()

    def _open(self) -> None:
        self._resource = self._create()
        self._is_open = True

    def _shut(self) -> None:
        if self._is_open:
            self._is_open = False
            self._close_resource(self._resource)
