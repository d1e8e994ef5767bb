# ruff: noqa: N802, N803, N815 - the connector's names
"""What any RDD can do with Cassandra: save rows, join with a table by its keys, and go where a key's replica is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, groupby, islice
from typing import Any

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.cql_binding import milliseconds
from smackbox.spark.rdd.cassandra_conf import CassandraConf
from smackbox.spark.rdd.cassandra_rows import RowMaker, columns_of, values_of
from smackbox.spark.rdd.portable_hash import portable_hash

WRITE_ROWS = 5_000
PARTITIONS_PER_HOST = 10

Lifetime = int | timedelta | str | None
Moment = int | datetime | str | None


class CassandraOperations:
    """Mixed into `RDD`."""

    ctx: Any
    _derive: Callable[..., Any]
    _run: Callable[..., list[Any]]

    def span_by(self, f: Callable[[Any], Any]) -> Any:
        """Consecutive rows with one key as `(key, [rows])`, without a shuffle: for rows that come sorted by it."""
        return self._derive(lambda _, rows: ((key, list(group)) for key, group in groupby(rows, f)))

    spanBy = span_by

    def saveToCassandra(
        self,
        keyspace: str,
        table: str,
        columns: Sequence[str] | None = None,
        *,
        ttl: Lifetime = None,
        timestamp: Moment = None,
    ) -> None:
        """Write every row: a tuple in the order of `columns`, or an object or dict with their names.

        `columns` None: the fields of the rows where they have some, else all columns of the table. `ttl` in seconds and
        `timestamp` in microseconds since 1970 are for all rows; a text names the field of a row that holds its own. A
        table of counters is added to, which a task that is tried again does twice.
        Raises `SettingError` for a column that is not there, `JobError` for a row that does not fit.
        """
        conf = CassandraConf.of(self.ctx.settings)
        with conf.session(conf.write_consistency) as cql:
            metadata = cql.table(keyspace, table)
        for column in columns or ():
            if column not in metadata.columns:
                raise SettingError(
                    f"the table {keyspace}.{table} has no column {column!r}{near(column, metadata.columns)}"
                )
        self._run(TableWriter(conf, keyspace, table, columns, _seconds(ttl), _microseconds(timestamp)))

    def joinWithCassandraTable(
        self,
        keyspace: str,
        table: str,
        row_type: type | None = None,
        *,
        on: Sequence[str] | None = None,
        select: Sequence[str] | None = None,
        where: str = "",
        values: Sequence[Any] = (),
    ) -> Any:
        """`(row, table's row)` for each row of the table that a row of this RDD names, read by key and not by a scan.

        `on`: the columns of the primary key to join by, default the partition key. A row is a value of the only such
        column, a tuple that begins with them, or an object or dict with their names.
        """
        return self._join(keyspace, table, row_type, on, select, where, values, outer=False)

    def leftJoinWithCassandraTable(
        self,
        keyspace: str,
        table: str,
        row_type: type | None = None,
        *,
        on: Sequence[str] | None = None,
        select: Sequence[str] | None = None,
        where: str = "",
        values: Sequence[Any] = (),
    ) -> Any:
        """The same, and `(row, None)` for a row that names none."""
        return self._join(keyspace, table, row_type, on, select, where, values, outer=True)

    def _join(
        self,
        keyspace: str,
        table: str,
        row_type: type | None,
        on: Sequence[str] | None,
        select: Sequence[str] | None,
        where: str,
        values: Sequence[Any],
        *,
        outer: bool,
    ) -> Any:
        conf = CassandraConf.of(self.ctx.settings)
        with conf.session(conf.read_consistency) as cql:
            metadata = cql.table(keyspace, table)
        key = [column.name for column in metadata.partition_key]
        primary = [column.name for column in metadata.primary_key]
        names = list(on or key)
        for name in names:
            if name not in primary:
                raise SettingError(f"{name!r} is no part of the primary key of {keyspace}.{table}{near(name, primary)}")
        if not set(key) <= set(names):
            raise SettingError(f"a join with {keyspace}.{table} needs its whole partition key: {', '.join(key)}")
        columns = list(select or columns_of(row_type, list(metadata.columns), f"{keyspace}.{table}"))
        join = KeyJoin(conf, keyspace, table, row_type, names, columns, where, tuple(values), outer)
        return self._derive(join, True)

    def repartitionByCassandraReplica(
        self, keyspace: str, table: str, partitionsPerHost: int = PARTITIONS_PER_HOST
    ) -> Any:
        """Rows that name a partition of the table (as in a join) together by the host that holds its first replica."""
        conf = CassandraConf.of(self.ctx.settings)
        with conf.session(conf.read_consistency) as cql:
            key = [column.name for column in cql.table(keyspace, table).partition_key]
            hosts = sorted(str(host.address) for host in cql.cluster.metadata.all_hosts())
        place = ReplicaPlaces(conf, keyspace, table, key, hosts, partitionsPerHost)
        dealt = self._derive(place)._shuffle(len(hosts) * partitionsPerHost, int)
        return dealt._derive(lambda _, rows: (row for _, row in rows))


class TableWriter:
    """The function of a task that writes its rows."""

    def __init__(
        self,
        conf: CassandraConf,
        keyspace: str,
        table: str,
        columns: Sequence[str] | None,
        ttl: int | str | None,
        timestamp: int | str | None,
    ) -> None:
        self._conf = conf
        self._keyspace, self._table = keyspace, table
        self._columns = None if columns is None else list(columns)
        self._using = [(name, value) for name, value in (("TTL", ttl), ("TIMESTAMP", timestamp)) if value is not None]

    def __call__(self, index: int, rows: Iterator[Any]) -> int:
        """The number of rows written."""
        from smackbox.spark.cql_writer import CqlWriter

        first = next(rows, None)
        if first is None:
            return 0
        with self._conf.session(self._conf.write_consistency) as cql:
            known = list(cql.table(self._keyspace, self._table).columns)
            columns = self._columns or _columns_in(first, known)
            writer = CqlWriter(
                cql,
                self._keyspace,
                self._table,
                columns,
                concurrency=self._conf.concurrent_writes,
                unset_nulls=self._conf.ignore_nulls,
                using=[name for name, _ in self._using],
            )
            count = 0
            rows = chain([first], rows)
            while chunk := list(islice(rows, WRITE_ROWS)):
                count += writer.write_with_patience([self._values(row, columns) for row in chunk])
        return count

    def _values(self, row: Any, columns: Sequence[str]) -> list[Any]:
        own = [values_of(row, [value])[0] if isinstance(value, str) else value for _, value in self._using]
        return [*values_of(row, columns), *own]


class KeyJoin:
    """The function of a task that joins its rows: reads on their way are bounded, answers come in the rows' order."""

    def __init__(
        self,
        conf: CassandraConf,
        keyspace: str,
        table: str,
        row_type: type | None,
        key: list[str],
        columns: list[str],
        where: str,
        values: tuple[Any, ...],
        outer: bool,
    ) -> None:
        self._conf = conf
        self._row_type = row_type
        self._key = key
        self._columns = columns
        self._values = values
        self._outer = outer
        named = ", ".join(f'"{column}"' for column in columns)
        clauses = [*(f'"{name}" = ?' for name in key), *([where] if where else [])]
        filtering = " ALLOW FILTERING" if where else ""
        self._select = f'SELECT {named} FROM "{keyspace}"."{table}" WHERE {" AND ".join(clauses)}{filtering}'  # noqa: S608

    def __call__(self, index: int, rows: Iterator[Any]) -> Iterator[Any]:
        from smackbox.spark.cql_session import ROWS_AS_TUPLES

        with self._conf.session(self._conf.read_consistency) as cql:
            statement = cql.session.prepare(self._select)
            statement.fetch_size = self._conf.fetch_rows
            statement.is_idempotent = True
            maker = RowMaker(self._row_type, self._columns, [kind for _, _, _, kind in statement.result_metadata])
            waiting: deque[tuple[Any, Any]] = deque()
            for row in rows:
                bound = statement.bind((*values_of(row, self._key), *self._values))
                waiting.append((row, cql.session.execute_async(bound, execution_profile=ROWS_AS_TUPLES)))
                if len(waiting) >= self._conf.concurrent_reads:
                    yield from self._pairs(*waiting.popleft(), maker)
            while waiting:
                yield from self._pairs(*waiting.popleft(), maker)

    def _pairs(self, row: Any, future: Any, maker: RowMaker) -> Iterator[Any]:
        found = False
        for other in maker.rows(future.result()):
            found = True
            yield row, other
        if self._outer and not found:
            yield row, None


class ReplicaPlaces:
    """The function of a task that puts before each row the number of the partition it goes to."""

    def __init__(
        self, conf: CassandraConf, keyspace: str, table: str, key: list[str], hosts: list[str], per_host: int
    ) -> None:
        self._conf = conf
        self._keyspace, self._table = keyspace, table
        self._key = key
        self._hosts = {host: number for number, host in enumerate(hosts)}
        self._per_host = per_host

    def __call__(self, index: int, rows: Iterator[Any]) -> Iterator[Any]:
        with self._conf.session(self._conf.read_consistency) as cql:
            where = " AND ".join(f'"{name}" = ?' for name in self._key)
            statement = cql.session.prepare(f'SELECT * FROM "{self._keyspace}"."{self._table}" WHERE {where}')  # noqa: S608
            metadata = cql.cluster.metadata
            for row in rows:
                routing = statement.bind(values_of(row, self._key)).routing_key
                replicas = metadata.get_replicas(self._keyspace, routing) or metadata.all_hosts()
                host = self._hosts.get(str(replicas[0].address), 0)
                yield host * self._per_host + portable_hash(routing) % self._per_host, row


def _columns_in(row: Any, known: Sequence[str]) -> list[str]:
    """The columns that a row without a list of them has: its fields, else all of the table."""
    if isinstance(row, dict):
        return list(row)
    names: Iterable[str] | None = getattr(row, "__fields__", None) or getattr(row, "_fields", None)
    if names is None:
        if isinstance(row, (tuple, list)):
            return list(known)
        return columns_of(type(row), known, "its table")
    return list(names)


def _seconds(ttl: Lifetime) -> int | str | None:
    if isinstance(ttl, timedelta):
        return int(ttl.total_seconds())
    return ttl


def _microseconds(moment: Moment) -> int | str | None:
    if isinstance(moment, datetime):
        return milliseconds(moment) * 1_000 + moment.microsecond % 1_000
    return moment
