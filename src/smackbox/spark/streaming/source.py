"""Records out of Kafka: what has come since, or exactly the ranges of a plan.

One consumer without group membership: partitions are assigned by hand and positions set from the checkpoint. A new
batch takes what arrives until its time or its size is reached, in the order of each partition, and its ranges are read
off what was taken; a batch that is repeated after a crash reads exactly its planned ranges again.

Offsets are also committed to the group, without waiting, so that Kafka's tools show the lag. Nothing reads them back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from smackbox.spark.streaming.errors import AwayError, DataLossError, SourceAwayError

Ranges = dict[int, tuple[int, int]]
"""Partition -> (first offset, offset after the last)."""

FIRST_CHUNK = 100
CHUNK_LIMIT = 5_000
POLL_S = 0.1
FEW_ROWS, FEW_ROWS_POLL_S = 100, 0.02
METADATA_TIMEOUT_S = 5.0
PARTITIONS_CHECK_S = 30.0
QUEUED_KBYTES = 8 * 1024
QUEUED_MESSAGES = 20_000
CLIENT_LOG_LEVEL = 2
"""librdkafka's own lines about each attempt to connect are left out: what matters is logged once here."""

log = logging.getLogger(__name__)


class KafkaSource:
    """Reads one topic, or those of its `partitions` that are given.

    Raises `SourceAwayError` while the broker does not answer, `DataLossError` for lost offsets.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        *,
        starting: str,
        on_data_loss: str,
        read_timeout_s: float,
        options: Mapping[str, str],
        partitions: frozenset[int] | None = None,
    ) -> None:
        self._topic = topic
        self._only = partitions
        self._starting = starting
        self._skip_lost = on_data_loss == "skip"
        self._read_timeout_s = read_timeout_s
        self._partitions_checked = 0.0
        self._next: dict[int, int] = {}
        self._rewind_to: dict[int, int] | None = None
        self._away = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "client.id": f"smackbox-{group}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "queued.max.messages.kbytes": QUEUED_KBYTES,
                "queued.min.messages": QUEUED_MESSAGES,
                "fetch.wait.max.ms": 100,
                "fetch.queue.backoff.ms": 5,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 1_000,
                "logger": log,
                "log_level": CLIENT_LOG_LEVEL,
                "error_cb": self._on_error,
                **options,
            }
        )

    def assign(self, offsets: Mapping[int, int]) -> None:
        """Begin at `offsets`; a partition that is not among them at the starting offset of the settings."""
        partitions = self.partitions()
        missing = set(offsets) - partitions
        if missing and not self._skip_lost:
            raise DataLossError(
                f"the topic {self._topic} has no partition {min(missing)} any more: was it re-created? "
                "Remove the checkpoint to begin again"
            )
        self._next = {number: offsets.get(number, -1) for number in partitions}
        for number, offset in self._next.items():
            if offset < 0:
                self._next[number] = self._start_of(number)
        self._consumer.assign([TopicPartition(self._topic, number, offset) for number, offset in self._next.items()])

    @property
    def next_offsets(self) -> dict[int, int]:
        """Where the next batch begins."""
        return dict(self._next)

    def collect(
        self, deadline: float, max_rows: int, max_bytes: int, stopped: Callable[[], bool], *, eager: bool = False
    ) -> list[Any]:
        """Messages that arrive before `deadline` (monotonic), at most about `max_rows` and `max_bytes`.

        At least what has arrived already is taken, also when the deadline has passed. `eager`: that is enough, and
        only nothing is waited for. What had come before an `AwayError` comes again in the next call. Raises
        `SourceAwayError` where nothing has come and no broker answers: that is no silence of the topic.
        """
        if self._rewind_to is not None:
            self.assign(self._rewind_to)
            self._rewind_to = None
            self._answers_again()
        began = self.next_offsets
        try:
            messages = self._collect(deadline, max_rows, max_bytes, stopped, eager=eager)
            if not messages and self._away:
                raise SourceAwayError(f"no broker answers for {self._topic}")
            return messages
        except AwayError:
            self._rewind_to = began
            raise

    def _collect(
        self, deadline: float, max_rows: int, max_bytes: int, stopped: Callable[[], bool], *, eager: bool
    ) -> list[Any]:
        self._find_new_partitions()
        messages: list[Any] = []
        size = 0
        chunk = FIRST_CHUNK
        shares = self._shares(max_rows)
        full: set[int] = set()
        # what waits may be marks of transactions, which never come: for a few records little is waited
        patience_s = POLL_S if sum(shares.values()) > FEW_ROWS else FEW_ROWS_POLL_S
        while len(messages) < max_rows and size < max_bytes and not (shares and len(full) == len(shares)):
            left_s = deadline - time.monotonic()
            wanted = min(chunk, max_rows - len(messages))
            if shares:
                got = self._consumer.consume(wanted, patience_s)
            elif eager:
                # the client waits for all that it is asked for: one is waited for, and the rest of what is there taken
                got = self._consumer.consume(1, max(0.0, min(POLL_S, left_s))) if not messages else []
                got += self._consumer.consume(wanted, 0)
            else:
                got = self._consumer.consume(wanted, max(0.0, min(POLL_S, left_s)))
            for message in got:
                if message.error() is not None:
                    self._raise_for(message)
                    continue
                number = message.partition()
                if number in full or (shares and number not in shares):
                    full.add(number)  # it comes again: with the next batch
                    continue
                size += len(message)
                self._next[number] = message.offset() + 1
                messages.append(message)
                if shares:
                    shares[number] -= 1
                    if not shares[number]:
                        full.add(number)
                        self._consumer.pause([TopicPartition(self._topic, number)])
            if messages:
                self._answers_again()
                average = max(1, size // len(messages))
                chunk = max(1, min(CHUNK_LIMIT, (max_bytes - size) // average))
            if stopped() or (shares and not got):
                break
            if not shares and (left_s <= 0 or (eager and messages)) and len(got) < wanted:
                break
        if full:
            self._consumer.resume([TopicPartition(self._topic, number) for number in full])
            self._consumer.assign([TopicPartition(self._topic, *position) for position in self._next.items()])
        return _in_order(messages)

    def _shares(self, max_rows: int) -> dict[int, int]:
        """How many records of each partition the next batch takes where several have some: of each what waits, or its
        share where that is too much, as by Spark's `maxOffsetsPerTrigger`. Else empty: what comes.

        Read one after another, partitions would be ages apart in event time, and those behind late.
        """
        waiting = {number: known for number in self._next if (known := self._waiting(number))}
        total = sum(waiting.values())
        if len(waiting) < 2:
            return {}
        if total <= max_rows:
            return waiting
        return {number: max(1, max_rows * records // total) for number, records in waiting.items()}

    def _waiting(self, number: int, *, ask: bool = True) -> int:
        """Records of a partition that wait, as far as the last fetch knew; `ask` the broker where there was none."""
        partition = TopicPartition(self._topic, number)
        known = self._consumer.get_watermark_offsets(partition, cached=True)
        if ask and (known is None or known[1] < 0):
            try:
                known = self._consumer.get_watermark_offsets(partition, timeout=METADATA_TIMEOUT_S, cached=False)
            except KafkaException as error:
                log.debug("the end of partition %d is not known: %s", number, error)
        return 0 if known is None else max(0, known[1] - self._next[number])

    def read(self, ranges: Ranges, stopped: Callable[[], bool]) -> list[Any]:
        """Exactly the records of `ranges`, in the order of each partition."""
        wanted = {number: last for number, (_, last) in ranges.items()}
        self._consumer.assign([TopicPartition(self._topic, number, first) for number, (first, _) in ranges.items()])
        messages: list[Any] = []
        deadline = time.monotonic() + self._read_timeout_s
        while wanted and not stopped():
            for message in self._consumer.consume(CHUNK_LIMIT, POLL_S):
                number, offset = message.partition(), message.offset()
                if message.error() is not None:
                    self._raise_for(message)
                    at_end = message.error().code() == KafkaError._PARTITION_EOF
                    reached = offset if at_end else self._next.get(number, 0)
                    if reached >= wanted.get(number, 0):
                        # the last records of the range are gone: compacted, or lost and to be skipped
                        wanted.pop(number, None)
                    continue
                if number in wanted and offset < wanted[number]:
                    messages.append(message)
                    deadline = time.monotonic() + self._read_timeout_s
                if number in wanted and offset >= wanted[number] - 1:
                    del wanted[number]
            if time.monotonic() > deadline:
                raise SourceAwayError(f"partitions {sorted(wanted)} of {self._topic} give no records")
        self.assign({**self._next, **{number: last for number, (_, last) in ranges.items()}})
        return _in_order(messages)

    def lag(self) -> int:
        """Records that wait, as far as the last fetch knew."""
        return sum(self._waiting(number, ask=False) for number in self._next)

    def show_progress(self, offsets: Mapping[int, int], *, wait: bool = False) -> None:
        """Commit `offsets` to the group, for display only."""
        positions = [TopicPartition(self._topic, number, offset) for number, offset in offsets.items()]
        if not positions:
            return
        try:
            self._consumer.commit(offsets=positions, asynchronous=not wait)
        except KafkaException as error:
            log.debug("the group's offsets are not shown: %s", error)

    def close(self) -> None:
        self._consumer.close()

    def partitions(self) -> set[int]:
        """The partitions that are read. Raises `SourceAwayError` where the topic is not there."""
        try:
            topic = self._consumer.list_topics(self._topic, METADATA_TIMEOUT_S).topics[self._topic]
        except KafkaException as error:
            raise SourceAwayError(f"Kafka does not answer: {error.args[0].str()}") from error
        if topic.error is not None or not topic.partitions:
            raise SourceAwayError(f"the topic {self._topic} is not there yet")
        self._partitions_checked = time.monotonic()
        return set(topic.partitions) if self._only is None else set(topic.partitions) & self._only

    def _find_new_partitions(self) -> None:
        if time.monotonic() - self._partitions_checked < PARTITIONS_CHECK_S:
            return
        try:
            new = self.partitions() - set(self._next)
        except SourceAwayError as error:
            self._partitions_checked = time.monotonic()
            log.debug("partitions are looked for later: %s", error)
            return
        for number in new:
            self._next[number] = self._watermarks(number)[0]
            self._consumer.incremental_assign([TopicPartition(self._topic, number, self._next[number])])

    def _start_of(self, number: int) -> int:
        low, high = self._watermarks(number)
        return low if self._starting == "earliest" else high

    def _watermarks(self, number: int) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), METADATA_TIMEOUT_S)
        except KafkaException as error:
            raise SourceAwayError(f"Kafka does not answer: {error.args[0].str()}") from error
        return low, high

    def _raise_for(self, message: Any) -> None:
        error = message.error()
        if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
            self._skip_what_is_lost(message.partition())
        elif error.fatal():
            raise SourceAwayError(str(error))
        elif error.code() != KafkaError._PARTITION_EOF:
            log.debug("Kafka: %s", error)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self._away:
            self._away = True
            log.warning("no broker answers for %s; waiting for one", self._topic)
        else:
            log.debug("Kafka: %s", error)

    def _answers_again(self) -> None:
        if self._away:
            self._away = False
            log.warning("the broker answers for %s again", self._topic)

    def _skip_what_is_lost(self, number: int) -> None:
        low, high = self._watermarks(number)
        wanted = self._next.get(number, 0)
        if not self._skip_lost:
            why = "was the topic re-created?" if wanted > high else "retention was faster than the stream."
            raise DataLossError(
                f"partition {number} of {self._topic} holds offsets {low} to {high}, not {wanted}: {why} Remove the "
                "checkpoint to begin again, or set on_data_loss to skip to go on with what comes"
            )
        self._next[number] = low if wanted < low else high
        log.warning("partition %d of %s goes on at %d instead of %d", number, self._topic, self._next[number], wanted)
        self._consumer.incremental_unassign([TopicPartition(self._topic, number)])
        self._consumer.incremental_assign([TopicPartition(self._topic, number, self._next[number])])


def _in_order(messages: list[Any]) -> list[Any]:
    """By partition, so that a batch that is read again is the same one, whatever came first from the broker."""
    by_partition: dict[int, list[Any]] = {}
    for message in messages:
        by_partition.setdefault(message.partition(), []).append(message)
    return [message for number in sorted(by_partition) for message in by_partition[number]]
