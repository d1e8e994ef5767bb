"""What users of other actor libraries complained of, each as it must not be here."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
from typing import Any

import pytest

from smackbox.akka import Actor, ActorSystem, AskTimeoutError, PoisonPill, Props
from smackbox.akka.actor.cell import Cell
from smackbox.akka.actor.ref import PromiseRef
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.testkit.kit import ActorTestKit
from tests.akka.actor.test_life import AsyncEcho, Echo, Recorder


def test_a_failing_tell_is_seen(akka_testkit: ActorTestKit) -> None:
    ref = akka_testkit.spawn(Props.of(Recorder, []), "seen")
    with akka_testkit.expect_log("/user/seen#") as lines:
        ref.tell(ValueError("nobody asked"))
    assert "nobody asked" in lines[0]


def test_a_graceful_stop_waits_for_the_last_hook(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Slow(Recorder):
        async def post_stop(self) -> None:
            await asyncio.sleep(3)
            self.log.append("stopped")

    ref = akka_testkit.spawn(Props.of(Slow, log))
    ref.tell("first")
    akka_testkit.run(akka_testkit.system.graceful_stop(ref, 5))
    assert log == ["made", "start", "first", "stopped"]
    assert akka_testkit.now_s() == 3
    late = akka_testkit.spawn(Props.of(Slow, log))
    with pytest.raises(AskTimeoutError, match="did not stop within 1 s"):
        akka_testkit.run(akka_testkit.system.graceful_stop(late, 1))


def test_stopping_twice_and_what_is_gone_is_no_error(akka_testkit: ActorTestKit) -> None:
    ref = akka_testkit.spawn(Echo)
    for _ in range(2):
        akka_testkit.system.stop(ref)
        ref.tell(PoisonPill())
    akka_testkit.settle()
    akka_testkit.run(akka_testkit.system.graceful_stop(ref, 1))


def test_an_actor_that_asks_itself_ends_in_time_and_goes_on(akka_testkit: ActorTestKit) -> None:
    class Selfish(Actor[Any]):
        async def receive(self, message: Any) -> None:
            sender = self.context.sender
            if message == "ask yourself":
                try:
                    await self.context.ref.request("inner", 2)
                except AskTimeoutError:
                    sender.tell("no deadlock")
            else:
                sender.tell(message)

    ref = akka_testkit.spawn(Selfish)
    assert akka_testkit.run(ref.request("ask yourself", 10)) == "no deadlock"
    assert akka_testkit.run(ref.request("next", 10)) == "next"


def test_two_actors_that_ask_each_other_end_in_time(akka_testkit: ActorTestKit) -> None:
    class Asking(Actor[Any]):
        async def receive(self, message: Any) -> None:
            sender = self.context.sender
            try:
                await message.request(self.context.ref, 1)
            except AskTimeoutError:
                sender.tell("gave up")

    a, b = akka_testkit.spawn(Asking), akka_testkit.spawn(Asking)
    assert akka_testkit.run(a.request(b, 10)) == "gave up"


def test_all_send_to_all_without_a_deadlock_or_a_loss(akka_testkit: ActorTestKit) -> None:
    count = 0

    class Chatty(Actor[Any]):
        def receive(self, message: Any) -> None:
            nonlocal count
            if isinstance(message, list):
                for other in message:
                    other.tell("x")
            else:
                count += 1

    actors = [akka_testkit.spawn(Chatty) for _ in range(60)]
    for actor in actors:
        actor.tell(actors)
    akka_testkit.settle()
    assert count == 60 * 60


def test_an_actor_that_waits_blocks_nobody_else(akka_testkit: ActorTestKit) -> None:
    waiting, quick = akka_testkit.spawn(AsyncEcho), akka_testkit.spawn(AsyncEcho)
    waiting.tell(1_000.0)
    akka_testkit.settle()
    before_s = akka_testkit.now_s()
    assert akka_testkit.run(quick.request("free", 1)) == "free"
    assert akka_testkit.now_s() == before_s


def test_messages_that_come_while_an_actor_restarts_are_kept(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class SlowStart(Recorder):
        async def pre_start(self) -> None:
            await asyncio.sleep(2)

    ref = akka_testkit.spawn(Props.of(SlowStart, log))
    akka_testkit.advance(2)
    for message in (ValueError("no"), 1, 2):
        ref.tell(message)
    akka_testkit.advance(1)
    ref.tell(3)
    akka_testkit.advance(5)
    assert log[-3:] == [1, 2, 3]


def test_nothing_is_left_of_asks_and_of_actors(akka_testkit: ActorTestKit) -> None:
    ref = akka_testkit.spawn(AsyncEcho)
    for _ in range(50):
        with pytest.raises(AskTimeoutError):
            akka_testkit.run(ref.request(1e-3, 1e-4))
    akka_testkit.advance(1)
    assert akka_testkit.loop._next_timer_s() is None
    refs = [akka_testkit.spawn(Echo) for _ in range(20)]
    paths = {str(ref.path) for ref in refs}
    for ref in refs:
        akka_testkit.system.stop(ref)
    akka_testkit.settle()
    del ref, refs
    gc.collect()
    assert [cell for cell in gc.get_objects() if isinstance(cell, Cell) and str(cell.path) in paths] == []


def test_no_promise_is_left_on_the_wire() -> None:
    async def main() -> dict[str, Any]:
        async with asyncio.timeout(20), ActorSystem("lab") as a, ActorSystem("lab") as b:
            first, second = await Remoting.start(a), await Remoting.start(b)
            echo = first.resolve(second.path_of(b.spawn(Echo)))
            for number in range(20):
                assert await echo.request(number, 5) == number
            nobody = first.resolve(f"{second.address}/user/nobody")
            with pytest.raises(AskTimeoutError):
                await nobody.request("x", 0.01)
            await asyncio.sleep(0)
            return first._temporary

    assert asyncio.run(main()) == {}


def test_a_log_line_has_the_path_of_its_actor(akka_testkit: ActorTestKit) -> None:
    class Logging(Actor[str]):
        def receive(self, message: str) -> None:
            self.context.log.warning("seen %s", message)

    with akka_testkit.expect_log("/user/teller#") as lines:
        akka_testkit.spawn(Logging, "teller").tell("it")
    assert lines[0].endswith("seen it")


def test_computing_runs_in_another_process_and_blocking_on_a_thread() -> None:
    class Computing(Actor[int]):
        async def receive(self, message: int) -> None:
            sender = self.context.sender
            sender.tell((await self.context.run_in_process(math.factorial, message), await self.other()))

        async def other(self) -> tuple[bool, bool]:
            elsewhere = await self.context.run_in_process(os.getpid) != os.getpid()
            return elsewhere, await self.context.run_blocking(os.getpid) == os.getpid()

    async def main() -> Any:
        async with asyncio.timeout(60), ActorSystem("cores") as system:
            return await system.actor_of(Computing).request(20, 50)

    logging.getLogger("asyncio").setLevel(logging.WARNING)
    assert asyncio.run(main()) == (math.factorial(20), (True, True))


def test_paths_of_promises_are_not_used_again(akka_testkit: ActorTestKit) -> None:
    """A late reply that comes from another system finds its promise by path: it must not find a later one."""

    async def paths() -> list[str]:
        return [str(PromiseRef(akka_testkit.system, None, 1.0).path) for _ in range(50)]

    found = akka_testkit.run(paths())
    assert len(set(found)) == len(found)
    akka_testkit.advance(2.0)
