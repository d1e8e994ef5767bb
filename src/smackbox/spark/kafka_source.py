"""`spark.read.format("kafka")`: offset ranges of topics as rows; writing is in `kafka_writer`.

Options, as in Spark's own Kafka source: `kafka.*` (what begins so goes to the client, `kafka.bootstrap.servers` must be
there), one of `subscribe` (`a,b`), `subscribePattern` (a regular expression) and `assign` (`{"a":[0,1]}`);
`startingTimestamp` before `startingOffsetsByTimestamp` (`{"a":{"0":1443700800000}}`) before `startingOffsets`
(`earliest` or `{"a":{"0":23,"1":-2}}`), the same with `ending` (`latest`, -1 for the end);
`startingOffsetsByTimestampStrategy` (`error` or `latest`, where no record is as late); `includeHeaders`,
`failOnDataLoss`, `minPartitions`, `maxRecordsPerPartition`, `kafkaConsumer.pollTimeoutMs`, `groupIdPrefix`.

Columns: key, value, topic, partition, offset, timestamp, timestampType, and headers with `includeHeaders`. An offset
range is an input partition. Aborted records are not read unless `kafka.isolation.level` says so; gaps of compaction
and of transactions are passed over. Streams are `smackbox.spark.structured`.
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
from smackbox.spark.kafka_client import client_settings
from smackbox.spark.kafka_writer import CLIENT_LOG_LEVEL, KafkaWriter

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
METADATA_TIMEOUT_S = 10.0
EARLIEST, LATEST = -2, -1
_OPTIONS = (
    "subscribe", "subscribePattern", "assign", "startingOffsets", "endingOffsets", "startingTimestamp",
    "endingTimestamp", "startingOffsetsByTimestamp", "endingOffsetsByTimestamp", "startingOffsetsByTimestampStrategy",
    "failOnDataLoss", "includeHeaders", "minPartitions", "maxRecordsPerPartition", "kafkaConsumer.pollTimeoutMs",
    "groupIdPrefix", "fetchOffset.numRetries", "fetchOffset.retryIntervalMs",
)  # fmt: skip
"""The last two are taken and passed over: librdkafka has its own retries."""
_KNOWN = {name.lower(): name for name in _OPTIONS}


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
        options = {key.lower(): value for key, value in self.options.items()}
        headers = options.get("includeheaders", "false").lower() == "true"
        known = [field for field in ARROW_SCHEMA if headers or field.name != "headers"]
        named = options.get("prune")
        if named is None:
            return known
        words = {word.lower() for word in named.split(",")}
        return [field for field in known if field.name.lower() in words] or [ARROW_SCHEMA.field("partition")]

    def writer(self, schema: Any, overwrite: bool) -> KafkaWriter:
        if overwrite:
            raise SettingError('a topic is not overwritten: use mode("append")')
        return KafkaWriter(dict(self.options), list(schema.names))


class SmackKafkaDataSource(KafkaDataSource):
    """The same by a name that Spark has not taken."""

    @classmethod
    def name(cls) -> str:
        return "smack_kafka"


class KafkaReader(DataSourceReader):  # type: ignore[misc]
    """Plans offset ranges where the query is planned, reads them where the tasks run."""

    def __init__(self, options: Mapping[str, str], columns: Sequence[str] = ARROW_SCHEMA.names) -> None:
        self._columns = list(columns)
        client: dict[str, str] = {}
        self._options: dict[str, str] = {}
        for key, value in options.items():
            name = key.lower()
            if name.startswith("kafka."):
                client[name.removeprefix("kafka.")] = value
            elif name in _KNOWN:
                self._options[name] = value
            elif name not in {"path", "prune"}:
                raise SettingError(f"the kafka source has no option {key!r}{near(key, _OPTIONS)}")
        self._client = client_settings(client)
        if "bootstrap.servers" not in self._client:
            raise SettingError("the kafka source needs the option kafka.bootstrap.servers")
        named = [name for name in ("subscribe", "subscribepattern", "assign") if name in self._options]
        if len(named) != 1:
            raise SettingError("the kafka source needs one of the options subscribe, subscribePattern and assign")
        self._rows_limit = self._number("maxRecordsPerPartition", ROWS_PER_PARTITION)
        self._partitions_wanted = self._number("minPartitions", 1)
        self._timeout_s = self._number("kafkaConsumer.pollTimeoutMs", POLL_TIMEOUT_MS) / 1000
        strategy = self._options.get("startingoffsetsbytimestampstrategy", "error").lower()
        if strategy not in {"error", "latest"}:
            raise SettingError(f"startingOffsetsByTimestampStrategy must be error or latest, not {strategy!r}")
        self._late_start_fails = strategy == "error"
        self._fail_on_data_loss = self._options.get("failondataloss", "true").lower() != "false"

    def partitions(self) -> list[OffsetRange]:
        consumer = self._consumer()
        try:
            places = [(topic, number) for topic, numbers in self._topics(consumer).items() for number in numbers]
            starts = self._by_time(consumer, places, "starting", fail=self._late_start_fails)
            ends = self._by_time(consumer, places, "ending", fail=False)
            whole = [
                OffsetRange(*place, *self._range(consumer, *place, starts.get(place), ends.get(place)))
                for place in places
            ]
        finally:
            consumer.close()
        rows = sum(span.end - span.start for span in whole)
        size = max(1, min(self._rows_limit, -(-rows // self._partitions_wanted)))
        return [
            OffsetRange(span.topic, span.partition, first, min(span.end, first + size))
            for span in whole
            for first in range(span.start, span.end, size)
        ]

    def read(self, partition: OffsetRange | None) -> Iterator[pa.RecordBatch]:
        if partition is None:  # Spark's one task of a read that has no partitions
            return
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
                "group.id": self._options.get("groupidprefix", "smackbox-spark"),
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

    def _by_time(
        self, consumer: Consumer, places: list[tuple[str, int]], which: str, *, fail: bool
    ) -> dict[tuple[str, int], int]:
        """The offset of the first record at or after the time that the options say, of each partition; -1 for the end.

        Empty where they say none. Raises `LookupError` where no record is as late and `fail`.
        """
        if f"{which}timestamp" in self._options:
            moment = self._number(f"{which}Timestamp", 0, least=0)
            asked = dict.fromkeys(places, moment)
        elif f"{which}offsetsbytimestamp" in self._options:
            option = f"{which}OffsetsByTimestamp"
            asked = {place: self._of_json(option, *place) for place in places}
        else:
            return {}
        queries = [TopicPartition(topic, number, moment) for (topic, number), moment in asked.items() if moment >= 0]
        found = {}
        for place in consumer.offsets_for_times(queries, METADATA_TIMEOUT_S):
            if place.error is not None:
                raise KafkaException(place.error)
            if place.offset < 0 and fail:
                raise LookupError(
                    f"{place.topic} partition {place.partition} has no record at or after "
                    f"{asked[place.topic, place.partition]} ms; startingOffsetsByTimestampStrategy=latest reads none"
                )
            found[place.topic, place.partition] = LATEST if place.offset < 0 else place.offset
        return {place: found.get(place, moment) for place, moment in asked.items()}

    def _range(
        self, consumer: Consumer, topic: str, number: int, start: int | None, end: int | None
    ) -> tuple[int, int]:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), METADATA_TIMEOUT_S)
        start = self._offset("startingOffsets", EARLIEST, topic, number) if start is None else start
        end = self._offset("endingOffsets", LATEST, topic, number) if end is None else end
        first = {EARLIEST: low, LATEST: high}.get(start, start)
        last = {EARLIEST: low, LATEST: high}.get(end, end)
        if self._fail_on_data_loss and (first < low or last > high):
            raise LookupError(
                f"{topic} partition {number} holds offsets {low} to {high}, not {first} to {last}; "
                "failOnDataLoss=false reads what is there"
            )
        return max(first, low), min(last, high)

    def _offset(self, option: str, default: int, topic: str, number: int) -> int:
        text = self._options.get(option.lower())
        if text is None:
            return default
        word = {"earliest": EARLIEST, "latest": LATEST}.get(text.lower())
        return self._of_json(option, topic, number) if word is None else word

    def _of_json(self, option: str, topic: str, number: int) -> int:
        try:
            return int(json.loads(self._options[option.lower()])[topic][str(number)])
        except (ValueError, KeyError, TypeError) as error:
            words = "" if "Timestamp" in option else "earliest, latest or "
            what = "milliseconds" if "Timestamp" in option else "offset"
            raise SettingError(
                f'{option} must be {words}JSON {{"topic": {{"partition": {what}}}}} with {topic}/{number}'
            ) from error

    def _number(self, option: str, default: int, *, least: int = 1) -> int:
        text = self._options.get(option.lower(), str(default))
        if not text.isdecimal() or int(text) < least:
            raise SettingError(f"the kafka source's {option} must be a number of at least {least}, not {text!r}")
        return int(text)

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
