"""A running replay: opens its runners, reads, and compares its rows with the table."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from smackbox.app.model import Stream
from smackbox.base.errors import UserError
from smackbox.flow.program import WATERMARKS
from smackbox.flow.watermarks import Watermarks
from smackbox.runtime.replay_checks import MARGIN_MS
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.replay.comparing import Columns, Comparison, TableRow, compare
from smackbox.spark.replay.history import HistoryFeed
from smackbox.spark.replay.journal import Record
from smackbox.spark.replay.scope import Scope
from smackbox.spark.replay.shadow import RowStore, Values
from smackbox.spark.replay.swap import Changes
from smackbox.spark.streaming.checkpoint import Checkpoint
from smackbox.spark.streaming.runner import MicroBatchRunner
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.table import CassandraTarget
from smackbox.spark.streaming.totals import Totals

At = Callable[[str], None]
Told = Callable[[int, int], None]
"""Called with how many records are read, and how many there are to read."""


class Counts(msgspec.Struct):
    """Records `read`, `duplicates` among them, and those that were `skipped` because they are not events."""

    read: int = 0
    duplicates: int = 0
    skipped: int = 0
    late: int = 0


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
        """The columns that the stream writes; all columns if it has not produced a row."""
        names = self._rows.columns or list(self.target.value_types)
        return Columns(self.target.key_types, self.target.value_types, names)

    def check_behind(self, offsets: dict[str, dict[int, int]]) -> None:
        """Raises `UserError` if the replay is ahead of the live stream: then the stream's checkpoint was replaced."""
        for name, runner in self.runners.items():
            for number, offset in runner.checkpoint.offsets.items():
                if offset > offsets[name].get(number, offset):
                    raise UserError(
                        f"the stream {self._own.name} is behind its replay (partition {number}: "
                        f"{offsets[name][number]}, {offset}): its checkpoint was replaced meanwhile. `smack replay "
                        "discard`, and begin again"
                    )

    def read_to(self, offsets: dict[str, dict[int, int]], at: At) -> int:
        """Read on to these offsets; returns the number of records."""
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
        """If event time advanced with the clock (`idle=`), advance it here as well."""
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
            """The rows that the stream had written when its checkpoint was copied; a flow keeps none."""
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
