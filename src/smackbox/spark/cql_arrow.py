"""CQL types as Arrow and Spark types, and rows of the driver as Arrow batches.

uuid, timeuuid, inet, duration -> string     timestamp -> timestamp[us, UTC]   time -> bigint (nanoseconds)
varint -> decimal(38, 0)                     decimal -> decimal(38, 18)        counter -> bigint
list, set, vector -> array                   map -> map                        tuple, user type -> struct
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from smackbox.base.errors import SettingError

Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def _whole_milliseconds(moment: datetime) -> datetime:
    """A timestamp in UTC. The driver computes with floats, which are off by microseconds for distant years."""
    return _EPOCH + timedelta(milliseconds=round((moment.replace(tzinfo=UTC) - _EPOCH) / _MILLISECOND))


_SCALARS: dict[str, tuple[pa.DataType, Convert | None]] = {
    "ascii": (pa.string(), None),
    "text": (pa.string(), None),
    "varchar": (pa.string(), None),
    "bigint": (pa.int64(), None),
    "counter": (pa.int64(), None),
    "int": (pa.int32(), None),
    "smallint": (pa.int16(), None),
    "tinyint": (pa.int8(), None),
    "double": (pa.float64(), None),
    "float": (pa.float32(), None),
    "boolean": (pa.bool_(), None),
    "blob": (pa.binary(), None),
    "uuid": (pa.string(), str),
    "timeuuid": (pa.string(), str),
    "inet": (pa.string(), str),
    "duration": (pa.string(), str),
    "timestamp": (pa.timestamp("us", tz="UTC"), _whole_milliseconds),
    "date": (pa.date32(), lambda day: day.date()),
    "time": (pa.int64(), lambda moment: moment.nanosecond_time),
    "decimal": (pa.decimal128(38, 18), None),
    "varint": (pa.decimal128(38, 0), None),
}


def arrow_type(cql_type: Any) -> tuple[pa.DataType, Convert | None]:
    """The Arrow type of a driver's type, and what turns the driver's values into it (None: nothing has to be done)."""
    name = cql_type.typename
    if name in _SCALARS:
        return _SCALARS[name]
    if hasattr(cql_type, "vector_size"):
        kind, convert = arrow_type(cql_type.subtype)
        return pa.list_(kind), _of_items(convert)
    parts = [arrow_type(part) for part in cql_type.subtypes]
    if name in {"frozen", "reversed"}:
        return parts[0]
    if name in {"list", "set"}:
        kind, convert = parts[0]
        return pa.list_(kind), _of_items(convert)
    if name == "map":
        (key_kind, key), (value_kind, value) = parts
        return pa.map_(key_kind, value_kind), _of_pairs(key, value)
    if name == "tuple" or hasattr(cql_type, "fieldnames"):
        fields = getattr(cql_type, "fieldnames", None) or [f"_{number + 1}" for number in range(len(parts))]
        kind = pa.struct([(field, part) for field, (part, _) in zip(fields, parts, strict=True)])
        return kind, _of_fields(fields, [convert for _, convert in parts])
    raise SettingError(f"the CQL type {cql_type.cql_parameterized_type()} has no Arrow type here")


def schema_for_engine(kinds: Mapping[str, pa.DataType]) -> pa.Schema | str:
    """The columns as the engine that asks takes them: Sail reads maps and structs only from Arrow, Spark only DDL."""
    if "pysail" in sys.modules:
        return pa.schema(list(kinds.items()))
    return ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in kinds.items())


def spark_type(kind: pa.DataType) -> str:
    """An Arrow type in Spark's DDL."""
    if pa.types.is_list(kind):
        return f"array<{spark_type(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{spark_type(kind.key_type)}, {spark_type(kind.item_type)}>"
    if pa.types.is_struct(kind):
        fields = ", ".join(f"`{field.name}`: {spark_type(field.type)}" for field in kind)
        return f"struct<{fields}>"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return _SPARK_TYPES[kind]


_SPARK_TYPES = {
    pa.string(): "string",
    pa.int64(): "bigint",
    pa.int32(): "int",
    pa.int16(): "smallint",
    pa.int8(): "tinyint",
    pa.float64(): "double",
    pa.float32(): "float",
    pa.bool_(): "boolean",
    pa.binary(): "binary",
    pa.date32(): "date",
}


class RowsToArrow:
    """Turns rows (tuples) of the columns `types` into batches."""

    def __init__(self, types: dict[str, Any]) -> None:
        kinds = {name: arrow_type(cql_type) for name, cql_type in types.items()}
        self.schema = pa.schema([(name, kind) for name, (kind, _) in kinds.items()])
        self._converts = [_unless_none(convert) if convert else None for _, convert in kinds.values()]

    def batch(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        arrays = []
        for values, convert, field in zip(zip(*rows, strict=True), self._converts, self.schema, strict=True):
            arrays.append(pa.array(list(map(convert, values)) if convert else values, field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _unless_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _of_items(convert: Convert | None) -> Convert:
    if convert is None:
        return list
    inner = _unless_none(convert)
    return lambda values: [inner(value) for value in values]


def _of_pairs(key: Convert | None, value: Convert | None) -> Convert:
    of_key, of_value = _unless_none(key or _same), _unless_none(value or _same)
    return lambda items: [(of_key(k), of_value(v)) for k, v in items.items()]


def _of_fields(fields: Sequence[str], converts: Sequence[Convert | None]) -> Convert:
    inner = [_unless_none(convert or _same) for convert in converts]
    return lambda values: {name: convert(value) for name, convert, value in zip(fields, inner, values, strict=True)}


def _same(value: Any) -> Any:
    return value
