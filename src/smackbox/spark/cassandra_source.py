"""`spark.read.format("cassandra")` and `df.write.format("cassandra")`.

Options: `keyspace`, `table`; where it is: `contact` (`host:port`, several separated by commas; default: what
`SMACK_CASSANDRA` says, else 127.0.0.1:9042), `user`, `password`, `datacenter`, `consistency`.
Reading: `columns` (`a,b`: only these), `prune` (the same from the front, with names that may not be there), `where`
(CQL restrictions, joined to what Spark's filters give), `splits` (token ranges read in parallel), `fetchSize` (rows of
a page).
Writing: `concurrency` (batches on their way), `ignoreNulls` (a null leaves the value that is there; default false: it
deletes it). `append` upserts; `overwrite` truncates first and has to be confirmed with `confirm.truncate=true`.

Types: see `cql_arrow`. A given schema (`.schema("id string, clicks bigint")`) reads only its columns.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import (
    DataSource,
    DataSourceArrowWriter,
    DataSourceReader,
    InputPartition,
    WriterCommitMessage,
)

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.cql_arrow import RowsToArrow, arrow_type, schema_for_engine
from smackbox.spark.cql_filters import Query, TableKeys, plan, restrictions
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_sessions import shared_session
from smackbox.spark.cql_writer import CqlWriter

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT_CONTACT = "127.0.0.1:9042"
SPLITS = 8
FETCH_SIZE = 5_000
CONCURRENCY = 16
WRITE_ATTEMPTS = 5
RETRY_S = 0.2
TOKEN_MIN, TOKEN_MAX = -(2**63), 2**63 - 1
_KNOWN = (
    "keyspace",
    "table",
    "contact",
    "user",
    "password",
    "datacenter",
    "consistency",
    "columns",
    "prune",
    "where",
    "splits",
    "fetchsize",
    "concurrency",
    "ignorenulls",
    "confirm.truncate",
)

log = logging.getLogger(__name__)


class Options:
    """The options of one read or write. Raises `SettingError` for an unknown one and for a missing table."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._values = {key.lower(): value for key, value in options.items() if key.lower() != "path"}
        for key in self._values:
            if key not in _KNOWN:
                raise SettingError(f"the cassandra source has no option {key!r}{near(key, _KNOWN)}")
        for key in ("keyspace", "table"):
            if key not in self._values:
                raise SettingError(f"the cassandra source needs the option {key}")
        self.keyspace = self._values["keyspace"]
        self.table = self._values["table"]
        self.where = self._values.get("where", "").strip()
        self.splits = self._number("splits", SPLITS)
        self.fetch_size = self._number("fetchsize", FETCH_SIZE)
        self.concurrency = self._number("concurrency", CONCURRENCY)
        self.ignore_nulls = self._values.get("ignorenulls", "false").lower() == "true"
        self.confirm_truncate = self._values.get("confirm.truncate", "false").lower() == "true"
        prune = self._values.get("prune")
        self.prune = {name.lower() for name in prune.split(",")} if prune is not None else None
        self.columns = [name.strip() for name in self._values.get("columns", "").split(",") if name.strip()]

    @contextmanager
    def session(self) -> Iterator[CqlSession]:
        values = self._values
        with shared_session(
            values.get("contact") or os.environ.get("SMACK_CASSANDRA") or DEFAULT_CONTACT,
            datacenter=values.get("datacenter"),
            user=values.get("user"),
            password=values.get("password"),
            consistency=values.get("consistency", "LOCAL_ONE"),
        ) as cql:
            yield cql

    def _number(self, key: str, default: int) -> int:
        text = self._values.get(key, str(default))
        if not text.isdigit() or int(text) < 1:
            raise SettingError(f"the cassandra source's {key} must be a number of at least 1, not {text!r}")
        return int(text)


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
        return schema_for_engine(kinds)

    def reader(self, schema: Any) -> CassandraReader:
        return CassandraReader(Options(self.options), list(schema.names))

    def writer(self, schema: Any, overwrite: bool) -> CassandraWriter:
        options = Options(self.options)
        if overwrite:
            if not options.confirm_truncate:
                raise SettingError(
                    f"overwriting {options.keyspace}.{options.table} truncates it: use append, or confirm with the "
                    "option confirm.truncate=true"
                )
            with options.session() as cql:
                cql.session.execute(f'TRUNCATE "{options.keyspace}"."{options.table}"')
        return CassandraWriter(options, list(schema.names))


class CassandraReader(DataSourceReader):  # type: ignore[misc]
    """Reads `columns` by token ranges, or by partition keys where the filters name them."""

    def __init__(self, options: Options, columns: Sequence[str]) -> None:
        self._options = options
        self._columns = list(columns)
        self._query = Query()

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
            names = _chosen(self._columns, types, f"{options.keyspace}.{options.table}")
            to_arrow = RowsToArrow({name: types[name] for name in names})
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
            selected = ", ".join(f'"{name}"' for name in names)
            source = f'"{options.keyspace}"."{options.table}"'
            statement = cql.session.prepare(
                f"SELECT {selected} FROM {source} WHERE {' AND '.join(where)}{filtering}"  # noqa: S608 - schema names
            )
            statement.fetch_size = options.fetch_size
            for bound in bounds:
                for rows in cql.pages(statement.bind((*bound, *self._query.values))):
                    yield to_arrow.batch(rows)


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
        with options.session() as cql:
            writer = CqlWriter(
                cql,
                options.keyspace,
                options.table,
                self._columns,
                concurrency=options.concurrency,
                unset_nulls=options.ignore_nulls,
            )
            for batch in iterator:
                if batch.num_rows:
                    rows = list(zip(*(batch.column(name).to_pylist() for name in self._columns), strict=True))
                    count += _write_with_patience(writer, rows)
        return Written(count)

    def commit(self, messages: Sequence[Any]) -> None:
        log.debug("%d rows written", sum(message.rows for message in messages if message is not None))


def _write_with_patience(writer: CqlWriter, rows: Sequence[Sequence[Any]]) -> int:
    from cassandra import OperationTimedOut, RequestExecutionException
    from cassandra.cluster import NoHostAvailable

    for attempt in range(1, WRITE_ATTEMPTS + 1):
        try:
            return writer.write(rows)
        except (OperationTimedOut, RequestExecutionException, NoHostAvailable) as error:
            if attempt == WRITE_ATTEMPTS:
                raise
            log.warning("Cassandra did not take a batch (attempt %d): %s", attempt, error)
            time.sleep(RETRY_S * 2**attempt)
    raise AssertionError("the loop returns or raises")


def _chosen(wanted: Sequence[str], types: Mapping[str, Any], table: str) -> list[str]:
    for name in wanted:
        if name not in types:
            raise SettingError(f"the table {table} has no column {name!r}{near(name, types)}")
    return list(wanted) or list(types)
