# ruff: noqa: N802, N803 - KafkaUtils' names
"""`KafkaUtils.createDirectStream`: batches of exact offset ranges, without a receiver and without a consumer group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.dstreams.context import StreamingContext
from smackbox.spark.dstreams.dstream import DStream
from smackbox.spark.dstreams.inputs import Input
from smackbox.spark.rdd.kafka import KafkaMessage, KafkaRDD, OffsetRange

MAX_RATE = "spark.streaming.kafka.maxRatePerPartition"
METADATA_TIMEOUT_S = 10.0
CLIENT_LOG_LEVEL = 2
_STARTS = {"smallest": "earliest", "earliest": "earliest", "largest": "latest", "latest": "latest"}


class TopicAndPartition(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


class KafkaUtils:
    """Streams of Kafka's topics."""

    @staticmethod
    def createDirectStream(
        ssc: StreamingContext,
        topics: Sequence[str],
        kafkaParams: Mapping[str, str],
        fromOffsets: Mapping[TopicAndPartition, int] | None = None,
        keyDecoder: Callable[[bytes | None], Any] | None = None,
        valueDecoder: Callable[[bytes | None], Any] | None = None,
        messageHandler: Callable[[KafkaMessage], Any] | None = None,
    ) -> DStream:
        """Records as (key, value); their RDDs have `offsetRanges()`.

        Begins at `fromOffsets`, or where `auto.offset.reset` says (latest), or where the checkpoint is. A partition's
        records of a batch are at most `spark.streaming.kafka.maxRatePerPartition` a second, the first batch's too.
        """
        known = set(kafkaParams) & {"bootstrap.servers", "metadata.broker.list"}
        if not known:
            raise SettingError("createDirectStream needs bootstrap.servers")
        reset = kafkaParams.get("auto.offset.reset", "latest")
        if reset not in _STARTS:
            raise SettingError(f"auto.offset.reset is {', '.join(_STARTS)}, not {reset!r}{near(reset, _STARTS)}")
        rate = ssc.sparkContext.settings.get(MAX_RATE)
        options = (keyDecoder, valueDecoder, messageHandler)
        source = DirectInput(ssc, list(topics), dict(kafkaParams), dict(fromOffsets or {}), options, rate)
        return ssc.input(source)


class DirectInput(Input):
    """Offset ranges of some topics."""

    def __init__(
        self,
        ssc: StreamingContext,
        topics: list[str],
        params: dict[str, str],
        offsets: dict[TopicAndPartition, int],
        options: tuple[Any, Any, Any],
        rate: str | None,
    ) -> None:
        self._sc = ssc.sparkContext
        self._topics = topics
        self._starts_at_end = _STARTS[params.pop("auto.offset.reset", "latest")] == "latest"
        servers = params.pop("metadata.broker.list", None)
        self._params = params if servers is None else {"bootstrap.servers": servers, **params}
        self._next = {(where[0], where[1]): offset for where, offset in offsets.items()}
        self._options = options
        self._rate = None if rate is None else float(rate)
        self._limit: int | None = None
        self._consumer: Any = None

    def open(self, seconds: float) -> None:
        from confluent_kafka import Consumer

        if self._rate is not None:
            self._limit = max(1, int(self._rate * seconds))
        self._consumer = Consumer(
            {
                "group.id": "smackbox-dstream",
                "enable.auto.commit": False,
                "log_level": CLIENT_LOG_LEVEL,
                **self._params,
            }
        )
        for where, (low, high) in self._watermarks().items():
            self._next.setdefault(where, high if self._starts_at_end else low)

    def plan(self) -> Any:
        ranges = []
        for (topic, partition), (low, high) in self._watermarks().items():
            start = self._next.setdefault((topic, partition), low)  # a partition that is new is read from its beginning
            end = high if self._limit is None else min(high, start + self._limit)
            if start < low:
                raise LookupError(
                    f"{topic} partition {partition} begins at offset {low}: {low - start} records before it are gone"
                )
            if end > start:
                ranges.append([topic, partition, start, end])
        return ranges or None

    def rdd(self, plan: Any) -> KafkaRDD:
        ranges = [OffsetRange(*entry) for entry in plan]
        return self._sc.kafkaRDD(self._params, ranges, *self._options)

    def done(self, plan: Any) -> None:
        for topic, partition, _, end in plan:
            self._next[topic, partition] = end

    def state(self) -> Any:
        return [[topic, partition, offset] for (topic, partition), offset in sorted(self._next.items())]

    def restore(self, state: Any) -> None:
        self._next = {(topic, partition): offset for topic, partition, offset in state}

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _watermarks(self) -> dict[tuple[str, int], tuple[int, int]]:
        from confluent_kafka import TopicPartition

        known = self._consumer.list_topics(timeout=METADATA_TIMEOUT_S).topics
        found = {}
        for topic in self._topics:
            if topic not in known or known[topic].error is not None:
                raise SettingError(f"there is no topic {topic!r}{near(topic, known)}")
            for partition in sorted(known[topic].partitions):
                where = TopicPartition(topic, partition)
                found[topic, partition] = self._consumer.get_watermark_offsets(where, METADATA_TIMEOUT_S)
        return found
