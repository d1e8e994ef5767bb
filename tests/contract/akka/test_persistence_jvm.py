"""Python and JVMs on one journal: a real pekko-persistence-cassandra 1.1.0, and pekko-projection-cassandra 1.0.0."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from bench.engines import real_pekko_persistence
from bench.engines.real_pekko_persistence import RealPekkoPersistence
from tests.akka.persistence.bank import Add, Added, Balance, Get, account

from smackbox.akka import ActorRef, ActorSystem
from smackbox.akka.persistence.adapters import EventAdapter
from smackbox.akka.persistence.cassandra import CassandraPersistence
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.delivery import durable_queue as queue
from smackbox.akka.persistence.delivery import wire
from smackbox.akka.persistence.extension import Persistence
from smackbox.akka.persistence.offset import Sequence, TimeBasedUuid
from smackbox.akka.persistence.query import ReadJournal
from smackbox.akka.persistence.time_uuid import start_of
from smackbox.akka.projection.cassandra_offsets import CassandraOffsets
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.akka.stream.sink import Sink

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko-persistence")]

LIMIT_S = 60.0
SETTINGS = CassandraSettings(
    keyspace=f"shared_{uuid.uuid4().hex[:8]}",
    snapshot_keyspace=f"shared_snapshots_{uuid.uuid4().hex[:8]}",
    eventual_consistency_delay_s=0.05,
)


@pytest.fixture(scope="module")
def session(cassandra_address: tuple[str, int]) -> Iterator[Any]:
    from cassandra.cluster import Cluster

    host, port = cassandra_address
    cluster = Cluster([host], port=port, compression=False)
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def jvm(session: Any, cassandra_address: tuple[str, int]) -> Iterator[RealPekkoPersistence]:
    """It makes the tables; Python finds them."""
    if reason := real_pekko_persistence.missing():
        pytest.skip(reason)
    datacenter = session.execute("SELECT data_center FROM system.local").one().data_center
    with RealPekkoPersistence(cassandra_address, datacenter, SETTINGS.keyspace, SETTINGS.snapshot_keyspace) as node:
        yield node


class TextsAsEvents(EventAdapter[Any]):
    """The JVM stores numbers as texts, too."""

    def from_journal(self, stored: Any, manifest: str) -> Any:
        return (Added(int(stored)) if isinstance(stored, str) else stored,)


class Shop:
    """The Python side."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system

    def account(self, id_: str, tag: str | None = None, **options: Any) -> ActorRef[Any]:
        behavior = account(id_, event_adapter=TextsAsEvents(), **options)
        return self.system.spawn(behavior if tag is None else behavior.with_tagger(lambda event: (tag,)))

    async def add(self, ref: ActorRef[Any], *amounts: int) -> Balance:
        reply: Balance = await ref.ask(lambda reply_to: Add(amounts, reply_to), LIMIT_S)
        return reply

    async def balance(self, ref: ActorRef[Any]) -> Balance:
        reply: Balance = await ref.ask(Get, LIMIT_S)
        return reply

    async def stop(self, ref: ActorRef[Any]) -> None:
        await self.system.graceful_stop(ref, LIMIT_S)

    async def tagged(self, tag: str) -> list[tuple[str, int, Any]]:
        source = ReadJournal.of(self.system).current_events_by_tag(tag)
        found = await source.run_with(Sink.seq(), self.system)
        return [(one.persistence_id, one.sequence_nr, one.event) for one in found]


def run(session: Any, work: Callable[[Shop], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * LIMIT_S), ActorSystem("shop") as system:
            cassandra = await CassandraPersistence.open(session, SETTINGS)
            persistence = Persistence(system, cassandra.journal, cassandra.snapshots)
            cassandra.add_to(system)
            persistence.register("lab.Accounts$Added", Added)
            persistence.register("lab.Accounts$Balance", Balance)
            wire.register(persistence.serialization)
            await work(Shop(system))

    asyncio.run(main())


@pytest.fixture
def id_() -> str:
    return f"Account|{uuid.uuid4().hex[:8]}"


def test_python_recovers_the_jvms_events_and_writes_on(jvm: RealPekkoPersistence, session: Any, id_: str) -> None:
    assert [jvm.say(f"add {id_} 5"), jvm.say(f"text {id_} 6"), jvm.say(f"add {id_} 7 red")] == ["1", "2", "3"]
    jvm.say(f"stop {id_}")

    async def work(shop: Shop) -> None:
        ref = shop.account(id_)
        assert await shop.balance(ref) == Balance(18, 3)
        assert await shop.add(ref, 10, 20) == Balance(48, 5)

    run(session, work)
    assert jvm.say(f"get {id_}") == "48 5 5 5"
    assert jvm.say(f"add {id_} 2") == "6"


def test_the_jvm_recovers_pythons_events_and_writes_on(jvm: RealPekkoPersistence, session: Any, id_: str) -> None:
    async def first(shop: Shop) -> None:
        assert await shop.add(shop.account(id_), *[2] * 250) == Balance(500, 250)

    async def second(shop: Shop) -> None:
        assert await shop.balance(shop.account(id_)) == Balance(505, 251)

    run(session, first)
    assert jvm.say(f"get {id_}") == "500 250 250 250"
    assert jvm.say(f"add {id_} 5") == "251"
    jvm.say(f"stop {id_}")
    run(session, second)


def test_snapshots_of_each_are_the_others(jvm: RealPekkoPersistence, session: Any, id_: str) -> None:
    for amount in (1, 2, 3):
        jvm.say(f"add {id_} {amount}")
    assert jvm.say(f"snap {id_}") == "saved"
    assert jvm.say(f"delete {id_} 3") == "deleted"
    jvm.say(f"stop {id_}")

    async def work(shop: Shop) -> None:
        ref = shop.account(id_)
        assert await shop.balance(ref) == Balance(6, 3)
        await shop.stop(ref)
        ref = shop.account(id_, retention=None, snapshot_predicate=lambda state, event, number: number == 5)
        assert await shop.add(ref, 4) == Balance(10, 4)
        assert await shop.add(ref, 5) == Balance(15, 5)
        assert await shop.add(ref, 6) == Balance(21, 6)
        await Persistence.of(shop.system).log.journal.delete_to(id_, 5)

    run(session, work)
    assert jvm.say(f"get {id_}") == "21 6 6 1"


def test_tagged_events_of_each_are_seen_by_the_other(jvm: RealPekkoPersistence, session: Any, id_: str) -> None:
    tag, other = f"tag{uuid.uuid4().hex[:8]}", id_ + "0"

    async def first(shop: Shop) -> None:
        ref = shop.account(id_, tag)
        await shop.add(ref, 1, 2)
        await shop.add(ref, 3)

    async def second(shop: Shop) -> None:
        while len(found := await shop.tagged(tag)) < 5:
            await asyncio.sleep(0.1)
        assert found == [(id_, n, Added(n)) for n in (1, 2, 3)] + [(other, 1, Added(8)), (id_, 4, Added(9))]
        await shop.add(shop.account(id_, tag), 10)

    run(session, first)
    expected = f"{id_}:1:1 {id_}:2:2 {id_}:3:3"
    assert seen(jvm, tag, 3) == expected
    jvm.say(f"add {other} 8 {tag}")
    jvm.say(f"add {id_} 9 {tag}")
    jvm.say(f"stop {id_}")
    run(session, second)
    assert seen(jvm, tag, 6) == f"{expected} {other}:1:8 {id_}:4:9 {id_}:5:10"


def seen(jvm: RealPekkoPersistence, tag: str, count: int) -> str:
    """The JVM's events of a tag, once there are so many: it stays 50 ms behind the clock."""
    found = ""
    for _ in range(100):
        found = jvm.say(f"tag {tag}")
        if len(found.split()) >= count:
            break
    return found


def test_queries_by_id_and_of_ids(jvm: RealPekkoPersistence, session: Any, id_: str) -> None:
    async def work(shop: Shop) -> None:
        await shop.add(shop.account(id_), 1, 2)

    run(session, work)
    assert jvm.say(f"events {id_}") == f"{id_}:1:1 {id_}:2:2"
    assert id_ in jvm.say("ids").split()


def test_what_python_deleted_is_deleted_for_the_jvm(jvm: RealPekkoPersistence, session: Any, id_: str) -> None:
    async def work(shop: Shop) -> None:
        ref = shop.account(id_)
        await shop.add(ref, 1, 2, 4, 8)
        await shop.stop(ref)
        await Persistence.of(shop.system).log.journal.delete_to(id_, 3)

    run(session, work)
    assert jvm.say(f"get {id_}") == "8 1 4 1"
    assert jvm.say(f"add {id_} 1") == "5"


def test_a_durable_queue_of_each_is_the_others(jvm: RealPekkoPersistence, session: Any, id_: str) -> None:
    async def first(shop: Shop) -> None:
        ref = shop.system.spawn(queue.durable_queue(id_))
        for number, text in enumerate(("one", "two", "three"), 1):
            sent = queue.MessageSent(number, text, number == 3, timestamp_ms=9)
            assert await store(ref, sent) == number
        ref.tell(queue.StoreConfirmed(queue.MessageConfirmed(1, "", 9)))
        await shop.stop(ref)

    async def second(shop: Shop) -> None:
        ref = shop.system.spawn(queue.durable_queue(id_))
        state: queue.QueueState = await ref.ask(queue.LoadState, LIMIT_S)
        assert (state.current_seq_nr, state.confirmed_seq_nr) == (5, 2)
        assert [(one.seq_nr, one.message, one.ack) for one in state.unconfirmed] == [
            (3, "three", True),
            (4, "four", False),
        ]
        assert await store(ref, queue.MessageSent(5, "five")) == 5

    async def store(ref: ActorRef[Any], sent: queue.MessageSent) -> int:
        number: int = await ref.ask(lambda reply_to: queue.StoreSent(sent, reply_to), LIMIT_S)
        return number

    run(session, first)
    assert jvm.say(f"queue-state {id_}") == "4 1 2:two:false 3:three:true"
    assert jvm.say(f"queue-sent {id_} 4 four") == "stored 4"
    assert jvm.say(f"queue-confirmed {id_} 2") == "5 2 3:three:true 4:four:false"
    jvm.say(f"queue-stop {id_}")
    run(session, second)
    assert jvm.say(f"queue-state {id_}") == "6 2 3:three:true 4:four:false 5:five:false"


def test_offsets_of_projections_are_shared(jvm: RealPekkoPersistence, session: Any) -> None:
    uuid_offset = TimeBasedUuid(start_of(1_700_000_000_000))
    keys = [f"orders-{number}" for number in range(12)] + ["\u00e9t\u00e9"]

    async def work(shop: Shop) -> None:
        offsets = await CassandraOffsets.open(session, f"{SETTINGS.keyspace}_offsets")
        for number, key in enumerate(keys):
            id_ = ProjectionId("totals", key)
            await offsets.save(id_, Sequence(number))
            assert await asyncio.to_thread(jvm.say, f"offset-read totals {key}") == f"Sequence({number})"
        id_ = ProjectionId("totals", keys[0])
        await offsets.save_paused(id_, True)
        assert await asyncio.to_thread(jvm.say, f"paused totals {keys[0]}") == "true"
        assert await asyncio.to_thread(jvm.say, f"paused totals {keys[1]}") == "false"
        await asyncio.to_thread(jvm.say, f"offset-save totals {keys[0]} TBU:{uuid_offset.value}")
        assert await offsets.read(id_) == uuid_offset
        await asyncio.to_thread(jvm.say, f"offset-save totals {keys[1]} SEQ:77")
        assert await offsets.read(ProjectionId("totals", keys[1])) == Sequence(77)

    run(session, work)
