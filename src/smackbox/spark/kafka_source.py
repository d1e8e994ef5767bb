"""`spark.read.format("kafka")`: offset ranges of topics as rows.

Options, as in Spark's own Kafka source: `kafka.*` (what begins so goes to the client, `kafka.bootstrap.servers` must be
there), one of `subscribe` (`a,b`), `subscribePattern` (a regular expression) and `assign` (`{"a":[0,1]}`);
`startingOffsets` (`earliest` or `{"a":{"0":23,"1":-2}}`), `endingOffsets` (`latest` or the same with -1 for the end);
`failOnDataLoss`, `maxRecordsPerPartition` (rows of an input partition at most), `kafkaConsumer.pollTimeoutMs`.

Columns: key, value, topic, partition, offset, timestamp, timestampType, headers. An offset range is an input partition.
Simplified: batch only, no offsets by timestamp; streams are the Direct micro-batches of `smackbox.spark.streaming`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.cql_arrow import schema_for_engine

ARROW_SCHEMA = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("timestampType", pa.int32()),
        ("headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    ]
)
BATCH_ROWS = 10_000
BATCH_BYTES = 16 * 1024 * 1024
CHUNK = 1_000
ROWS_PER_PARTITION = 500_000
POLL_TIMEOUT_MS = 60_000
CLIENT_LOG_LEVEL = 2
"""librdkafka's lines about each attempt to connect are left out: what matters is raised."""
METADATA_TIMEOUT_S = 10.0
EARLIEST, LATEST = -2, -1
_KNOWN = (
    "subscribe",
    "subscribepattern",
    "assign",
    "startingoffsets",
    "endingoffsets",
    "failondataloss",
    "maxrecordsperpartition",
    "kafkaconsumer.polltimeoutms",
)


@dataclass
class OffsetRange(InputPartition):  # type: ignore[misc]
    """Records `start` up to and without `end` of one partition."""

    topic: str
    partition: int
    start: int
    end: int


class KafkaDataSource(DataSource):  # type: ignore[misc]
    @classmethod
    def name(cls) -> str:
        return "kafka"

    def schema(self) -> Any:
        return schema_for_engine({field.name: field.type for field in self._fields()})

    def reader(self, schema: Any) -> KafkaReader:
        del schema
        return KafkaReader(dict(self.options), [field.name for field in self._fields()])

    def _fields(self) -> list[pa.Field]:
        """The columns that a query names, by the front's option `prune`; the partition where it names none."""
        named = {key.lower(): value for key, value in self.options.items()}.get("prune")
        if named is None:
            return list(ARROW_SCHEMA)
        words = {word.lower() for word in named.split(",")}
        return [field for field in ARROW_SCHEMA if field.name.lower() in words] or [ARROW_SCHEMA.field("partition")]


class SmackKafkaDataSource(KafkaDataSource):
    """The same by a name that Spark has not taken."""

    @classmethod
    def name(cls) -> str:
        return "smack_kafka"


class KafkaReader(DataSourceReader):  # type: ignore[misc]
    """Plans offset ranges where the query is planned, reads them where the tasks run."""

    def __init__(self, options: Mapping[str, str], columns: Sequence[str] = ARROW_SCHEMA.names) -> None:
        self._columns = list(columns)
        self._client: dict[str, Any] = {}
        self._options: dict[str, str] = {}
        for key, value in options.items():
            name = key.lower()
            if name.startswith("kafka."):
                self._client[name.removeprefix("kafka.")] = value
            elif name in _KNOWN:
                self._options[name] = value
            elif name not in {"path", "includeheaders", "prune"}:
                raise SettingError(f"the kafka source has no option {key!r}{near(name, _KNOWN)}")
        if "bootstrap.servers" not in self._client:
            raise SettingError("the kafka source needs the option kafka.bootstrap.servers")
        named = [name for name in ("subscribe", "subscribepattern", "assign") if name in self._options]
        if len(named) != 1:
            raise SettingError("the kafka source needs one of the options subscribe, subscribePattern and assign")
        self._rows_limit = int(self._options.get("maxrecordsperpartition", ROWS_PER_PARTITION))
        self._timeout_s = int(self._options.get("kafkaconsumer.polltimeoutms", POLL_TIMEOUT_MS)) / 1000
        self._fail_on_data_loss = self._options.get("failondataloss", "true").lower() != "false"

    def partitions(self) -> list[OffsetRange]:
        consumer = self._consumer()
        try:
            ranges: list[OffsetRange] = []
            for topic, numbers in self._topics(consumer).items():
                for number in numbers:
                    start, end = self._range(consumer, topic, number)
                    ranges.extend(
                        OffsetRange(topic, number, first, min(end, first + self._rows_limit))
                        for first in range(start, end, self._rows_limit)
                    )
            return ranges
        finally:
            consumer.close()

    def read(self, partition: OffsetRange) -> Iterator[pa.RecordBatch]:
        consumer = self._consumer()
        try:
            consumer.assign([TopicPartition(partition.topic, partition.partition, partition.start)])
            deadline = time.monotonic() + self._timeout_s
            messages: list[Any] = []
            size = 0
            done = False
            while not done:
                got = consumer.consume(min(CHUNK, partition.end - partition.start), min(1.0, self._timeout_s))
                for message in got:
                    if message.error() is not None:
                        done = self._ends(message.error(), partition)
                    elif message.offset() < partition.end:
                        messages.append(message)
                        size += len(message)
                        done = message.offset() == partition.end - 1
                    else:
                        done = True
                    if done:
                        break
                if got:
                    deadline = time.monotonic() + self._timeout_s
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"{partition}: Kafka gives no records for {self._timeout_s} s")
                if messages and (done or len(messages) >= BATCH_ROWS or size >= BATCH_BYTES):
                    yield record_batch(messages).select(self._columns)
                    messages, size = [], 0
        finally:
            consumer.close()

    def leaders(self, topics: Collection[str]) -> dict[tuple[str, int], str]:
        """The host of the leader of each partition that has one, by topic and number."""
        consumer = self._consumer()
        try:
            metadata = consumer.list_topics(timeout=METADATA_TIMEOUT_S)
        finally:
            consumer.close()
        return {
            (name, number): metadata.brokers[partition.leader].host
            for name in topics
            if name in metadata.topics
            for number, partition in metadata.topics[name].partitions.items()
            if partition.leader in metadata.brokers
        }

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "group.id": "smackbox-spark",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
                "log_level": CLIENT_LOG_LEVEL,
                **self._client,
            }
        )

    def _topics(self, consumer: Consumer) -> dict[str, list[int]]:
        """The partitions to read, by topic. Raises `SettingError` for a topic that is not there."""
        if "assign" in self._options:
            assigned = json.loads(self._options["assign"])
            return {topic: sorted(int(number) for number in numbers) for topic, numbers in assigned.items()}
        known = consumer.list_topics(timeout=METADATA_TIMEOUT_S).topics
        if "subscribepattern" in self._options:
            pattern = re.compile(self._options["subscribepattern"])
            names = sorted(name for name in known if pattern.fullmatch(name))
        else:
            names = [name.strip() for name in self._options["subscribe"].split(",")]
        for name in names:
            if name not in known:
                raise SettingError(f"there is no topic {name!r}{near(name, known)}")
        return {name: sorted(known[name].partitions) for name in names}

    def _range(self, consumer: Consumer, topic: str, number: int) -> tuple[int, int]:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), METADATA_TIMEOUT_S)
        start = self._offset("startingoffsets", EARLIEST, topic, number)
        end = self._offset("endingoffsets", LATEST, topic, number)
        first = {EARLIEST: low, LATEST: high}.get(start, start)
        last = {EARLIEST: low, LATEST: high}.get(end, end)
        if self._fail_on_data_loss and (first < low or last > high):
            raise LookupError(
                f"{topic} partition {number} holds offsets {low} to {high}, not {first} to {last}; "
                "failOnDataLoss=false reads what is there"
            )
        return max(first, low), min(last, high)

    def _offset(self, option: str, default: int, topic: str, number: int) -> int:
        text = self._options.get(option)
        if text is None:
            return default
        word = {"earliest": EARLIEST, "latest": LATEST}.get(text.lower())
        if word is not None:
            return word
        try:
            return int(json.loads(text)[topic][str(number)])
        except (ValueError, KeyError, TypeError) as error:
            raise SettingError(
                f'{option} must be earliest, latest or JSON {{"topic": {{"partition": offset}}}} with {topic}/{number}'
            ) from error

    def _ends(self, error: KafkaError, partition: OffsetRange) -> bool:
        """True when an error means that the partition holds nothing more. Raises `KafkaException` for what is wrong."""
        if error.code() == KafkaError._PARTITION_EOF:
            return True
        if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
            if self._fail_on_data_loss:
                raise LookupError(f"{partition}: these records are not there any more")
            return True
        if error.fatal() or not error.retriable():
            raise KafkaException(error)
        return False


def record_batch(messages: list[Any]) -> pa.RecordBatch:
    """Messages of one partition as Arrow."""
    count = len(messages)
    stamps = [message.timestamp() for message in messages]
    headers = [
        None if (found := message.headers()) is None else [{"key": key, "value": value} for key, value in found]
        for message in messages
    ]
    return pa.RecordBatch.from_arrays(
        [
            pa.array([message.key() for message in messages], pa.binary()),
            pa.array([message.value() for message in messages], pa.binary()),
            pa.repeat(messages[0].topic(), count),
            pa.repeat(pa.scalar(messages[0].partition(), pa.int32()), count),
            pa.array([message.offset() for message in messages], pa.int64()),
            pa.array([moment * 1000 if kind else None for kind, moment in stamps], pa.timestamp("us", tz="UTC")),
            pa.array([kind - 1 for kind, _ in stamps], pa.int32()),
            pa.array(headers, ARROW_SCHEMA.field("headers").type),
        ],
        schema=ARROW_SCHEMA,
    )
