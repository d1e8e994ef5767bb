"""Actors in a test: manual time, probes, and what reached nobody.

    def test_the_parser(akka_testkit):
        probe = akka_testkit.probe()
        parser = akka_testkit.spawn(JsonParser, "parser")
        parser.tell(b"{", probe.ref)
        probe.expect_message(Failure("not JSON"))
        akka_testkit.advance(5)
        probe.expect_no_message()

Nothing sleeps: time moves when `advance` says so, and each `expect_…` moves it only as far as it must.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from smackbox.akka.actor.actor import Actor
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import DeadLetter, Signal, Terminated, UnhandledMessage
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.system import ActorSettings, ActorSystem
from smackbox.akka.testkit.manual_loop import ManualLoop

T = TypeVar("T")

WITHIN_S = 3.0


class ActorTestKit:
    """An actor system of its own, on a loop of its own with manual time. A context manager."""

    def __init__(self, name: str = "test", *, settings: ActorSettings | None = None, chance: float = 0.5) -> None:
        self.loop = ManualLoop()
        self.dead_letters: list[DeadLetter] = []
        self.unhandled: list[UnhandledMessage] = []

        async def make() -> ActorSystem:
            return ActorSystem(name, settings=settings, chance=lambda: chance)

        self.system = self.loop.run(make())
        self.system.events.subscribe(DeadLetter, self.dead_letters.append)
        self.system.events.subscribe(UnhandledMessage, self.unhandled.append)
        self.settle()

    # -- actors

    def spawn(self, what: Any, name: str | None = None) -> LocalRef[Any]:
        """Start an actor, and let it begin."""
        ref: LocalRef[Any] = self.system.spawn(what, name)
        self.settle()
        return ref

    def probe(self, name: str | None = None) -> TestProbe:
        """An actor that keeps what it gets, for a test to look at."""
        return TestProbe(self, name)

    def stop(self, ref: ActorRef[Any]) -> None:
        """Stop an actor, and wait until it has."""
        probe = self.probe()
        probe.watch(ref)
        self.system.stop(ref)
        probe.expect_terminated(ref)

    # -- time

    def now_s(self) -> float:
        return self.loop.time()

    def settle(self) -> None:
        """Let actors handle what is there, without moving the clock."""
        self.loop.settle()

    def advance(self, seconds: float) -> None:
        """Move the clock; timers that are due on the way fire."""
        self.loop.advance(seconds)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, such as an ask; the clock moves where it waits."""
        return self.loop.run(work)

    def wait_for(self, condition: Callable[[], Any], within_s: float = WITHIN_S) -> bool:
        """Move the clock from timer to timer until `condition` holds. False when it does not within that time."""
        self.settle()
        end_s = self.now_s() + within_s
        while not condition():
            due_s = self.loop._next_timer_s()
            if due_s is None or due_s > end_s:
                self.advance(max(0.0, end_s - self.now_s()))
                return bool(condition())
            self.advance(max(0.0, due_s - self.now_s()))
        return True

    # -- what is logged

    @contextmanager
    def expect_log(self, text: str, *, logger: str = "smackbox.akka", occurrences: int = 1) -> Iterator[list[str]]:
        """Fails unless so many lines with `text` are logged in the block, which gets them."""
        found: list[str] = []

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                line = record.getMessage()
                if text in line:
                    found.append(line)

        handler = Handler()
        target = logging.getLogger(logger)
        level = target.level
        target.addHandler(handler)
        target.setLevel(logging.DEBUG)
        try:
            yield found
            self.settle()
        finally:
            target.removeHandler(handler)
            target.setLevel(level)
        assert len(found) == occurrences, f"{occurrences} lines with {text!r} expected, {len(found)} logged: {found}"

    # -- the end

    def close(self) -> None:
        """Stop every actor, and the loop."""
        if self.loop.is_closed():
            return
        try:
            self.loop.run(self.system.terminate())
        finally:
            self.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TestProbe:
    """An actor whose mailbox a test reads. Its `expect_…` fail with an `AssertionError` that says what came."""

    __test__ = False  # not a test of pytest's

    def __init__(self, kit: ActorTestKit, name: str | None) -> None:
        self._kit = kit
        self._messages: list[tuple[Any, ActorRef[Any]]] = []
        self._signals: list[Signal] = []
        self.last_sender: ActorRef[Any] = kit.system.dead_letters
        probe = self

        class Probe(Actor[Any]):
            def receive(self, message: Any) -> None:
                probe._messages.append((message, self.context.sender))

            def on_signal(self, signal: Signal) -> None:
                probe._signals.append(signal)

        self.ref: LocalRef[Any] = kit.system.spawn(Props(Probe), name)
        kit.settle()

    def watch(self, ref: ActorRef[Any]) -> None:
        self.ref.cell.watch(ref)
        self._kit.settle()

    def receive_message(self, within_s: float = WITHIN_S) -> Any:
        """The next message."""
        arrived = self._kit.wait_for(lambda: self._messages, within_s)
        assert arrived, f"no message came within {within_s} s"
        message, self.last_sender = self._messages.pop(0)
        return message

    def receive_messages(self, count: int, within_s: float = WITHIN_S) -> list[Any]:
        return [self.receive_message(within_s) for _ in range(count)]

    def expect_message(self, expected: Any, within_s: float = WITHIN_S) -> Any:
        message = self.receive_message(within_s)
        assert message == expected, f"{expected!r} was expected, {message!r} came"
        return message

    def expect_message_type(self, expected: type[T], within_s: float = WITHIN_S) -> T:
        message = self.receive_message(within_s)
        assert isinstance(message, expected), f"a {expected.__name__} was expected, {message!r} came"
        return message

    def expect_no_message(self, for_s: float = 0.1) -> None:
        """Nothing waits, and nothing comes for so long."""
        self._kit.advance(for_s)
        assert not self._messages, f"no message was expected, {self._messages[0][0]!r} came"

    def expect_terminated(self, ref: ActorRef[Any], within_s: float = WITHIN_S) -> Terminated:
        """The watched actor is gone."""
        arrived = self._kit.wait_for(lambda: self._signals, within_s)
        assert arrived, f"{ref} did not terminate within {within_s} s"
        signal = self._signals.pop(0)
        assert isinstance(signal, Terminated) and signal.ref == ref, f"Terminated({ref}) was expected, {signal} came"
        return signal

    def expect_no_signal(self, for_s: float = 0.1) -> None:
        self._kit.advance(for_s)
        assert not self._signals, f"no signal was expected, {self._signals[0]} came"

    def fish_for(self, wanted: Callable[[Any], bool], within_s: float = WITHIN_S) -> Any:
        """The first message that `wanted` takes; those before it are dropped."""
        end_s = self._kit.now_s() + within_s
        while True:
            message = self.receive_message(max(0.0, end_s - self._kit.now_s()))
            if wanted(message):
                return message

    def reply(self, message: Any) -> None:
        """To the sender of the message that was received last."""
        self.last_sender.tell(message, self.ref)
        self._kit.settle()
