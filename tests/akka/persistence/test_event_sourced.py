"""Event-sourced behaviors: effects, signals, the stash, what waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from smackbox.akka import (
    UNHANDLED,
    Behaviors,
    PoisonPill,
    Signal,
)
from smackbox.akka.actor.errors import AskTimeoutError
from smackbox.akka.actor.messages import PostStop
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.extension import PersistenceSettings
from smackbox.akka.persistence.persistence_id import PersistenceId
from smackbox.akka.persistence.signals import (
    RecoveryCompleted,
)
from tests.akka.persistence.bank import Add, Added, Balance, Bank, Get, account, on_command, on_event


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as bank:
        yield bank


def _with(handler: Any, id_: str = "Account|1", **options: Any) -> Any:
    from smackbox.akka.persistence.event_sourced import EventSourcedBehavior

    return EventSourcedBehavior(id_, Balance(), handler, on_event, **options)


def test_events_make_the_state_and_outlive_the_actor(bank: Bank) -> None:
    ref = bank.kit.spawn(account())
    assert bank.add(ref, 1) == Balance(1, 1)
    assert bank.add(ref, 2, 3, 4) == Balance(10, 4)
    assert bank.events() == [1, 2, 3, 4]
    again = bank.restart(ref)
    assert bank.balance(again) == Balance(10, 4)
    assert bank.add(again, 5) == Balance(15, 5)
    assert bank.events() == [1, 2, 3, 4, 5]


def test_numbers_go_on_when_all_events_are_deleted(bank: Bank) -> None:
    ref = bank.kit.spawn(account())
    bank.add(ref, 1, 2, 3)
    bank.kit.stop(ref)
    bank.kit.run(bank.journal.delete_to("Account|1", 3))
    assert bank.add(bank.kit.spawn(account()), 4) == Balance(4, 1)
    assert bank.events() == [4]


def test_commands_wait_while_events_are_written(bank: Bank) -> None:
    ref, probe = bank.kit.spawn(account()), bank.kit.probe()
    bank.journal.hold()
    ref.tell(Add((1,), probe.ref))
    ref.tell(Get(probe.ref))
    ref.tell(Add((2,), probe.ref))
    probe.expect_no_message()
    bank.journal.resume()
    assert probe.receive_messages(3) == [Balance(1, 1), Balance(1, 1), Balance(3, 2)]


def test_commands_wait_while_the_actor_recovers(bank: Bank) -> None:
    probe = bank.kit.probe()
    starting = bank.kit.system.spawn(account())
    starting.tell(Add((1,), probe.ref))
    starting.tell(Get(probe.ref))
    assert probe.receive_messages(2) == [Balance(1, 1), Balance(1, 1)]


def test_effects_without_events(bank: Bank) -> None:
    done: list[Any] = []

    def handler(state: Balance, command: Any) -> Effect[Added, Balance]:
        match command:
            case "run":
                return Effect.none().then_run(lambda s: done.append((1, s))).then_run(lambda _: done.append(2))
            case "empty":
                return Effect.persist_all([]).then_run(lambda _: done.append("empty"))
            case "stop":
                return Effect.persist(Added(7)).then_run(lambda s: done.append(s.total)).then_stop()
            case _:
                return Effect.unhandled()

    ref = bank.kit.spawn(_with(handler))
    ref.tell("run")
    ref.tell("empty")
    ref.tell("what?")
    bank.kit.settle()
    assert done == [(1, Balance()), 2, "empty"]
    assert [message.message for message in bank.kit.unhandled] == ["what?"]
    probe = bank.kit.probe()
    probe.watch(ref)
    ref.tell("stop")
    probe.expect_terminated(ref)
    assert done[-1] == 7 and bank.events() == [1]


def test_a_handler_that_returns_no_effect_fails(bank: Bank) -> None:
    ref = bank.kit.spawn(_with(lambda state, command: None))
    with pytest.raises(TypeError, match="must return an Effect"):
        bank.kit.run(ref.request("x", 1.0))


def test_an_event_that_the_handler_refuses_is_not_stored(bank: Bank) -> None:
    ref = bank.kit.spawn(account())
    bank.add(ref, 1)
    with pytest.raises(ValueError, match="13 is refused"):
        bank.add(ref, 2, 13)
    assert bank.events() == [1]
    assert bank.balance(bank.kit.spawn(account())) == Balance(1, 1)


def test_stash_and_unstash(bank: Bank) -> None:
    def handler(state: Balance, command: Any) -> Effect[Added, Balance]:
        if command == "open":
            return Effect.persist(Added(100)).then_unstash_all()
        if state.total < 100:
            return Effect.stash()
        return on_command(state, command)

    ref, probe = bank.kit.spawn(_with(handler)), bank.kit.probe()
    ref.tell(Add((1,), probe.ref))
    ref.tell(Add((2,), probe.ref))
    probe.expect_no_message()
    ref.tell("open")
    assert probe.receive_messages(2) == [Balance(101, 2), Balance(103, 3)]


def test_what_overflows_the_stash_is_a_dead_letter() -> None:
    with Bank(settings=PersistenceSettings(stash_capacity=2)) as bank:
        ref = bank.kit.spawn(_with(lambda state, command: Effect.stash()))
        for number in range(3):
            ref.tell(number)
        bank.kit.settle()
        assert [letter.message for letter in bank.kit.dead_letters] == [2]
        assert "2 messages are stashed" in bank.kit.dead_letters[0].reason


def test_what_overflows_the_stash_fails_the_actor_where_told() -> None:
    settings = PersistenceSettings(stash_capacity=1, stash_overflow_fails=True)
    with Bank(settings=settings) as bank:
        ref, probe = bank.kit.spawn(_with(lambda state, command: Effect.stash())), bank.kit.probe()
        probe.watch(ref)
        ref.tell(1)
        ref.tell(2)
        probe.expect_terminated(ref)


def test_commands_that_wait_for_a_write_are_bounded() -> None:
    with Bank(settings=PersistenceSettings(stash_capacity=3)) as bank:
        ref, probe = bank.kit.spawn(account()), bank.kit.probe()
        bank.journal.hold()
        ref.tell(Add((1,)))
        bank.kit.settle()
        for _ in range(5):
            ref.tell(Get(probe.ref))
        assert len(bank.kit.dead_letters) == 2
        bank.journal.resume()
        assert probe.receive_messages(3) == [Balance(1, 1)] * 3
        for _ in range(5):
            ref.tell(Get(probe.ref))
        probe.receive_messages(5)
        assert len(bank.kit.dead_letters) == 2


def test_signals_of_a_life(bank: Bank) -> None:
    heard: list[Any] = []

    def behavior() -> Any:
        return account().receive_signal(lambda state, signal: heard.append((state.total, signal)))

    ref = bank.kit.spawn(behavior())
    bank.add(ref, 5)
    bank.kit.stop(ref)
    bank.kit.spawn(behavior())
    assert heard == [(0, RecoveryCompleted()), (5, PostStop()), (5, RecoveryCompleted())]


def test_an_unhandled_terminated_is_a_death_pact(bank: Bank) -> None:
    for answer, survives in ((UNHANDLED, False), (None, True)):
        victim = bank.kit.spawn(Behaviors.receive_message(lambda message: Behaviors.stopped()))

        def handle(state: Balance, signal: Signal, answer: Any = answer) -> Any:
            return answer

        def behavior(context: Any, victim: Any = victim, handle: Any = handle) -> Any:
            context.watch(victim)
            return account().receive_signal(handle)

        ref, probe = bank.kit.spawn(Behaviors.setup(behavior)), bank.kit.probe()
        probe.watch(ref)
        victim.tell("stop")
        if survives:
            probe.expect_no_signal()
        else:
            probe.expect_terminated(ref)


def test_a_poison_pill_comes_after_the_commands_before_it(bank: Bank) -> None:
    ref, probe = bank.kit.system.spawn(account()), bank.kit.probe()
    probe.watch(ref)
    ref.tell(Add((1,), probe.ref))
    ref.tell(Add((2,), probe.ref))
    ref.tell(PoisonPill())
    assert probe.receive_messages(2) == [Balance(1, 1), Balance(3, 2)]
    probe.expect_terminated(ref)


def test_the_sender_of_a_command_is_known_when_its_events_are_stored(bank: Bank) -> None:
    def behavior(context: Any) -> Any:
        def handler(state: Balance, command: int) -> Effect[Added, Balance]:
            return Effect.persist(Added(command)).then_run(lambda new: context.sender.tell(new))

        return _with(handler)

    ref = bank.kit.spawn(Behaviors.setup(behavior))
    assert bank.kit.run(ref.request(3, 1.0)) == Balance(3, 1)


def test_persistence_ids() -> None:
    assert PersistenceId.of("Account", "4|2").id == "Account|4|2"
    for entity_type, entity_id in (("", "1"), ("A", ""), ("A|B", "1")):
        with pytest.raises(ValueError):
            PersistenceId.of(entity_type, entity_id)
    with pytest.raises(ValueError):
        PersistenceId("")


def test_an_ask_of_a_stopped_account_times_out(bank: Bank) -> None:
    ref = bank.kit.spawn(account())
    ref.tell("stop")
    with pytest.raises(AskTimeoutError):
        bank.balance(ref)
