"""Snapshots, retention, adapters, schemas, events of two writers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from smackbox.akka.persistence.adapters import EventAdapter, SnapshotAdapter
from smackbox.akka.persistence.journal import StoredEvent
from smackbox.akka.persistence.replay_filter import ReplayFilterMode
from smackbox.akka.persistence.serialization import SerializationError
from smackbox.akka.persistence.signals import (
    DeleteEventsCompleted,
    DeleteSnapshotsCompleted,
    SnapshotCompleted,
    SnapshotFailed,
)
from tests.akka.persistence.bank import Added, Balance, Bank, account


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as bank:
        yield bank


def test_snapshots_by_predicate(bank: Bank) -> None:
    heard: list[Any] = []

    def behavior() -> Any:
        return (
            account()
            .snapshot_when(lambda state, event, number: event.amount == 5)
            .receive_signal(lambda state, signal: heard.append(signal))
        )

    ref = bank.kit.spawn(behavior())
    for amount in (1, 5, 2):
        bank.add(ref, amount)
    assert [h.metadata.sequence_nr for h in heard if isinstance(h, SnapshotCompleted)] == [2]
    bank.journal._events["Account|1"].clear()
    assert bank.balance(bank.restart(ref, behavior())) == Balance(6, 2)


def test_the_reply_comes_after_the_snapshot(bank: Bank) -> None:
    ref = bank.kit.spawn(account().snapshot_when(lambda *_: True))
    bank.add(ref, 1)
    assert sorted(bank.snapshots._kept["Account|1"]) == [1]


def test_retention_keeps_snapshots_and_deletes_events(bank: Bank) -> None:
    heard: list[Any] = []

    def behavior() -> Any:
        base = account().with_retention(every=3, keep=2, delete_events=True)
        return base.receive_signal(lambda state, signal: heard.append(signal))

    ref = bank.kit.spawn(behavior())
    for _ in range(10):
        bank.add(ref, 1)
    bank.kit.settle()
    assert sorted(bank.snapshots._kept["Account|1"]) == [3, 6, 9]
    assert bank.events() == [4, 5, 6, 7, 8, 9, 10]
    assert DeleteEventsCompleted(3) in heard
    for _ in range(2):
        bank.add(ref, 1)
    bank.kit.settle()
    assert sorted(bank.snapshots._kept["Account|1"]) == [6, 9, 12]
    assert bank.events() == [7, 8, 9, 10, 11, 12]
    assert [h.criteria.max_sequence_nr for h in heard if isinstance(h, DeleteSnapshotsCompleted)] == [2, 5]
    assert bank.balance(bank.restart(ref, behavior())) == Balance(12, 12)


def test_retention_without_deleting_events(bank: Bank) -> None:
    ref = bank.kit.spawn(account().with_retention(every=2, keep=1))
    for _ in range(8):
        bank.add(ref, 1)
    bank.kit.settle()
    assert bank.events() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sorted(bank.snapshots._kept["Account|1"]) == [8]


def test_several_events_at_once_take_one_snapshot(bank: Bank) -> None:
    ref = bank.kit.spawn(account().with_retention(every=2, keep=1))
    bank.add(ref, 1, 1, 1)
    assert sorted(bank.snapshots._kept["Account|1"]) == [3]


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0)])
def test_retention_needs_positive_numbers(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="every >= 1"):
        account().with_retention(*numbers)


def test_a_failed_snapshot_is_signalled_and_the_actor_goes_on(bank: Bank) -> None:
    heard: list[Any] = []
    ref = bank.kit.spawn(
        account().snapshot_when(lambda *_: True).receive_signal(lambda state, signal: heard.append(signal))
    )
    bank.snapshots.faults.writes = 1
    assert bank.add(ref, 1) == Balance(1, 1)
    assert isinstance(heard[-1], SnapshotFailed)
    assert bank.add(ref, 1) == Balance(2, 2)
    assert isinstance(heard[-1], SnapshotCompleted)


def test_a_snapshot_that_cannot_be_read_gives_way_to_an_older_one(bank: Bank) -> None:
    ref = bank.kit.spawn(account().with_retention(every=1, keep=5))
    for _ in range(2):
        bank.add(ref, 1)
    kept = bank.snapshots._kept["Account|1"]
    kept[2] = msgspec.structs.replace(kept[2], data=b"broken")
    assert bank.balance(bank.restart(ref)) == Balance(2, 2)
    kept[1] = msgspec.structs.replace(kept[1], data=b"broken")
    probe = bank.kit.probe()
    failing = bank.kit.system.spawn(account("Account|1"))
    probe.watch(failing)
    probe.expect_terminated(failing)
    assert bank.balance(bank.kit.spawn(account().with_optional_snapshots())) == Balance(2, 2)
    assert bank.balance(bank.kit.spawn(account().with_snapshot_selection(None))) == Balance(2, 2)


class Legacy(EventAdapter[Added]):
    """Stores amounts as plain integers; reads 0 as nothing and negative ones as two events."""

    def manifest(self, event: Added) -> str:
        return "v1"

    def to_journal(self, event: Added) -> Any:
        return event.amount

    def from_journal(self, stored: Any, manifest: str) -> Any:
        assert manifest == "v1"
        if stored == 0:
            return ()
        return (Added(-stored), Added(-stored)) if stored < 0 else (Added(stored),)


def test_event_adapters_translate_drop_and_split(bank: Bank) -> None:
    ref = bank.kit.spawn(account(event_adapter=Legacy()))
    bank.add(ref, 0, 5, -2)
    stored = bank.journal._events["Account|1"][2]
    assert (stored.serializer, stored.event_manifest) == (18, "v1")
    again = bank.restart(ref, account(event_adapter=Legacy()))
    assert bank.balance(again) == Balance(9, 3)
    bank.add(again, 1)
    assert bank.events() == [1, 2, 3, 4]


def test_snapshot_adapters(bank: Bank) -> None:
    class AsText(SnapshotAdapter[Balance]):
        def to_journal(self, state: Balance) -> Any:
            return f"{state.total}/{state.events}"

        def from_journal(self, stored: Any) -> Balance:
            return Balance(*map(int, stored.split("/")))

    behavior = account(snapshot_adapter=AsText()).snapshot_when(lambda *_: True)
    ref = bank.kit.spawn(behavior)
    bank.add(ref, 4)
    assert bank.snapshots._kept["Account|1"][1].data == b"4/1"
    assert bank.balance(bank.restart(ref, behavior)) == Balance(4, 1)


def test_tags_are_stored_with_each_event(bank: Bank) -> None:
    ref = bank.kit.spawn(account().with_tagger(lambda event: ("big", "all") if event.amount > 9 else ("all",)))
    bank.add(ref, 1, 10)
    assert [event.tags for event in bank.journal._events["Account|1"].values()] == [("all",), ("big", "all")]


def test_a_schema_evolves() -> None:
    with Bank() as bank:
        bank.add(bank.kit.spawn(account()), 3)
        stored = bank.journal._events["Account|1"][1]
    assert (stored.serializer, stored.manifest, stored.data) == (31, "bank.Added", b'{"amount":3}')

    class Booked(msgspec.Struct, frozen=True):
        cents: int
        currency: str = "EUR"

    with Bank() as bank:
        serialization = bank.persistence.serialization
        serialization.register(
            "bank.Booked", Booked, version=2, upgrade=lambda version, fields: {"cents": fields["amount"] * 100}
        )
        serialization.register("bank.Put", Booked, alias=True)
        assert serialization.read(31, "bank.Booked", stored.data) == Booked(300)
        assert serialization.read(31, "bank.Put", stored.data) == Booked(300)
        assert serialization.write(Booked(1, "CHF")) == (31, "bank.Booked#2", b'{"cents":1,"currency":"CHF"}')
        assert serialization.read(31, "bank.Booked#2", b'{"cents":1}') == Booked(1)
        for manifest in ("bank.Booked#3", "bank.Booked#x", "bank.Unknown"):
            with pytest.raises(SerializationError, match="bank"):
                serialization.read(31, manifest, stored.data)
        with pytest.raises(ValueError, match="upgrade"):
            serialization.register("bank.Third", Added, version=2)


def test_two_writers_are_repaired_reported_or_fail(bank: Bank) -> None:
    async def write(number: int, writer: str, amount: int) -> None:
        event = Added(amount)
        serialized = bank.persistence.serialization.write(event)
        bank.journal._add(StoredEvent("Account|1", number, *serialized, writer_uuid=writer))

    for number, writer, amount in ((1, "old", 1), (2, "old", 2), (3, "new", 4), (4, "old", 8), (5, "new", 16)):
        bank.kit.run(write(number, writer, amount))
    assert bank.balance(bank.kit.spawn(account())).total == 1 + 2 + 4 + 16
    assert bank.balance(bank.kit.spawn(account().with_replay_filter(ReplayFilterMode.WARN))).total == 31
    assert bank.balance(bank.kit.spawn(account().with_replay_filter(ReplayFilterMode.OFF))).total == 31
    heard: list[Any] = []
    bank.kit.spawn(
        account().with_replay_filter(ReplayFilterMode.FAIL).receive_signal(lambda state, signal: heard.append(signal))
    )
    assert "Did two actors run under one id?" in str(heard[0].cause)
