"""Failed writes and recoveries, limits, restarts and stops in the middle of something."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from smackbox.akka import (
    Actor,
    AllForOne,
    Behaviors,
    Directive,
    SupervisorStrategy,
)
from smackbox.akka.persistence.adapters import EventAdapter
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.errors import (
    CircuitOpenError,
    EventRejectedError,
    JournalFailureError,
    NoJournalError,
    RecoveryTimeoutError,
)
from smackbox.akka.persistence.extension import Persistence, PersistenceSettings
from smackbox.akka.persistence.signals import (
    RecoveryFailed,
)
from smackbox.akka.testkit.kit import ActorTestKit
from tests.akka.persistence.bank import Add, Added, Balance, Bank, Get, account, on_command, on_event


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as bank:
        yield bank


def _with(handler: Any, id_: str = "Account|1", **options: Any) -> Any:
    from smackbox.akka.persistence.event_sourced import EventSourcedBehavior

    return EventSourcedBehavior(id_, Balance(), handler, on_event, **options)


def test_a_failed_write_stops_the_actor(bank: Bank) -> None:
    ref, probe = bank.kit.spawn(account()), bank.kit.probe()
    probe.watch(ref)
    bank.add(ref, 1)
    bank.journal.faults.writes = 1
    with pytest.raises(JournalFailureError):
        bank.add(ref, 2)
    probe.expect_terminated(ref)
    assert bank.events() == [1]


def test_a_failed_write_restarts_with_back_off_and_recovers(bank: Bank) -> None:
    strategy = SupervisorStrategy.restart_with_back_off(1.0, 8.0, 0.0)
    ref = bank.kit.spawn(account().on_persist_failure(strategy))
    bank.add(ref, 1)
    bank.journal.faults.writes = 1
    with pytest.raises(JournalFailureError):
        bank.add(ref, 2)
    probe = bank.kit.probe()
    ref.tell(Get(probe.ref))
    probe.expect_no_message(0.9)
    probe.expect_message(Balance(1, 1), 0.2)
    assert bank.add(ref, 3) == Balance(4, 2)


def test_other_failures_are_not_the_persist_failure_strategys(bank: Bank) -> None:
    ref, probe = (
        bank.kit.spawn(account().on_persist_failure(SupervisorStrategy.restart_with_back_off(1.0, 8.0))),
        bank.kit.probe(),
    )
    probe.watch(ref)
    with pytest.raises(ValueError):
        bank.add(ref, 13)
    probe.expect_terminated(ref)


@pytest.mark.parametrize("strategy", [SupervisorStrategy.resume(), SupervisorStrategy.restart()])
def test_after_a_failed_write_nobody_resumes(strategy: SupervisorStrategy) -> None:
    with pytest.raises(ValueError, match="back-off"):
        account().on_persist_failure(strategy)


def test_an_event_without_a_serializer_is_refused_and_nothing_is_stored(bank: Bank) -> None:
    class Half(EventAdapter[Added]):
        def to_journal(self, event: Added) -> Any:
            return object() if event.amount == 7 else event

    ref = bank.kit.spawn(account(event_adapter=Half()))
    with pytest.raises(EventRejectedError, match="event 2 of"):
        bank.add(ref, 6, 7)
    assert bank.events() == []


def test_a_refused_event_can_be_supervised(bank: Bank) -> None:
    class Broken(EventAdapter[Added]):
        def to_journal(self, event: Added) -> Any:
            return object() if event.amount == 7 else event

    behavior = Behaviors.supervise(account(event_adapter=Broken())).on_failure(
        SupervisorStrategy.restart(), EventRejectedError
    )
    ref = bank.kit.spawn(behavior)
    bank.add(ref, 6)
    with pytest.raises(EventRejectedError, match=r"event 2 of Account\|1 cannot be stored: object has no serializer"):
        bank.add(ref, 7)
    assert bank.add(ref, 8) == Balance(14, 2)
    assert bank.events() == [1, 2]


def test_a_failed_recovery_is_signalled_and_stops_the_actor(bank: Bank) -> None:
    heard: list[Any] = []
    bank.journal.faults.reads = 1
    probe = bank.kit.probe()
    ref = bank.kit.system.spawn(account().receive_signal(lambda state, signal: heard.append(signal)))
    probe.watch(ref)
    probe.expect_terminated(ref)
    assert isinstance(heard[0], RecoveryFailed) and "told to fail" in str(heard[0].cause)


def test_a_failed_recovery_is_tried_again_with_back_off(bank: Bank) -> None:
    bank.add(ref := bank.kit.spawn(account()), 1)
    bank.kit.stop(ref)
    bank.journal.faults.reads = 3
    ref = bank.kit.spawn(account().on_persist_failure(SupervisorStrategy.restart_with_back_off(1.0, 8.0, 0.0)))
    probe = bank.kit.probe()
    ref.tell(Get(probe.ref))
    probe.expect_no_message(6.9)  # 1 + 2 + 4 seconds
    probe.expect_message(Balance(1, 1))


def test_a_recovery_that_hears_nothing_times_out() -> None:
    with Bank() as bank:

        async def never(*_: Any) -> int:

            await asyncio.get_running_loop().create_future()
            return 0

        bank.journal.highest_sequence_nr = never  # type: ignore[method-assign]
        heard: list[Any] = []
        bank.kit.spawn(account().receive_signal(lambda state, signal: heard.append(signal)))
        bank.kit.advance(29.9)
        assert not heard
        bank.kit.advance(0.2)
        assert isinstance(heard[0], RecoveryFailed) and isinstance(heard[0].cause, RecoveryTimeoutError)


def test_at_most_so_many_recover_at_once() -> None:
    with Bank(settings=PersistenceSettings(max_concurrent_recoveries=2)) as bank:
        at_once, most = 0, 0
        read = bank.journal.highest_sequence_nr

        async def slow(*arguments: Any) -> int:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(1)
            at_once -= 1
            return await read(*arguments)

        bank.journal.highest_sequence_nr = slow  # type: ignore[method-assign]
        refs = [bank.kit.system.spawn(account(f"Account|{number}")) for number in range(5)]
        for ref in refs:
            assert bank.balance(ref) == Balance()
        assert most == 2


def test_the_default_limit_of_recoveries_is_pekkos() -> None:
    assert PersistenceSettings().max_concurrent_recoveries == 50
    assert PersistenceSettings().stash_capacity == 4_096


def test_the_breaker_opens_after_failures_and_closes_after_a_success() -> None:
    with Bank(settings=PersistenceSettings(breaker_failures=3)) as bank:
        bank.journal.faults.writes = 3
        for _ in range(3):
            with pytest.raises(JournalFailureError):
                bank.add(bank.kit.spawn(account()), 1)
        with pytest.raises(JournalFailureError) as refused:
            bank.add(bank.kit.spawn(account()), 1)
        assert isinstance(refused.value.__cause__ or refused.value, JournalFailureError)
        assert "failed 3 times in a row" in str(refused.value)
        assert bank.events() == []
        bank.kit.advance(30.0)
        assert bank.add(bank.kit.spawn(account()), 1) == Balance(1, 1)
        assert not bank.persistence.log.breaker.is_open


def test_without_a_persistence_an_actor_says_what_to_do() -> None:
    with ActorTestKit() as kit, kit.expect_log("make Persistence.open(system, directory)"):
        probe = kit.probe()
        ref = kit.system.spawn(account())
        probe.watch(ref)
        probe.expect_terminated(ref)
        with pytest.raises(NoJournalError):
            Persistence.of(kit.system)


def test_a_stop_waits_for_the_write(bank: Bank) -> None:
    ref, probe = bank.kit.spawn(account()), bank.kit.probe()
    probe.watch(ref)
    bank.journal.hold()
    ref.tell(Add((1,), probe.ref))
    bank.kit.settle()
    bank.kit.system.stop(ref)
    probe.expect_no_signal(1.0)
    bank.journal.resume()
    probe.expect_terminated(ref)
    probe.expect_message(Balance(1, 1))


def test_a_stop_does_not_wait_for_ever(bank: Bank) -> None:
    ref, probe = bank.kit.spawn(account()), bank.kit.probe()
    probe.watch(ref)
    bank.journal.hold()
    ref.tell(Add((1,)))
    bank.kit.settle()
    bank.kit.system.stop(ref)
    probe.expect_terminated(ref, 5.1)


def test_a_breaker_that_is_open_refuses_at_once() -> None:
    with Bank(settings=PersistenceSettings(breaker_failures=1)) as bank:
        bank.persistence.log.breaker.failed(bank.kit.now_s())

        async def write() -> None:
            await bank.persistence.log.persist("x", 1, ["event"])

        with pytest.raises(CircuitOpenError):
            bank.kit.run(write())


def test_a_parent_restarts_the_actor_in_the_middle_of_a_write(bank: Bank) -> None:
    class Parent(Actor[Any]):
        supervisor_strategy = AllForOne(lambda _: Directive.RESTART)

        def pre_start(self) -> None:
            self.context.spawn(account(), "account")
            self.context.spawn(Failing, "failing")

        def receive(self, message: Any) -> None:
            name, inner = message
            self.context.children[name].tell(inner)

    class Failing(Actor[Any]):
        def receive(self, message: Any) -> None:
            raise ValueError(message)

    parent, probe = bank.kit.spawn(Parent), bank.kit.probe()
    bank.journal.hold()
    parent.tell(("account", Add((1,), probe.ref)))
    bank.kit.settle()
    parent.tell(("failing", "now"))
    bank.kit.settle()
    parent.tell(("account", Get(probe.ref)))
    assert probe.receive_message() == Balance(), "the write had not reached the journal when it recovered"
    bank.journal.resume()
    probe.expect_no_message()
    parent.tell(("account", Get(probe.ref)))
    probe.expect_message(Balance())
    assert bank.events() == [1]


def test_a_stop_in_the_middle_of_a_recovery(bank: Bank) -> None:
    async def never(*_: Any) -> int:
        await asyncio.get_running_loop().create_future()
        return 0

    bank.journal.highest_sequence_nr = never  # type: ignore[method-assign]
    strategy = SupervisorStrategy.restart_with_back_off(0.1, 1.0)
    ref, probe = bank.kit.spawn(account().on_persist_failure(strategy)), bank.kit.probe()
    probe.watch(ref)
    bank.kit.system.stop(ref)
    probe.expect_terminated(ref, 5.1)


def test_what_is_stashed_outlives_a_restart(bank: Bank) -> None:
    opened: list[bool] = []

    def handler(state: Balance, command: Any) -> Effect[Added, Balance]:
        if command == "open":
            opened.append(True)
            return Effect.unstash_all()
        return on_command(state, command) if opened else Effect.stash()

    strategy = SupervisorStrategy.restart_with_back_off(1.0, 8.0, 0.0)
    ref, probe = bank.kit.spawn(_with(handler).on_persist_failure(strategy)), bank.kit.probe()
    ref.tell(Add((1,), probe.ref))
    bank.kit.settle()
    opened.append(True)
    bank.journal.faults.writes = 1
    with pytest.raises(JournalFailureError):
        bank.add(ref, 2)
    bank.kit.advance(1.1)
    probe.expect_message(Balance(1, 1))
    assert bank.balance(ref) == Balance(1, 1)
