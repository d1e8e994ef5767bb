"""The records of a topic up to given offsets, in batches in which its partitions come in step.

What one partition has more than its share of a batch waits in memory for the next, a bounded number: a partition that
is far ahead is paused. A batch is ranges of offsets, by which it is read again exactly.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from smackbox.spark.streaming.errors import DataLossError, SourceAwayError
from smackbox.spark.streaming.source import CLIENT_LOG_LEVEL, METADATA_TIMEOUT_S, Ranges

CHUNK = 10_000
POLL_S = 0.1
AHEAD_SHARES = 2
"""A partition that has more records waiting than so many of its shares is paused."""

SILENCE_LIMIT_S = 30.0

log = logging.getLogger(__name__)


class BoundedTopic:
    """`partitions` None is all. Raises `SourceAwayError` while Kafka does not answer, `DataLossError`."""

    def __init__(
        self, bootstrap: str, topic: str, partitions: frozenset[int] | None, options: Mapping[str, str]
    ) -> None:
        self._topic = topic
        self._only = partitions
        self._waiting: dict[int, deque[Any]] = {}
        self._paused: set[int] = set()
        self._next: dict[int, int] = {}
        self._reached: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"smackbox-replay-{topic}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "queued.max.messages.kbytes": 64 * 1024,
                "fetch.wait.max.ms": 50,
                "fetch.queue.backoff.ms": 5,
                "logger": log,
                "log_level": CLIENT_LOG_LEVEL,
                **options,
            }
        )

    def bounds(self) -> dict[int, tuple[int, int]]:
        """The first offset and the one after the last, of each partition."""
        try:
            topic = self._consumer.list_topics(self._topic, METADATA_TIMEOUT_S).topics[self._topic]
            if topic.error is not None or not topic.partitions:
                raise SourceAwayError(f"there is no topic {self._topic}")
            return {
                number: self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), METADATA_TIMEOUT_S)
                for number in topic.partitions
                if self._only is None or number in self._only
            }
        except KafkaException as error:
            raise SourceAwayError(f"Kafka does not answer: {error.args[0].str()}") from error

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        """By partition, the offset of the first record whose own time is `time_ms` or later; the end for none."""
        bounds = self.bounds()
        asked = [TopicPartition(self._topic, number, max(0, time_ms)) for number in bounds]
        try:
            found = self._consumer.offsets_for_times(asked, METADATA_TIMEOUT_S)
        except KafkaException as error:
            raise SourceAwayError(f"Kafka does not answer: {error.args[0].str()}") from error
        for place in found:
            if place.error is not None:
                raise SourceAwayError(f"Kafka does not answer: {place.error.str()}")
        return {
            place.partition: bounds[place.partition][1] if place.offset in {OFFSET_END, -1} else place.offset
            for place in found
        }

    def begin(self, partitions: Sequence[int]) -> None:
        """Read also these, which were added since, from their first record."""
        if not partitions:
            return
        bounds = self.bounds()
        for number in partitions:
            low, _ = bounds.get(number, (1, 1))
            if low > 0:
                raise DataLossError(f"partition {number} of {self._topic} no longer holds its first records")
            self._next[number] = low

    def bound(self, ends: Mapping[int, int]) -> None:
        """Read up to these offsets, and without them."""
        self.ends = dict(ends)
        self.seek(self._next)

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Go on at `offsets`; partitions that are not among them are not read."""
        self._next = dict(offsets)
        self._reached = dict(offsets)
        self._waiting = {number: deque() for number in offsets}
        if self._paused:  # the client remembers it beyond an assignment
            self._consumer.resume([TopicPartition(self._topic, number) for number in self._paused])
            self._paused.clear()
        self._consumer.assign([TopicPartition(self._topic, number, offset) for number, offset in offsets.items()])

    @property
    def next_offsets(self) -> dict[int, int]:
        """Where the next batch begins."""
        return dict(self._next)

    def left(self) -> int:
        """How many offsets are still to be read."""
        return sum(max(0, end - self._next.get(number, end)) for number, end in self.ends.items())

    def take(self, rows: int, stopped: Callable[[], bool]) -> tuple[list[Any], Ranges]:
        """The next records, about `rows` of them; none, and no ranges, at the end or when `stopped`."""
        left = {number: end - self._next[number] for number, end in self.ends.items() if end > self._next[number]}
        total = sum(left.values())
        if not total:
            return [], {}
        shares = {number: max(1, min(count, rows * count // total)) for number, count in left.items()}
        while not self._fill(shares):
            if stopped():
                return [], {}
        messages: list[Any] = []
        ranges: Ranges = {}
        for number in sorted(shares):
            first, waiting, share = self._next[number], self._waiting[number], shares[number]
            after = min(first + share, self.ends[number])
            while waiting and waiting[0].offset() < after:
                messages.append(waiting.popleft())
            self._next[number] = after
            ranges[number] = (first, after)
        return messages, ranges

    def read(self, ranges: Ranges, stopped: Callable[[], bool]) -> list[Any]:
        """Exactly the records of `ranges`; then it goes on behind them."""
        ends = self.ends
        self.ends = {**ends, **{number: after for number, (_, after) in ranges.items()}}
        self.seek({**self._next, **{number: first for number, (first, _) in ranges.items()}})
        shares = {number: after - first for number, (first, after) in ranges.items()}
        while not self._fill(shares):
            if stopped():
                break
        messages = [
            message
            for number in sorted(ranges)
            for message in self._waiting[number]
            if message.offset() < ranges[number][1]
        ]
        self.ends = ends
        self.seek({**self._next, **{number: after for number, (_, after) in ranges.items()}})
        return messages

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _fill(self, shares: Mapping[int, int]) -> bool:
        """Take what has come; whether each partition has been read as far as its share goes."""
        lacking = {number for number, share in shares.items() if self._reached[number] < self._next[number] + share}
        if not lacking:
            return True
        back = [number for number in lacking if number in self._paused]
        if back:
            self._consumer.resume([TopicPartition(self._topic, number) for number in back])
            self._paused.difference_update(back)
        deadline = time.monotonic() + SILENCE_LIMIT_S
        while True:
            got = self._consumer.consume(CHUNK, POLL_S)
            if got:
                break
            if time.monotonic() > deadline:
                self.seek(self._next)
                raise SourceAwayError(f"partitions {sorted(lacking)} of {self._topic} give no records")
        for message in got:
            number, offset = message.partition(), message.offset()
            error = message.error()
            if error is not None:
                self._look_at(error, number, offset)
            elif offset >= self._reached[number]:
                self._reached[number] = offset + 1
                if offset < self.ends.get(number, 0):
                    self._waiting[number].append(message)
        self._pause_those_ahead(shares)
        return False

    def _pause_those_ahead(self, shares: Mapping[int, int]) -> None:
        ahead = [
            number
            for number, waiting in self._waiting.items()
            if number not in self._paused
            and (
                len(waiting) > AHEAD_SHARES * shares.get(number, 0) or self._reached[number] >= self.ends.get(number, 0)
            )
        ]
        if ahead:
            self._consumer.pause([TopicPartition(self._topic, number) for number in ahead])
            self._paused.update(ahead)

    def _look_at(self, error: KafkaError, number: int, offset: int) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._reached[number] = max(self._reached[number], offset)
        elif error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
            raise DataLossError(
                f"partition {number} of {self._topic} no longer holds offset {self._reached[number]}: retention was "
                "faster than the replay. Begin it again"
            )
        elif error.fatal():
            raise SourceAwayError(str(error))
        else:
            log.debug("Kafka: %s", error)
