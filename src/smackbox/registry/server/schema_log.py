"""The topic of the schemas: one partition, compacted; read from its beginning, and written one change at a time.

A thread reads and hands batches of records to the loop. A write is finished when the reader has met it, so that what is
known is always what the topic says, whoever wrote it. Before a write the reader is brought to the topic's end.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

from smackbox.base.errors import StartError
from smackbox.registry.settings import RegistrySettings
from smackbox.registry.wire.errors import store_failed, store_timed_out
from smackbox.registry.wire.records import NOOP, Record

PARTITION = 0
BATCH_LIMIT = 500
POLL_S = 0.25
JOIN_TIMEOUT_S = 5.0
REPLICAS = 3
Apply = Callable[[bytes | None, bytes | None], None]
log = logging.getLogger(__name__)


class SchemaLog:
    """The topic, read into `apply` on the loop that opened it."""

    def __init__(self, settings: RegistrySettings, apply: Apply) -> None:
        self._settings = settings
        self._topic = settings.kafkastore_topic
        self._timeout_s = settings.kafkastore_timeout_ms / 1000
        self._apply = apply
        self._next_offset = 0
        self._moved = asyncio.Event()
        self._stopping = threading.Event()
        self._loop = asyncio.get_running_loop()
        client = {"bootstrap.servers": settings.kafka, "log_level": 2, **settings.kafka_options}
        self._admin = AdminClient(client)
        self._producer = Producer(
            {
                **client,
                "enable.idempotence": True,
                "linger.ms": 0,
                "delivery.timeout.ms": settings.kafkastore_timeout_ms,
            }
        )
        self._consumer = Consumer(
            {
                **client,
                "group.id": f"smackbox-registry-{self._topic}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        self._thread = threading.Thread(target=self._read, name="registry-reader", daemon=True)

    async def open(self) -> None:
        """Make the topic if it is missing, and read all of it. Raises `StartError`."""
        await asyncio.to_thread(self._ensure_topic)
        self._consumer.assign([TopicPartition(self._topic, PARTITION, OFFSET_BEGINNING)])
        self._thread.start()
        try:
            await self.write([NOOP])
        except Exception as error:
            await self.close()
            raise StartError(f"registry cannot use topic {self._topic} of {self._settings.kafka}: {error}") from error

    async def write(self, records: Sequence[Record]) -> None:
        """Append and wait until they were read. Raises `Refusal` 50001 or 50002."""
        await self._wait_for(await asyncio.to_thread(self._produce, records) + 1)

    async def catch_up(self) -> None:
        """Read to the topic's end. Raises `Refusal` 50001 or 50002."""
        await self._wait_for(await asyncio.to_thread(self._end))

    async def close(self) -> None:
        """End the reader and both clients."""
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, JOIN_TIMEOUT_S)
        await asyncio.to_thread(self._consumer.close)
        await asyncio.to_thread(self._producer.flush, 0)

    async def _wait_for(self, offset: int) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._next_offset < offset:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError as error:
            raise store_timed_out(f"offset {offset} of {self._topic} was not read in {self._timeout_s} s") from error

    # -- on the loop

    def _take(self, records: list[tuple[bytes | None, bytes | None]], next_offset: int) -> None:
        for key, value in records:
            self._apply(key, value)
        self._next_offset = max(self._next_offset, next_offset)
        self._moved.set()

    # -- in threads

    def _read(self) -> None:
        while not self._stopping.is_set():
            records: list[tuple[bytes | None, bytes | None]] = []
            next_offset = 0
            message = self._consumer.poll(POLL_S)
            while message is not None:
                error = message.error()
                if error is None:
                    records.append((message.key(), message.value()))
                    next_offset = message.offset() + 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    next_offset = max(next_offset, message.offset())
                else:
                    log.warning("registry: %s cannot be read: %s", self._topic, error.str())
                if len(records) >= BATCH_LIMIT or error is not None:
                    break
                message = self._consumer.poll(0)
            if next_offset:
                try:
                    self._loop.call_soon_threadsafe(self._take, records, next_offset)
                except RuntimeError:
                    return  # the loop is closed

    def _produce(self, records: Sequence[Record]) -> int:
        """The offset of the last record."""
        offsets: list[int] = []
        failures: list[str] = []

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                failures.append(error.str())
            else:
                offsets.append(message.offset())

        try:
            for key, value in records:
                self._producer.produce(self._topic, value, key, PARTITION, on_delivery=delivered)
            left = self._producer.flush(self._timeout_s)
        except (BufferError, KafkaException) as error:
            raise store_failed(str(error)) from error
        if failures:
            raise store_failed(failures[0])
        if left or not offsets:
            raise store_timed_out(f"Kafka at {self._settings.kafka} did not answer in {self._timeout_s} s")
        return max(offsets)

    def _end(self) -> int:
        """The consumer's own question for it would hold the interpreter until the broker answers."""
        wanted = {TopicPartition(self._topic, PARTITION): OffsetSpec.latest()}
        try:
            (asked,) = self._admin.list_offsets(wanted, request_timeout=self._timeout_s).values()
            return int(asked.result(self._timeout_s).offset)
        except KafkaException as error:
            raise store_failed(error.args[0].str()) from error
        except TimeoutError as error:
            raise store_timed_out(f"Kafka at {self._settings.kafka} did not answer in {self._timeout_s} s") from error

    def _ensure_topic(self) -> None:
        admin = self._admin
        try:
            cluster = admin.list_topics(timeout=self._timeout_s)
            found = cluster.topics.get(self._topic)
            if found is None:
                self._create(admin, len(cluster.brokers))
            elif len(found.partitions) != 1:
                raise StartError(f"topic {self._topic} has {len(found.partitions)} partitions: the registry needs one")
            self._check_compacted(admin)
        except KafkaException as error:
            raise StartError(
                f"registry: Kafka at {self._settings.kafka} does not answer ({error.args[0].str()}): start one with "
                "`smack kafka serve`, or say where it is (--kafka host:port)"
            ) from error

    def _create(self, admin: AdminClient, brokers: int) -> None:
        topic = NewTopic(self._topic, 1, min(REPLICAS, max(brokers, 1)), config={"cleanup.policy": "compact"})
        try:
            admin.create_topics([topic], request_timeout=self._timeout_s)[self._topic].result(self._timeout_s)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def _check_compacted(self, admin: AdminClient) -> None:
        """Retention by time would lose schemas."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, self._topic)
        configs = admin.describe_configs([resource], request_timeout=self._timeout_s)[resource].result(self._timeout_s)
        policy = configs["cleanup.policy"].value
        if policy != "compact":
            raise StartError(
                f"topic {self._topic} has cleanup.policy={policy} and would lose schemas: "
                f"smack topics alter {self._topic} --config cleanup.policy=compact"
            )
