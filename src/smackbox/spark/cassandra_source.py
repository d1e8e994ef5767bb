"""`spark.read.format("cassandra")` and `df.write.format("cassandra")`.

Options: see `cassandra_options`. Reading: token ranges in parallel, or single partitions where filters name their keys;
`columns` and a given schema (`.schema("id string, clicks bigint")`) read only their columns, `where` adds CQL
restrictions, `ttl.COLUMN=NAME` and `writetime.COLUMN=NAME` add columns.
Writing: `append` upserts (and adds to counters); `overwrite` truncates first and has to be confirmed with
`confirm.truncate=true`. A write that fails is tried again, except additions to counters.

Types: see `cql_arrow`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import (
    DataSource,
    DataSourceArrowWriter,
    DataSourceReader,
    InputPartition,
    WriterCommitMessage,
)

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.cassandra_options import Options
from smackbox.spark.cql_arrow import RowsToArrow, arrow_type, schema_for_engine
from smackbox.spark.cql_filters import Query, TableKeys, plan, restrictions
from smackbox.spark.cql_throttle import Throttle
from smackbox.spark.cql_writer import CqlWriter

TOKEN_MIN, TOKEN_MAX = -(2**63), 2**63 - 1
WRITE_ROWS = 10_000
"""Rows that are written, and tried again, together."""

log = logging.getLogger(__name__)


@dataclass
class TokenRange(InputPartition):  # type: ignore[misc]
    """Tokens after `start` up to `end`."""

    start: int
    end: int


@dataclass
class Partitions(InputPartition):  # type: ignore[misc]
    """Single partitions by their keys."""

    keys: tuple[tuple[Any, ...], ...]


class CassandraDataSource(DataSource):  # type: ignore[misc]
    @classmethod
    def name(cls) -> str:
        return "cassandra"

    def schema(self) -> Any:
        options = Options(self.options)
        with options.session() as cql:
            types = cql.column_types(options.keyspace, options.table)
            key = cql.table(options.keyspace, options.table).partition_key[0].name
        names = _chosen(options.columns, types, f"{options.keyspace}.{options.table}")
        if options.prune is not None:
            # a query that names no column counts rows
            names = [name for name in names if name.lower() in options.prune] or [key]
        kinds = {name: arrow_type(types[name])[0] for name in names}
        for alias, kind in ((options.ttl_of, pa.int32()), (options.writetime_of, pa.int64())):
            _chosen(list(alias.values()), types, f"{options.keyspace}.{options.table}")
            kinds |= {name: kind for name in alias if options.prune is None or name.lower() in options.prune}
        return schema_for_engine(kinds)

    def reader(self, schema: Any) -> CassandraReader:
        options = Options(self.options)
        pushes = _is_sail() if options.pushdown is None else options.pushdown
        return (PushingReader if pushes else CassandraReader)(options, list(schema.names))

    def writer(self, schema: Any, overwrite: bool) -> CassandraWriter:
        options = Options(self.options)
        if overwrite:
            if not options.confirm_truncate:
                raise SettingError(
                    f"overwriting {options.keyspace}.{options.table} truncates it: use append, or confirm with the "
                    "option confirm.truncate=true"
                )
            with options.session(writes=True) as cql:
                cql.session.execute(f'TRUNCATE "{options.keyspace}"."{options.table}"')
        return CassandraWriter(options, list(schema.names))


class ConnectorCassandraDataSource(CassandraDataSource):
    """The same by the name of the JVM's connector, so that programs written for it run unchanged."""

    @classmethod
    def name(cls) -> str:
        return "org.apache.spark.sql.cassandra"


class CassandraReader(DataSourceReader):  # type: ignore[misc]
    """Reads `columns` by token ranges, or by partition keys where the filters name them."""

    def __init__(self, options: Options, columns: Sequence[str]) -> None:
        self._options = options
        self._columns = list(columns)
        self._query = Query()

    def partitions(self) -> Sequence[InputPartition]:
        keys = self._query.partitions
        splits = self._options.splits
        if keys:
            return [Partitions(keys[number::splits]) for number in range(min(splits, len(keys)))]
        width = 2**64 // splits
        starts = [TOKEN_MIN + number * width for number in range(splits)]
        return [TokenRange(start, end) for start, end in zip(starts, [*starts[1:], TOKEN_MAX], strict=True)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        options = self._options
        with options.session() as cql:
            types = cql.column_types(options.keyspace, options.table)
            names, selected = self._selected(types)
            metadata = cql.table(options.keyspace, options.table)
            key = [column.name for column in metadata.partition_key]
            where = [*self._query.where, *([options.where] if options.where else [])]
            if isinstance(partition, Partitions):
                where = [*(f'"{name}" = ?' for name in key), *where]
                bounds: Sequence[tuple[Any, ...]] = partition.keys
            else:
                token = ", ".join(f'"{name}"' for name in key)
                assert isinstance(partition, TokenRange)
                # the least token is no row's token, so `>` misses nothing
                where = [f"token({token}) > ?", f"token({token}) <= ?", *where]
                bounds = [(partition.start, partition.end)]
            filtering = " ALLOW FILTERING" if self._query.filtering or options.where else ""
            source = f'"{options.keyspace}"."{options.table}"'
            statement = cql.session.prepare(
                f"SELECT {selected} FROM {source} WHERE {' AND '.join(where)}{filtering}"  # noqa: S608 - schema names
            )
            statement.fetch_size = options.fetch_size
            statement.is_idempotent = True
            to_arrow = RowsToArrow(dict(zip(names, (kind for _, _, _, kind in statement.result_metadata), strict=True)))
            throttle = Throttle(options.reads_per_s)
            statements = (statement.bind((*bound, *self._query.values)) for bound in bounds)
            for _, rows in cql.pages_of(
                statements,
                concurrency=options.concurrent_reads,
                attempts=options.attempts,
                before=lambda: throttle.take(1),
            ):
                yield to_arrow.batch(rows)

    def _selected(self, types: Mapping[str, Any]) -> tuple[list[str], str]:
        """The names of the columns to give, and what CQL selects for them."""
        options = self._options
        functions = {name: f'ttl("{column}")' for name, column in options.ttl_of.items()}
        functions |= {name: f'writetime("{column}")' for name, column in options.writetime_of.items()}
        plain = [name for name in self._columns if name not in functions]
        names = self._columns or [*types, *functions]
        _chosen(plain, types, f"{options.keyspace}.{options.table}")
        return names, ", ".join(functions.get(name) or f'"{name}"' for name in names)


class PushingReader(CassandraReader):
    """The same with Spark's filters in its queries.

    A Spark of the JVM keeps the reader of a DataFrame with the filters of its last query, and gives it to a query
    without filters too, which then lacks rows (seen in 4.1.1). There filters are pushed only where `pushdown` asks for
    it, and each query should `load` its own DataFrame.
    """

    def pushFilters(self, filters: list[Any]) -> Iterator[Any]:  # noqa: N802 - Spark's name
        options = self._options
        with options.session() as cql:
            metadata = cql.table(options.keyspace, options.table)
            types = {name: kind.typename for name, kind in cql.column_types(options.keyspace, options.table).items()}
        keys = TableKeys(
            types,
            [column.name for column in metadata.partition_key],
            [column.name for column in metadata.clustering_key],
        )
        self._query = plan(restrictions(filters, types), keys)
        yield from filters


@dataclass
class Written(WriterCommitMessage):  # type: ignore[misc]
    rows: int


class CassandraWriter(DataSourceArrowWriter):  # type: ignore[misc]
    """Upserts every row. A task that is repeated writes the same rows again."""

    def __init__(self, options: Options, columns: Sequence[str]) -> None:
        self._options = options
        self._columns = list(columns)

    def write(self, iterator: Iterator[pa.RecordBatch]) -> Written:
        options = self._options
        count = 0
        using = {"TTL": options.ttl, "TIMESTAMP": options.writetime}
        asked = {name: value for name, value in using.items() if value is not None}
        of_columns = [value for value in asked.values() if isinstance(value, str)]
        for name in of_columns:
            if name not in self._columns:
                raise SettingError(f"there is no column {name!r} for ttl or writetime{near(name, self._columns)}")
        columns = [name for name in self._columns if name not in of_columns]
        with options.session(writes=True) as cql:
            writer = CqlWriter(
                cql,
                options.keyspace,
                options.table,
                columns,
                concurrency=options.concurrency,
                unset_nulls=options.ignore_nulls,
                using=list(asked),
                throttle=Throttle(options.bytes_per_s),
            )
            for batch in iterator:
                for first in range(0, batch.num_rows, WRITE_ROWS):
                    piece = batch.slice(first, WRITE_ROWS)
                    values = [piece.column(name).to_pylist() for name in columns]
                    values += [_of_using(piece, value) for value in asked.values()]
                    count += writer.write_with_patience(list(zip(*values, strict=True)), options.attempts)
        return Written(count)

    def commit(self, messages: Sequence[Any]) -> None:
        log.debug("%d rows written", sum(message.rows for message in messages if message is not None))


def _is_sail() -> bool:
    """Whether the engine is Sail, which makes a reader for each query."""
    return "pysail" in sys.modules


def _of_using(batch: pa.RecordBatch, value: int | str) -> list[Any]:
    """TTL or TIMESTAMP of each row: the same number, or a column's; a timestamp as microseconds."""
    if isinstance(value, int):
        return [value] * batch.num_rows
    column = batch.column(value)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
    return column.to_pylist()  # type: ignore[no-any-return]


def _chosen(wanted: Sequence[str], types: Mapping[str, Any], table: str) -> list[str]:
    for name in wanted:
        if name not in types:
            raise SettingError(f"the table {table} has no column {name!r}{near(name, types)}")
    return list(wanted) or list(types)
