"""Kafka's sources, flows and sinks on a broker: back-pressure, commits, rebalances, transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.akka import ActorSystem
from smackbox.akka.stream import Keep, Sink, Source
from smackbox.akka.stream.connectors import kafka
from smackbox.akka.stream.connectors.kafka import (
    Committer,
    ConsumerSettings,
    Kafka,
    KafkaStreamError,
    ProducerSettings,
    Record,
)
from smackbox.testing.fixtures import SmackKafka

LIMIT_S = 60.0


def run(work: Callable[[ActorSystem], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(LIMIT_S), ActorSystem("k") as system:
            await work(system)

    asyncio.run(main())


def topic(broker: SmackKafka, name: str, partitions: int = 2) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for future in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        future.result(10)


def committed(broker: SmackKafka, group: str, name: str, partition: int) -> int:
    client = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    try:
        return int(client.committed([TopicPartition(name, partition)], 10)[0].offset)
    finally:
        client.close()


async def fill(system: ActorSystem, broker: SmackKafka, name: str, count: int, partition: int = -1) -> None:
    records = Source.range(0, count - 1).map(lambda x: Record(name, b"%d" % x, b"k%d" % x, partition))
    await records.run_with(Kafka.sink(ProducerSettings(broker.bootstrap)), system)


def test_a_plain_source_gives_what_a_sink_wrote(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "events")

    async def main(system: ActorSystem) -> None:
        await fill(system, smack_kafka, "events", 500)
        source = Kafka.plain_source(ConsumerSettings(smack_kafka.bootstrap, "g"), ["events"])
        control, done = source.take(500).to_mat(Sink.seq(), Keep.both).run(system)
        records = await done
        assert sorted(int(record.value) for record in records) == list(range(500))
        assert {record.partition for record in records} == {0, 1}
        await control.shutdown()

    run(main)


def test_a_flow_gives_records_on_as_they_were_written(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "events", 1)

    async def main(system: ActorSystem) -> None:
        flow: Any = Kafka.flow(ProducerSettings(smack_kafka.bootstrap))
        pairs = Source.range(1, 50).map(lambda x: (Record("events", b"%d" % x), x))
        written = await pairs.via(flow).run_list(system)
        assert [number for _, number in written] == list(range(1, 51))
        assert [record.offset for record, _ in written] == list(range(50))
        bad = Source.single((Record("events", b"x" * 2_000_000), 0)).via(flow)
        with pytest.raises(KafkaStreamError, match="(?i)too large"):
            await bad.run_list(system)

    run(main)


def test_what_waits_is_bounded_by_pausing(smack_kafka: SmackKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    topic(smack_kafka, "events", 1)
    monkeypatch.setattr(kafka, "HIGH", 100)
    monkeypatch.setattr(kafka, "POLL_BATCH", 50)

    async def main(system: ActorSystem) -> None:
        await fill(system, smack_kafka, "events", 600)
        stages: list[Any] = []
        made = kafka.ConsumerStage

        class Seen(made):  # type: ignore[misc, valid-type]
            def pre_start(self) -> None:
                stages.append(self)
                super().pre_start()

        monkeypatch.setattr(kafka, "ConsumerStage", Seen)
        source = Kafka.plain_source(ConsumerSettings(smack_kafka.bootstrap, "g"), ["events"])
        control, queue = source.to_mat(Sink.queue(1), Keep.both).run(system)
        assert (await queue.pull()).offset == 0
        waiting, settled = -1, 0
        while settled < 10:
            await asyncio.sleep(0.05)
            settled = settled + 1 if len(stages[0]._waiting) == waiting else 0
            waiting = len(stages[0]._waiting)
        assert waiting <= 100 + 2 * 50
        for expected in range(1, 600):
            assert (await queue.pull()).offset == expected
        await control.shutdown()

    run(main)


def test_commits_are_batched_and_never_go_backwards(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "events", 1)

    async def main(system: ActorSystem) -> None:
        await fill(system, smack_kafka, "events", 100)
        source = Kafka.committable_source(ConsumerSettings(smack_kafka.bootstrap, "g"), ["events"])
        control, done = source.take(100).to_mat(Sink.seq(), Keep.both).run(system)
        queue = Kafka.committable_source(ConsumerSettings(smack_kafka.bootstrap, "h"), ["events"])
        other, pulled = queue.to_mat(Sink.queue(), Keep.both).run(system)
        await done
        await control.shutdown()
        offsets = [(await pulled.pull()).offset for _ in range(100)]
        batches = await Source.from_iterable(offsets[:60]).via(Committer.flow(25, 0.1)).run_list(system)
        assert batches == [25, 25, 10]
        assert await asyncio.to_thread(committed, smack_kafka, "h", "events", 0) == 60
        await Source.from_iterable(offsets[10:20]).run_with(Committer.sink(5, 0.1, 4), system)
        assert await asyncio.to_thread(committed, smack_kafka, "h", "events", 0) == 60
        await offsets[69].commit()
        assert await asyncio.to_thread(committed, smack_kafka, "h", "events", 0) == 70
        await other.shutdown()
        with pytest.raises(KafkaStreamError, match="left its group"):
            await offsets[80].commit()

    run(main)


def test_drain_and_shutdown_commits_what_was_given(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "events", 1)

    async def main(system: ActorSystem) -> None:
        await fill(system, smack_kafka, "events", 300)
        seen: list[int] = []
        source = Kafka.committable_source(ConsumerSettings(smack_kafka.bootstrap, "g"), ["events"])
        marked = source.wire_tap(lambda message: seen.append(message.record.offset)).map(lambda message: message.offset)
        control, done = marked.to_mat(Committer.sink(), Keep.both).run(system)
        while not seen:
            await asyncio.sleep(0.01)
        await control.drain_and_shutdown(done)
        assert await asyncio.to_thread(committed, smack_kafka, "g", "events", 0) == seen[-1] + 1

    run(main)


def test_an_offset_of_a_revoked_partition_is_not_committed(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "events", 2)

    async def main(system: ActorSystem) -> None:
        await fill(system, smack_kafka, "events", 20, 0)
        await fill(system, smack_kafka, "events", 20, 1)
        settings = ConsumerSettings(smack_kafka.bootstrap, "g", {"partition.assignment.strategy": "roundrobin"})
        first = Kafka.committable_source(settings, ["events"])
        control, queue = first.to_mat(Sink.queue(100), Keep.both).run(system)
        offsets = [(await queue.pull()).offset for _ in range(40)]
        second, other = Kafka.committable_source(settings, ["events"]).to_mat(Sink.queue(100), Keep.both).run(system)
        theirs = [(await other.pull()).offset for _ in range(20)]
        moved = theirs[-1].partition
        await theirs[-1].commit()
        assert await asyncio.to_thread(committed, smack_kafka, "g", "events", moved[1]) == 20
        stale = [offset for offset in offsets if offset.partition == moved][:5]
        await Source.from_iterable(stale).run_with(Committer.sink(within_s=0.1), system)
        assert await asyncio.to_thread(committed, smack_kafka, "g", "events", moved[1]) == 20
        await second.shutdown()
        await control.shutdown()

    run(main)


def test_partitions_are_sources_of_their_own(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "events", 3)

    async def main(system: ActorSystem) -> None:
        for partition in range(3):
            await fill(system, smack_kafka, "events", 40, partition)
        source = Kafka.partitioned_source(ConsumerSettings(smack_kafka.bootstrap, "g"), ["events"])
        merged = source.flat_map_merge(3, lambda pair: pair[1].take(40)).take(120)
        control, done = merged.to_mat(Sink.seq(), Keep.both).run(system)
        found: dict[int, list[int]] = {}
        for message in await done:
            found.setdefault(message.record.partition, []).append(message.record.offset)
        assert found == {partition: list(range(40)) for partition in range(3)}
        await control.shutdown()

    run(main)


def test_records_and_offsets_are_committed_together(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "in", 1)
    topic(smack_kafka, "out", 1)

    async def main(system: ActorSystem) -> None:
        await fill(system, smack_kafka, "in", 200)
        source = Kafka.transactional_source(ConsumerSettings(smack_kafka.bootstrap, "g"), ["in"])
        pairs = source.take(200).map(lambda m: (Record("out", m.record.value), m.offset))
        sink = Kafka.transactional_sink(ProducerSettings(smack_kafka.bootstrap), "copy")
        control, queue = Kafka.plain_source(
            ConsumerSettings(smack_kafka.bootstrap, "check", {"isolation.level": "read_committed"}), ["out"]
        ).to_mat(Sink.queue(), Keep.both).run(system)  # fmt: skip
        copying, done = pairs.to_mat(sink, Keep.both).run(system)
        await done
        await copying.shutdown()
        assert [int((await queue.pull()).value) for _ in range(200)] == list(range(200))
        await control.shutdown()
        assert await asyncio.to_thread(committed, smack_kafka, "g", "in", 0) == 200

    run(main)
