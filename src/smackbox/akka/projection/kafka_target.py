"""Writes what events mean to Kafka, each exactly once: results and offset are one transaction.

    target = KafkaTarget({"bootstrap.servers": "127.0.0.1:9092"}, lambda envelope: [KafkaRecord("orders", key, value)])
    Projection.exactly_once(id, by_tag(journal, "orders"), target)

The offset is a record of a compacted topic with one partition, by the projection's id. A run initializes its
transactional id: the broker ends what an earlier instance left open, and refuses it from then on. Consumers read with
`isolation.level=read_committed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from smackbox.akka.actor.record import record
from smackbox.akka.persistence.offset import Offset
from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.projection.offset_store import offset_of, offset_text
from smackbox.akka.projection.projection import Target
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.base.errors import StorageError
from smackbox.base.kafka_transactions import transaction_options

OFFSETS_TOPIC = "projection-offsets"
TIMEOUT_S = 30.0
READ_S = 0.2

T = TypeVar("T")


@record
class KafkaRecord:
    """What an event means, as a record of a topic."""

    topic: str
    key: bytes | str | None
    value: bytes | str | None
    headers: tuple[tuple[str, bytes], ...] = ()


class _Kept(msgspec.Struct, frozen=True):
    manifest: str = ""
    offset: str = ""
    paused: bool = False


class KafkaTarget(Target):
    """Of one projection instance. `config` is librdkafka's. Its calls block, and run on a thread of their own."""

    def __init__(
        self,
        config: Mapping[str, Any],
        records: Callable[[EventEnvelope], Iterable[KafkaRecord]],
        *,
        offsets_topic: str = OFFSETS_TOPIC,
        replication_factor: int = 1,
    ) -> None:
        self._config = dict(config)
        self._client = {name: value for name, value in config.items() if not name.startswith("transaction")}
        self._records = records
        self._topic = offsets_topic
        self._replication_factor = replication_factor
        self._threads = ThreadPoolExecutor(1, "kafka-projection")
        self._producer: Any = None
        self._kept: dict[str, _Kept] | None = None

    # -- runs

    async def start(self, id_: ProjectionId) -> None:
        await self._call(self._begin, id_)

    async def commit(self, id_: ProjectionId, envelopes: Sequence[EventEnvelope], offset: Offset) -> None:
        manifest, text = offset_text(offset)
        records = [one for envelope in envelopes for one in self._records(envelope)]
        if self._producer is None:
            raise StorageError("the transactional producer failed: only another run knows what was committed")
        await self._call(self._change, id_, records, {"manifest": manifest, "offset": text})

    async def stop(self) -> None:
        await self._call(self._release)

    def close(self) -> None:
        """End its thread; no run may be under way."""
        self._threads.shutdown()

    # -- offsets

    async def read(self, id_: ProjectionId) -> Offset | None:
        kept = (await self._call(self._load)).get(id_.text, _Kept())
        return offset_of(kept.manifest, kept.offset) if kept.manifest else None

    async def save(self, id_: ProjectionId, offset: Offset) -> None:
        manifest, text = offset_text(offset)
        await self._call(self._change, id_, [], {"manifest": manifest, "offset": text})

    async def clear(self, id_: ProjectionId) -> None:
        await self._call(self._change, id_, [], {"manifest": "", "offset": ""})

    async def read_paused(self, id_: ProjectionId) -> bool:
        return bool((await self._call(self._load)).get(id_.text, _Kept()).paused)

    async def save_paused(self, id_: ProjectionId, paused: bool) -> None:
        await self._call(self._change, id_, [], {"paused": paused})

    # -- on the thread

    async def _call(self, work: Callable[..., T], *arguments: Any) -> T:
        from confluent_kafka import KafkaException

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except (KafkaException, BufferError) as error:
            raise StorageError(f"Kafka did not take a projection's results: {error}") from error

    def _begin(self, id_: ProjectionId) -> None:
        from confluent_kafka import Producer

        self._release()
        self._create_topic()
        producer = Producer({**transaction_options(), **self._config, "transactional.id": f"{self._topic}-{id_.text}"})
        producer.init_transactions(TIMEOUT_S)
        self._producer = producer

    def _change(self, id_: ProjectionId, records: list[KafkaRecord], fields: dict[str, Any]) -> None:
        """One transaction: the records, and the changed fields of what is kept for the id."""
        if self._producer is None:
            self._begin(id_)
        kept = msgspec.structs.replace(self._load().get(id_.text, _Kept()), **fields)
        producer, failures = self._producer, []

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                failures.append(error)

        try:
            producer.begin_transaction()
            offset = KafkaRecord(self._topic, id_.text, msgspec.json.encode(kept))
            for one in (*records, offset):
                self._produce(one, delivered)
            producer.commit_transaction(TIMEOUT_S)
        except Exception:
            self._release()
            raise
        if failures:  # the commit fails where a record did; this is for a client that would not
            self._release()
            raise StorageError(f"Kafka did not take a record: {failures[0]}")
        assert self._kept is not None
        self._kept[id_.text] = kept

    def _produce(self, one: KafkaRecord, delivered: Callable[[Any, Any], None]) -> None:
        options: dict[str, Any] = {"headers": list(one.headers)} if one.headers else {}
        if one.topic == self._topic:
            options["partition"] = 0
        while True:
            try:
                self._producer.produce(one.topic, one.value, one.key, on_delivery=delivered, **options)
                return
            except BufferError:
                self._producer.poll(READ_S)

    def _release(self) -> None:
        """What is open is aborted when the transactional id begins again, or times out."""
        producer, self._producer = self._producer, None
        self._kept = None
        if producer is not None:
            producer.purge()
            producer.poll(0)

    def _load(self) -> dict[str, _Kept]:
        if self._kept is None:
            self._create_topic()
            self._kept = self._read_topic()
        return self._kept

    def _create_topic(self) -> None:
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import AdminClient, NewTopic

        topic = NewTopic(self._topic, 1, self._replication_factor, config={"cleanup.policy": "compact"})
        admin = AdminClient(self._client)
        (future,) = admin.create_topics([topic], request_timeout=TIMEOUT_S).values()
        try:
            future.result(TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def _read_topic(self) -> dict[str, _Kept]:
        """The committed offsets of all projections of the topic. Raises `StorageError` when it does not end in time."""
        from confluent_kafka import Consumer, TopicPartition

        options = {
            "group.id": self._topic,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }
        consumer = Consumer({**self._client, **options})
        found: dict[str, _Kept] = {}
        try:
            consumer.assign([TopicPartition(self._topic, 0, 0)])
            for _ in range(int(TIMEOUT_S / READ_S)):
                for message in consumer.consume(500, READ_S):
                    if message.error() is not None:
                        return found  # the end of the partition
                    if message.key() is not None and message.value() is not None:
                        found[message.key().decode()] = msgspec.json.decode(message.value(), type=_Kept)
        except msgspec.MsgspecError as error:
            raise StorageError(f"a record of {self._topic} is no offset: {error}") from error
        finally:
            consumer.close()
        raise StorageError(f"the end of {self._topic} did not come within {TIMEOUT_S} s")
