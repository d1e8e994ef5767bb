"""Behaviors with a durable state: effects, recovery, revisions, failures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from smackbox.akka import SupervisorStrategy
from smackbox.akka.persistence.adapters import SnapshotAdapter
from smackbox.akka.persistence.durable_state import DurableStateBehavior
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.errors import EventRejectedError, JournalFailureError
from smackbox.akka.persistence.signals import RecoveryCompleted, RecoveryFailed
from tests.akka.persistence.bank import Balance, Bank, Get


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as bank:
        yield bank


def on_command(state: Balance, command: Any) -> Effect[Any, Balance]:
    match command:
        case Get(reply_to):
            return Effect.reply(reply_to, state)
        case (int(amount), reply_to):
            return Effect.persist(Balance(state.total + amount, state.events + 1)).then_reply(reply_to, lambda new: new)
        case ("delete", reply_to):
            return Effect.delete().then_reply(reply_to, lambda new: new)
        case _:
            return Effect.persist(command)


def balance(**options: Any) -> DurableStateBehavior[Any, Balance]:
    return DurableStateBehavior("Balance|1", Balance(), on_command, **options)


def change(bank: Bank, ref: Any, what: Any) -> Any:
    return bank.kit.run(ref.ask(lambda reply_to: (what, reply_to), 3.0))


def test_the_latest_state_outlives_the_actor(bank: Bank) -> None:
    ref = bank.kit.spawn(balance(tag="money"))
    assert change(bank, ref, 5) == Balance(5, 1)
    assert change(bank, ref, 6) == Balance(11, 2)
    (stored, revision) = bank.kit.run(bank.states.get("Balance|1"))
    assert (stored.tag, stored.data, revision) == ("money", b'{"total":11,"events":2}', 2)
    again = bank.restart(ref, balance())
    assert bank.balance(again) == Balance(11, 2)
    assert change(bank, again, 1) == Balance(12, 3)


def test_deleting_makes_it_empty_and_keeps_counting(bank: Bank) -> None:
    ref = bank.kit.spawn(balance())
    change(bank, ref, 5)
    assert change(bank, ref, "delete") == Balance()
    assert change(bank, ref, 7) == Balance(7, 1)
    assert bank.kit.run(bank.states.get("Balance|1"))[1] == 3
    assert bank.balance(bank.restart(ref, balance())) == Balance(7, 1)


def test_of_two_actors_the_stale_one_fails_and_writes_nothing(bank: Bank) -> None:
    first, second = bank.kit.spawn(balance()), bank.kit.spawn(balance())
    change(bank, first, 1)
    with pytest.raises(JournalFailureError, match="revision 1"):
        change(bank, second, 100)
    assert bank.balance(first) == Balance(1, 1)
    assert bank.balance(bank.kit.spawn(balance())) == Balance(1, 1)


def test_a_stale_one_restarts_with_what_is_stored(bank: Bank) -> None:
    first = bank.kit.spawn(balance())
    strategy = SupervisorStrategy.restart_with_back_off(1.0, 2.0)
    second = bank.kit.spawn(balance().on_persist_failure(strategy))
    change(bank, first, 1)
    with pytest.raises(JournalFailureError):
        change(bank, second, 100)
    assert change(bank, second, 100) == Balance(101, 2)


def test_only_back_off_or_stop_after_a_failure() -> None:
    with pytest.raises(ValueError, match="back-off"):
        balance().on_persist_failure(SupervisorStrategy.restart())


def test_a_state_without_a_serializer_is_refused(bank: Bank) -> None:
    ref = bank.kit.spawn(balance())
    with pytest.raises(EventRejectedError, match="revision 1"):
        bank.kit.run(ref.request(object(), 1.0))
    assert bank.kit.run(bank.states.get("Balance|1")) == (None, 0)


def test_adapters_and_signals(bank: Bank) -> None:
    class AsText(SnapshotAdapter[Balance]):
        def to_journal(self, state: Balance) -> Any:
            return f"{state.total}/{state.events}"

        def from_journal(self, stored: Any) -> Balance:
            return Balance(*map(int, stored.split("/")))

    heard: list[Any] = []
    behavior = balance().with_adapter(AsText()).receive_signal(lambda state, signal: heard.append((state, signal)))
    ref = bank.kit.spawn(behavior)
    change(bank, ref, 4)
    bank.restart(ref, behavior)
    assert heard[0] == (Balance(), RecoveryCompleted()) and heard[-1] == (Balance(4, 1), RecoveryCompleted())
    bank.states.faults.reads = 1
    bank.kit.spawn(behavior)
    assert any(isinstance(signal, RecoveryFailed) for _, signal in heard)
