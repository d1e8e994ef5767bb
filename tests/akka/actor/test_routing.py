"""Routers, the receptionist, the event stream and coordinated shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import Any

import pytest

from smackbox.akka import Actor, ActorSystem, AskTimeoutError, Broadcast, Listing, Props, Routers, ServiceKey
from smackbox.akka.actor.messages import DeadLetter
from smackbox.akka.actor.routing import ConsistentHashing, Random, RoundRobin, ScatterGather, SmallestMailbox, ToAll
from smackbox.akka.actor.shutdown import PHASES, SERVICE_STOP, SERVICE_UNBIND
from smackbox.akka.testkit.kit import ActorTestKit
from tests.akka.actor.test_life import Echo


class Worker(Actor[Any]):
    def __init__(self, log: list[Any]) -> None:
        self.log = log

    async def receive(self, message: Any) -> None:
        if message == "stop":
            self.context.stop()
            return
        if isinstance(message, float):
            await asyncio.sleep(message)
        self.log.append((self.context.path.name, message))
        self.context.sender.tell((self.context.path.name, message))


def counts(log: list[Any]) -> list[int]:
    return sorted(Counter(name for name, _ in log).values())


def test_round_robin_takes_each_in_its_turn(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    pool = akka_testkit.spawn(Routers.pool(3, Props.of(Worker, log), RoundRobin()))
    for number in range(9):
        pool.tell(number)
    akka_testkit.settle()
    assert counts(log) == [3, 3, 3]
    by_message = [name for name, _ in sorted(log, key=lambda entry: entry[1])]
    assert by_message == [*pool.cell.children] * 3, "in their order, from the first"


def test_random_takes_whom_chance_says(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    pool = akka_testkit.spawn(Routers.pool(4, Props.of(Worker, log), Random()))
    for number in range(5):
        pool.tell(number)
    akka_testkit.settle()
    assert counts(log) == [5], "the chance of the kit is always the same"


@pytest.mark.parametrize(("chance", "place"), [(0.0, 0), (0.24, 0), (0.25, 1), (0.74, 2), (0.99, 3), (1.0, 0)])
def test_chance_is_shared_out_evenly(chance: float, place: int) -> None:
    routees: list[Any] = ["a", "b", "c", "d"]
    assert Random().select(routees, "x", lambda: chance) == (routees[place],)


def test_a_pool_has_at_least_one_routee(akka_testkit: ActorTestKit) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Routers.pool(0, Worker)
    log: list[Any] = []
    akka_testkit.spawn(Routers.pool(1, Props.of(Worker, log))).tell("x")
    akka_testkit.settle()
    assert len(log) == 1


def test_an_actor_that_asked_a_scattered_question_is_told_that_nobody_replied(akka_testkit: ActorTestKit) -> None:
    """It has no future that could fail: the failure is its answer."""

    class Silent(Actor[Any]):
        def receive(self, message: Any) -> None: ...

    probe = akka_testkit.probe()
    akka_testkit.spawn(Routers.pool(2, Silent, ScatterGather(0.5))).tell("x", probe.ref)
    akka_testkit.advance(1)
    probe.expect_message_type(AskTimeoutError)


def test_the_smallest_mailbox_is_taken(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    pool = akka_testkit.spawn(Routers.pool(2, Props.of(Worker, log), SmallestMailbox()))
    for message in (5.0, "a", "b", "c", "d"):
        pool.tell(message)
    akka_testkit.settle()
    assert {name for name, _ in log} and len(log) >= 2
    akka_testkit.advance(10)
    assert len(log) == 5


def test_the_same_key_goes_to_the_same_routee_and_few_keys_move(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    pool = akka_testkit.spawn(Routers.pool(5, Props.of(Worker, log), ConsistentHashing(lambda message: message)))
    for _ in range(2):
        for key in range(200):
            pool.tell(key)
    akka_testkit.settle()
    homes = {key: {name for name, message in log if message == key} for key in range(200)}
    assert all(len(names) == 1 for names in homes.values())
    victim = next(iter(pool.cell.children.values()))
    akka_testkit.stop(victim)
    log.clear()
    for key in range(200):
        pool.tell(key)
    akka_testkit.settle()
    moved = [key for name, key in log if {name} != homes[key]]
    assert {key for key, names in homes.items() if names == {victim.path.name}} == set(moved)


def test_to_all_and_broadcast(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    akka_testkit.spawn(Routers.pool(3, Props.of(Worker, log), ToAll())).tell("x")
    akka_testkit.spawn(Routers.pool(3, Props.of(Worker, log))).tell(Broadcast("y"))
    akka_testkit.settle()
    assert sorted(message for _, message in log) == ["x"] * 3 + ["y"] * 3


def test_scatter_gather_gives_the_first_reply(akka_testkit: ActorTestKit) -> None:
    class Late(Actor[Any]):
        made = 0

        def __init__(self) -> None:
            Late.made += 1
            self.delay_s = float(Late.made)

        async def receive(self, message: Any) -> None:
            await asyncio.sleep(self.delay_s)
            self.context.sender.tell(self.delay_s)

    pool = akka_testkit.spawn(Routers.pool(3, Late, ScatterGather(10)))
    assert akka_testkit.run(pool.request("x", 20)) == 1.0
    impatient = akka_testkit.spawn(Routers.pool(3, Late, ScatterGather(0.5)))
    with pytest.raises(AskTimeoutError):
        akka_testkit.run(impatient.request("x", 20))


def test_a_pool_does_without_those_that_stop_and_stops_with_the_last(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    probe = akka_testkit.probe()
    pool = akka_testkit.spawn(Routers.pool(2, Props.of(Worker, log)))
    probe.watch(pool)
    pool.tell("stop")
    akka_testkit.settle()
    for number in range(4):
        pool.tell(number)
    akka_testkit.settle()
    assert len(log) == 4
    pool.tell("stop")
    probe.expect_terminated(pool)


KEY: ServiceKey[Any] = ServiceKey("workers")


def test_a_group_finds_its_routees_by_their_key(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    group = akka_testkit.spawn(Routers.group(KEY, RoundRobin()))
    group.tell("nobody")
    akka_testkit.settle()
    assert akka_testkit.dead_letters[0].reason == "the router has no routees"
    workers = [akka_testkit.spawn(Props.of(Worker, log), name) for name in ("a", "b")]
    for worker in workers:
        akka_testkit.system.receptionist.register(KEY, worker)
    akka_testkit.settle()
    for number in range(4):
        group.tell(number)
    akka_testkit.settle()
    assert counts(log) == [2, 2]
    akka_testkit.stop(workers[0])
    log.clear()
    group.tell("x")
    akka_testkit.settle()
    assert log == [("b", "x")]


def test_a_subscriber_hears_of_every_change(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()
    receptionist = akka_testkit.system.receptionist
    receptionist.subscribe(KEY, probe.ref)
    probe.expect_message(Listing(KEY, frozenset()))
    ref = akka_testkit.spawn(Echo)
    receptionist.register(KEY, ref)
    probe.expect_message(Listing(KEY, frozenset({ref})))
    assert receptionist.find(KEY) == {ref}
    akka_testkit.stop(ref)
    probe.expect_message(Listing(KEY, frozenset()))


def test_the_event_stream_goes_by_type(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()
    events = akka_testkit.system.events
    events.subscribe(Exception, probe.ref)
    error = ValueError("a subtype")
    events.publish("not this")
    events.publish(error)
    probe.expect_message(error)
    events.unsubscribe(probe.ref)
    events.publish(error)
    probe.expect_no_message()
    events.subscribe(DeadLetter, probe.ref)
    akka_testkit.system.dead_letters.tell("lost")
    assert probe.expect_message_type(DeadLetter).message == "lost"


def test_shutdown_goes_through_its_phases_once_whatever_fails_or_hangs(akka_testkit: ActorTestKit) -> None:
    log: list[str] = []
    shutdown = akka_testkit.system.shutdown

    async def note(text: str, wait_s: float = 0.0, error: bool = False) -> None:
        await asyncio.sleep(wait_s)
        log.append(text)
        if error:
            raise OSError(text)

    shutdown.add_task(SERVICE_STOP, "later", lambda: note("stop"))
    shutdown.add_task(SERVICE_UNBIND, "fails", lambda: note("unbind", error=True))
    shutdown.add_task(SERVICE_UNBIND, "hangs", lambda: note("never", 1e6))
    remove = shutdown.add_task(SERVICE_UNBIND, "taken back", lambda: note("removed"))
    remove()
    with akka_testkit.expect_log("took longer than 5 s"):
        akka_testkit.run(shutdown.run("test"))
    akka_testkit.run(shutdown.run("again"))
    assert log == ["unbind", "stop"]
    assert (shutdown.reason, akka_testkit.system.is_terminated) == ("test", True)
    with pytest.raises(ValueError, match="service-unbind"):
        shutdown.add_task("unbind", "x", lambda: note("x"))
    assert len(PHASES) == 12


def test_a_signal_runs_the_shutdown() -> None:
    async def main() -> tuple[bool, str | None]:
        system = ActorSystem("signals")
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await system.shutdown.run_on_signals()
        return system.is_terminated, system.shutdown.reason

    assert asyncio.run(main()) == (True, "SIGTERM")
