"""A patch of a table: a function corrects rows, each once, and the ledger keeps the old rows.

Writes carry a timestamp from before their row was read, so later writes of a stream or a client win.
"""

from __future__ import annotations

import hashlib
import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from smackbox.app.model import App
from smackbox.app.patches import DELETE, Patch, check_patch
from smackbox.base.errors import SettingError, UserError
from smackbox.runtime.avro_topics import avro_topic
from smackbox.runtime.patch_ledger import Change, PatchLedger
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.spark.cql_binding import UNBINDABLE
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.rdd.cassandra_rows import RowMaker
from smackbox.spark.replay.bounded_topic import BoundedTopic
from smackbox.spark.replay.comparing import Columns
from smackbox.spark.replay.shadow import Values
from smackbox.spark.replay.swap import write_rows
from smackbox.spark.streaming.errors import AwayError
from smackbox.spark.streaming.records import RecordDecoder

CHUNK_ROWS = 1_000
TWICE_ROWS = 100
"""So many rows are given to the function twice, to see that it says the same."""

SHOWN = 10
CQL_TIMEOUT_S = 30.0
CONCURRENCY = 32

Proposal = tuple[bytes, Values | None, Values | None]
"""A key, its row, and the row as it should be; None is no row."""

Proposals = tuple[int, list[Proposal]]
"""Some of them, with a moment before their rows were read, in µs since 1970."""

Told = Callable[[int], None]
At = Callable[[str], None]


class Report(NamedTuple):
    """The result of a patch. `former` is the ledger's entry of an earlier run; `examples` are (key, old, new)."""

    read: int
    changed: int
    deleted: int
    added: int
    skipped: int
    is_whole: bool
    examples: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]]
    former: str | None = None


class TablePatch:
    """A patch of `app`. `at` is called with the name of each step done, where tests kill the process.

    Raises `SettingError` for a patch of totals, or if its fields are not columns.
    """

    def __init__(
        self,
        app: App,
        patch: Patch,
        urls: Urls,
        settings: BoxSettings,
        *,
        told: Told = lambda _rows: None,
        at: At = lambda _step: None,
    ) -> None:
        check_patch(patch, app.streams)
        assert urls.cassandra is not None
        self._app = app
        self._patch = patch
        self._urls = urls
        self._told = told
        self._at = at
        self._closing = ExitStack()
        self._cql = CqlSession(
            urls.cassandra,
            user=settings.cassandra_username,
            password=settings.cassandra_password,
            timeout_s=CQL_TIMEOUT_S,
        )
        self._closing.callback(self._cql.close)
        self._ledger = PatchLedger(self._cql, app.keyspace, patch.name)
        self._columns = self._read_columns()

    def close(self) -> None:
        """Disconnect."""
        self._closing.close()

    def run(self, *, dry_run: bool = False, limit: int | None = None) -> Report:
        """Run the patch, or resume it; `dry_run` writes nothing. At most `limit` rows are changed.

        Raises `UserError` where it was run with other code, where the function fails or says another thing when asked
        again, and if another process runs the patch.
        """
        checksum = _checksum(self._patch)
        entry = self._ledger.entry() if self._ledger.is_there() else None
        if entry is not None and entry.state == "done":
            when = entry.finished.strftime("%Y-%m-%dT%H:%M:%SZ") if entry.finished else "earlier"
            other = "" if entry.checksum == checksum else ", with other code: give this one another name"
            return Report(0, 0, 0, 0, 0, True, [], f"run at {when}, {entry.changed:,} rows changed{other}")
        if entry is not None and entry.state == "running" and entry.checksum != checksum:
            raise UserError(
                f"the patch {self._patch.name} was begun with other code and has changed rows: finish it with that, or "
                "take it back (--undo)"
            )
        if dry_run:
            known = {one.key: one for one in self._ledger.changes()} if entry is not None else {}
            return self._work(known, limit, write=False)
        self._ledger.create()
        self._ledger.take()
        try:
            if entry is not None and entry.state == "undone":
                self._ledger.forget_rows()
            self._ledger.begin(checksum, [*self._columns.keys, *self._columns.columns])
            known = {one.key: one for one in self._ledger.changes()}
            self._catch_up(list(known.values()))
            report = self._work(known, limit, write=True)
            if report.is_whole:
                self._ledger.finish("done", len(known))
            self._at("done")
            return report
        finally:
            self._ledger.release()

    def undo(self) -> tuple[int, int]:
        """Restore the old rows; returns how many, and how many were skipped because they have changed since."""
        entry = self._ledger.entry() if self._ledger.is_there() else None
        if entry is None or entry.state == "undone":
            raise UserError(f"the patch {self._patch.name} has changed nothing: there is nothing to undo")
        if entry.columns != [*self._columns.keys, *self._columns.columns]:
            raise UserError(
                f"the patch {self._patch.name} was run on the columns {', '.join(entry.columns)}: declare it so again"
            )
        self._ledger.take()
        try:
            back = left = 0
            changes = self._ledger.changes()
            while part := list(islice(changes, CHUNK_ROWS)):
                self._ledger.renew()
                now_us = time.time_ns() // 1000
                present = self._present([one.key for one in part])
                for one, row in zip(part, present, strict=True):
                    if self._are_same(row, one.old):
                        back += 1  # an earlier undo was interrupted
                    elif self._are_same(row, one.new):
                        self._write([Change(one.key, one.new, one.old, max(now_us, one.written_us + 1))])
                        back += 1
                    else:
                        left += 1
                self._told(back + left)
            self._ledger.finish("undone", back)
            return back, left
        finally:
            self._ledger.release()

    # -- rows

    def _work(self, known: dict[bytes, Change], limit: int | None, *, write: bool) -> Report:
        examples: list[Any] = []
        counts = Counter[str]()
        is_whole = True
        for now_us, page in self._proposals(counts):
            fresh = []
            for key, old, new in page:
                former = known.get(key)
                if former is not None and self._patch.source is None:
                    continue  # it was patched before an interruption
                if self._are_same(old, new):
                    continue
                if limit is not None and counts["changed"] + counts["deleted"] + counts["added"] >= limit:
                    is_whole = False
                    break
                counts["deleted" if new is None else "added" if old is None else "changed"] += 1
                fresh.append(Change(key, old if former is None else former.old, new, now_us))
                if len(examples) < SHOWN:
                    examples.append(self._example(key, old, new))
            known |= {one.key: one for one in fresh}
            if write and fresh:
                self._ledger.renew()
                self._ledger.add(fresh)
                self._at("kept")
                self._write(fresh)
                self._at("written")
            self._told(counts["read"])
            if not is_whole:
                break
        return Report(
            counts["read"],
            counts["changed"],
            counts["deleted"],
            counts["added"],
            counts["skipped"],
            is_whole,
            examples,
        )

    def _proposals(self, counts: Counter[str]) -> Iterator[Proposals]:
        """Pages of (key, row, corrected row), each with a time from before it was read."""
        return self._from_rows(counts) if self._patch.source is None else self._from_events(counts)

    def _from_rows(self, counts: Counter[str]) -> Iterator[Proposals]:
        from cassandra import InvalidRequest
        from cassandra.protocol import SyntaxException
        from cassandra.query import SimpleStatement

        patch, columns = self._patch, self._columns
        names = [*columns.keys, *columns.columns]
        where = ""
        if patch.where is not None:
            where = f" WHERE {patch.where}"
            if "allow filtering" not in patch.where.lower():
                where += " ALLOW FILTERING"
        query = (
            f"SELECT {', '.join(_quoted(names))} FROM "  # noqa: S608 - names from the schema, a condition of the user
            f'"{self._app.keyspace}"."{patch.table.name}"{where}'
        )
        types = self._cql.column_types(self._app.keyspace, patch.table.name)
        maker = RowMaker(patch.rows, names, [types[name] for name in names])
        now_us = time.time_ns() // 1000
        try:
            for page in self._cql.pages(SimpleStatement(query, fetch_size=CHUNK_ROWS)):
                found: list[Proposal] = []
                for row, values in zip(maker.rows(page), page, strict=True):
                    key, old = columns.bound(values)
                    counts["read"] += 1
                    result = self._call(row, counts["read"])
                    found.append((key, old, old if result is None else self._row_of(result, key)))
                yield now_us, found
                now_us = time.time_ns() // 1000
        except (InvalidRequest, SyntaxException) as error:
            raise UserError(f"patch {patch.name}: where={patch.where!r} is refused: {error}") from error

    def _from_events(self, counts: Counter[str]) -> Iterator[Proposals]:
        patch = self._patch
        assert self._urls.kafka is not None
        codec = avro_topic(patch.source, self._urls.schema_registry)
        decoder = RecordDecoder(patch.source.event, read=codec.decode if codec is not None else None)
        topic = BoundedTopic(self._urls.kafka, patch.source.name, None, {})
        try:
            bounds = topic.bounds()
            topic.seek({number: low for number, (low, _) in bounds.items()})
            topic.bound({number: high for number, (_, high) in bounds.items()})
            while True:
                messages, ranges = topic.take(CHUNK_ROWS, lambda: False)
                if not ranges:
                    return
                now_us = time.time_ns() // 1000
                decoded = decoder.decode(messages)
                counts["skipped"] += len(decoded.bad)
                made: dict[bytes, Values | None] = {}
                for event in decoded.events:
                    counts["read"] += 1
                    result = self._call(event, counts["read"])
                    rows = [] if result is None else list(result) if isinstance(result, list | tuple) else [result]
                    for row in rows:
                        if row is DELETE:
                            raise UserError(f"patch {patch.name}: of an event rows are made, and none deleted")
                        key = self._columns.bound([getattr(row, name, None) for name in self._names], is_driver=False)[
                            0
                        ]
                        made[key] = self._row_of(row, key)
                present = self._present(list(made))
                yield now_us, [(key, old, made[key]) for key, old in zip(made, present, strict=True)]
        except AwayError as error:
            raise UserError(str(error)) from error
        except OSError as error:  # of the schema registry
            raise UserError(f"patch {patch.name}: topic {patch.source.name} cannot be decoded: {error}") from error
        finally:
            topic.close()

    def _call(self, row: Any, number: int) -> Any:
        function = self._patch.function
        self._ledger.stay()
        try:
            result = function(row)
            again = function(row) if number <= TWICE_ROWS else result
        except Exception as error:
            raise UserError(
                f"patch {self._patch.name}: its function fails on {row!r}: {type(error).__name__}: {error}. What "
                "was patched before it is taken back by --undo; then mend the function"
            ) from error
        if again != result:
            raise UserError(
                f"patch {self._patch.name}: its function makes another row of the same one when it is asked again "
                f"({result!r}, then {again!r}), so what it does cannot be done twice: take the time, and what is by "
                "chance, out of it"
            )
        return result

    def _row_of(self, result: Any, key: bytes) -> Values | None:
        if result is DELETE:
            return None
        if not isinstance(result, self._patch.rows):
            raise UserError(
                f"patch {self._patch.name}: its function returns {type(result).__name__}: return "
                f"{self._patch.rows.__name__}, None or DELETE"
            )
        try:
            made, values = self._columns.bound([getattr(result, name) for name in self._names], is_driver=False)
        except UNBINDABLE as error:
            raise UserError(f"patch {self._patch.name}: {result!r} does not fit the table: {error}") from error
        if made != key:
            raise UserError(
                f"patch {self._patch.name}: {result!r} has another primary key than its row: a patch changes the other "
                "columns. Rows under other keys are made from events (source=)"
            )
        return values

    @property
    def _names(self) -> list[str]:
        return [*self._columns.keys, *self._columns.columns]

    def _present(self, keys: Sequence[bytes]) -> list[Values | None]:
        """Rows as they are."""
        from cassandra.concurrent import execute_concurrent_with_args

        if not keys:
            return []
        columns = self._columns
        query = (
            f"SELECT {', '.join(_quoted(self._names))} FROM "  # noqa: S608 - names from the schema
            f'"{self._app.keyspace}"."{self._patch.table.name}" WHERE '
            + " AND ".join(f"{name} = ?" for name in _quoted(columns.keys))
        )
        select = self._cql.session.prepare(query)
        asked = [tuple(columns.key_values(key).values()) for key in keys]
        found = []
        for _, result in execute_concurrent_with_args(self._cql.session, select, asked, CONCURRENCY):
            row = result.one()
            found.append(None if row is None else columns.bound(tuple(row))[1])
        return found

    def _catch_up(self, known: Sequence[Change]) -> None:
        """Write the ledger's rows that a killed process had not written yet: those that still have their old values.

        Others are not touched: a list that is written twice with one timestamp has its items twice.
        """
        for start in range(0, len(known), CHUNK_ROWS):
            part = known[start : start + CHUNK_ROWS]
            self._ledger.renew()
            now_us = time.time_ns() // 1000
            present = self._present([one.key for one in part])
            self._write(
                [
                    one._replace(written_us=now_us)
                    for one, row in zip(part, present, strict=True)
                    if self._are_same(row, one.old) and not self._are_same(row, one.new)
                ]
            )

    def _write(self, changes: list[Change]) -> None:
        """Write rows, each with its timestamp."""
        for timestamp_us in sorted({one.written_us for one in changes}):
            rows = iter([(one.key, one.old, one.new) for one in changes if one.written_us == timestamp_us])
            table = self._patch.table.name
            write_rows(self._cql, self._app.keyspace, table, self._columns, rows, timestamp_us, owns_rows=True)

    def _are_same(self, left: Values | None, right: Values | None) -> bool:
        return left is right or (left is not None and right is not None and self._columns.are_same(left, right))

    def _example(self, key: bytes, old: Values | None, new: Values | None) -> Any:
        columns = self._columns

        def named(row: Values | None) -> dict[str, Any] | None:
            return None if row is None else dict(zip(columns.columns, columns.values(row), strict=True))

        before, after = named(old) or {}, named(new)
        if after is None:
            return columns.key_values(key), before, None
        changed = [name for name in after if before.get(name) != after[name]]
        return columns.key_values(key), {name: before.get(name) for name in changed}, {n: after[n] for n in changed}

    def _read_columns(self) -> Columns:
        patch, keyspace = self._patch, self._app.keyspace
        try:
            metadata = self._cql.table(keyspace, patch.table.name)
        except SettingError as error:
            raise UserError(f"patch {patch.name}: {error}: `smack run` makes it") from error
        types = self._cql.column_types(keyspace, patch.table.name)
        keys = [column.name for column in metadata.primary_key]
        fields = patch.rows.__struct_fields__
        missing = [name for name in keys if name not in fields]
        unknown = [name for name in fields if name not in types]
        if missing or unknown:
            raise SettingError(
                f"patch {patch.name}: {patch.rows.__name__} "
                + (f"lacks {', '.join(missing)}, of the primary key of {patch.table.name}" if missing else "")
                + (" and " if missing and unknown else "")
                + (f"has {', '.join(unknown)}, which {patch.table.name} has not" if unknown else "")
            )
        values = {name: types[name] for name in fields if name not in keys}
        return Columns({name: types[name] for name in keys}, values, list(values))


def _checksum(patch: Patch) -> str:
    """A checksum of the function's source, its source of rows and its condition."""
    code = patch.function.__code__
    try:
        text = inspect.getsource(patch.function)
    except OSError:
        text = code.co_code.hex() + repr(code.co_consts)
    source = patch.source.name if patch.source is not None else None
    parts = (text, patch.table.name, patch.where, source, patch.rows.__struct_fields__)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _quoted(names: list[str]) -> list[str]:
    return [f'"{name}"' for name in names]
