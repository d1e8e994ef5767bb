"""`kafka`: Spark's own streaming source of topics.

Options: `kafka.*` (to the client; `kafka.bootstrap.servers` must be there), one of `subscribe`, `subscribePattern` and
`assign`; `startingOffsets` (`latest`, `earliest` or JSON with -2 for earliest and -1 for latest), `startingTimestamp`,
`startingOffsetsByTimestamp`, `maxOffsetsPerTrigger` (shared out over partitions by what they hold), `failOnDataLoss`,
`includeHeaders`, `kafkaConsumer.pollTimeoutMs`. Without effect: `minPartitions`, `maxRecordsPerPartition`,
`groupIdPrefix`, `fetchOffset.*`, `minOffsetsPerTrigger`, `maxTriggerDelay`; a batch is read by one consumer, which
stays over batches, and is bounded without `maxOffsetsPerTrigger` too: what it holds is in memory.

An offset is `{"topic": {"partition": next offset}}`. As in Spark, records of aborted transactions are read unless
`kafka.isolation.level` says otherwise; gaps of compaction and of transactions are passed over.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from smackbox.base.settings import near
from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SPARK, SparkError
from smackbox.spark.kafka_source import ARROW_SCHEMA
from smackbox.spark.kafka_writer import CLIENT_LOG_LEVEL
from smackbox.spark.structured.sources.kafka_range import OffsetRange
from smackbox.spark.structured.sources.source import Batch, Source, lower_case, positive

Offsets = dict[str, dict[str, int]]
Partition = tuple[str, int]
EARLIEST, LATEST = -2, -1
AHEAD_LIMIT = 50_000
"""More records of a partition than these are not kept for the next batch, but fetched again."""
CHUNK = 10_000
FIRST_BATCH = 2_000
BATCH_RECORDS = 200_000
BATCH_BYTES = 128 * 1024 * 1024
RECORD_OVERHEAD = 100
"""Without `maxOffsetsPerTrigger`, a batch is bounded all the same: what it holds is in memory. `once` has no bound."""
QUEUED_KBYTES = 16 * 1024
METADATA_TIMEOUT_S = 10.0
POLL_S = 0.05
TOPICS_CHECK_S = 5.0
"""How often new topics and partitions are looked for."""
_KNOWN = (
    "subscribe", "subscribepattern", "assign", "startingoffsets", "startingtimestamp", "startingoffsetsbytimestamp",
    "maxoffsetspertrigger", "failondataloss", "includeheaders", "kafkaconsumer.polltimeoutms", "minpartitions",
    "maxrecordsperpartition", "groupidprefix", "fetchoffset.numretries", "fetchoffset.retryintervalms",
    "minoffsetspertrigger", "maxtriggerdelay", "startingoffsetsbytimestampstrategy",
)  # fmt: skip


def schema(options: Mapping[str, str]) -> pa.Schema:
    """The columns; `headers` only with `includeHeaders`."""
    headers = lower_case(options).get("includeheaders", "false").lower() == "true"
    return ARROW_SCHEMA if headers else pa.schema([field for field in ARROW_SCHEMA if field.name != "headers"])


def check(options: Mapping[str, str]) -> dict[str, str]:
    """Options in lower case. Raises `SparkError` for what cannot be."""
    found = lower_case(options)
    for key in found:
        if not key.startswith("kafka.") and key not in _KNOWN and key != "path":
            raise SparkError(f"the kafka source has no option {key!r}{near(key, _KNOWN)}", classes=ILLEGAL_ARGUMENT)
    if "kafka.bootstrap.servers" not in found:
        raise SparkError(
            "Option 'kafka.bootstrap.servers' must be specified for configuring Kafka consumer",
            classes=ILLEGAL_ARGUMENT,
        )
    named = [key for key in ("subscribe", "subscribepattern", "assign") if key in found]
    if len(named) != 1:
        raise SparkError(
            "One of the following options must be specified for Kafka source: subscribe, subscribePattern, assign. See "
            "the docs for more details."
            if not named
            else "Only one of the following options can be specified for Kafka source: subscribe, subscribePattern, "
            "assign. See the docs for more details.",
            classes=ILLEGAL_ARGUMENT,
        )
    return found


class KafkaSource(Source):
    """One consumer, assigned by hand; positions follow the batches."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._schema = schema(options)
        self._options = check(options)
        self._limit = (
            positive(self._options, "maxOffsetsPerTrigger", 1) if "maxoffsetspertrigger" in self._options else None
        )
        self._fail = self._options.get("failondataloss", "true").lower() != "false"
        self._timeout_s = int(self._options.get("kafkaconsumer.polltimeoutms", "120000")) / 1000
        self._frozen: Offsets | None = None
        self._known: dict[str, list[int]] = {}
        self._checked = 0.0
        self._record_bytes: float | None = None
        self._next: dict[Partition, int] = {}  # where the next batch is expected to begin
        self._ahead: dict[Partition, list[Any]] = {}  # records that came beyond a batch's end
        self._ends: dict[Partition, int] = {}  # ends that the client has met
        kind, value = next(
            (name, self._options[name.lower()])
            for name in ("subscribe", "subscribePattern", "assign")
            if name.lower() in self._options
        )
        self.description = f"KafkaV2[{kind[0].upper()}{kind[1:]}[{value}]]"
        client = {key.removeprefix("kafka."): value for key, value in self._options.items() if key.startswith("kafka.")}
        committed = client.get("isolation.level") == "read_committed"
        self._isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        connection = ("bootstrap", "sasl", "security", "ssl", "enable.ssl")
        self._admin = AdminClient(
            {"log_level": CLIENT_LOG_LEVEL}
            | {key: value for key, value in client.items() if key.startswith(connection)}
        )
        self._consumer = Consumer(
            {
                "group.id": "smackbox-spark-stream",
                "isolation.level": "read_uncommitted",
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": QUEUED_KBYTES,
                "log_level": CLIENT_LOG_LEVEL,
                **client,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
            }
        )

    def initial(self) -> Offsets:
        """By `startingOffsets`, `latest` by default."""
        ends = self._watermarks()
        if "startingtimestamp" in self._options or "startingoffsetsbytimestamp" in self._options:
            return self._by_timestamp(ends)
        text = self._options.get("startingoffsets", "latest")
        if text.lower() in {"earliest", "latest"}:
            first = text.lower() == "earliest"
            return _nested({key: low if first else high for key, (low, high) in ends.items()})
        try:
            given = json.loads(text)
            chosen = {key: int(given[key[0]][str(key[1])]) for key in ends}
        except (ValueError, KeyError, TypeError) as error:
            raise SparkError(
                'startingOffsets must be "earliest", "latest" or JSON {"topic": {"0": 23, "1": -2}} with an offset for '
                f"each partition of {sorted({topic for topic, _ in ends})}: {error!r} in {text!r}",
                classes=ILLEGAL_ARGUMENT,
            ) from error
        return _nested({key: {EARLIEST: ends[key][0], LATEST: ends[key][1]}.get(at, at) for key, at in chosen.items()})

    def latest(self, start: Offsets, *, limited: bool) -> Offsets:
        ends = self._frozen_flat() or self._list(OffsetSpec.latest())
        begin = self._begin(start, ends)
        shrunk = [key for key, high in ends.items() if high < begin[key]]
        if shrunk and self._fail:
            topic, number = shrunk[0]
            was, now = begin[shrunk[0]], ends[shrunk[0]]
            raise _lost(f"the end of {topic}-{number} was changed from {was} to {now}: was the topic made again?")
        ends = {key: max(high, begin[key]) for key, high in ends.items()}
        return _nested(share(begin, ends, self._bound()) if limited else ends)

    def _bound(self) -> int:
        """Records of a batch: as the options say, or as many as fit into `BATCH_BYTES` by what was read so far."""
        if self._limit is not None:
            return self._limit
        if self._record_bytes is None:
            return FIRST_BATCH
        return max(FIRST_BATCH, min(BATCH_RECORDS, int(BATCH_BYTES / (self._record_bytes + RECORD_OVERHEAD))))

    def freeze(self) -> None:
        self._frozen = _nested(self._list(OffsetSpec.latest()))

    def batch(self, start: Offsets, end: Offsets) -> Batch:
        ends = {(topic, int(number)): last for topic, parts in end.items() for number, last in parts.items()}
        begin = self._begin(start, ends)
        columns = self._schema.names
        wanted = {key: OffsetRange(begin[key], last, columns) for key, last in ends.items() if last > begin[key]}
        self._read(wanted)
        table = pa.Table.from_batches([batch for span in wanted.values() for batch in span.batches()], self._schema)
        if table.num_rows:
            size = sum(span.size for span in wanted.values()) / table.num_rows
            self._record_bytes = max(self._record_bytes or 0.0, size)
        return Batch(table, rows=table.num_rows)

    def commit(self, end: Offsets) -> None: ...

    def stop(self) -> None:
        self._consumer.close()

    def _begin(self, start: Offsets, ends: Mapping[Partition, int]) -> dict[Partition, int]:
        """Where each partition goes on; one that is new since `start`, at its beginning."""
        known = {key: start.get(key[0], {}).get(str(key[1])) for key in ends}
        if None not in known.values():
            return {key: at for key, at in known.items() if at is not None}
        first = self._list(OffsetSpec.earliest())
        return {key: first.get(key, 0) if at is None else at for key, at in known.items()}

    def _read(self, wanted: dict[Partition, OffsetRange]) -> None:
        """Collect the records of each range."""
        self._seek(wanted)
        open_parts = set(wanted)
        for key, span in wanted.items():
            ahead = self._ahead.pop(key, [])
            inside = [message for message in ahead if message.offset() < span.end]
            for message in inside:
                span.add(message)
            if rest := ahead[len(inside) :]:
                self._ahead[key] = rest
            if rest or self._ends.get(key, 0) >= span.end or span.missing == 0:
                open_parts.discard(key)
        deadline = time.monotonic() + self._timeout_s
        while open_parts:
            # as many as are missing: the client waits for all that it is asked for, or for the time
            missing = sum(wanted[key].missing for key in open_parts)
            got = self._consumer.consume(max(1, min(CHUNK, missing)), POLL_S)
            for message in got:
                key = (message.topic(), message.partition())
                if message.error() is not None:
                    self._trouble(message, key, wanted, open_parts)
                elif key in open_parts and message.offset() < wanted[key].end:
                    wanted[key].add(message)
                    if wanted[key].missing == 0:
                        open_parts.discard(key)
                else:
                    self._ahead.setdefault(key, []).append(message)
                    open_parts.discard(key)
            if got:
                deadline = time.monotonic() + self._timeout_s
            elif time.monotonic() > deadline:
                raise SparkError(
                    f"Kafka gives no records of {sorted(open_parts)} for {self._timeout_s} s "
                    "(kafkaConsumer.pollTimeoutMs)",
                    classes=SPARK,
                )
        for key, span in wanted.items():
            self._next[key] = span.end
            self._check_start(key, span)

    def _seek(self, wanted: dict[Partition, OffsetRange]) -> None:
        """Read on where the last batch ended; assign again only where another place is asked for."""
        crowded = [key for key, ahead in self._ahead.items() if len(ahead) > AHEAD_LIMIT]
        if not crowded and all(self._next.get(key) == span.start for key, span in wanted.items()):
            return
        self._next.update({key: span.start for key, span in wanted.items()})
        self._ahead.clear()
        self._ends.clear()
        self._consumer.assign([TopicPartition(*key, offset) for key, offset in self._next.items()])

    def _trouble(
        self, message: Any, key: Partition, wanted: dict[Partition, OffsetRange], open_parts: set[Partition]
    ) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            # what is missing up to the planned end are control records and compacted ones
            self._ends[key] = message.offset()
            if key in open_parts and message.offset() >= wanted[key].end:
                open_parts.discard(key)
        elif error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
            span = wanted.get(key)
            if span is None:
                return
            if self._fail:
                raise _lost(f"{key[0]}-{key[1]}: offset {span.start} is not there any more")
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(*key), METADATA_TIMEOUT_S)
            if low >= span.end:
                open_parts.discard(key)
            else:
                self._consumer.seek(TopicPartition(*key, low))
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)

    def _check_start(self, key: Partition, span: OffsetRange) -> None:
        """Records that retention took before they were read. A gap at the start may be a compacted one too."""
        if not self._fail or span.first == span.start:
            return
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(*key), METADATA_TIMEOUT_S)
        if low > span.start:
            raise _lost(f"{key[0]}-{key[1]}: offsets {span.start} to {min(low, span.end) - 1} are not there any more")

    def _list(self, spec: OffsetSpec) -> dict[Partition, int]:
        """The first or the next offset of each partition: one request for all, not on the connection of fetches."""
        keys = [(topic, number) for topic, numbers in self._partitions().items() for number in numbers]
        try:
            asked = {TopicPartition(*key): spec for key in keys}
            found = self._admin.list_offsets(asked, isolation_level=self._isolation, request_timeout=METADATA_TIMEOUT_S)
            return {
                (place.topic, place.partition): future.result(METADATA_TIMEOUT_S).offset
                for place, future in found.items()
            }
        except KafkaException as error:
            raise SparkError(f"{self.description}: Kafka does not answer: {error}", classes=SPARK) from error

    def _watermarks(self) -> dict[Partition, tuple[int, int]]:
        """(earliest, end) of each partition."""
        first, last = self._list(OffsetSpec.earliest()), self._list(OffsetSpec.latest())
        return {key: (first[key], last[key]) for key in first}

    def _partitions(self) -> dict[str, list[int]]:
        if "assign" in self._options:
            assigned = json.loads(self._options["assign"])
            return {topic: sorted(int(number) for number in numbers) for topic, numbers in assigned.items()}
        if self._known and time.monotonic() - self._checked < TOPICS_CHECK_S:
            return self._known
        # asked of the client that then asks for offsets: it answers from what it knows
        topics = self._admin.list_topics(timeout=METADATA_TIMEOUT_S).topics
        if "subscribepattern" in self._options:
            pattern = re.compile(self._options["subscribepattern"])
            names = sorted(name for name in topics if pattern.fullmatch(name))
        else:
            names = [name.strip() for name in self._options["subscribe"].split(",")]
        missing = [name for name in names if name not in topics]
        if missing:
            raise SparkError(f"there is no topic {missing[0]!r}{near(missing[0], topics)}", classes=SPARK)
        self._known = {name: sorted(topics[name].partitions) for name in names}
        self._checked = time.monotonic()
        return self._known

    def _by_timestamp(self, ends: dict[Partition, tuple[int, int]]) -> Offsets:
        """The first record at or after a time in ms; the end where there is none."""
        if "startingtimestamp" in self._options:
            times = dict.fromkeys(ends, int(self._options["startingtimestamp"]))
        else:
            given = json.loads(self._options["startingoffsetsbytimestamp"])
            times = {key: int(given[key[0]][str(key[1])]) for key in ends}
        asked = [TopicPartition(*key, stamp) for key, stamp in times.items()]
        found = self._consumer.offsets_for_times(asked, METADATA_TIMEOUT_S)
        return _nested(
            {
                (place.topic, place.partition): place.offset
                if place.offset >= 0
                else ends[place.topic, place.partition][1]
                for place in found
            }
        )

    def _frozen_flat(self) -> dict[Partition, int] | None:
        if self._frozen is None:
            return None
        return {(topic, int(n)): at for topic, parts in self._frozen.items() for n, at in parts.items()}


def share(begin: Mapping[Partition, int], ends: Mapping[Partition, int], limit: int) -> dict[Partition, int]:
    """At most about `limit` records, each partition's share by what it holds (`KafkaMicroBatchStream.rateLimit`).

    A share below one record is rounded up, so that no partition starves; others are rounded down.
    """
    sizes = {key: ends[key] - begin[key] for key in ends}
    total = sum(sizes.values())
    if total <= limit:
        return dict(ends)
    shared = {}
    for key, size in sizes.items():
        part = limit * size / total
        shared[key] = min(ends[key], begin[key] + (math.ceil(part) if part < 1 else int(part)))
    return shared


def _nested(flat: Mapping[Partition, int]) -> Offsets:
    found: Offsets = {}
    for (topic, number), at in sorted(flat.items()):
        found.setdefault(topic, {})[str(number)] = at
    return found


def _lost(what: str) -> SparkError:
    return SparkError(
        f"Some data may have been lost because they are not available in Kafka any more ({what}); either the data was "
        "aged out by Kafka or the topic may have been deleted before all the data in the topic was processed. If you "
        "don't want your streaming query to fail on such cases, set the source option failOnDataLoss to false.",
        condition="KAFKA_DATA_LOSS",
        classes=("java.lang.IllegalStateException",),
        sql_state="22000",
    )
