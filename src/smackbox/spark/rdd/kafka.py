# ruff: noqa: N802 - KafkaUtils' names
"""`sc.kafkaRDD(params, ranges)`: records of Kafka by exact offset ranges, as `KafkaUtils.createRDD` gave them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from smackbox.base.errors import SettingError
from smackbox.spark.rdd.lineage import Node
from smackbox.spark.rdd.rdd import RDD
from smackbox.spark.rdd.task import Task

Decoder = Callable[[bytes | None], Any]


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Records `fromOffset` up to and without `untilOffset` of one partition."""

    topic: str
    partition: int
    fromOffset: int  # noqa: N815
    untilOffset: int  # noqa: N815

    def __post_init__(self) -> None:
        if not 0 <= self.fromOffset <= self.untilOffset:
            raise SettingError(f"no range of offsets: {self}")

    @property
    def count(self) -> int:
        """How many offsets it has; compaction and transactions may leave fewer records."""
        return self.untilOffset - self.fromOffset


class KafkaMessage(NamedTuple):
    """One record, as a `messageHandler` gets it."""

    topic: str
    partition: int
    offset: int
    key: Any
    message: Any


@dataclass(slots=True, eq=False)
class KafkaRanges(Node):
    """A partition is an offset range."""

    params: dict[str, str]
    ranges: list[OffsetRange]
    decoders: tuple[Decoder, Decoder]
    handler: Callable[[KafkaMessage], Any] | None
    leaders: dict[tuple[str, int], str]
    """The host of each partition's leader, where somebody asked."""

    def hosts(self, index: int) -> Sequence[str]:
        own = self.ranges[index]
        leader = self.leaders.get((own.topic, own.partition))
        return () if leader is None else (leader,)

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        from smackbox.spark.kafka_source import KafkaReader
        from smackbox.spark.kafka_source import OffsetRange as SourceRange

        own = self.ranges[index]
        if not own.count:
            return
        options = {f"kafka.{key}": value for key, value in self.params.items()} | {"subscribe": own.topic}
        key_of, value_of = self.decoders
        wanted = SourceRange(own.topic, own.partition, own.fromOffset, own.untilOffset)
        for batch in KafkaReader(options).read(wanted):
            found = zip(*(batch.column(name).to_pylist() for name in ("offset", "key", "value")), strict=True)
            for offset, key, value in found:
                record = KafkaMessage(own.topic, own.partition, offset, key_of(key), value_of(value))
                yield record[3:] if self.handler is None else self.handler(record)


class KafkaRDD(RDD):
    """Records of Kafka."""

    def __init__(
        self,
        ctx: Any,
        params: dict[str, str],
        ranges: list[OffsetRange],
        decoders: tuple[Decoder, Decoder],
        handler: Callable[[KafkaMessage], Any] | None,
    ) -> None:
        if "bootstrap.servers" not in params and "metadata.broker.list" not in params:
            raise SettingError("a kafkaRDD needs bootstrap.servers")
        leaders = _leaders(params, {each.topic for each in ranges}) if ctx.has_hosts else {}
        super().__init__(KafkaRanges(ctx._new_id(), len(ranges), params, ranges, decoders, handler, leaders), ctx)
        self._ranges = ranges

    def offsetRanges(self) -> list[OffsetRange]:
        """The range of each partition."""
        return list(self._ranges)


def _leaders(params: dict[str, str], topics: set[str]) -> dict[tuple[str, int], str]:
    from smackbox.spark.kafka_source import KafkaReader

    if not topics:
        return {}
    options = {f"kafka.{key}": value for key, value in params.items()} | {"subscribe": ",".join(sorted(topics))}
    return KafkaReader(options).leaders(topics)


def as_text(data: bytes | None) -> str | None:
    """UTF-8, None for none."""
    return None if data is None else data.decode()
