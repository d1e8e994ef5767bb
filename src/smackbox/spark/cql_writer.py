"""Rows into a table: prepared once, bound quickly, sent in unlogged batches that are bounded in bytes and in number.

A batch holds rows whose partitions have the same replicas, so that one node can take it whole, and stays below
Cassandra's `batch_size_warn_threshold` of 5 KiB. At most `concurrency` batches are on their way. A write is an upsert
with the timestamp that the session carries, so writing the same rows again changes nothing.
"""

from __future__ import annotations

import logging
import reprlib
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from smackbox.base.errors import SettingError, UserError
from smackbox.base.settings import near
from smackbox.spark.cql_binding import UNBINDABLE, Binder, binder, check_keys
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_throttle import Throttle

BATCH_BYTES = 4_500
ROW_OVERHEAD = 24
"""Bytes that a row takes in a batch beside its values: statement id, counts and lengths."""
BATCH_ROWS = 100
WRITE_ATTEMPTS = 5
RETRY_S = 0.2

log = logging.getLogger(__name__)


class UnfitRowError(UserError):
    """A row holds a value that its column cannot hold."""


class CqlWriter:
    """Writes rows of `columns` (in this order) into `keyspace.table`.

    `unset_nulls`: None leaves a column as it is (and makes no tombstone), else it deletes the value. `using`: TTL or
    TIMESTAMP, whose values follow those of the columns in each row, or null. A table of counters is
    added to. `throttle` counts the bytes of batches.
    Raises `SettingError` where the table lacks a column or the columns lack a part of the primary key.
    """

    def __init__(
        self,
        cql: CqlSession,
        keyspace: str,
        table: str,
        columns: Sequence[str],
        *,
        concurrency: int,
        unset_nulls: bool,
        using: Sequence[str] = (),
        throttle: Throttle | None = None,
    ) -> None:
        from cassandra.query import UNSET_VALUE

        metadata = cql.table(keyspace, table)
        check_columns(metadata, columns)
        self._counts = any(column.cql_type == "counter" for column in metadata.columns.values())
        if self._counts and using:
            raise SettingError(f"{keyspace}.{table} holds counters, which have neither TTL nor TIMESTAMP")
        self._cql = cql
        self._keyspace = keyspace
        self._statement = cql.session.prepare(
            _addition(metadata, columns) if self._counts else _insert(metadata, columns, using)
        )
        self._binders: list[Binder] = [binder(column.type) for column in self._statement.column_metadata]
        self._null = UNSET_VALUE if unset_nulls else None
        self._unset = UNSET_VALUE
        self._using = range(len(columns), len(columns) + len(using))
        self._columns = tuple(columns)
        marked = _added_first(metadata, columns) if self._counts else list(columns)
        positions = {column: index for index, column in enumerate(marked)}
        self._order = [columns.index(column) for column in marked] if self._counts else None
        self._partition_key = [positions[column.name] for column in metadata.partition_key]
        self._clustering = [positions[column.name] for column in metadata.clustering_key]
        self._concurrency = concurrency
        self._throttle = throttle or Throttle(None)

    def write(
        self,
        rows: Iterable[Sequence[Any]],
        timestamp_us: int | None = None,
        unfit: dict[int, str] | None = None,
    ) -> int:
        """Write every row and wait for every answer. Returns the number of rows written.

        A row that its columns cannot hold is left out and put into `unfit` (its index and the reason) where that is
        given. Raises `UnfitRowError` for one where it is not, else the first failure, once nothing is on its way any
        more; some rows may then be written.
        """
        self._cql.timestamp_us = timestamp_us
        flight = _Flight(self._cql.session, self._concurrency)
        group_of = self._grouping()
        open_batches: dict[Any, _Batch] = {}
        query_id = self._statement.query_id
        count = 0
        for index, row in enumerate(rows):
            try:
                values = self._bind(row)
            except UnfitRowError as error:
                if unfit is None:
                    flight.wait()
                    raise
                unfit[index] = str(error)
                continue
            size = ROW_OVERHEAD + sum([len(value) if type(value) is bytes else 4 for value in values])
            group = None if group_of is None else group_of(values)
            batch = open_batches.get(group)
            if batch is None:
                batch = open_batches[group] = _Batch()
            elif batch.size + size > BATCH_BYTES or len(batch.rows) >= BATCH_ROWS:
                self._send(flight, batch)
                batch = open_batches[group] = _Batch()
            batch.rows.append((True, query_id, values))
            batch.size += size
            count += 1
        for batch in open_batches.values():
            self._send(flight, batch)
        flight.wait()
        return count

    def write_with_patience(self, rows: Sequence[Sequence[Any]], attempts: int = WRITE_ATTEMPTS) -> int:
        """The same for rows that may be written again: what Cassandra does not take is tried again, with pauses.

        Additions to counters are tried once. Raises the last failure.
        """
        from cassandra import OperationTimedOut, RequestExecutionException
        from cassandra.cluster import NoHostAvailable

        attempts = 1 if self._counts else attempts
        for attempt in range(1, attempts):
            try:
                return self.write(rows)
            except (OperationTimedOut, RequestExecutionException, NoHostAvailable) as error:
                log.warning("Cassandra did not take a batch (attempt %d): %s", attempt, error)
                time.sleep(RETRY_S * 2**attempt)
        return self.write(rows)

    def _send(self, flight: _Flight, batch: _Batch) -> None:
        self._throttle.take(batch.size)
        flight.send(self._message(batch))

    def _bind(self, row: Sequence[Any]) -> list[Any]:
        """The row's values as CQL's bytes. Raises `UnfitRowError`."""
        null = self._null
        if self._order is not None:
            row = [row[place] for place in self._order]
        try:
            values = [null if value is None else bind(value) for bind, value in zip(self._binders, row, strict=True)]
            for index in self._using:
                if row[index] is None:  # this row's own TTL or time is not said: the table's and that of sending
                    values[index] = self._unset
            partition_key: list[Any] = [values[index] for index in self._partition_key]
            clustering: list[Any] = [values[index] for index in self._clustering]
            if null in partition_key or null in clustering:
                raise ValueError("a column of the primary key is null")
            check_keys(partition_key, clustering)
        except UNBINDABLE as error:
            raise UnfitRowError(f"{self._misfit(row) or error}") from error
        return values

    def _misfit(self, row: Sequence[Any]) -> str | None:
        """Which column does not hold its value, and why; None when each does alone."""
        for column, bind, value in zip(self._columns, self._binders, row, strict=False):
            try:
                if value is not None:
                    bind(value)
            except UNBINDABLE as error:
                return f"column {column} cannot hold {reprlib.repr(value)}: {error}"
        return None

    def _message(self, batch: _Batch) -> Any:
        from cassandra.query import BatchStatement, BatchType

        message = BatchStatement(BatchType.COUNTER if self._counts else BatchType.UNLOGGED)
        # what `add` does with a bound statement, without building one for each row
        message._statements_and_parameters = batch.rows
        message.is_idempotent = not self._counts
        message.keyspace = self._keyspace
        message.routing_key = self._routing_key(batch.rows[0][2])
        return message

    def _routing_key(self, values: Sequence[Any]) -> bytes:
        key = [values[index] for index in self._partition_key]
        if len(key) == 1:
            return bytes(key[0])
        return b"".join(b"%s%s\0" % (len(part).to_bytes(2, "big"), part) for part in key)

    def _grouping(self) -> Any:
        """A function from a row's values to what rows of one batch must have in common; None when all have it."""
        metadata = self._cql.cluster.metadata
        token_map = metadata.token_map
        if token_map is None or len(metadata.all_hosts()) < 2:
            return None
        ring = token_map.ring
        replicas: dict[int, frozenset[Any]] = {}

        def group_of(values: Sequence[Any]) -> frozenset[Any]:
            token = token_map.token_class.from_key(self._routing_key(values))
            position = bisect_left(ring, token) % len(ring)
            found = replicas.get(position)
            if found is None:
                hosts = token_map.get_replicas(self._keyspace, ring[position])
                found = replicas[position] = frozenset(host.host_id for host in hosts)
            return found

        return group_of


def _insert(metadata: Any, columns: Sequence[str], using: Sequence[str]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    with_ = f" USING {' AND '.join(f'{name} ?' for name in using)}" if using else ""
    table = f'"{metadata.keyspace_name}"."{metadata.name}"'
    return f"INSERT INTO {table} ({names}) VALUES ({marks}){with_}"  # noqa: S608 - names from the schema


def _added_first(metadata: Any, columns: Sequence[str]) -> list[str]:
    """The counters, then the primary key: the order of the marks of an addition."""
    key = [column.name for column in metadata.primary_key]
    return [*(column for column in columns if column not in key), *key]


def _addition(metadata: Any, columns: Sequence[str]) -> str:
    key = [column.name for column in metadata.primary_key]
    sums = ", ".join(f'"{column}" = "{column}" + ?' for column in _added_first(metadata, columns)[: -len(key)])
    where = " AND ".join(f'"{column}" = ?' for column in key)
    return f'UPDATE "{metadata.keyspace_name}"."{metadata.name}" SET {sums} WHERE {where}'  # noqa: S608 - names of the schema


class _Batch:
    __slots__ = ("rows", "size")

    def __init__(self) -> None:
        self.rows: list[tuple[bool, bytes, list[Any]]] = []
        self.size = 0


class _Flight:
    """Requests on their way, at most `limit`. Keeps the first failure."""

    def __init__(self, session: Any, limit: int) -> None:
        self._session = session
        self._slots = threading.Semaphore(limit)
        self._limit = limit
        self._failure: BaseException | None = None

    def send(self, message: Any) -> None:
        self._slots.acquire()
        if self._failure is not None:
            self._slots.release()
            return
        try:
            future = self._session.execute_async(message)
        except BaseException:
            self._slots.release()
            raise
        future.add_callbacks(self._done, self._failed)

    def wait(self) -> None:
        for _ in range(self._limit):
            self._slots.acquire()
        if self._failure is not None:
            raise self._failure

    def _done(self, _result: object) -> None:
        self._slots.release()

    def _failed(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._slots.release()


def check_columns(metadata: Any, columns: Sequence[str]) -> None:
    """Raises `SettingError` unless the table has `columns` and they hold its primary key."""
    table = f"{metadata.keyspace_name}.{metadata.name}"
    for column in columns:
        if column not in metadata.columns:
            raise SettingError(f"the table {table} has no column {column!r}{near(column, metadata.columns)}")
    for column in metadata.primary_key:
        if column.name not in columns:
            raise SettingError(
                f"{column.name!r} is a part of the primary key of {table} and must be among the columns: "
                f"{', '.join(columns)}"
            )
