"""Event-sourced behaviors: effects, recovery, snapshots, failures, the stash."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from smackbox.akka import (
    UNHANDLED,
    Actor,
    AllForOne,
    Behaviors,
    Directive,
    PoisonPill,
    Signal,
    SupervisorStrategy,
)
from smackbox.akka.actor.messages import AskTimeoutError, PostStop
from smackbox.akka.persistence.adapters import EventAdapter, SnapshotAdapter
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.errors import (
    CircuitOpenError,
    EventRejectedError,
    JournalFailureError,
    NoJournalError,
    RecoveryTimeoutError,
)
from smackbox.akka.persistence.extension import Persistence, PersistenceSettings
from smackbox.akka.persistence.journal import StoredEvent
from smackbox.akka.persistence.persistence_id import PersistenceId
from smackbox.akka.persistence.replay_filter import ReplayFilterMode
from smackbox.akka.persistence.serialization import SerializationError
from smackbox.akka.persistence.signals import (
    DeleteEventsCompleted,
    DeleteSnapshotsCompleted,
    RecoveryCompleted,
    RecoveryFailed,
    SnapshotCompleted,
    SnapshotFailed,
)
from smackbox.akka.testkit.kit import ActorTestKit
from tests.akka.persistence.bank import Add, Added, Balance, Bank, Get, account, on_command, on_event


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as bank:
        yield bank


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


def _with(handler: Any, id_: str = "Account|1", **options: Any) -> Any:
    from smackbox.akka.persistence.event_sourced import EventSourcedBehavior

    return EventSourcedBehavior(id_, Balance(), handler, on_event, **options)


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
