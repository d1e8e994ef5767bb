"""A join by key: for each row of a DataFrame the rows of a Cassandra table with its key, without a scan of the table.

    direct_join(orders, on="customer", keyspace="shop", table="customer", contact="127.0.0.1:9042")

Spark's own join of `format("cassandra")` reads the whole table, unless filters name its keys. Here each key of a batch
is read once, `concurrentReads` of them at a time. It runs as `mapInArrow`, on Sail and on Spark 4 alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.cassandra_options import Options
from smackbox.spark.cql_arrow import RowsToArrow, arrow_type, spark_type
from smackbox.spark.cql_binding import UNBINDABLE, binder
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_throttle import Throttle

PIECE_ROWS = 1_000
"""Rows whose matches are in memory together."""


def direct_join(frame: Any, *, on: str | Sequence[str] | Mapping[str, str], how: str = "inner", **options: Any) -> Any:
    """`frame` with the columns of the matching rows of a table behind its own.

    `on` names the columns of `frame` that hold the key, in a mapping with the table's name of each; they cover the
    partition key, then clustering columns in their order. `how` is `inner` or `left`. `options` are those of
    `format("cassandra")`. A null in a key matches nothing. Raises `SettingError`.
    """
    from pyspark.sql.types import StructType

    if how not in {"inner", "left"}:
        raise SettingError(f"a direct join is inner or left, not {how!r}")
    names = {on: on} if isinstance(on, str) else dict(on) if isinstance(on, Mapping) else {name: name for name in on}
    given = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in options.items()}
    settings = Options(given)
    for name in names:
        if name not in frame.columns:
            raise SettingError(f"the DataFrame has no column {name!r}{near(name, frame.columns)}")
    with settings.session() as cql:
        types = cql.column_types(settings.keyspace, settings.table)
        _check_key(cql.table(settings.keyspace, settings.table), list(names.values()))
    columns = [name for name in settings.columns or types if name not in names.values()]
    for name in columns:
        if name not in types:
            raise SettingError(
                f"the table {settings.keyspace}.{settings.table} has no column {name!r}{near(name, types)}"
            )
        if name in frame.columns:
            raise SettingError(f"both sides have a column {name!r}: rename one, or choose others with columns")
    fields = ", ".join(f"`{name}` {spark_type(arrow_type(types[name])[0])}" for name in columns)
    schema = StructType([*frame.schema.fields, *(StructType.fromDDL(fields).fields if fields else ())])
    return frame.mapInArrow(_Join(given, tuple(names), tuple(names.values()), tuple(columns), how == "left"), schema)


def _check_key(metadata: Any, key: Sequence[str]) -> None:
    partition = [column.name for column in metadata.partition_key]
    clustering = [column.name for column in metadata.clustering_key]
    rest = set(key) - set(partition)
    if not set(partition) <= set(key) or rest != set(clustering[: len(rest)]):
        raise SettingError(
            f"a direct join of {metadata.keyspace_name}.{metadata.name} is on {', '.join(partition)}"
            + (f", then {', '.join(clustering)}" if clustering else "")
            + f", not on {', '.join(key)}"
        )


@dataclass(frozen=True)
class _Join:
    """The function of a task."""

    options: dict[str, str]
    left: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    outer: bool

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        options = Options(self.options)
        # a table without other columns still says which keys it has
        names = self.columns or self.key[:1]
        selected = ", ".join(f'"{name}"' for name in names)
        where = [*(f'"{name}" = ?' for name in self.key), *([options.where] if options.where else [])]
        with options.session() as cql:
            statement = cql.session.prepare(
                f'SELECT {selected} FROM "{options.keyspace}"."{options.table}" '  # noqa: S608 - names from the schema
                f"WHERE {' AND '.join(where)}{' ALLOW FILTERING' if options.where else ''}"
            )
            statement.fetch_size = options.fetch_size
            statement.is_idempotent = True
            kinds = [kind for _, _, _, kind in statement.result_metadata]
            to_arrow = RowsToArrow(dict(zip(names, kinds, strict=True)))
            binders = [binder(column.type) for column in statement.column_metadata[: len(self.key)]]
            throttle = Throttle(options.reads_per_s)
            for batch in batches:
                for first in range(0, batch.num_rows, PIECE_ROWS):
                    piece = batch.slice(first, PIECE_ROWS)
                    found = self._found(piece, cql, statement, binders, options, throttle)
                    yield self._joined(piece, found, to_arrow)

    def _found(
        self,
        piece: pa.RecordBatch,
        cql: CqlSession,
        statement: Any,
        binders: Sequence[Callable[[Any], bytes]],
        options: Options,
        throttle: Throttle,
    ) -> list[Sequence[tuple[Any, ...]]]:
        """The matches of each row of `piece`."""
        from cassandra.query import BoundStatement

        keys: list[tuple[bytes, ...] | None] = []
        for values in zip(*(piece.column(name).to_pylist() for name in self.left), strict=True):
            try:
                keys.append(None if None in values else tuple(bind(v) for bind, v in zip(binders, values, strict=True)))
            except UNBINDABLE as error:
                raise SettingError(f"{values} is no key of {options.keyspace}.{options.table}: {error}") from error
        distinct = list(dict.fromkeys(key for key in keys if key is not None))

        def bound() -> Iterator[Any]:
            for key in distinct:
                one = BoundStatement(statement)
                one.values = list(key)
                yield one

        rows: dict[tuple[bytes, ...], list[tuple[Any, ...]]] = {}
        pages = cql.pages_of(
            bound(),
            concurrency=options.concurrent_reads,
            attempts=options.attempts,
            before=lambda: throttle.take(1),
        )
        for number, page in pages:
            rows.setdefault(distinct[number], []).extend(page)
        return [rows.get(key, ()) if key is not None else () for key in keys]

    def _joined(
        self, piece: pa.RecordBatch, found: Sequence[Sequence[tuple[Any, ...]]], to_arrow: RowsToArrow
    ) -> pa.RecordBatch:
        left: list[int] = []
        matches: list[tuple[Any, ...]] = []
        nothing = (None,) * len(to_arrow.schema)
        for number, rows in enumerate(found):
            chosen = rows or ([nothing] if self.outer else [])
            left.extend([number] * len(chosen))
            matches.extend(chosen)
        taken = piece.take(pa.array(left, pa.int32()))
        right = to_arrow.batch(matches) if matches else pa.RecordBatch.from_pylist([], schema=to_arrow.schema)
        arrays = [*taken.columns, *(right.column(name) for name in self.columns)]
        return pa.RecordBatch.from_arrays(arrays, names=[*piece.schema.names, *self.columns])
