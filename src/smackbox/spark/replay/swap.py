"""Putting a replay in: its totals for those of the stream, its rows for those of the table, as one change.

What changes is written down first: the rows that differ, as they were and as they will be. Then the replay's record
says `applying`, which is the commit. What follows can be done again any number of times: a checkpoint knows which
replay's totals it has, and the table's writes carry one timestamp, later than all of the stream's before, and than
those of an attempt that was cut off, and earlier than all of those after.

    changes  primary key -> MessagePack [old values or nil, new values or nil]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from smackbox.spark.cql_session import CqlSession
from smackbox.spark.replay.comparing import Columns
from smackbox.spark.replay.scope import Scope, parts_of
from smackbox.spark.replay.shadow import Values
from smackbox.spark.streaming.checkpoint import Change, Checkpoint
from smackbox.store.rocks import RocksStore, open_store

FAMILY = "changes"
WRITE_ROWS = 5_000
CONCURRENCY = 32
_decode = msgspec.msgpack.Decoder(tuple[list[bytes | None] | None, list[bytes | None] | None]).decode


class Changes:
    """The rows that a replay changes, in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._store: RocksStore = open_store(directory, families=(FAMILY,))
        self._pending: list[tuple[bytes, bytes]] = []

    def put(self, key: bytes, old: Values | None, new: Values | None) -> None:
        """Note a row that changes: None is no row."""
        self._pending.append((key, msgspec.msgpack.encode((old, new))))
        if len(self._pending) >= WRITE_ROWS:
            self._flush()

    def sync(self) -> None:
        """All that was noted is on the disk."""
        self._flush()
        self._store.sync()

    def items(self) -> Iterator[tuple[bytes, Values | None, Values | None]]:
        """The rows by key: as they were, and as they will be."""
        for key, data in self._store.items(family=FAMILY):
            old, new = _decode(data)
            yield key, old, new

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _flush(self) -> None:
        batch = self._store.batch()
        family = self._store.family(FAMILY)
        for key, value in self._pending:
            batch.put(key, value, family)
        self._store.write(batch)
        self._pending.clear()


def changed_totals(
    live: Checkpoint, made: Checkpoint, scope: Scope, is_kept: Callable[[bytes], bool] = lambda _key: False
) -> Iterator[Change]:
    """What makes the totals of `live` in `scope` those that were `made`; those `is_kept` says stay."""
    ours, theirs = made.items("totals"), live.items("totals")
    new, old = next(ours, None), next(theirs, None)
    while new is not None or old is not None:
        if old is None or (new is not None and new[0] < old[0]):
            assert new is not None
            key, value, new = new[0], new[1], next(ours, None)
        elif new is None or old[0] < new[0]:
            key, value, old = old[0], None, next(theirs, None)
            if is_kept(key):
                continue
        else:
            key, value = new
            is_same = value == old[1]
            new, old = next(ours, None), next(theirs, None)
            if is_same:
                continue
        if scope.has(parts_of(key)):
            yield key, value


def write_rows(
    cql: CqlSession,
    keyspace: str,
    table: str,
    columns: Columns,
    changes: Iterator[tuple[bytes, Values | None, Values | None]],
    timestamp_us: int,
    *,
    owns_rows: bool,
    tell: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write the new rows, and delete those that are gone; how many. Raises what the driver raises."""
    from cassandra.concurrent import execute_concurrent_with_args

    cql.timestamp_us = timestamp_us
    name = f'"{keyspace}"."{table}"'
    names = [*columns.keys, *columns.columns]
    insert = cql.session.prepare(
        f"INSERT INTO {name} ({', '.join(_quoted(names))}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    )
    where = " AND ".join(f"{column} = ?" for column in _quoted(columns.keys))
    gone = "" if owns_rows else f"{', '.join(_quoted(columns.columns))} "
    delete = cql.session.prepare(f"DELETE {gone}FROM {name} WHERE {where}")
    done = 0
    while part := list(islice(changes, WRITE_ROWS)):
        for statement, rows in (
            (insert, [[*_key(columns, key), *columns.values(new)] for key, _, new in part if new is not None]),
            (delete, [_key(columns, key) for key, _, new in part if new is None]),
        ):
            if rows:
                execute_concurrent_with_args(cql.session, statement, rows, CONCURRENCY)
        done += len(part)
        tell(done)
    return done


def _key(columns: Columns, key: bytes) -> list[Any]:
    return list(columns.key_values(key).values())


def _quoted(names: list[str]) -> list[str]:
    return [f'"{name}"' for name in names]
