"""What an actor may do: death watch, behaviors, stash, timers, receive timeout, adapters, futures, mailboxes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from smackbox.akka import Actor, ActorRef, ActorSystem, Behavior, Behaviors, PoisonPill, Props, Terminated
from smackbox.akka.actor.errors import StashOverflowError
from smackbox.akka.actor.mailbox import ControlMessage, bounded, control_aware, priority
from smackbox.akka.actor.messages import PostStop, UnhandledMessage
from smackbox.akka.testkit.kit import ActorTestKit
from tests.akka.actor.test_life import AsyncEcho, Echo


@dataclass(frozen=True)
class Add:
    amount: int


@dataclass(frozen=True)
class Get:
    reply_to: ActorRef[int]


def counter(total: int = 0) -> Behavior[Add | Get]:
    def on_message(_context: Any, message: Add | Get) -> Behavior[Add | Get]:
        match message:
            case Add(amount):
                return counter(total + amount)
            case Get(reply_to):
                reply_to.tell(total)
                return Behaviors.same()

    return Behaviors.receive(on_message)


def test_a_behavior_carries_its_state(akka_testkit: ActorTestKit) -> None:
    ref: ActorRef[Add | Get] = akka_testkit.spawn(counter())
    for amount in (1, 2, 3):
        ref.tell(Add(amount))
    assert akka_testkit.run(ref.ask(lambda reply_to: Get(reply_to), 1)) == 6


def test_async_behaviors(akka_testkit: ActorTestKit) -> None:
    def slow(seen: tuple[Any, ...]) -> Behavior[Any]:
        async def on_message(context: Any, message: Any) -> Behavior[Any]:
            await asyncio.sleep(1)
            if message == "tell":
                context.sender.tell(seen)
                return Behaviors.same()
            return slow((*seen, message))

        return Behaviors.receive(on_message)

    ref = akka_testkit.spawn(slow(()))
    ref.tell(1)
    ref.tell(2)
    assert akka_testkit.run(ref.request("tell", 10)) == (1, 2)


def test_stopped_ignore_empty_and_unhandled(akka_testkit: ActorTestKit) -> None:
    log: list[str] = []
    probe = akka_testkit.probe()
    stopping = akka_testkit.spawn(Behaviors.receive_message(lambda _: Behaviors.stopped(lambda: log.append("end"))))
    probe.watch(stopping)
    stopping.tell("x")
    probe.expect_terminated(stopping)
    assert log == ["end"]
    akka_testkit.spawn(Behaviors.ignore()).tell("dropped")
    akka_testkit.settle()
    assert akka_testkit.unhandled == []
    for behavior in (Behaviors.empty(), Behaviors.receive_message(lambda _: Behaviors.unhandled())):
        ref = akka_testkit.spawn(behavior)
        ref.tell("what")
        akka_testkit.settle()
        assert akka_testkit.unhandled.pop() == UnhandledMessage("what", None, ref)


def test_an_interceptor_sees_changes_and_drops_messages(akka_testkit: ActorTestKit) -> None:
    seen: list[Any] = []

    def double(context: Any, message: Any, target: Any) -> Any:
        return Behaviors.same() if message == 13 else target(context, message * 2)

    inner = Behaviors.receive_message(lambda message: seen.append(message) or Behaviors.same())
    ref = akka_testkit.spawn(Behaviors.intercept(double, Behaviors.monitor(lambda m: seen.append(("in", m)), inner)))
    for message in (1, 13, 2):
        ref.tell(message)
    akka_testkit.settle()
    assert seen == [("in", 2), 2, ("in", 4), 4]


def test_watch_says_terminated_exactly_once(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(Echo)
    probe.watch(ref)
    probe.watch(ref)
    ref.tell(PoisonPill())
    probe.expect_terminated(ref)
    probe.expect_no_signal()
    probe.watch(ref)
    probe.expect_terminated(ref)
    probe.expect_no_signal()


def test_unwatch_takes_back_a_terminated_that_waits(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Watcher(Actor[Any]):
        def receive(self, message: Any) -> None:
            kind, ref = message
            getattr(self.context, kind)(ref)
            if kind == "watch":
                self.context.system.stop(ref)

        def on_signal(self, signal: Any) -> None:
            log.append(signal)

    ref, watcher = akka_testkit.spawn(Echo), akka_testkit.spawn(Watcher)
    watcher.tell(("watch", ref))
    watcher.tell(("unwatch", ref))
    akka_testkit.settle()
    assert log == []


def test_watch_with_gives_a_message_of_ones_own(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(Echo)
    probe.ref.cell.watch_with(ref, "gone")
    akka_testkit.stop(ref)
    probe.expect_message("gone")


def test_messages_of_the_dead_come_before_its_terminated(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Last(Actor[Any]):
        def receive(self, message: Any) -> None:
            message.tell("last words")
            self.context.stop()

    class Watcher(Actor[Any]):
        def pre_start(self) -> None:
            self.context.watch(self.context.spawn(Last, "last")).tell(self.context.ref)

        def receive(self, message: Any) -> None:
            log.append(message)

        def on_signal(self, signal: Any) -> None:
            log.append(type(signal))

    akka_testkit.spawn(Watcher)
    assert log == ["last words", Terminated]


def test_become_and_unbecome(akka_testkit: ActorTestKit) -> None:
    log: list[str] = []

    class Moody(Actor[str]):
        def receive(self, message: str) -> None:
            log.append(f"calm {message}")
            if message == "anger":
                self.context.become(self.angry, discard_old=False)

        def angry(self, message: str) -> None:
            log.append(f"angry {message}")
            if message == "soothe":
                self.context.unbecome()

    ref = akka_testkit.spawn(Moody)
    for message in ("a", "anger", "b", "soothe", "c"):
        ref.tell(message)
    akka_testkit.settle()
    assert log == ["calm a", "calm anger", "angry b", "angry soothe", "calm c"]


def test_a_stash_keeps_messages_for_later_and_has_a_bound(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    def closed(stash: Any) -> Behavior[Any]:
        def on_message(_context: Any, message: Any) -> Behavior[Any]:
            if message == "open":
                return stash.unstash_all(opened())
            stash.stash()
            return Behaviors.same()

        return Behaviors.receive(on_message)

    def opened() -> Behavior[Any]:
        return Behaviors.receive_message(lambda message: log.append(message) or Behaviors.same())

    ref = akka_testkit.spawn(Behaviors.with_stash(3, closed))
    for message in (1, 2, 3, "open", 4):
        ref.tell(message)
    akka_testkit.settle()
    assert log == [1, 2, 3, 4]
    with akka_testkit.expect_log("StashOverflowError"):
        full = akka_testkit.spawn(Behaviors.with_stash(1, closed))
        full.tell(1)
        full.tell(2)
    assert issubclass(StashOverflowError, Exception)


def test_timers(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()

    class Timing(Actor[Any]):
        def receive(self, message: Any) -> None:
            timers = self.context.timers
            match message:
                case ("single", after_s):
                    timers.start_single("k", "single", after_s)
                case ("delay", every_s):
                    timers.start_with_fixed_delay("k", "delay", every_s)
                case ("rate", every_s):
                    timers.start_at_fixed_rate("k", "rate", every_s, first_after_s=0)
                case "cancel":
                    timers.cancel("k")
                case _:
                    probe.ref.tell((akka_testkit.now_s(), message))

    ref = akka_testkit.spawn(Timing)
    ref.tell(("single", 2))
    akka_testkit.advance(3)
    probe.expect_message((2, "single"))
    ref.tell(("delay", 1))
    akka_testkit.advance(2)
    assert probe.receive_messages(2) == [(4, "delay"), (5, "delay")]
    ref.tell(("rate", 0.5))
    akka_testkit.advance(1)
    assert [message for _, message in probe.receive_messages(3)] == ["rate"] * 3
    ref.tell("cancel")
    probe.expect_no_message(5)


def test_a_message_of_a_cancelled_timer_is_not_handled_though_it_waits(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Late(Actor[Any]):
        async def receive(self, message: Any) -> None:
            log.append(message)
            if message == "go":
                self.context.timers.start_single("k", "tick", 1)
                await asyncio.sleep(2)
                self.context.timers.start_single("k", "second", 1)

    ref = akka_testkit.spawn(Late)
    ref.tell("go")
    akka_testkit.advance(5)
    assert log == ["go", "second"]


def test_a_receive_timeout_comes_after_silence_only(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Waiting(Actor[Any]):
        def pre_start(self) -> None:
            self.context.set_receive_timeout(3, "silence")

        def receive(self, message: Any) -> None:
            log.append((akka_testkit.now_s(), message))
            if message == "enough":
                self.context.cancel_receive_timeout()

    ref = akka_testkit.spawn(Waiting)
    akka_testkit.advance(2)
    ref.tell("a")
    akka_testkit.advance(4)
    ref.tell("enough")
    akka_testkit.advance(10)
    assert log == [(2, "a"), (5, "silence"), (6, "enough")]


def test_an_adapter_takes_another_protocol(akka_testkit: ActorTestKit) -> None:
    class Asking(Actor[Any]):
        def receive(self, message: Any) -> None:
            if isinstance(message, tuple):
                probe.ref.tell(message)
            else:
                adapter = self.context.message_adapter(lambda total: ("total", total))
                message.tell(Get(adapter))

    probe = akka_testkit.probe()
    total = akka_testkit.spawn(counter(7))
    akka_testkit.spawn(Asking).tell(total)
    probe.expect_message(("total", 7))


def test_pipe_to_self_brings_results_and_failures_as_messages(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()

    class Piping(Actor[Any]):
        def receive(self, message: Any) -> None:
            if isinstance(message, tuple):
                probe.ref.tell(message)
                return

            async def work() -> str:
                await asyncio.sleep(1)
                if message == "fail":
                    raise OSError("no")
                return "done"

            self.context.pipe_to_self(work(), lambda result, error: (result, error and str(error)))

    ref = akka_testkit.spawn(Piping)
    ref.tell("go")
    ref.tell("fail")
    assert probe.receive_messages(2) == [("done", None), (None, "no")]


def test_forward_keeps_the_sender(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()
    echo = akka_testkit.spawn(Echo)

    class Forwarding(Actor[Any]):
        def receive(self, message: Any) -> None:
            echo.forward(message, self.context)

    akka_testkit.spawn(Forwarding).tell("x", probe.ref)
    probe.expect_message("x")


def test_an_actor_hears_of_its_own_stop(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    behavior = Behaviors.receive_signal(lambda _context, signal: log.append(signal) or Behaviors.same())
    akka_testkit.stop(akka_testkit.spawn(behavior))
    assert log == [PostStop()]


# -- mailboxes


class Urgent(ControlMessage):
    pass


def test_a_full_mailbox_gives_dead_letters_and_never_raises(akka_testkit: ActorTestKit) -> None:
    ref = akka_testkit.spawn(Props(AsyncEcho).with_mailbox(bounded(2)))
    for number in range(5):
        ref.tell(number)
    assert [letter.message for letter in akka_testkit.dead_letters] == [2, 3, 4]
    assert {letter.reason for letter in akka_testkit.dead_letters} == {"the recipient's mailbox is full"}


def test_offer_waits_for_room(akka_testkit: ActorTestKit) -> None:
    handled: list[int] = []

    class Slow(Actor[int]):
        async def receive(self, message: int) -> None:
            await asyncio.sleep(1)
            handled.append(message)

    ref = akka_testkit.spawn(Props(Slow).with_mailbox(bounded(2)))

    async def offer_all() -> float:
        for number in range(10):
            await ref.offer(number)
        return akka_testkit.now_s()

    assert akka_testkit.run(offer_all()) == 7
    akka_testkit.advance(5)
    assert handled == list(range(10))
    assert akka_testkit.dead_letters == []


def test_control_messages_come_first(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    behavior = Behaviors.receive_message(lambda message: log.append(message) or Behaviors.same())
    ref = akka_testkit.spawn(Props(behavior).with_mailbox(control_aware()))
    urgent = Urgent()
    for message in (1, 2, urgent, 3):
        ref.tell(message)
    akka_testkit.settle()
    assert log == [urgent, 1, 2, 3]


def test_the_least_key_comes_first_and_equal_ones_keep_their_order(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    behavior = Behaviors.receive_message(lambda message: log.append(message) or Behaviors.same())
    ref = akka_testkit.spawn(Props(behavior).with_mailbox(priority(lambda message: message[0])))
    for message in ((2, "a"), (1, "b"), (2, "c"), (1, "d")):
        ref.tell(message)
    akka_testkit.settle()
    assert log == [(1, "b"), (1, "d"), (2, "a"), (2, "c")]


def test_an_actor_that_floods_does_not_starve_others() -> None:
    async def main() -> int:
        async with ActorSystem("fair") as system:
            count = 0

            class Flood(Actor[Any]):
                def receive(self, message: Any) -> None:
                    nonlocal count
                    count += 1
                    self.context.ref.tell(message)

            for _ in range(3):
                system.spawn(Flood).tell("x")
            assert await system.spawn(Echo).request("free", 10) == "free"
            return count

    assert asyncio.run(main()) > 0
