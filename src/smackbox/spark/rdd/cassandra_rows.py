"""Rows of Cassandra as the objects that a program works with, and those objects as values of columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from smackbox.base.errors import SettingError
from smackbox.base.settings import near

_PASSED_THROUGH = (bytes, UUID, Decimal, datetime, date, time)
_WORD_START = re.compile(r"(?<=[a-z0-9])([A-Z])")


class RowMaker:
    """Makes what a row is to be: a `msgspec.Struct`, a dataclass, a `dict` or a `tuple`; None is Spark's `Row`.

    `names` are the row's columns in their order; a field has the column of its name, or of its name in snake_case.
    """

    def __init__(self, row_type: type | None, names: Sequence[str], types: Sequence[Any]) -> None:
        self._plain = [plain(kind) for kind in types]
        self._make = _maker(row_type, names)

    def rows(self, page: Iterable[Sequence[Any]]) -> Iterable[Any]:
        """A page of the driver's tuples as such objects."""
        plains, make = self._plain, self._make
        if not any(plains):
            return map(make, page)
        return (make([_into(value, into) for value, into in zip(row, plains, strict=True)]) for row in page)


def columns_of(row_type: type | None, columns: Sequence[str], table: str) -> list[str]:
    """The columns that a row type needs, all where it does not say. Raises `SettingError` where the table lacks one."""
    names = field_names(row_type)
    if names is None:
        return list(columns)
    return [_column_of(name, columns, f"{row_type.__name__ if row_type else ''} for {table}") for name in names]


def field_names(row_type: type | None) -> list[str] | None:
    """The fields of a `Struct` or a dataclass; None where every column serves. Raises `SettingError` for the rest."""
    if row_type is None:
        return None
    if issubclass(row_type, msgspec.Struct):
        return list(row_type.__struct_fields__)
    if is_dataclass(row_type):
        return [field.name for field in dataclass_fields(row_type)]
    if row_type in {dict, tuple}:
        return None
    raise SettingError(f"a row cannot be of {row_type.__name__}: a msgspec.Struct, a dataclass, dict, tuple or None")


def values_of(row: Any, names: Sequence[str]) -> Sequence[Any]:
    """The values of `names` in a row: by name where it has names, else by place. Raises `ValueError`."""
    if isinstance(row, Mapping):
        return [row.get(name) for name in names]
    if hasattr(row, "__fields__") or hasattr(row, "_fields") or not isinstance(row, (tuple, list)):
        if isinstance(row, (str, bytes, int, float, UUID, Decimal, datetime, date)):
            return _by_place([row], names)
        return [_attribute(row, name) for name in names]
    return _by_place(row, names)


def _by_place(row: Sequence[Any], names: Sequence[str]) -> Sequence[Any]:
    if len(row) < len(names):
        raise ValueError(f"a row of {len(row)} values for the columns {', '.join(names)}: {row!r}")
    return row[: len(names)]


def _attribute(row: Any, name: str) -> Any:
    try:
        return getattr(row, name)
    except AttributeError:
        pass
    camel = re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)
    try:
        return getattr(row, camel)
    except AttributeError:
        raise ValueError(f"a {type(row).__name__} has nothing for the column {name!r}") from None


def _column_of(name: str, columns: Sequence[str], place: str) -> str:
    snake = _WORD_START.sub(r"_\1", name).lower()
    for column in (name, snake):
        if column in columns:
            return column
    raise SettingError(f"no column for the field {name!r} of {place}{near(name, columns)}")


def _maker(row_type: type | None, names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    if row_type is None:
        from pyspark.sql.types import _create_row

        return lambda row: _create_row(names, row)
    if row_type is tuple:
        return tuple
    if row_type is dict:
        return lambda row: dict(zip(names, row, strict=True))
    fields = field_names(row_type)
    return lambda row: msgspec.convert(
        dict(zip(fields or (), row, strict=True)), row_type, strict=False, builtin_types=_PASSED_THROUGH
    )


def plain(kind: Any) -> Callable[[Any], Any] | None:
    """From the driver's value of a column of that type to Python's own; None where they are the same."""
    name = kind.typename
    if name == "date":
        return lambda value: value.date()
    if name == "time":
        return lambda value: value.time()
    parts = getattr(kind, "subtypes", ())
    inner = [plain(part) for part in parts]
    if name in {"list", "set"}:
        shape = list if name == "list" else set
        into = inner[0]
        return shape if into is None else lambda value: shape(map(into, value))
    if name == "map":
        key, item = (part or _same for part in inner)
        return lambda value: {key(left): item(right) for left, right in value.items()}
    if name == "frozen":
        return inner[0]
    return None


def _into(value: Any, into: Callable[[Any], Any] | None) -> Any:
    return value if into is None or value is None else into(value)


def _same(value: Any) -> Any:
    return value
