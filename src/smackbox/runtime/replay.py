"""A replay of a stream: its totals made again from its history, compared with the table, put in as one change, undone.

Why it is as it is: `docs/decisions/0307-replay.md`. In short: the replay is the stream itself on a checkpoint and rows
of its own, up to an offset that the live stream has committed. To put it in, the stream is kept away by a gate, the
replay reads on to just the offset at which the stream stopped, and what changes is written down; then it is committed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from smackbox.app.model import App, Stream
from smackbox.base.errors import StartError, UserError
from smackbox.base.garbage import few_collections
from smackbox.flow.program import WATERMARKS
from smackbox.flow.watermarks import Watermarks
from smackbox.runtime.box_parts import copy_checkpoint
from smackbox.runtime.replay_checks import MARGIN_MS, check_range, check_replayable, looked_up, owns_rows, source_of
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.streams import flow_readers, stream_settings
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.replay.archive import ArchiveReader, archived_files
from smackbox.spark.replay.bounded_topic import BoundedTopic
from smackbox.spark.replay.comparing import Columns, Comparison, TableRow, compare
from smackbox.spark.replay.history import HistoryFeed
from smackbox.spark.replay.journal import Journal, Record, new_id, replays_dir
from smackbox.spark.replay.scope import Scope
from smackbox.spark.replay.shadow import RowStore, ShadowTarget, Values
from smackbox.spark.replay.swap import Changes, changed_totals, write_rows
from smackbox.spark.streaming.checkpoint import Checkpoint
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.errors import AwayError, DataLossError
from smackbox.spark.streaming.runner import MicroBatchRunner, Parts
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.table import CassandraTarget
from smackbox.spark.streaming.totals import Totals
from smackbox.store.data_dir import HeldError

BATCH_ROWS = 100_000
NEAR_RECORDS = 50_000
MOST_PASSES = 20
LEAVE_LIMIT_S = 60.0
POLL_S = 0.05
CQL_TIMEOUT_S = 30.0
ARCHIVE_FILES = "archive.json"

At = Callable[[str], None]
Told = Callable[[int, int], None]
"""Called with how many records are read, and how many there are to read."""


class Result(NamedTuple):
    """What a replay read, and how its rows differ from the table's."""

    record: Record
    counts: Counts
    comparison: Comparison
    columns: Columns


class Counts(msgspec.Struct):
    """Records `read`, `duplicates` among them, and those that were `skipped` because they are no events."""

    read: int = 0
    duplicates: int = 0
    skipped: int = 0
    late: int = 0


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

    Raises `SettingError` for a stream that cannot be replayed; everything raises `UserError` for what a person mends.
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
        self._own: StreamSettings = stream_settings(app, stream, urls, settings, None)
        self._live = self._own.checkpoint_dir
        self.journal = Journal(replays_dir(settings.dir, app.name, stream.name))

    @property
    def looked_up(self) -> list[str]:
        """The tables that the replay reads as they are now."""
        return looked_up(self._stream)

    # -- the steps of a person

    def begin(self, from_ms: int | None, to_ms: int | None, *, keeps_gone: bool = False) -> Record:
        """The replay of this range: the one that is under way, or another. Raises `UserError`, `DataLossError`."""
        check_range(self._stream, from_ms, to_ms)
        self._refuse_unfinished()
        self.journal.sweep()
        source = source_of(self._file)
        known = self.journal.under_way()
        if known is not None:
            if (known.kind, known.from_ms, known.to_ms) != ("replay", from_ms, to_ms):
                raise UserError(
                    f"another {known.kind} of {self._stream.name} is under way: finish it, or `smack replay discard`"
                )
            if known.source != source:
                raise UserError(
                    f"{self._file.name} has changed since the replay of {self._stream.name} began, which has totals of "
                    "both: `smack replay discard`, then begin it again"
                )
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
        """The replay that puts back what the last one replaced, with the events that came since."""
        self._refuse_unfinished()
        self.journal.sweep()
        known = self.journal.under_way()
        if known is not None:
            if known.kind == "undo":
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
        """Make the totals, as far as the live stream has come, and compare them with the table."""
        with few_collections(), ExitStack() as closing:
            building = closing.enter_context(self._building(record))
            building.told = self._told
            live = self._catch_up(building, record, closing)
            building.follow_watermarks(live)
            found = building.compare(live, moved_us=max((one.timestamp_us for one in live.values()), default=0))
            return Result(record, building.counts, found, building.columns)

    def apply(self, record: Record) -> Result:
        """Put the totals in: the live stream stops at the end of a batch, and goes on from there with these."""
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
        """Finish a change that was committed and cut off; whether there was one. The gate must not be held."""
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
        """Forget the replay that is under way. Raises `UserError` where there is none."""
        self._refuse_unfinished()
        record = self.journal.under_way()
        if record is None:
            raise UserError(f"no replay of {self._stream.name} is under way")
        self.journal.remove(record)
        return record

    # -- parts

    def _catch_up(self, building: Building, record: Record, closing: ExitStack) -> dict[str, Checkpoint]:
        """Read on until little is left that the live stream has read; copies of its checkpoints as of then."""
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

    def _refuse_unfinished(self) -> None:
        if self.journal.unfinished() is not None:
            self.finish()

    def _begin_part(self, record: Record, part: _Part) -> None:
        """Find out where the part begins, in the topic or in the archive, and write it down."""
        folder = self.journal.folder(record)
        live = self._copy_of(folder, part)
        ends = live.offsets
        live.close()
        shutil.rmtree(folder / f"live-{part.name}", ignore_errors=True)
        topic = BoundedTopic(self._own.kafka, self._own.topic, part.partitions, self._own.kafka_options)
        try:
            bounds = topic.bounds()
            start_ms = None if record.from_ms is None else record.from_ms - MARGIN_MS
            starts = {number: low for number, (low, _) in bounds.items()}
            if start_ms is not None:
                starts = topic.offsets_at(start_ms)
        except AwayError as error:
            raise UserError(str(error)) from error
        finally:
            topic.close()
        # what the stream has not read yet of a partition, it reads from the first record that is there
        starts = {number: min(start, ends.get(number, bounds[number][0])) for number, start in starts.items()}
        lost = {number for number, start in starts.items() if number in ends and 0 < bounds[number][0] >= start}
        if lost:
            starts = self._begin_in_archive(folder / part.name, part, ends, start_ms, lost, bounds)
        checkpoint = self._checkpoint(folder / part.name)
        checkpoint.begin_at(starts)
        checkpoint.close()

    def _begin_in_archive(
        self,
        folder: Path,
        part: _Part,
        ends: dict[int, int],
        start_ms: int | None,
        lost: set[int],
        bounds: dict[int, tuple[int, int]],
    ) -> dict[int, int]:
        topic = self._own.topic
        archive = next((one for one in self._app.archives if one.topic == topic), None)
        if archive is None:
            number = min(lost)
            raise DataLossError(
                f"retention took the records of {topic} before offset {bounds[number][0]} of partition {number}, and "
                "the application keeps no archive of it (app.archive): choose a --from that is more than a day later "
                "than the first record that is there"
            )
        own = self._settings.dir / "streams" / self._app.name / archive.name
        if not (own / "state").exists():
            raise DataLossError(f"the archive of {topic} has not run in {self._settings.dir}: there is nothing in it")
        copy = folder.with_name(f"{folder.name}-archive")
        shutil.rmtree(copy, ignore_errors=True)
        copy_checkpoint(own, copy)
        checkpoint = Checkpoint.open(copy, stream=archive.name, topic=topic, unique_horizon=1, sync=False)
        archived = {number: offset for number, offset in checkpoint.offsets.items() if number in ends}
        checkpoint.close()
        shutil.rmtree(copy, ignore_errors=True)
        for number, end in ends.items():
            if number not in bounds:
                raise DataLossError(f"{topic} has no partition {number} any more: was it re-created?")
            known = archived.get(number, 0)
            if known > end:
                raise UserError(
                    f"the archive of {topic} is further than the stream {self._stream.name} (partition {number}, "
                    f"{known} and {end}): let the stream catch up first"
                )
            if known < bounds[number][0]:
                raise DataLossError(
                    f"partition {number} of {topic}: the archive ends at offset {known}, and the topic begins at "
                    f"{bounds[number][0]}: what is between is gone"
                )
        files = archived_files(archive.to, topic, archived, start_ms)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ARCHIVE_FILES).write_bytes(msgspec.json.encode([file.key for file in files]))
        return {number: archived.get(number, low) for number, (low, _) in bounds.items()}

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
        own = self._own
        cql = CqlSession(
            own.cassandra,
            datacenter=own.cassandra_datacenter,
            user=own.cassandra_user,
            password=own.cassandra_password,
            consistency=own.consistency,
            timeout_s=CQL_TIMEOUT_S,
        )
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
        """What follows the commit; it may have been done in part."""
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


class Building:
    """A replay with its runners open."""

    def __init__(
        self,
        stream: Stream,
        own: StreamSettings,
        record: Record,
        target: CassandraTarget,
        cql: CqlSession,
        rows: RowStore,
        runners: dict[str, MicroBatchRunner],
        feeds: dict[str, HistoryFeed],
        scope: Scope,
    ) -> None:
        self._stream = stream
        self._own = own
        self._record = record
        self.target = target
        self.cql = cql
        self._rows = rows
        self.runners = runners
        self._feeds = feeds
        self._scope = scope
        self.counts = Counts()
        self.told: Told = lambda _done, _total: None

    @property
    def columns(self) -> Columns:
        """The columns that the stream writes. Raises `UserError` while it has not made a row."""
        names = self._rows.columns
        if names is None:
            names = list(self.target.value_types)  # nothing was made: every row is gone
        return Columns(self.target.key_types, self.target.value_types, names)

    def check_behind(self, offsets: dict[str, dict[int, int]]) -> None:
        """Raises `UserError` where the replay is further than the live stream, whose checkpoint was replaced then."""
        for name, runner in self.runners.items():
            for number, offset in runner.checkpoint.offsets.items():
                if offset > offsets[name].get(number, offset):
                    raise UserError(
                        f"the stream {self._own.name} is behind its replay (partition {number}: "
                        f"{offsets[name][number]}, {offset}): its checkpoint was replaced meanwhile. `smack replay "
                        "discard`, and begin again"
                    )

    def read_to(self, offsets: dict[str, dict[int, int]], at: At) -> int:
        """Read on to these offsets; how many records came."""
        for name, feed in self._feeds.items():
            feed.bound(offsets.get(name, {}))
        before = self.counts.read
        total = before + sum(feed.lag() for feed in self._feeds.values())
        for name, runner in self.runners.items():
            feed = self._feeds[name]
            while True:
                report = runner.step()
                if report is None:
                    if feed.is_end():
                        break
                    continue
                at("batch")
                self.counts.read += report.rows
                self.counts.duplicates += report.duplicates
                self.counts.skipped += report.dead_letters
                self.counts.late += report.late
                self.told(self.counts.read, max(total, self.counts.read))
        return self.counts.read - before

    def follow_watermarks(self, live: dict[str, Checkpoint]) -> None:
        """Where event time went on with the clock (`idle=`), have it go on here as well."""
        if self._stream.flow is None:
            return
        for name, runner in self.runners.items():
            theirs, ours = _watermarks(live[name]), _watermarks(runner.checkpoint)
            theirs_ms, ours_ms = theirs.watermark_ms, ours.watermark_ms
            if theirs_ms is not None and (ours_ms is None or ours_ms < theirs_ms):
                runner.checkpoint.change_flow({WATERMARKS: msgspec.json.encode(theirs)})
                while runner.step() is not None:
                    pass
                ours_ms = theirs_ms
            bound = self._record.to_ms or self._record.from_ms
            if self._stream.flow.watermark is not None and bound is not None and (ours_ms or 0) < bound:
                raise UserError(
                    f"event time of {self._own.name} has not come to the range that is to be replayed: choose earlier "
                    "bounds"
                )
            if self._record.to_ms is not None and (ours_ms or 0) < self._record.to_ms + MARGIN_MS:
                raise UserError(f"windows of {self._own.name} before --to may still be open: leave --to out")

    def compare(
        self,
        live: dict[str, Checkpoint],
        *,
        moved_us: int | None = None,
        changes: Changes | None = None,
        before: RowStore | None = None,
    ) -> Comparison:
        """Compare with the table; note what differs in `changes`, and the rows that are there in `before`."""
        planned_us = [plan.timestamp_us for one in live.values() if (plan := one.plan()) is not None]

        def is_ours(row: TableRow) -> bool:
            if self._stream.flow is not None:
                return True
            if any(row.written_us >= planned for planned in planned_us):
                return True
            return any(one.totals([row.key])[0] is not None for one in live.values())

        columns = self.columns
        table = f"{self._own.keyspace}.{self._own.table}"
        types = self.target.key_types, self.target.value_types
        totals = Totals(table, *types, self._own.merge, self.target.partition_columns)

        def as_it_was(key: bytes) -> Values | None:
            """What the stream had written when its checkpoint was copied; a flow keeps no rows."""
            if self._stream.flow is not None:
                return None
            saved = next((found for one in live.values() if (found := one.totals([key])[0]) is not None), None)
            if saved is None:
                return None
            known = totals.decoded(saved)
            return columns.bound_values([known.get(name) for name in columns.columns])

        return compare(
            columns.table_rows(self.cql, self._own.keyspace, self._own.table),
            self._rows,
            columns,
            self._scope,
            is_ours=is_ours,
            moved_us=moved_us,
            as_it_was=as_it_was,
            tell=changes.put if changes is not None else lambda _key, _old, _new: None,
            keep=before.put if before is not None else lambda _rows: None,
            keeps_gone=self._record.keeps_gone,
        )


def _watermarks(checkpoint: Checkpoint) -> Watermarks:
    saved = checkpoint.flow_state().get(WATERMARKS)
    return Watermarks() if saved is None else msgspec.json.decode(saved, type=Watermarks)
