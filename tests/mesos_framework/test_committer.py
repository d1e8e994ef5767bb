"""What was decided is stored before it becomes visible, and never after another leader took over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from smackbox.base.errors import StorageError
from smackbox.election.state_store import ChangeTooLarge, Fenced, MemoryStateStore
from smackbox.mesos_framework.committer import Committer
from smackbox.mesos_framework.effects import Effects


class Store(MemoryStateStore):
    """Fails as often as told."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.failures = list(failures)
        self.may_store = asyncio.Event()
        self.may_store.set()

    async def store(self, changes: dict[str, bytes | None]) -> None:
        await self.may_store.wait()
        if self.failures:
            raise self.failures.pop(0)
        await super().store(changes)


class Machine:
    def __init__(self, store: Store) -> None:
        self.effects = Effects()
        self.said: list[str] = []
        self.is_fenced = asyncio.Event()
        self.committer = Committer(store, self.take, self.is_fenced.set)

    def take(self) -> Effects:
        effects, self.effects = self.effects, Effects()
        return effects

    def decide(self, word: str) -> None:
        self.effects.records[word] = b"1"
        self.effects.actions.append(lambda: self.said.append(word))
        self.committer.wake()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


def test_actions_follow_their_records_and_changes_gather_meanwhile() -> None:
    async def work() -> None:
        store = Store()
        store.may_store.clear()
        machine = Machine(store)
        machine.decide("one")
        first = asyncio.create_task(machine.committer.committed())
        await asyncio.sleep(0)
        machine.decide("two")
        machine.decide("three")
        second = asyncio.create_task(machine.committer.committed())
        await asyncio.sleep(0)
        assert (store.records, machine.said) == ({}, [])
        store.may_store.set()
        await first
        assert machine.said[0] == "one"
        await second
        assert machine.said == ["one", "two", "three"]
        assert set(store.records) == {"one", "two", "three"}
        await machine.committer.stop()

    run(work)


def test_a_store_that_fails_for_a_while_delays_and_loses_nothing() -> None:
    async def work() -> None:
        machine = Machine(Store(StorageError("away")))
        machine.decide("one")
        await machine.committer.committed()
        assert machine.said == ["one"]
        await machine.committer.stop()

    run(work)


def test_an_error_that_no_store_should_raise_ends_no_term() -> None:
    async def work() -> None:
        machine = Machine(Store(RuntimeError("our bug")))
        machine.decide("one")
        await machine.committer.committed()
        assert machine.said == ["one"]
        await machine.committer.stop()

    run(work)


def test_pieces_are_stored_in_order_and_what_belongs_together_stays_together() -> None:
    effects = Effects()
    said: list[str] = []
    for word in ("one", "two", "three"):
        effects.records[word] = b"x" * 10
        effects.records[word + "!"] = None
        effects.actions.append(lambda word=word: said.append(word))  # type: ignore[misc]
        effects.cut()
    effects.records["last"] = b"x"
    pieces = list(effects.pieces(34))
    assert [sorted(piece.records) for piece in pieces] == [["one", "one!", "two", "two!"], ["last", "three", "three!"]]
    for piece in pieces:
        for action in piece.actions:
            action()
    assert said == ["one", "two", "three"]
    assert [len(piece.records) for piece in effects.pieces(1)] == [2, 2, 2, 1]
    assert list(Effects().pieces(1)) == []


def test_a_change_that_no_store_takes_is_refused_and_the_term_begins_again() -> None:
    async def work() -> None:
        machine = Machine(Store(ChangeTooLarge("a change of 2 MB")))
        machine.decide("one")
        with pytest.raises(ChangeTooLarge, match="2 MB"):
            await machine.committer.committed()
        await machine.is_fenced.wait()
        await machine.committer.stop()
        assert machine.said == []

    run(work)


def test_nothing_happens_after_another_leader_took_over() -> None:
    async def work() -> None:
        machine = Machine(Store(Fenced("gone")))
        machine.decide("one")
        waiting = asyncio.create_task(machine.committer.committed())
        await machine.is_fenced.wait()
        await machine.committer.stop()
        with pytest.raises(StorageError):
            await waiting
        with pytest.raises(StorageError):
            await machine.committer.committed()
        assert machine.said == []

    run(work)
