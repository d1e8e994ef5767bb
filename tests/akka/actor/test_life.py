"""An actor's life: start, messages, stop, names, paths, references, dead letters."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from smackbox.akka import Actor, ActorSystem, AskTimeoutError, Kill, PoisonPill, Props
from smackbox.akka.actor.errors import InvalidNameError
from smackbox.akka.actor.messages import ActorIdentity, Identify
from smackbox.akka.actor.path import ActorPath, Address
from smackbox.akka.testkit.kit import ActorTestKit


class Recorder(Actor[Any]):
    """Writes down what happens to it."""

    def __init__(self, log: list[Any], name: str = "") -> None:
        self.log = log
        self.name = name
        log.append(f"{name}made")

    def pre_start(self) -> None:
        self.log.append(f"{self.name}start")

    def post_stop(self) -> None:
        self.log.append(f"{self.name}stop")

    def receive(self, message: Any) -> None:
        if isinstance(message, Exception):
            raise message
        self.log.append(message)


class Echo(Actor[Any]):
    def receive(self, message: Any) -> None:
        self.context.sender.tell(message, self.context.ref)


class AsyncEcho(Actor[Any]):
    async def receive(self, message: Any) -> None:
        if isinstance(message, float):
            await asyncio.sleep(message)
        self.context.sender.tell(message, self.context.ref)


@pytest.fixture
def log() -> list[Any]:
    return []


def test_hooks_and_messages_come_in_order(akka_testkit: ActorTestKit, log: list[Any]) -> None:
    ref = akka_testkit.system.spawn(Props.of(Recorder, log), "r")
    for number in range(3):
        ref.tell(number)
    akka_testkit.settle()
    akka_testkit.stop(ref)
    assert log == ["made", "start", 0, 1, 2, "stop"]


def test_poison_pill_waits_for_its_turn_and_what_comes_after_is_dead(
    akka_testkit: ActorTestKit, log: list[Any]
) -> None:
    ref = akka_testkit.spawn(Props.of(Recorder, log))
    for message in (1, PoisonPill(), 2):
        ref.tell(message)
    akka_testkit.settle()
    ref.tell(3)
    assert log == ["made", "start", 1, "stop"]
    assert [letter.message for letter in akka_testkit.dead_letters] == [2, 3]


def test_stop_does_not_wait_for_messages(akka_testkit: ActorTestKit, log: list[Any]) -> None:
    ref = akka_testkit.spawn(Props.of(Recorder, log))
    ref.tell(1)
    akka_testkit.system.stop(ref)
    akka_testkit.settle()
    assert log == ["made", "start", "stop"]
    assert [letter.message for letter in akka_testkit.dead_letters] == [1]


def test_kill_is_a_failure_that_stops(akka_testkit: ActorTestKit, log: list[Any]) -> None:
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(Props.of(Recorder, log))
    probe.watch(ref)
    ref.tell(Kill())
    probe.expect_terminated(ref)
    assert log == ["made", "start", "stop"]


def test_children_stop_before_their_parent(akka_testkit: ActorTestKit, log: list[Any]) -> None:
    class Parent(Recorder):
        def pre_start(self) -> None:
            for name in ("a", "b"):
                self.context.spawn(Props.of(Recorder, self.log, name), name)

    ref = akka_testkit.spawn(Props.of(Parent, log, "p"))
    assert sorted(ref.cell.children) == ["a", "b"]
    akka_testkit.stop(ref)
    assert log[-1] == "pstop"
    assert {"astop", "bstop"} == set(log[-3:-1])


def test_names_are_unique_while_an_actor_lives_and_free_after(akka_testkit: ActorTestKit, log: list[Any]) -> None:
    first = akka_testkit.spawn(Props.of(Recorder, log), "r")
    with pytest.raises(InvalidNameError, match="has a child r already"):
        akka_testkit.system.spawn(Props.of(Recorder, log), "r")
    akka_testkit.stop(first)
    second = akka_testkit.spawn(Props.of(Recorder, log), "r")
    assert first != second and first.path.without_uid == second.path.without_uid


@pytest.mark.parametrize("name", ["", "$a", "a/b", "a b", "ü", "a#1", "%zz"])
def test_what_is_no_name_is_refused(akka_testkit: ActorTestKit, name: str) -> None:
    with pytest.raises(InvalidNameError):
        akka_testkit.system.spawn(Echo, name)


def test_an_actor_is_not_made_by_a_call() -> None:
    with pytest.raises(TypeError, match="made by spawn"):
        Echo()


def test_paths_say_where_an_actor_is(akka_testkit: ActorTestKit) -> None:
    ref = akka_testkit.spawn(Echo, "echo")
    assert str(ref.path).startswith("pekko://test/user/echo#")
    assert ActorPath.parse(str(ref.path)) == ref.path
    assert akka_testkit.system.resolve(str(ref.path)) == ref
    assert akka_testkit.system.resolve("pekko://test/user/echo") == ref


@pytest.mark.parametrize(
    "text",
    [
        "pekko://s@127.0.0.1:25520/user/a/b#-17",
        "akka://s/system",
        "pekko://s@[::1]:1/",
        "pekko://my-sys@host.example:2",
    ],
)
def test_paths_of_other_systems_are_read_and_written_alike(text: str) -> None:
    assert str(ActorPath.parse(text)).rstrip("/") == text.rstrip("/")


@pytest.mark.parametrize(
    "text", ["", "user/a", "pekko://", "pekko://s@host/user", "pekko://s/user#x", "pekko://su/a#1#2"]
)
def test_what_is_no_path_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        ActorPath.parse(text)
    with pytest.raises(ValueError, match="is no"):
        Address.parse(text)


def test_what_is_sent_to_nobody_is_a_dead_letter(akka_testkit: ActorTestKit) -> None:
    nobody = akka_testkit.system.resolve("pekko://test/user/nobody")
    nobody.tell("lost")
    (letter,) = akka_testkit.dead_letters
    assert (letter.message, letter.recipient) == ("lost", "pekko://test/user/nobody")


def test_dead_letters_are_logged_ten_times_and_then_counted(akka_testkit: ActorTestKit) -> None:
    nobody = akka_testkit.system.resolve("pekko://test/user/nobody")
    with akka_testkit.expect_log("dead letter to", occurrences=10):
        for number in range(25):
            nobody.tell(number)
    akka_testkit.advance(301)
    with akka_testkit.expect_log("15 more dead letters"):
        nobody.tell("later")
    assert akka_testkit.system.dead_letter_log.count == 26


def test_every_actor_says_who_it_is(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(Echo)
    ref.tell(Identify(7), probe.ref)
    probe.expect_message(ActorIdentity(7, ref))


@pytest.mark.parametrize("actor", [Echo, AsyncEcho])
def test_an_ask_gets_its_reply(akka_testkit: ActorTestKit, actor: Any) -> None:
    ref = akka_testkit.spawn(actor)
    assert akka_testkit.run(ref.request("x", 1)) == "x"


def test_an_ask_ends_in_time(akka_testkit: ActorTestKit) -> None:
    ref = akka_testkit.spawn(AsyncEcho)
    assert akka_testkit.run(ref.request(2.0, 3)) == 2.0
    before_s = akka_testkit.now_s()
    with pytest.raises(AskTimeoutError, match="did not reply within 3 s"):
        akka_testkit.run(ref.request(5.0, 3))
    assert akka_testkit.now_s() - before_s == 3
    akka_testkit.advance(3)
    assert akka_testkit.dead_letters[-1].reason == "the reply came too late"


def test_an_ask_of_the_dead_fails_at_once(akka_testkit: ActorTestKit) -> None:
    ref = akka_testkit.spawn(Echo)
    akka_testkit.stop(ref)
    before_s = akka_testkit.now_s()
    with pytest.raises(AskTimeoutError, match="terminated"):
        akka_testkit.run(ref.request("x", 60))
    assert akka_testkit.now_s() == before_s


@pytest.mark.parametrize("waits", [False, True])
def test_the_failure_of_a_handler_goes_to_the_asker_and_to_the_supervisor(
    akka_testkit: ActorTestKit, waits: bool
) -> None:
    class Failing(Actor[str]):
        starts = 0

        def pre_start(self) -> None:
            Failing.starts += 1

        async def receive(self, message: str) -> None:
            if waits:
                await asyncio.sleep(1)
            raise ValueError(message)

    ref = akka_testkit.spawn(Failing)
    with akka_testkit.expect_log("restart: ValueError('why')"), pytest.raises(ValueError, match="why"):
        akka_testkit.run(ref.request("why", 5))
    akka_testkit.settle()
    assert Failing.starts == 2


def test_messages_wait_while_an_async_handler_waits(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Slow(Actor[float]):
        async def receive(self, message: float) -> None:
            log.append(("begin", message))
            await asyncio.sleep(message)
            log.append(("end", message))

    ref = akka_testkit.spawn(Slow)
    ref.tell(1.0)
    ref.tell(0.0)
    akka_testkit.advance(0.5)
    assert log == [("begin", 1.0)]
    akka_testkit.advance(1)
    assert log == [("begin", 1.0), ("end", 1.0), ("begin", 0.0), ("end", 0.0)]


def test_a_timeout_works_inside_a_handler(akka_testkit: ActorTestKit) -> None:
    class Patient(Actor[Any]):
        async def receive(self, message: Any) -> None:
            try:
                async with asyncio.timeout(2):
                    await asyncio.sleep(10)
            except TimeoutError:
                self.context.sender.tell("gave up")

    ref = akka_testkit.spawn(Patient)
    assert akka_testkit.run(ref.request("go", 5)) == "gave up"
    assert akka_testkit.run(ref.request("again", 5)) == "gave up"


def test_a_stop_lets_a_waiting_handler_end_for_a_while(akka_testkit: ActorTestKit, log: list[Any]) -> None:
    class Waiting(Recorder):
        async def receive(self, message: float) -> None:
            await asyncio.sleep(message)
            self.log.append("handled")

    quick = akka_testkit.spawn(Props.of(Waiting, log))
    quick.tell(3.0)
    akka_testkit.settle()
    akka_testkit.system.stop(quick)
    akka_testkit.advance(3)
    assert log == ["made", "start", "handled", "stop"]
    log.clear()
    endless = akka_testkit.spawn(Props.of(Waiting, log))
    endless.tell(1e6)
    akka_testkit.settle()
    akka_testkit.system.stop(endless)
    akka_testkit.advance(akka_testkit.system.settings.handler_stop_timeout_s)
    assert log == ["made", "start", "stop"]


def test_tell_works_from_any_thread() -> None:
    async def main() -> int:
        async with ActorSystem("threads") as system:
            done = asyncio.get_running_loop().create_future()

            class Counter(Actor[int]):
                def __init__(self) -> None:
                    self.count = 0

                def receive(self, message: int) -> None:
                    self.count += 1
                    if self.count == 4_000:
                        done.set_result(self.count)

            ref = system.spawn(Counter)
            threads = [threading.Thread(target=lambda: [ref.tell(n) for n in range(1_000)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            async with asyncio.timeout(20):
                return await done

    assert asyncio.run(main()) == 4_000


def test_blocking_work_runs_on_a_pool_and_blocks_nobody() -> None:
    async def main() -> tuple[bool, Any]:
        async with ActorSystem("pools") as system:
            release = threading.Event()

            class Blocking(Actor[Any]):
                def receive(self, message: Any) -> None:
                    sender = self.context.sender
                    assert release.wait(20)
                    sender.tell(threading.current_thread() is threading.main_thread())

            blocked = system.spawn(Props(Blocking).with_dispatcher("blocking"))
            answer = asyncio.ensure_future(blocked.request("x", 20))
            other = await system.spawn(Echo).request("free", 20)
            release.set()
            return await answer, other

    assert asyncio.run(main()) == (False, "free")


def test_a_million_idle_actors_is_a_matter_of_memory_not_of_tasks(akka_testkit: ActorTestKit) -> None:
    refs = [akka_testkit.system.spawn(Echo) for _ in range(5_000)]
    akka_testkit.settle()
    assert len(refs) == 5_000
    assert all(ref.cell.box is None for ref in refs)
