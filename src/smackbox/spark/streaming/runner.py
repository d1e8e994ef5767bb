"""The Direct micro-batch runner: a topic's records in batches of its own choosing, into a table, exactly once.

A batch goes through these steps, and a runner killed between any two of them comes to the same result:

    collect    records that arrived; their offset ranges are the batch
    plan       ranges and a timestamp, written ahead: a repeated batch is the same batch
    decode     to events; undecodable records go to the dead-letter topic; one event of each identity
    compute    the user's function on one DataFrame, joined with the totals (or nothing: a copy)
    write      absolute values, upserts, with the batch's timestamp
    commit     next offsets, totals and identities in one atomic write

Killed before the plan: the records are collected again. Between plan and commit: the same records are read and written
again with a later timestamp; totals are still the old ones, so the values are the same, and a late write of the killed
process loses by its timestamp. After the commit: the next batch begins where this one ended.

While Kafka, Cassandra or Spark do not answer, a step is tried again with growing pauses; nothing is skipped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import msgspec

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StartError
from smackbox.base.settings import near
from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.dead_letters import DeadLetters
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.errors import AwayError, StoppedError, StreamError, UnfitEventsError
from smackbox.spark.streaming.records import BadRecord, RecordDecoder, drop_repeated
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.sift import sift
from smackbox.spark.streaming.source import KafkaSource, Ranges
from smackbox.spark.streaming.table import CassandraTarget, Target
from smackbox.spark.streaming.totals import Totals

RETRY_FIRST_S = 0.1
RETRY_LONGEST_S = 5.0

T = TypeVar("T")
LoadTotals = Callable[[list[bytes]], list[bytes | None]]
"""Saved totals by their keys."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a batch's records: `rows` read = `events` + `duplicates` + `dead_letters`."""

    batch: int
    rows: int
    events: int
    duplicates: int
    dead_letters: int
    written: int
    seconds: float


class Result(NamedTuple):
    """What a batch makes of the totals: rows of `columns` to write, and the totals to save."""

    rows: list[list[Any]]
    totals: dict[bytes, bytes]
    columns: list[str]


class _Opened(NamedTuple):
    """What an open runner works on."""

    checkpoint: Checkpoint
    source: KafkaSource
    dead_letters: DeadLetters | None


class MicroBatchRunner:
    """One stream. `function` takes a batch's DataFrame and returns its aggregates; None copies events into the table.

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
        clock: Clock | None = None,
        at: Callable[[str], None] | None = None,
    ) -> None:
        settings.check()
        if settings.unique is not None and settings.unique not in event_type.__struct_fields__:
            hint = near(settings.unique, event_type.__struct_fields__)
            raise StreamError(f"{event_type.__name__} has no field {settings.unique!r} to be its identity{hint}")
        self._settings = settings
        self._event_type = event_type
        self._function = function
        self._target: Target = target if target is not None else CassandraTarget(settings)
        self._clock = clock or SystemClock()
        self._at = at or (lambda _step: None)
        self._stop = threading.Event()
        self._exactly_once = settings.delivery == "exactly_once"
        self._opened: _Opened | None = None
        self._closing = ExitStack()
        self._engine = StreamEngine(settings.spark, settings.name)
        self._metrics: Any = None

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

            self._metrics = StreamMetrics(settings.name, settings.metrics_port)
            closing.callback(self._metrics.close)
        closing.callback(self._engine.close)
        closing.callback(self._target.close)
        self._retry(self._target.open)
        self._prepare()
        source = KafkaSource(
            settings.kafka,
            settings.topic,
            settings.group_id,
            starting=settings.starting_offsets,
            on_data_loss=settings.on_data_loss,
            read_timeout_s=settings.read_timeout_s,
            options=settings.kafka_options,
        )
        closing.callback(source.close)
        closing.callback(lambda: source.show_progress(checkpoint.offsets))
        self._retry(lambda: source.assign(checkpoint.offsets))
        dead_letters = None
        if settings.dead_letter is not None:
            dead_letters = DeadLetters(settings.kafka, settings.dead_letter, settings.name, settings.kafka_options)
            closing.callback(dead_letters.close)
        if self._function is not None:
            self._retry(self._connect_spark)
        self._opened = _Opened(checkpoint, source, dead_letters)

    def run(self, stop: threading.Event, ready: Callable[[], None] | None = None) -> None:
        """Open, call `ready`, and run batches until `stop` is set; the batch under way is finished first.

        Raises what `open` raises, and `StreamError` when the stream cannot go on.
        """
        self._stop = stop
        try:
            self.open()
            if ready is not None:
                ready()
            while not stop.is_set():
                self.step()
        except StoppedError:
            log.info("stream %s stopped while it waited for a server", self._settings.name)
        finally:
            self.close()

    def step(self, wait_s: float | None = None) -> BatchReport | None:
        """One batch of what arrives within `wait_s` (default: the settings' `every_s`); None when nothing did.

        A batch that an earlier runner left planned comes first.
        """
        settings, opened = self._settings, self._running()
        checkpoint, source = opened.checkpoint, opened.source
        plan = checkpoint.plan()
        if plan is not None:
            ranges = plan.ranges
            messages = self._retry(lambda: source.read(ranges, self._stop.is_set))
            self._raise_if_stopped_in(messages, ranges)
        else:
            began = source.next_offsets
            deadline = time.monotonic() + (settings.every_s if wait_s is None else wait_s)
            messages = source.collect(
                deadline, settings.max_rows_per_batch, settings.max_bytes_per_batch, self._stop.is_set
            )
            if self._metrics is not None:
                self._metrics.lag.set(source.lag())
            if not messages:
                return None
            ranges = {
                number: (began.get(number, 0), offset)
                for number, offset in source.next_offsets.items()
                if offset != began.get(number)
            }
        return self._process(opened, messages, ranges)

    def close(self) -> None:
        """Release everything. What was committed stays; a batch under way stays planned."""
        self._opened = None
        self._closing.close()
        self._metrics = None

    def __enter__(self) -> MicroBatchRunner:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def checkpoint(self) -> Checkpoint:
        """Offsets, totals and identities of the last commit. Raises `StreamError` unless the runner is open."""
        return self._running().checkpoint

    @property
    def source(self) -> KafkaSource:
        """The topic, as this runner reads it. Raises `StreamError` unless the runner is open."""
        return self._running().source

    @property
    def metrics_url(self) -> str | None:
        return self._metrics.url if self._metrics is not None else None

    def _running(self) -> _Opened:
        if self._opened is None:
            raise StreamError(f"stream {self._settings.name} is not open: call open() first")
        return self._opened

    # -- a batch

    def _process(self, opened: _Opened, messages: Sequence[Any], ranges: Ranges) -> BatchReport:
        began = time.perf_counter()
        checkpoint = opened.checkpoint
        rows = len(messages)
        if self._exactly_once:
            plan = checkpoint.write_plan(ranges, self._clock.wall_us(), rows)
        else:
            plan = Plan(checkpoint.last_batch + 1, ranges, self._clock.wall_us())
        self._at("planned")
        decoded = self._decoder.decode(messages)
        events = decoded.events
        read = len(events)
        identities: list[bytes] = []
        if self._settings.unique is not None and self._exactly_once:
            events, identities = drop_repeated(events, self._settings.unique, checkpoint.seen)
        totals: dict[bytes, bytes] = {}
        written = 0
        unfit: list[tuple[Any, str]] = []
        if events and self._function is not None:
            total = partial(self._total, self._function, checkpoint.totals)
            written, totals, unfit = self._aggregate(total, events, plan)
        elif events:
            written, unfit = self._copy(events, plan)
        bad = decoded.bad + decoded.bad_records(unfit)
        if bad:
            self._set_aside(opened.dead_letters, bad)
        self._at("written")
        offsets = {number: last for number, (_, last) in ranges.items()}
        checkpoint.commit(plan, offsets, totals, identities)
        self._at("committed")
        opened.source.show_progress(offsets)
        report = BatchReport(
            batch=plan.batch,
            rows=rows,
            events=len(events) - len(unfit),
            duplicates=read - len(events),
            dead_letters=len(bad),
            written=written,
            seconds=time.perf_counter() - began,
        )
        self._tell(report)
        return report

    def _copy(self, events: list[Any], plan: Plan) -> tuple[int, list[tuple[Any, str]]]:
        """Write the events as rows. Returns how many were written, and (event, reason) for those that do not fit."""
        if self._exactly_once and self._key_fields == [self._settings.unique]:
            refused = self._write_events(events, plan)
            return len(events) - len(refused), refused
        # Of two events with one primary key the later one holds, whatever the order in which they are written.
        # Where that one is unfit, the one before it does.
        key_of = attrgetter(*self._key_fields)
        written = 0
        unfit: list[tuple[Any, str]] = []
        left = events
        while left:
            latest = {key_of(event): event for event in left}
            refused = self._write_events(list(latest.values()), plan)
            written += len(latest) - len(refused)
            unfit += refused
            refused_keys = {key_of(event) for event, _ in refused}
            left = [event for event in left if (key := key_of(event)) in refused_keys and event is not latest[key]]
        return written, unfit

    def _write_events(self, events: list[Any], plan: Plan) -> list[tuple[Any, str]]:
        rows = list(map(self._values_of, events))
        unfit = self._retry(lambda: self._target.write(self._copied, rows, plan.timestamp_us, absolute=False))
        return [(events[index], reason) for index, reason in unfit.items()]

    def _aggregate(
        self, total: Callable[[list[Any]], Result], events: list[Any], plan: Plan
    ) -> tuple[int, dict[bytes, bytes], list[tuple[Any, str]]]:
        """Write the totals. Returns how many rows were written, the totals, and (event, reason) for unfit events."""
        unfit: list[tuple[Any, str]] = []
        try:
            result = total(events)
        except UnfitEventsError as error:
            result, unfit = sift(events, total, error, self._raise_if_stopping)
        rows, totals, columns = result
        if rows:
            refused = self._retry(lambda: self._target.write(columns, rows, plan.timestamp_us, absolute=True))
            if refused:
                index, reason = next(iter(refused.items()))
                key = dict(zip(columns, rows[index], strict=True))
                raise StreamError(f"{self._settings.keyspace}.{self._settings.table} refuses {key}: {reason}")
        return len(rows), totals, unfit

    def _total(self, function: Callable[[Any], Any], load: LoadTotals, events: list[Any]) -> Result:
        """Totals after a batch of `events`, from those that `load` reads; writes nothing. Raises `UnfitEventsError`."""
        from smackbox.spark.arrow_schema import events_to_arrow

        try:
            table = events_to_arrow(self._event_type, events)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UnfitEventsError(f"an Arrow batch cannot hold the event: {error}") from error
        result = self._retry(lambda: self._call(function, table))
        columns = list(result.column_names)
        self._totals.check(columns)
        self._totals.check_types({field.name: str(field.type) for field in result.schema})
        rows, totals = self._totals.apply(result.to_pylist(), columns, load)
        return Result(rows, totals, self._totals.written_columns(columns))

    def _call(self, function: Callable[[Any], Any], table: Any) -> Any:
        from smackbox.spark.connect import is_away

        spark = self._connect_spark()
        try:
            result = function(spark.createDataFrame(table))
            if not hasattr(result, "toArrow"):
                raise StreamError(
                    f"the function of {self._settings.name} must return a DataFrame, not {type(result).__name__}"
                )
            return result.toArrow()
        except StreamError:
            raise
        except Exception as error:
            if is_away(error):
                self._engine.lost()
                raise AwayError(f"Spark does not answer: {error}") from error
            raise UnfitEventsError(f"the function of stream {self._settings.name} failed: {error}") from error

    def _set_aside(self, dead_letters: DeadLetters | None, bad: list[BadRecord]) -> None:
        if dead_letters is not None:
            self._retry(lambda: dead_letters.put(bad))
        first = bad[0]
        log.warning(
            "stream %s: %d records are set aside, the first is partition %d offset %d: %s",
            self._settings.name,
            len(bad),
            first.message.partition(),
            first.message.offset(),
            first.reason,
        )

    def _tell(self, report: BatchReport) -> None:
        log.debug("stream %s: %s", self._settings.name, report)
        metrics = self._metrics
        if metrics is None:
            return
        metrics.rows.inc(report.rows)
        metrics.duplicates.inc(report.duplicates)
        metrics.dead_letters.inc(report.dead_letters)
        metrics.batch.set(report.batch)
        metrics.seconds.observe(report.seconds)

    # -- preparation and patience

    def _prepare(self) -> None:
        """What depends on the table: which fields are copied, what is totalled."""
        settings = self._settings
        fields = self._event_type.__struct_fields__
        keys, values = self._target.key_types, self._target.value_types
        table = f"{settings.keyspace}.{settings.table}"
        if self._function is not None:
            self._totals = Totals(table, keys, values, settings.merge, self._target.partition_columns)
            self._decoder = RecordDecoder(self._event_type)
            return
        for name in fields:
            if name not in keys and name not in values:
                raise StreamError(f"{table} has no column {name!r}{near(name, [*keys, *values])}")
        for name in keys:
            if name not in fields:
                raise StreamError(f"{self._event_type.__name__} lacks {name!r}, a part of the primary key of {table}")
        self._copied = list(fields)
        self._key_fields = list(keys)
        self._values_of: Callable[[Any], Sequence[Any]] = (
            attrgetter(*fields) if len(fields) > 1 else lambda event: (getattr(event, fields[0]),)
        )
        self._decoder = RecordDecoder(self._event_type, self._key_fields)

    def _connect_spark(self) -> Any:
        from smackbox.spark.connect import is_away

        try:
            return self._engine.session()
        except Exception as error:
            if is_away(error) or isinstance(error, StartError):
                raise AwayError(f"Spark at {self._settings.spark} does not answer: {error}") from error
            raise

    def _retry(self, work: Callable[[], T]) -> T:
        """`work` until it does not raise `AwayError`. Raises `StoppedError` when told to stop meanwhile."""
        pause_s = RETRY_FIRST_S
        while True:
            try:
                return work()
            except AwayError as error:
                log.warning("stream %s tries again in %.1f s: %s", self._settings.name, pause_s, error)
                if self._metrics is not None:
                    self._metrics.retries.inc()
                if self._stop.wait(pause_s):
                    raise StoppedError(str(error)) from error
                pause_s = min(RETRY_LONGEST_S, pause_s * 2)

    def _raise_if_stopping(self) -> None:
        if self._stop.is_set():
            raise StoppedError("the batch is planned and comes first at the next start")

    def _raise_if_stopped_in(self, messages: Sequence[Any], ranges: Ranges) -> None:
        """A planned batch read in part because of a stop must not be processed."""
        if self._stop.is_set():
            raise StoppedError(f"{len(messages)} records of {ranges} were read again when the stop came")
