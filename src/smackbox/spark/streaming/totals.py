"""Running totals: what a batch returns joined with what was there, by each column's merge."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from smackbox.base.settings import near
from smackbox.spark.cql_binding import UNBINDABLE, binder, check_keys
from smackbox.spark.streaming.errors import StreamError, UnfitEventsError
from smackbox.spark.streaming.settings import Merge

_PYTHON_TYPES: dict[str, type] = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), int),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("text", "varchar", "ascii"), str),
    **dict.fromkeys(("uuid", "timeuuid"), UUID),
    "boolean": bool,
    "timestamp": datetime,
    "date": date,
    "decimal": Decimal,
    "blob": bytes,
}

_WHOLE = ("int", "uint", "decimal")
_FITTING: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("tinyint", "smallint", "int"), _WHOLE),
    "bigint": (*_WHOLE, "timestamp"),
    **dict.fromkeys(("float", "double"), (*_WHOLE, "float", "double", "halffloat")),
    **dict.fromkeys(("text", "varchar", "ascii", "uuid", "timeuuid"), ("string", "large_string")),
    "boolean": ("bool",),
    "timestamp": ("timestamp", "date", "int"),
    "date": ("date", "timestamp"),
    "decimal": (*_WHOLE, "float", "double"),
    "blob": ("binary", "large_binary", "fixed_size_binary"),
}
"""By CQL type, how the names of the Arrow types begin whose values it may hold."""

_MERGES: dict[Merge, Callable[[Any, Any], Any]] = {
    "sum": lambda total, value: total + value,
    "min": min,
    "max": max,
    "last": lambda _total, value: value,
}


class Totals:
    """The totals of one table. Rows come as mappings of column to value, keyed by the table's primary key.

    None does not change a sum, a minimum or a maximum. Raises `StreamError` for a merge of what is not a value column.
    """

    def __init__(
        self,
        table: str,
        key_types: Mapping[str, Any],
        value_types: Mapping[str, Any],
        merge: Mapping[str, Merge],
        partition_columns: int = 1,
    ) -> None:
        for column in merge:
            if column not in value_types:
                hint = near(column, value_types)
                raise StreamError(f"merge: {table} has no column {column!r} outside its primary key{hint}")
        self._table = table
        self._key_columns = tuple(key_types)
        self._partition_columns = partition_columns
        self._types = {column: cql_type.typename for column, cql_type in {**key_types, **value_types}.items()}
        self._key_binders = [binder(key_type) for key_type in key_types.values()]
        self._value_binders = {column: binder(value_type) for column, value_type in value_types.items()}
        self._value_columns = frozenset(value_types)
        self._merge = {column: _MERGES[merge.get(column, "sum")] for column in value_types}
        self._last = {column for column in value_types if merge.get(column) == "last"}
        fields = []
        for column, cql_type in value_types.items():
            python_type = _PYTHON_TYPES.get(cql_type.typename)
            if python_type is not None:
                fields.append((column, python_type | None, None))
        self._kept = frozenset(name for name, _, _ in fields)
        self._decode = msgspec.msgpack.Decoder(msgspec.defstruct("_Saved", fields)).decode

    def decoded(self, saved: bytes) -> dict[str, Any]:
        """Saved totals by column."""
        return msgspec.structs.asdict(self._decode(saved))

    def check(self, columns: Sequence[str]) -> list[str]:
        """The value columns among a batch's `columns`. Raises `StreamError` for columns that the table cannot take."""
        for column in self._key_columns:
            if column not in columns:
                raise StreamError(
                    f"the function's result lacks {column!r}, a part of the primary key of {self._table}; it has: "
                    f"{', '.join(columns)}"
                )
        values = [column for column in columns if column not in self._key_columns]
        for column in values:
            if column not in self._value_columns:
                raise StreamError(
                    f"the function's result has {column!r}, which is no column of {self._table}"
                    f"{near(column, self._value_columns)}"
                )
            if column not in self._kept:
                raise StreamError(f"totals of {column!r}: its type in {self._table} cannot be totalled")
        return values

    def check_types(self, types: Mapping[str, str]) -> None:
        """Raises `StreamError` where no value of a result's column could fit: `types` are the names of Arrow types."""
        for column, arrow_type in types.items():
            cql_type = self._types[column]
            fitting = _FITTING.get(cql_type)
            if fitting is not None and not arrow_type.startswith((*fitting, "null")):
                raise StreamError(
                    f"the result does not fit the table {self._table}: column {column} is {cql_type}, the function "
                    f"returns {arrow_type}"
                )

    def apply(
        self,
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        load: Callable[[list[bytes]], list[bytes | None]],
    ) -> tuple[list[list[Any]], dict[bytes, bytes]]:
        """Join `rows` with the saved totals that `load` gives for keys.

        Returns the rows to write, in the order (key columns, value columns), and the totals to save.
        Raises `UnfitEventsError` for a value that its column cannot hold.
        """
        values = self.check(columns)
        try:
            return self._apply(rows, values, load)
        except UNBINDABLE as error:
            raise UnfitEventsError(f"the result does not fit the table {self._table}: {error}") from error

    def _apply(
        self,
        rows: Sequence[Mapping[str, Any]],
        values: Sequence[str],
        load: Callable[[list[bytes]], list[bytes | None]],
    ) -> tuple[list[list[Any]], dict[bytes, bytes]]:
        keys: dict[bytes, list[Any]] = {}
        row_keys: list[bytes] = []
        for row in rows:
            parts = [row[column] for column in self._key_columns]
            if None in parts:
                column = self._key_columns[parts.index(None)]
                raise UnfitEventsError(
                    f"the function's result has a null in {column!r}, a part of the primary key of {self._table}"
                )
            bound = [bind(part) for bind, part in zip(self._key_binders, parts, strict=True)]
            check_keys(bound[: self._partition_columns], bound[self._partition_columns :])
            key = b"".join(b"%s%s" % (len(part).to_bytes(4, "big"), part) for part in bound)
            keys.setdefault(key, parts)
            row_keys.append(key)
        totals: dict[bytes, dict[str, Any]] = {}
        for key, saved in zip(keys, load(list(keys)), strict=True):
            totals[key] = self.decoded(saved) if saved is not None else {}
        for key, row in zip(row_keys, rows, strict=True):
            total = totals[key]
            for column in values:
                total[column] = self._joined(column, total.get(column), row[column])
        self._check_bindable(totals.values(), values)
        out = [[*parts, *(totals[key].get(column) for column in values)] for key, parts in keys.items()]
        saved_totals = {key: msgspec.msgpack.encode(total) for key, total in totals.items()}
        for encoded in saved_totals.values():
            self._decode(encoded)  # what could not be read again must not be saved
        return out, saved_totals

    def _check_bindable(self, totals: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Raises `UnfitEventsError` for a total that its column cannot hold, such as a sum over its range."""
        for total in totals:
            for column in columns:
                if (value := total.get(column)) is None:
                    continue
                try:
                    self._value_binders[column](value)
                except UNBINDABLE as error:
                    raise UnfitEventsError(
                        f"the result does not fit the table {self._table}: "
                        f"column {column} cannot hold {reprlib.repr(value)}: {error}"
                    ) from error

    def written_columns(self, columns: Sequence[str]) -> list[str]:
        """The order of the columns in `apply`'s rows."""
        return [*self._key_columns, *self.check(columns)]

    def _joined(self, column: str, total: Any, value: Any) -> Any:
        if column in self._last or total is None:
            return value
        if value is None:
            return total
        return self._merge[column](total, value)
