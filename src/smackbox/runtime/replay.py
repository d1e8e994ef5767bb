"""A replay recomputes a stream's totals from its history, compares them with the table and installs them; or undoes it.

For the design see `docs/decisions/0307-replay.md`. In short: the replay is the stream itself on a checkpoint and rows
of its own, up to an offset that the live stream has committed. To install it, a gate stops the stream, the replay reads
on to exactly the offset at which the stream stopped, and the changes are recorded; then they are committed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from smackbox.app.model import App, Stream
from smackbox.base.errors import StartError, UserError
from smackbox.base.garbage import few_collections
from smackbox.runtime.box_parts import copy_checkpoint
from smackbox.runtime.replay_building import At, Building, Counts, Told
from smackbox.runtime.replay_checks import MARGIN_MS, check_range, check_replayable, looked_up, owns_rows, source_of
from smackbox.runtime.replay_origin import find_origin
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.streams import flow_readers, readings, stream_settings
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.replay.archive import ArchiveReader
from smackbox.spark.replay.bounded_topic import BoundedTopic
from smackbox.spark.replay.comparing import Columns, Comparison
from smackbox.spark.replay.history import HistoryFeed
from smackbox.spark.replay.journal import Journal, Record, new_id, replays_dir
from smackbox.spark.replay.scope import Scope
from smackbox.spark.replay.shadow import RowStore, ShadowTarget
from smackbox.spark.replay.swap import Changes, changed_totals, write_rows
from smackbox.spark.streaming.checkpoint import Checkpoint
from smackbox.spark.streaming.cql import session_of
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.errors import AwayError
from smackbox.spark.streaming.runner import MicroBatchRunner, Parts
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.table import CassandraTarget
from smackbox.store.data_dir import HeldError
from smackbox.store.fs import Disk

BATCH_ROWS = 100_000
NEAR_RECORDS = 50_000
MOST_PASSES = 20
LEAVE_LIMIT_S = 60.0
POLL_S = 0.05
CQL_TIMEOUT_S = 30.0
ARCHIVE_FILES = "archive.json"


class Result(NamedTuple):
    """The records that a replay read, and the differences of its rows from the table's."""

    record: Record
    counts: Counts
    comparison: Comparison
    columns: Columns


class _Part:
    """All partitions, or one of those among which the stream's state is divided."""

    def __init__(self, number: int | None, live: Path) -> None:
        self.number = number
        self.name = "part" if number is None else f"part-{number}"
        self.live = live if number is None else live / f"partition-{number}"

    @property
    def partitions(self) -> frozenset[int] | None:
        return None if self.number is None else frozenset({self.number})


class StreamReplay:
    """The replays of `stream`. `at` is called with the name of each step done, where tests kill the process.

    Raises `SettingError` for a stream that cannot be replayed; all methods raise `UserError`.
    """

    def __init__(
        self,
        app: App,
        file: Path,
        stream: Stream,
        urls: Urls,
        settings: BoxSettings,
        *,
        told: Told = lambda _done, _total: None,
        at: At = lambda _step: None,
    ) -> None:
        check_replayable(stream)
        self._app = app
        self._file = file
        self._stream = stream
        self._settings = settings
        self._told = told
        self._at = at
        self._read = readings(stream, urls.schema_registry)
        self._own: StreamSettings = stream_settings(app, stream, urls, settings, None)
        self._live = self._own.checkpoint_dir
        self.journal = Journal(replays_dir(settings.dir, app.name, stream.name))

    @property
    def looked_up(self) -> list[str]:
        """The tables that the replay reads as they are now."""
        return looked_up(self._stream)

    # -- the user's steps

    def begin(self, from_ms: int | None, to_ms: int | None, *, keeps_gone: bool = False) -> Record:
        """The replay of this range: the current one, or a new one. Raises `UserError`, `DataLossError`."""
        check_range(self._stream, from_ms, to_ms)
        self._finish_others()
        self.journal.sweep()
        known = self.journal.under_way()
        if known is not None:
            if (known.kind, known.from_ms, known.to_ms) != ("replay", from_ms, to_ms):
                raise UserError(
                    f"another {known.kind} of {self._stream.name} is under way: finish it, or `smack replay discard`"
                )
            self._check_source(known)
            if known.keeps_gone != keeps_gone:
                known = msgspec.structs.replace(known, keeps_gone=keeps_gone)
                self.journal.write(known)
            return known
        record = self._record("replay", from_ms, to_ms, keeps_gone=keeps_gone)
        with self._table() as target:
            Scope(target.key_types, from_ms, to_ms, self._own.table)
        for part in self._parts():
            self._begin_part(record, part)
        self.journal.write(record)
        return record

    def begin_undo(self) -> Record:
        """The replay that restores what the last one replaced, and adds the events since then."""
        self._finish_others()
        self.journal.sweep()
        known = self.journal.under_way()
        if known is not None:
            if known.kind == "undo":
                self._check_source(known)
                return known
            raise UserError(f"a replay of {self._stream.name} is under way: `smack replay discard` first")
        applied = self.journal.latest_applied()
        if applied is None:
            raise UserError(f"no replay of {self._stream.name} has been put in: there is nothing to undo")
        record = self._record("undo", applied.from_ms, applied.to_ms)
        former, folder = self.journal.folder(applied), self.journal.folder(record)
        for part in self._parts():
            if (former / f"before-{part.name}").exists():
                shutil.copytree(former / f"before-{part.name}", folder / part.name)
                checkpoint = self._checkpoint(folder / part.name)
                checkpoint.drop_plan()
                checkpoint.close()
            else:
                self._begin_part(record, part)
        shutil.copytree(former / "before-rows", folder / "rows")
        self.journal.write(record)
        return record

    def build(self, record: Record) -> Result:
        """Compute the totals up to the live stream's position, and compare them with the table."""
        with few_collections(), ExitStack() as closing:
            building = closing.enter_context(self._building(record))
            building.told = self._told
            live = self._catch_up(building, record, closing)
            building.follow_watermarks(live)
            found = building.compare(live, moved_us=max((one.timestamp_us for one in live.values()), default=0))
            return Result(record, building.counts, found, building.columns)

    def apply(self, record: Record) -> Result:
        """Install the totals: the live stream stops at the end of a batch, and continues with the new totals."""
        with few_collections(), ExitStack() as closing:
            building = closing.enter_context(self._building(record))
            building.told = self._told
            with ExitStack() as before_the_gate:
                self._catch_up(building, record, before_the_gate)
            closing.enter_context(self.journal.gate())
            live = self._live_checkpoints(closing)
            self._at("gated")
            offsets = {name: checkpoint.offsets for name, checkpoint in live.items()}
            building.check_behind(offsets)
            building.read_to(offsets, self._at)
            building.follow_watermarks(live)
            folder = self.journal.folder(record)
            for name in ("changes", "before-rows", *(f"before-{name}" for name in live)):
                shutil.rmtree(folder / name, ignore_errors=True)
            changes = Changes(folder / "changes")
            closing.callback(changes.close)
            before = RowStore(folder / "before-rows")
            closing.callback(before.close)
            before.set_columns(building.columns.columns)
            found = building.compare(live, changes=changes, before=before)
            changes.sync()
            before.sync()
            for name, checkpoint in live.items():
                checkpoint.copy_to(folder / f"before-{name}")
            self._at("written down")
            now_us = time.time_ns() // 1000
            record = msgspec.structs.replace(
                record,
                state="applying",
                timestamp_us=max(now_us, *(checkpoint.timestamp_us + 1 for checkpoint in live.values())),
                columns=tuple(building.columns.columns),
            )
            self.journal.write(record)
            self._at("committed")
            made = {name: runner.checkpoint for name, runner in building.runners.items()}
            record = self._finish(record, live, made, building.target, building.cql, changes)
            return Result(record, building.counts, found, building.columns)

    def finish(self) -> bool:
        """Finish an interrupted committed change; returns whether there was one. The gate must not be held."""
        if self.journal.unfinished() is None:
            return False
        with self.journal.gate(), ExitStack() as closing:
            record = self.journal.unfinished()
            if record is None:
                return False  # another process has done it
            folder = self.journal.folder(record)
            live = self._live_checkpoints(closing)
            # a list that is written twice with one timestamp has its items twice
            record = msgspec.structs.replace(record, timestamp_us=max(time.time_ns() // 1000, record.timestamp_us + 1))
            self.journal.write(record)
            made = {}
            for name in live:
                made[name] = self._checkpoint(folder / name)
                closing.callback(made[name].close)
            target = closing.enter_context(self._table())
            cql = closing.enter_context(self._session())
            changes = Changes(folder / "changes")
            closing.callback(changes.close)
            self._finish(record, live, made, target, cql, changes)
        return True

    def discard(self) -> Record:
        """Abandon the current replay. Raises `UserError` if there is none."""
        self._finish_others()
        record = self.journal.under_way()
        if record is None:
            raise UserError(f"no replay of {self._stream.name} is under way")
        self.journal.remove(record)
        return record

    # -- parts

    def _catch_up(self, building: Building, record: Record, closing: ExitStack) -> dict[str, Checkpoint]:
        """Read on until the live stream is only a little ahead; returns copies of its checkpoints at that point."""
        for _ in range(MOST_PASSES):
            with ExitStack() as copies:
                live = {}
                for part in self._parts():
                    folder = self.journal.folder(record)
                    copies.callback(shutil.rmtree, folder / f"live-{part.name}", ignore_errors=True)
                    live[part.name] = self._copy_of(folder, part)
                    copies.callback(live[part.name].close)
                offsets = {name: checkpoint.offsets for name, checkpoint in live.items()}
                building.check_behind(offsets)
                if building.read_to(offsets, self._at) < NEAR_RECORDS:
                    closing.enter_context(copies.pop_all())
                    return live
        raise UserError(f"the stream {self._stream.name} is as fast as its replay: run it again when fewer events come")

    def _parts(self) -> list[_Part]:
        if self._stream.instances is None:
            found = [_Part(None, self._live)]
        else:
            numbers = sorted(int(path.name.rpartition("-")[2]) for path in self._live.glob("partition-*"))
            found = [_Part(number, self._live) for number in numbers]
        if not found or not all((part.live / "state").exists() for part in found):
            raise UserError(f"the stream {self._stream.name} has not run in {self._settings.dir}: there are no totals")
        return found

    def _record(self, kind: Any, from_ms: int | None, to_ms: int | None, *, keeps_gone: bool = False) -> Record:
        return Record(
            id=new_id(),
            kind=kind,
            number=self.journal.next_number(),
            from_ms=from_ms,
            to_ms=to_ms,
            source=source_of(self._file),
            started_ms=time.time_ns() // 1_000_000,
            keeps_gone=keeps_gone,
            owns_rows=owns_rows(self._app, self._stream),
        )

    def _check_source(self, record: Record) -> None:
        """Raises `UserError` if the program has changed since the replay was begun."""
        if record.source != source_of(self._file):
            raise UserError(
                f"{self._file.name} has changed since the {record.kind} of {self._stream.name} began, and its totals "
                "would be by both: `smack replay discard`, then begin it again"
            )

    def _finish_others(self) -> None:
        """Finish an interrupted change before another is begun."""
        if self.journal.unfinished() is not None:
            self.finish()

    def _begin_part(self, record: Record, part: _Part) -> None:
        """Find the start of the part, in the topic or in the archive, and record it."""
        folder = self.journal.folder(record)
        live = self._copy_of(folder, part)
        ends = live.offsets
        live.close()
        shutil.rmtree(folder / f"live-{part.name}", ignore_errors=True)
        archive = next((one for one in self._app.archives if one.topic == self._own.topic), None)
        checkpoints = self._live.parent
        start_ms = None if record.from_ms is None else record.from_ms - MARGIN_MS
        origin = find_origin(self._own, part.partitions, ends, start_ms, archive, checkpoints, folder)
        checkpoint = self._checkpoint(folder / part.name)
        checkpoint.begin_at(origin.offsets)
        checkpoint.close()
        if origin.files:
            Disk().replace(folder / part.name / ARCHIVE_FILES, msgspec.json.encode(origin.files))

    def _checkpoint(self, path: Path) -> Checkpoint:
        own = self._own
        return Checkpoint.open(
            path, stream=own.name, topic=own.topic, unique_horizon=own.unique_horizon, sync=self._settings.sync
        )

    def _copy_of(self, folder: Path, part: _Part) -> Checkpoint:
        copy = folder / f"live-{part.name}"
        shutil.rmtree(copy, ignore_errors=True)
        copy_checkpoint(part.live, copy)
        return self._checkpoint(copy)

    def _live_checkpoints(self, closing: ExitStack) -> dict[str, Checkpoint]:
        """The stream's own, once its processes have seen the gate and left. Raises `UserError`."""
        found = {}
        deadline = time.monotonic() + LEAVE_LIMIT_S
        for part in self._parts():
            while part.name not in found:
                try:
                    found[part.name] = self._checkpoint(part.live)
                except HeldError as error:
                    if time.monotonic() > deadline:
                        raise UserError(
                            f"the stream {self._stream.name} did not stop within {LEAVE_LIMIT_S:.0f} s, its batch "
                            f"takes so long or a server does not answer it ({error}): nothing has changed, try again"
                        ) from error
                    time.sleep(POLL_S)
            closing.callback(found[part.name].close)
        return found

    @contextmanager
    def _table(self) -> Iterator[CassandraTarget]:
        target = CassandraTarget(self._own)
        try:
            target.open()
            yield target
        except AwayError as error:
            raise StartError(str(error)) from error
        finally:
            target.close()

    @contextmanager
    def _session(self) -> Iterator[CqlSession]:
        cql = session_of(msgspec.structs.replace(self._own, write_timeout_s=CQL_TIMEOUT_S))
        try:
            yield cql
        finally:
            cql.close()

    @contextmanager
    def _building(self, record: Record) -> Iterator[Building]:
        own, folder = self._own, self.journal.folder(record)
        with ExitStack() as closing:
            target = closing.enter_context(self._table())
            cql = closing.enter_context(self._session())
            rows = RowStore(folder / "rows")
            closing.callback(rows.close)
            engine = StreamEngine(own.spark, own.name)
            closing.callback(engine.close)
            runners, feeds = {}, {}
            for part in self._parts():
                topic = BoundedTopic(own.kafka, own.topic, part.partitions, own.kafka_options)
                keys = folder / part.name / ARCHIVE_FILES
                archive = next((one for one in self._app.archives if one.topic == own.topic), None)
                reader = None
                if keys.exists() and archive is not None:
                    reader = ArchiveReader(
                        archive.to, own.topic, msgspec.json.decode(keys.read_bytes(), type=list[str])
                    )
                feeds[part.name] = HistoryFeed(own.topic, topic, reader)
                settings = msgspec.structs.replace(
                    own,
                    checkpoint_dir=folder / part.name,
                    delivery="exactly_once",
                    dead_letter=None,
                    every_s=0.0,
                    metrics_port=None,
                    max_rows_per_batch=BATCH_ROWS,
                    partitions=part.partitions,
                )
                flow = self._stream.flow
                parts = Parts(
                    feed=feeds[part.name],
                    flow=flow,
                    read=self._read,
                    readers=flow_readers(flow.branch, settings) if flow is not None else {},
                )
                runner = MicroBatchRunner(
                    settings,
                    self._stream.source.event,
                    self._stream.function,
                    ShadowTarget(rows, CassandraTarget(settings)),
                    parts=parts,
                    engine=engine,
                    at=lambda step: self._at(f"replay {step}"),
                )
                closing.callback(runner.close)
                runner.open()
                runners[part.name] = runner
            scope = Scope(target.key_types, record.from_ms, record.to_ms, own.table)
            yield Building(self._stream, own, record, target, cql, rows, runners, feeds, scope)

    def _finish(
        self,
        record: Record,
        live: dict[str, Checkpoint],
        made: dict[str, Checkpoint],
        target: CassandraTarget,
        cql: CqlSession,
        changes: Changes,
    ) -> Record:
        """The steps after the commit; some of them may already be done."""
        scope = Scope(target.key_types, record.from_ms, record.to_ms, self._own.table)
        for name, checkpoint in live.items():
            is_kept = (lambda _key: True) if record.keeps_gone else (lambda _key: False)
            flow = made[name].items("flow") if self._stream.flow is not None and record.to_ms is None else None
            totals = changed_totals(checkpoint, made[name], scope, is_kept)
            checkpoint.install(record.id, record.timestamp_us, totals, flow)
            self._at("installed")
        columns = Columns(target.key_types, target.value_types, record.columns)
        write_rows(
            cql,
            self._own.keyspace,
            self._own.table,
            columns,
            changes.items(),
            record.timestamp_us,
            owns_rows=record.owns_rows,
            tell=lambda _rows: self._at("rows"),
        )
        done = msgspec.structs.replace(record, state="applied", applied_ms=time.time_ns() // 1_000_000)
        self.journal.write(done)
        self._at("applied")
        for other in self.journal.all():
            if other.state == "applied" and other.id != record.id:
                self.journal.remove(other)
        return done
