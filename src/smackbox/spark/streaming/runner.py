"""The Direct micro-batch runner: records of its sources in batches of its own choosing, into its targets, exactly once.

A batch goes through these steps, and a runner killed between any two of them comes to the same result:

    collect    records that arrived; their ranges are the batch
    plan       ranges and a timestamp, written ahead: a repeated batch is the same batch
    decode     to events; undecodable records go to the dead-letter topic; one event of each identity
    compute    the user's function on one DataFrame, joined with the totals; a program over event time; or a copy
    write      a table: absolute values, upserts, with the batch's timestamp; other targets: under the batch's number
    commit     next offsets, totals, state and identities in one atomic write

Killed before the plan: the records are collected again. Between plan and commit: the same records are read and written
again with a later timestamp; totals are still the old ones, so the values are the same, and a late write of the killed
process loses by its timestamp. After the commit: the next batch begins where this one ended.

While Kafka, Cassandra or Spark do not answer, a step is tried again with growing pauses; nothing is skipped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, Protocol

import msgspec

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.settings import near
from smackbox.flow.builder import Flow
from smackbox.flow.lookups import Reader
from smackbox.net.tracing import open_tracing
from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.copying import Copying
from smackbox.spark.streaming.dead_letters import DeadLetters
from smackbox.spark.streaming.delivery import Delivery
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.errors import StoppedError, StreamError
from smackbox.spark.streaming.feed import Batch, Feed, TopicFeed
from smackbox.spark.streaming.flowing import Flowing
from smackbox.spark.streaming.inputs.input import Bounds
from smackbox.spark.streaming.opened import Opened
from smackbox.spark.streaming.outputs.output import Output
from smackbox.spark.streaming.patience import Patience
from smackbox.spark.streaming.rate import PidRate
from smackbox.spark.streaming.records import BadRecord, RecordDecoder, drop_repeated
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.source import KafkaSource
from smackbox.spark.streaming.table import CassandraTarget, Target
from smackbox.spark.streaming.totalling import Totalling
from smackbox.spark.streaming.work import Work

EAGER_WAIT_S = 0.1
"""How long a stream with `every=0` waits for something before it looks whether it is to stop."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a batch's records: `rows` read = `events` + `duplicates` + `dead_letters` + `late`."""

    batch: int
    rows: int
    events: int
    duplicates: int
    dead_letters: int
    written: int
    seconds: float
    late: int = 0
    watermark_ms: int | None = None


class _Opened(NamedTuple):
    """What an open runner works on."""

    checkpoint: Checkpoint
    dead_letters: DeadLetters | None


class TableReader(Reader, Protocol):
    """Reads rows of a table for a flow, over a connection."""

    def close(self) -> None:
        """Release the connection."""
        ...


class Parts(NamedTuple):
    """What a stream is made of beyond one topic, a function and a table.

    `feed`: its sources; `events`: the event type of each; `loose`: sources whose numbers may come as text. `outputs`
    get what the table gets; `table` False is a stream without one. `late` takes the `flow`'s rows that came too late.
    `read` decodes the values of sources that are not JSON.
    """

    feed: Feed | None = None
    events: Mapping[str, type[msgspec.Struct]] | None = None
    loose: frozenset[str] = frozenset()
    outputs: Sequence[Output] = ()
    table: bool = True
    flow: Flow | None = None
    late: Output | None = None
    readers: Mapping[str, TableReader] = {}
    read: Mapping[str, Callable[[bytes], Any]] = {}


class MicroBatchRunner(Opened):
    """One stream. `function` takes a batch's DataFrame and returns its aggregates; None copies events into the targets.

    `at` is called with the name of each step done (`planned`, `written`, `committed`): where tests kill the process.
    Use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        settings: StreamSettings,
        event_type: type[msgspec.Struct],
        function: Callable[[Any], Any] | None = None,
        target: Target | None = None,
        *,
        parts: Parts | None = None,
        clock: Clock | None = None,
        at: Callable[[str], None] | None = None,
        engine: StreamEngine | None = None,
        metrics: Any = None,
    ) -> None:
        settings.check()
        parts = parts or Parts()
        if settings.unique is not None and settings.unique not in event_type.__struct_fields__:
            hint = near(settings.unique, event_type.__struct_fields__)
            raise StreamError(f"{event_type.__name__} has no field {settings.unique!r} to be its identity{hint}")
        self.name = f"stream {settings.name}"
        self._settings = settings
        self._clock = clock or SystemClock()
        self._at = at or (lambda _step: None)
        self._patience = Patience(settings.name)
        self._exactly_once = settings.delivery == "exactly_once"
        self._opened: _Opened | None = None
        self._closing = ExitStack()
        self._owns_engine = engine is None
        self._engine = engine or StreamEngine(settings.spark, settings.name)
        self._metrics: Any = metrics
        self._patience.metrics = metrics
        if not parts.table:
            target = None
        elif target is None:
            target = CassandraTarget(settings)
        self._target = target
        self._delivery = Delivery(self._patience, target, parts.outputs, parts.late)
        self._feed = parts.feed or TopicFeed(settings.topic, partial(kafka_source, settings))
        self._events = dict(parts.events or {settings.topic: event_type})
        self._loose = parts.loose
        self._read = parts.read
        self._readers = parts.readers
        self._decoders: dict[str, RecordDecoder] = {}
        self._rate = PidRate(settings.every_s) if settings.backpressure and settings.every_s > 0 else None
        self._work = self._work_of(parts, event_type, function)

    # -- life

    def open(self) -> None:
        """Take the checkpoint and connect. Waits for servers that do not answer yet.

        Raises `StartError` when another runner holds the checkpoint, `StreamError` for what somebody has to mend,
        `StoppedError` when `stop` is called meanwhile.
        """
        settings, closing = self._settings, self._closing
        checkpoint = Checkpoint.open(
            settings.checkpoint_dir,
            stream=settings.name,
            topic=settings.topic,
            unique_horizon=settings.unique_horizon,
            sync=settings.sync,
        )
        closing.callback(checkpoint.close)
        if settings.metrics_port is not None:
            from smackbox.spark.streaming.metrics import StreamMetrics

            self._metrics = self._patience.metrics = StreamMetrics(settings.name, settings.metrics_port)
            closing.callback(self._close_metrics)
        tracing = self._delivery.tracing = open_tracing(settings.name)
        if tracing is not None:
            closing.callback(tracing.close)
        if self._owns_engine:
            closing.callback(self._engine.close)
        closing.callback(self._delivery.close)
        for reader in self._readers.values():
            closing.callback(reader.close)
        self._delivery.open(checkpoint.id)
        self._work.prepare(checkpoint)
        self._decoders = {
            name: RecordDecoder(kind, self._work.required, strict=name not in self._loose, read=self._read.get(name))
            for name, kind in self._events.items()
        }
        closing.callback(self._feed.close)
        self._patience.retry(lambda: self._feed.open(checkpoint))
        closing.callback(lambda: self._feed.show_progress(checkpoint.offsets))
        dead_letters = None
        if settings.dead_letter is not None:
            dead_letters = DeadLetters(settings.kafka, settings.dead_letter, settings.name, settings.kafka_options)
            closing.callback(dead_letters.close)
        if isinstance(self._work, Totalling):
            self._patience.retry(self._work.connect)
        checkpoint.began_ms = self._clock.wall_ms()
        self._opened = _Opened(checkpoint, dead_letters)

    def step(self, wait_s: float | None = None) -> BatchReport | None:
        """One batch of what arrives within `wait_s` (default: the settings' `every_s`); None when nothing did.

        A batch that an earlier runner left planned comes first.
        """
        settings, checkpoint = self._settings, self._running().checkpoint
        plan = checkpoint.plan()
        if plan is not None:
            records = self._patience.retry(lambda: self._feed.again(plan, self._is_stopped))
            self._raise_if_stopped_in(records, plan)
            return self._process(Batch(records, plan.ranges, plan.inputs))
        if self._work.is_behind(checkpoint, self._clock.wall_ms()):
            return self._process(Batch({}, {}, {}))
        eager = settings.every_s == 0
        wait_s = wait_s if wait_s is not None else EAGER_WAIT_S if eager else settings.every_s
        rows = settings.max_rows_per_batch
        if self._rate is not None:
            rows = self._rate.rows(rows)
        bounds = Bounds(time.monotonic() + wait_s, rows, settings.max_bytes_per_batch, eager)
        batch = self._patience.retry(lambda: self._take(bounds, checkpoint))
        if self._metrics is not None:
            self._metrics.show_lag(self._feed.lag())
        if batch is None:
            if not self._work.is_due(checkpoint, self._clock.wall_ms()):
                return None
            batch = Batch({}, {}, {})
        return self._process(batch)

    def close(self) -> None:
        """Release everything. What was committed stays; a batch under way stays planned."""
        self._opened = None
        self._closing.close()

    @property
    def checkpoint(self) -> Checkpoint:
        """Offsets, totals and identities of the last commit. Raises `StreamError` unless the runner is open."""
        return self._running().checkpoint

    @property
    def source(self) -> KafkaSource:
        """The topic, as this runner reads it. Raises `StreamError` unless the runner is open and reads one alone."""
        self._running()
        if not isinstance(self._feed, TopicFeed):
            raise StreamError(f"stream {self._settings.name} does not read one topic alone")
        return self._feed.source

    def stop_with(self, stop: threading.Event) -> None:
        self._patience.stop = stop

    @property
    def metrics_url(self) -> str | None:
        return self._metrics.url if self._metrics is not None else None

    def _running(self) -> _Opened:
        if self._opened is None:
            raise StreamError(f"stream {self._settings.name} is not open: call open() first")
        return self._opened

    def _work_of(self, parts: Parts, event_type: type[msgspec.Struct], function: Callable[[Any], Any] | None) -> Work:
        settings, delivery = self._settings, self._delivery
        if parts.flow is not None:
            return Flowing(settings, parts.flow, delivery, self._patience, parts.readers)
        if function is not None:
            return Totalling(settings, event_type, function, delivery, self._patience, self._engine)
        return Copying(settings, event_type, delivery)

    # -- a batch

    def _take(self, bounds: Bounds, checkpoint: Checkpoint) -> Batch | None:
        """A batch of the sources. The time in which one of them did not answer is no silence of it."""
        is_away = True
        try:
            batch = self._feed.take(bounds, self._is_stopped)
            is_away = self._feed.is_away
        finally:
            if is_away:
                checkpoint.began_ms = self._clock.wall_ms()
        return batch

    def _process(self, batch: Batch) -> BatchReport:
        tracing = self._delivery.tracing
        if tracing is None:
            return self._run_batch(batch)
        records = chain.from_iterable(batch.records.values())
        with tracing.batch(self._settings.name, records, batch.rows):
            return self._run_batch(batch)

    def _step(self, name: str) -> AbstractContextManager[Any]:
        tracing = self._delivery.tracing
        return tracing.step(name) if tracing is not None else nullcontext()

    def _run_batch(self, batch: Batch) -> BatchReport:
        began = time.perf_counter()
        opened = self._running()
        checkpoint = opened.checkpoint
        now_us = self._clock.wall_us()
        if self._exactly_once:
            plan = checkpoint.write_plan(batch.ranges, now_us, batch.rows, batch.inputs)
        else:
            plan = Plan(checkpoint.last_batch + 1, batch.ranges, now_us, batch.inputs, now_us // 1000)
        self._at("planned")
        decoded = {name: self._decoders[name].decode(messages) for name, messages in batch.records.items()}
        events = {name: found.events for name, found in decoded.items()}
        read = sum(map(len, events.values()))
        identities: list[bytes] = []
        if self._settings.unique is not None and self._exactly_once:
            events, identities = drop_repeated(events, self._settings.unique, checkpoint.seen)
        fresh = sum(map(len, events.values()))
        with self._step("compute"):
            outcome = self._work.run(events, plan, checkpoint)
        bad = [record for found in decoded.values() for record in (*found.bad, *found.bad_records(outcome.unfit))]
        if bad:
            self._set_aside(opened.dead_letters, bad)
        self._at("written")
        offsets = {number: last for number, (_, last) in batch.ranges.items()}
        with self._step("commit"):
            checkpoint.commit(plan, offsets, outcome.totals, identities, self._feed.done(plan), outcome.changes)
        self._at("committed")
        self._feed.show_progress(offsets)
        report = BatchReport(
            batch=plan.batch,
            rows=batch.rows,
            events=fresh - len(outcome.unfit) - outcome.late - outcome.duplicates,
            duplicates=read - fresh + outcome.duplicates,
            dead_letters=len(bad),
            written=outcome.written,
            seconds=time.perf_counter() - began,
            late=outcome.late,
            watermark_ms=outcome.watermark_ms,
        )
        self._tell(report, now_us // 1000)
        return report

    def _set_aside(self, dead_letters: DeadLetters | None, bad: list[BadRecord]) -> None:
        if dead_letters is not None:
            self._patience.retry(lambda: dead_letters.put(bad))
        first = bad[0]
        log.warning(
            "stream %s: %d records are %s, the first is partition %s offset %s: %s",
            self._settings.name,
            len(bad),
            "set aside" if dead_letters is not None else "left out",
            first.message.partition(),
            first.message.offset(),
            first.reason,
        )

    def _tell(self, report: BatchReport, now_ms: int) -> None:
        log.debug("stream %s: %s", self._settings.name, report)
        if self._rate is not None:
            self._rate.completed(time.monotonic(), report.rows, report.seconds)
        if self._metrics is not None:
            self._metrics.tell(report, now_ms)

    def _close_metrics(self) -> None:
        self._metrics.close()
        self._metrics = self._patience.metrics = None

    def _is_stopped(self) -> bool:
        return self._patience.stop.is_set()

    def _raise_if_stopped_in(self, records: Mapping[str, Sequence[Any]], plan: Plan) -> None:
        """A planned batch read in part because of a stop must not be processed."""
        if self._is_stopped():
            count = sum(map(len, records.values()))
            raise StoppedError(f"{count} records of batch {plan.batch} were read again when the stop came")


def kafka_source(settings: StreamSettings, topic: str | None = None) -> KafkaSource:
    """A topic as the settings read it; theirs, or another one of the same stream."""
    return KafkaSource(
        settings.kafka,
        topic or settings.topic,
        settings.group_id,
        starting=settings.starting_offsets,
        on_data_loss=settings.on_data_loss,
        read_timeout_s=settings.read_timeout_s,
        options=settings.kafka_options,
        partitions=settings.partitions,
    )
