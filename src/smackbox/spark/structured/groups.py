"""Rows of a batch by key, for operators that give them to a client's function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import not_there
from smackbox.spark.structured.event_time import Marks, marked_column, name_of
from smackbox.spark.structured.values import moment_us, pack

Groups = dict[bytes, tuple[tuple[Any, ...], list[int]]]
"""Packed key -> the key, and the numbers of its rows."""


def key_columns(expressions: Sequence[Any]) -> list[str]:
    """The columns that a stream is grouped by. Raises `SparkError` for anything but columns."""
    names = [name_of(expression) for expression in expressions]
    for name, expression in zip(names, expressions, strict=True):
        if not name or expression.WhichOneof("expr_type") != "unresolved_attribute":
            raise not_there("grouping by an expression before a function with state", "Make it a column first.")
    return names


def grouped(table: pa.Table, keys: Sequence[str]) -> Groups:
    """In the order in which keys first appear."""
    found: Groups = {}
    columns = [table.column(name).to_pylist() for name in keys]
    rows = zip(*columns, strict=True) if columns else (() for _ in range(table.num_rows))
    for number, key in enumerate(rows):
        packed = pack(list(key))
        if packed in found:
            found[packed][1].append(number)
        else:
            found[packed] = (key, [number])
    return found


def on_time(table: pa.Table, marks: Marks, late_us: int | None) -> pa.Table:
    """Without the rows that are late."""
    name = marked_column(table.schema.names, marks)
    if late_us is None or name is None:
        return table
    stamps = [moment_us(value) for value in table.column(name).to_pylist()]
    kept = [stamp is None or stamp > late_us for stamp in stamps]
    return table if all(kept) else table.filter(pa.array(kept, pa.bool_()))


def frame(table: pa.Table) -> Any:
    """A pandas DataFrame as Spark's workers make it: times without a zone."""
    fields = [
        pa.field(field.name, pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields)).to_pandas()


def from_frames(frames: Sequence[Any], schema: pa.Schema) -> pa.Table:
    """What a function gave, by the names of its columns; by their order where they have none."""
    tables = []
    for given in frames:
        by_name = set(schema.names) <= {str(name) for name in given.columns}
        ordered = given[schema.names] if by_name else given.set_axis(schema.names, axis=1)
        tables.append(pa.Table.from_pandas(ordered, schema=schema, preserve_index=False))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def from_rows(rows: Sequence[Any], types: Any, schema: pa.Schema) -> pa.Table:
    """The same of Spark's `Row`s."""
    from pyspark.sql.conversion import LocalDataToArrowConversion

    if not rows:
        return schema.empty_table()
    return LocalDataToArrowConversion.convert(list(rows), types, use_large_var_types=False).cast(schema)
