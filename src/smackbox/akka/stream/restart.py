"""Sources, flows and sinks that are made again, with a back-off, when they fail (or, by default, complete).

The back-off begins again after `reset_s` without a restart. At most `max_restarts` within `within_s`: then the stream
ends as the last instance did. Elements on their way through a flow that fails are lost.
Source: Pekko's `RestartSource`, `RestartFlow`, `RestartSink`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smackbox.akka.actor.supervision import BackOff
from smackbox.akka.stream.connection import Connection
from smackbox.akka.stream.errors import NonFailureCancellation
from smackbox.akka.stream.inner_streams import OuterStage
from smackbox.akka.stream.stage import InHandlers, OutHandlers, log

if TYPE_CHECKING:
    from smackbox.akka.stream.flow import Flow
    from smackbox.akka.stream.sink import Sink
    from smackbox.akka.stream.source import Source


@dataclass(frozen=True, slots=True)
class RestartSettings:
    """`within_s` None: as long as the back-off takes to reset (`first_s` by default, as in Pekko)."""

    first_s: float
    limit_s: float
    jitter: float = 0.2
    max_restarts: int | None = None
    within_s: float | None = None
    on_failures_only: bool = False
    restart_on: Callable[[BaseException], bool] = lambda _: True

    def __post_init__(self) -> None:
        self.back_off  # noqa: B018 - checks the figures

    @property
    def back_off(self) -> BackOff:
        """The pauses: `first_s`, doubled up to `limit_s`, with jitter."""
        return BackOff(self.first_s, self.limit_s, self.jitter)

    @property
    def reset_s(self) -> float:
        """After so long without a restart the back-off begins again."""
        return self.first_s if self.within_s is None else self.within_s


class Restarting(OuterStage):
    """Decides when the wrapped part is made again, and makes it. A subclass runs it, in `begin`."""

    def __init__(self, settings: RestartSettings, make: Callable[[], Any]) -> None:
        self._settings = settings
        self._make = make
        self._restarts = 0
        self._deadline_s = 0.0
        self._ending = False

    def pre_start(self) -> None:
        self._begin()

    def begin(self, made: Any) -> None:
        """Run what was made."""
        raise NotImplementedError

    def release(self) -> None:
        """What was made has ended."""
        raise NotImplementedError

    def on_timer(self, key: Hashable) -> None:
        self._begin()

    def _begin(self) -> None:
        self._deadline_s = self.now_s() + self._settings.reset_s
        try:
            made = self._make()
        except Exception as error:
            self._over(error)
        else:
            self.begin(made)

    def _over(self, error: BaseException | None) -> None:
        self.release()
        if self.ended(error):
            return
        if error is None:
            self.complete_stage()
        else:
            self.fail_stage(error)

    def ended(self, error: BaseException | None) -> bool:
        """The wrapped part is over. True when it comes again; else the stage is to end so."""
        settings = self._settings
        if self._ending or (error is None and settings.on_failures_only):
            return False
        if error is not None and not settings.restart_on(error):
            return False
        if self.now_s() >= self._deadline_s:
            self._restarts = 0
        if settings.max_restarts is not None and self._restarts >= settings.max_restarts:
            return False
        delay_s = settings.back_off.delay_s(self._restarts, self.interpreter.system.chance())
        self._restarts += 1
        log.log(30 if error is not None else 10, "restarting in %.3f s: %r", delay_s, error or "it completed")
        self.schedule_once("restart", delay_s)
        return True


class RestartSourceStage(Restarting):
    """Runs a source, again when it ends."""

    ins = 0

    _inner: Connection | None = None

    def begin(self, made: Source[Any, Any]) -> None:
        self._inner, _ = self.run_source(
            made, lambda inner: self.outlet.push(inner.grab()), lambda _: self._over(None), self._over
        )
        if self.outlet.is_wanted:
            self._inner.try_pull()

    def on_pull(self) -> None:
        if self._inner is not None:
            self._inner.try_pull()

    def release(self) -> None:
        self._inner = None


class RestartSinkStage(Restarting):
    """Runs a sink, again when it cancels."""

    outs = 0

    _inner: Connection | None = None

    def begin(self, made: Sink[Any, Any]) -> None:
        self._inner, _ = self.run_sink(made, self._pulled, self._cancelled)

    def release(self) -> None:
        self._inner = None

    def on_push(self) -> None:
        if self._inner is not None and self._inner.is_wanted:
            self._inner.push(self.inlet.grab())

    def on_upstream_finish(self) -> None:
        if not self.inlet.has_element:
            self.complete_stage()

    def _pulled(self) -> None:
        if self.inlet.has_element:
            self.on_push()
            if self.inlet.in_closed:
                self.complete_stage()
        else:
            self.inlet.try_pull()

    def _cancelled(self, cause: BaseException) -> None:
        self.release()
        error = None if isinstance(cause, NonFailureCancellation) else cause
        if not self.ended(error):
            self.cancel_stage(cause)


class RestartFlowStage(Restarting):
    """Runs a flow, again when it ends."""

    _to: Connection | None = None
    _from: Connection | None = None

    def begin(self, made: Flow[Any, Any, Any]) -> None:
        part = self.new_part()
        out = (self, self.later_port(OutHandlers(self._to_pulled, self._to_cancelled)))
        back, _ = made.attach(part, out)
        to = self.outlets[-1]
        handlers = InHandlers(self._from_pushed, lambda: self._over(None), self._over)
        from_ = part.connect(back, self, self.later_port(handlers))
        self._to, self._from = to, from_
        part.start()
        if self.outlet.is_wanted:
            from_.try_pull()
        if self.inlet.in_closed and not self.inlet.has_element:
            to.complete()

    def on_push(self) -> None:
        if self._to is not None and self._to.is_wanted:
            self._to.push(self.inlet.grab())

    def on_pull(self) -> None:
        if self._from is not None:
            self._from.try_pull()

    def on_upstream_finish(self) -> None:
        if self.inlet.has_element:
            return
        self._ending = True
        if self._to is not None:
            self._to.complete()
        else:
            self.complete_stage()

    def on_downstream_finish(self, cause: BaseException) -> None:
        self._ending = True
        self.cancel_stage(cause)

    def _to_pulled(self) -> None:
        if self._to is None:
            return
        if self.inlet.has_element:
            self._to.push(self.inlet.grab())
            if self.inlet.in_closed:
                self._ending = True
                self._to.complete()
        elif not self.inlet.in_closed:
            self.inlet.try_pull()

    def _to_cancelled(self, cause: BaseException) -> None:
        """The flow takes no more; what comes out of it says how it ended."""
        self._to = None

    def _from_pushed(self) -> None:
        assert self._from is not None
        self.outlet.push(self._from.grab())

    def release(self) -> None:
        to, self._to, self._from = self._to, None, None
        if to is not None:
            to.complete()


class RestartSource:
    """Sources that are made again."""

    @staticmethod
    def with_back_off(settings: RestartSettings, make: Callable[[], Source[Any, Any]]) -> Source[Any, None]:
        """Runs what `make` gives, and again what it gives then."""
        from smackbox.akka.stream.source import Source

        return Source.of_stage(lambda _: (RestartSourceStage(settings, make), None))

    @staticmethod
    def on_failures_with_back_off(settings: RestartSettings, make: Callable[[], Source[Any, Any]]) -> Source[Any, None]:
        """The same; when it completes the stream does."""
        return RestartSource.with_back_off(_on_failures(settings), make)


class RestartSink:
    """Sinks that are made again."""

    @staticmethod
    def with_back_off(settings: RestartSettings, make: Callable[[], Sink[Any, Any]]) -> Sink[Any, None]:
        """Runs what `make` gives, and again when it cancels or fails."""
        from smackbox.akka.stream.sink import Sink

        return Sink.of_stage(lambda _: (RestartSinkStage(settings, make), None))


class RestartFlow:
    """Flows that are made again."""

    @staticmethod
    def with_back_off(settings: RestartSettings, make: Callable[[], Flow[Any, Any, Any]]) -> Flow[Any, Any, None]:
        """Runs what `make` gives, and again when it ends; elements on their way in it are lost."""
        from smackbox.akka.stream.flow import Flow

        return Flow.of_stage(lambda _: (RestartFlowStage(settings, make), None))

    @staticmethod
    def on_failures_with_back_off(
        settings: RestartSettings, make: Callable[[], Flow[Any, Any, Any]]
    ) -> Flow[Any, Any, None]:
        """The same; when it completes the stream does."""
        return RestartFlow.with_back_off(_on_failures(settings), make)


def _on_failures(settings: RestartSettings) -> RestartSettings:
    from dataclasses import replace

    return replace(settings, on_failures_only=True)
