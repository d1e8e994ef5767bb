"""Probes at both ends of a stream: what is asked and given by hand.

Time stands still, and each `expect_…` lets the stream run as far as it goes.

    pub, sub = TestSource.probe(kit).via(flow).to_mat(TestSink.probe(kit), Keep.both).run(kit.system)
    sub.request(2)
    pub.send_next(1)
    sub.expect_next(2)
    pub.send_error(error)
    sub.expect_error(error)
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from smackbox.akka.testkit.kit import ActorTestKit

WITHIN_S = 3.0


class _Probe:
    def __init__(self, kit: ActorTestKit) -> None:
        self._kit = kit
        self.events: deque[tuple[str, Any]] = deque()

    def _event(self, kind: str, value: Any = None) -> None:
        self.events.append((kind, value))

    def _next(self, kind: str, within_s: float) -> Any:
        arrived = self._kit.wait_for(lambda: self.events, within_s)
        assert arrived, f"{kind} was expected, and nothing came within {within_s} s"
        got, value = self.events.popleft()
        assert got == kind, f"{kind} was expected, {got} {value!r} came"
        return value

    def _none(self, for_s: float) -> None:
        self._kit.advance(for_s)
        assert not self.events, f"nothing was expected, {self.events[0]} came"


class SubscriberProbe(_Probe):
    """The end of a stream. It asks only when told."""

    def __init__(self, kit: ActorTestKit, stage: _ProbeSink) -> None:
        super().__init__(kit)
        self._stage = stage
        stage.probe = self

    def request(self, count: int) -> SubscriberProbe:
        self._stage.note(self._stage.more, count)
        self._kit.settle()
        return self

    def cancel(self, cause: BaseException = NO_MORE_ELEMENTS) -> None:
        self._stage.note(self._stage.cancel_stage, cause)
        self._kit.settle()

    def expect_next(self, *elements: Any, within_s: float = WITHIN_S) -> SubscriberProbe:
        for element in elements:
            got = self._next("an element", within_s)
            assert got == element, f"{element!r} was expected, {got!r} came"
        return self

    def receive_next(self, within_s: float = WITHIN_S) -> Any:
        return self._next("an element", within_s)

    def request_next(self, element: Any) -> SubscriberProbe:
        return self.request(1).expect_next(element)

    def expect_complete(self, within_s: float = WITHIN_S) -> None:
        self._next("completion", within_s)

    def expect_error(self, error: BaseException | type[BaseException] | None = None) -> BaseException:
        got: BaseException = self._next("a failure", WITHIN_S)
        if isinstance(error, type):
            assert isinstance(got, error), f"{error.__name__} was expected, {got!r} came"
        elif error is not None:
            assert got is error, f"{error!r} was expected, {got!r} came"
        return got

    def expect_nothing(self, for_s: float = 0.0) -> SubscriberProbe:
        """No element and no end, for so long."""
        self._none(for_s)
        return self


class PublisherProbe(_Probe):
    """The beginning of a stream. It gives only when told."""

    def __init__(self, kit: ActorTestKit, stage: _ProbeSource) -> None:
        super().__init__(kit)
        self._stage = stage
        stage.probe = self
        self.demand = 0

    def send_next(self, *elements: Any) -> PublisherProbe:
        """Waits for the demand of each."""
        for element in elements:
            wanted = self._kit.wait_for(lambda: self._stage.outlet.is_wanted, WITHIN_S)
            assert wanted, f"nothing asked for {element!r} within {WITHIN_S} s"
            self._stage.note(self._stage.outlet.push, element)
            self._kit.settle()
        return self

    @property
    def is_wanted(self) -> bool:
        """Whether the stream asks for an element."""
        self._kit.settle()
        return self._stage.outlet.is_wanted

    def send_complete(self) -> None:
        self._stage.note(self._stage.complete_stage)
        self._kit.settle()

    def send_error(self, error: BaseException) -> None:
        self._stage.note(self._stage.fail_stage, error)
        self._kit.settle()

    def expect_cancel(self, within_s: float = WITHIN_S) -> BaseException:
        """The stream wants no more; the cause."""
        cause: BaseException = self._next("a cancellation", within_s)
        return cause

    def expect_nothing(self, for_s: float = 0.0) -> PublisherProbe:
        self._none(for_s)
        return self


class _ProbeSink(Stage):
    outs = 0
    reports_failure = False
    probe: SubscriberProbe

    def __init__(self) -> None:
        self._wanted = 0

    def note(self, call: Any, *arguments: Any) -> None:
        self.interpreter.calls.append((self, call, arguments))
        self.interpreter.wake()

    def more(self, count: int) -> None:
        self._wanted += count
        self._ask()

    def on_push(self) -> None:
        self.probe._event("an element", self.inlet.grab())
        self._ask()

    def on_upstream_finish(self) -> None:
        self.probe._event("completion")

    def on_upstream_failure(self, error: BaseException) -> None:
        self.probe._event("a failure", error)

    def _ask(self) -> None:
        if self._wanted and not self.inlet.is_asked and not self.inlet.in_closed:
            self._wanted -= 1
            self.inlet.pull()


class _ProbeSource(Stage):
    ins = 0
    reports_failure = False
    probe: PublisherProbe

    def note(self, call: Any, *arguments: Any) -> None:
        self.interpreter.calls.append((self, call, arguments))
        self.interpreter.wake()

    def on_pull(self) -> None:
        self.probe.demand += 1

    def on_downstream_finish(self, cause: BaseException) -> None:
        self.probe._event("a cancellation", cause)
        self.cancel_stage(cause)


class TestSink:
    """`TestSink.probe(kit)`: a sink that materializes a `SubscriberProbe`."""

    __test__ = False

    @staticmethod
    def probe(kit: ActorTestKit) -> Sink[Any, SubscriberProbe]:
        def make(_: Any) -> tuple[Stage, SubscriberProbe]:
            stage = _ProbeSink()
            return stage, SubscriberProbe(kit, stage)

        return Sink.of_stage(make)


class TestSource:
    """`TestSource.probe(kit)`: a source that materializes a `PublisherProbe`."""

    __test__ = False

    @staticmethod
    def probe(kit: ActorTestKit) -> Source[Any, PublisherProbe]:
        def make(_: Any) -> tuple[Stage, PublisherProbe]:
            stage = _ProbeSource()
            return stage, PublisherProbe(kit, stage)

        return Source.of_stage(make)
