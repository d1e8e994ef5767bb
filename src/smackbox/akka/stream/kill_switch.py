"""Stop a stream from outside: a switch for one materialization, or one that many share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from smackbox.akka.stream.flow import Flow

T = TypeVar("T")


class KillSwitch:
    """`shutdown` completes downstream and cancels upstream, `abort` fails both. What was done first counts."""

    def __init__(self) -> None:
        self._stages: dict[Stage, Callable[[BaseException | None], None]] = {}
        self.is_off = False
        self._error: BaseException | None = None

    def shutdown(self) -> None:
        """Complete the streams that it is in."""
        self._switch(None)

    def abort(self, error: BaseException) -> None:
        """Fail the streams that it is in."""
        self._switch(error)

    def _switch(self, error: BaseException | None) -> None:
        if self.is_off:
            return
        self.is_off, self._error = True, error
        for off in tuple(self._stages.values()):
            off(error)

    def add(self, stage: _Switched) -> None:
        """From a stage: it is in this switch."""
        if self.is_off:
            stage.off(self._error)
        else:
            self._stages[stage] = stage.callback(stage.off)

    def remove(self, stage: Stage) -> None:
        """From a stage: it has ended."""
        self._stages.pop(stage, None)


class UniqueKillSwitch(KillSwitch):
    """Of one materialization."""


class SharedKillSwitch(KillSwitch):
    """Of all streams that its flow is in; made by `KillSwitches.shared`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def flow(self) -> Flow[Any, Any, SharedKillSwitch]:
        """A flow that this switch ends, in any number of streams."""
        from smackbox.akka.stream.flow import Flow

        return Flow.of_stage(lambda _: (_Switched(self), self))

    def __repr__(self) -> str:
        return f"SharedKillSwitch({self.name})"


class KillSwitches:
    """Makes kill switches."""

    @staticmethod
    def single() -> Flow[Any, Any, UniqueKillSwitch]:
        """A flow that materializes a switch of its own."""
        from smackbox.akka.stream.flow import Flow

        def make(_: Any) -> tuple[Stage, UniqueKillSwitch]:
            switch = UniqueKillSwitch()
            return _Switched(switch), switch

        return Flow.of_stage(make)

    @staticmethod
    def shared(name: str) -> SharedKillSwitch:
        """A switch for several streams; `name` is for logs."""
        return SharedKillSwitch(name)


class _Switched(Stage):
    reports_failure = False

    def __init__(self, switch: KillSwitch) -> None:
        self._switch = switch

    def pre_start(self) -> None:
        self._switch.add(self)

    def on_push(self) -> None:
        self.outlet.push(self.inlet.grab())

    def post_stop(self) -> None:
        self._switch.remove(self)

    def off(self, error: BaseException | None) -> None:
        if error is None:
            self.cancel_stage(NO_MORE_ELEMENTS)
        else:
            self.fail_stage(error)
