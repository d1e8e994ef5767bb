"""How the coordinators keep their state: keyed records in `__consumer_offsets` and `__transaction_state`.

As in Kafka, Java's `String.hashCode` selects the partition of a group or a transactional id, so that both can use the
same log directory. A record's key and value begin with a version as int16 (the key's is its record type); a null value
is a tombstone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from smackbox.kafka.state.coordinator_host import CoordinatorHost
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.wire.record_batch import TRANSACTIONAL, Record, build, read_header, records
from smackbox.kafka.wire.schema import Message, write

Done = Callable[[KafkaError | None], None]

_INT16 = struct.Struct(">h")
KeyedRecord = tuple[bytes, bytes | None]


def string_hash(text: str) -> int:
    """Java's `String.hashCode`, 32 bits."""
    value = 0
    for (unit,) in struct.iter_unpack(">H", text.encode("utf-16-be")):
        value = (31 * value + unit) & 0xFFFFFFFF
    return value


def java_hash(text: str) -> int:
    """`String.hashCode`, made non-negative like Kafka's `Utils.abs`: the absolute value, and 0 for -2^31."""
    value = string_hash(text)
    signed = value - (1 << 32) if value & 0x80000000 else value
    return 0 if signed == -(1 << 31) else abs(signed)


def key_bytes(record_type: int, key: Message) -> bytes:
    """A record's key: its type, and the message."""
    out = bytearray(_INT16.pack(record_type))
    write(key, 0, out)
    return bytes(out)


def value_bytes(version: int, value: Message) -> bytes:
    """A record's value: its version, and the message."""
    out = bytearray(_INT16.pack(version))
    write(value, version, out)
    return bytes(out)


class CoordinatorLog:
    """One of the two internal topics, created with its first record."""

    def __init__(self, broker: CoordinatorHost, topic: str) -> None:
        self._broker = broker
        self._topic = topic

    def partition_for(self, key: str) -> Partition:
        """The partition of a key. Raises `KafkaError` when the topic cannot be created."""
        topic = self._broker.catalog.topics.get(self._topic)
        if topic is None:
            topic = self._broker.create_topic_automatically(self._topic)
        return topic.partitions[java_hash(key) % len(topic.partitions)]

    def append(
        self,
        key: str,
        entries: Sequence[KeyedRecord],
        done: Done | None = None,
        *,
        producer: tuple[int, int] | None = None,
    ) -> None:
        """Append records of one group or transactional id in one batch, as part of the transaction of `producer` (id
        and epoch) if there is one. `done` is called when they are durable. Raises `KafkaError` when the disk rejects
        the write.
        """
        if entries:
            partition = self.partition_for(key)
            now_ms = self._broker.clock.wall_ms()
            rows = [Record(i, now_ms, k, v) for i, (k, v) in enumerate(entries)]
            if producer is None:
                batch = build(rows)
            else:
                batch = build(rows, producer_id=producer[0], producer_epoch=producer[1], attributes=TRANSACTIONAL)
            partition.append(batch, read_header(batch), now_ms)
            self._broker.touched(partition)
            if done is not None:
                self._broker.when_durable([partition], done)
        elif done is not None:
            done(None)

    def replay(self) -> Iterator[tuple[Partition, Record, bool, int, int]]:
        """All remaining records, oldest first in each partition: partition, record, whether it is a control record,
        producer id and epoch (-1 outside of transactions).
        """
        topic = self._broker.catalog.topics.get(self._topic)
        if topic is None:
            return
        for partition in topic.partitions:
            for segment in partition.log.segments:
                for position, header in segment.scan(0):
                    producer = header.producer_id if header.transactional else -1
                    for record in records(segment.read_batch(position, header), header):
                        yield partition, record, header.control, producer, header.producer_epoch
