"""Event types as Arrow: the columns of a batch's DataFrame.

UUID, str, Literal, Enum -> string      int -> int64         float -> double       bool -> bool
datetime -> timestamp[us, UTC]          date -> date32       bytes -> binary       Decimal -> decimal(38, 18)
time -> string (ISO 8601)               list, set -> list    dict -> map           X | None -> X, nullable
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import pyarrow as pa

from smackbox.base.errors import SettingError

Convert = Callable[[Any], Any]


def events_to_arrow(event_type: type[msgspec.Struct], events: Sequence[Any]) -> pa.Table:
    """One table of `events`, a column a field."""
    columns = _columns(event_type)
    arrays = []
    for name, kind, convert in columns:
        values = map(attrgetter(name), events)
        if convert is not None:
            values = map(convert, values)
        arrays.append(pa.array(list(values), kind))
    return pa.Table.from_arrays(arrays, schema=arrow_schema(event_type))


def arrow_schema(event_type: type[msgspec.Struct]) -> pa.Schema:
    """Raises `SettingError` for a field whose type has no Arrow type here."""
    hints = _hints(event_type)
    return pa.schema([pa.field(name, kind, nullable=_optional(hints[name])) for name, kind, _ in _columns(event_type)])


@lru_cache(maxsize=64)
def _columns(event_type: type[msgspec.Struct]) -> tuple[tuple[str, pa.DataType, Convert | None], ...]:
    hints = _hints(event_type)
    found = []
    for name in event_type.__struct_fields__:
        kind, convert = _column(event_type, name, hints[name])
        if convert is not None and _optional(hints[name]):
            convert = _unless_none(convert)
        found.append((name, kind, convert))
    return tuple(found)


def _hints(event_type: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(event_type)


def _optional(hint: Any) -> bool:
    return get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint)


def _unless_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _enum_value(value: enum.Enum) -> Any:
    return value.value


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


_SCALARS: dict[Any, tuple[pa.DataType, Convert | None]] = {
    UUID: (pa.string(), str),
    str: (pa.string(), None),
    int: (pa.int64(), None),
    float: (pa.float64(), None),
    bool: (pa.bool_(), None),
    bytes: (pa.binary(), None),
    datetime: (pa.timestamp("us", tz="UTC"), _in_utc),
    date: (pa.date32(), None),
    time: (pa.string(), time.isoformat),
    Decimal: (pa.decimal128(38, 18), None),
}


def _column(event_type: type, name: str, hint: Any) -> tuple[pa.DataType, Convert | None]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin is Annotated:
        return _column(event_type, name, arguments[0])
    if origin in {Union, types.UnionType}:
        present = [argument for argument in arguments if argument is not type(None)]
        if len(present) == 1:
            return _column(event_type, name, present[0])
    if origin is Literal and all(isinstance(argument, str) for argument in arguments):
        return pa.string(), None
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return pa.string(), _enum_value
    if origin in {list, set, frozenset}:
        kind, convert = _column(event_type, name, arguments[0])
        inner = convert or (lambda value: value)
        return pa.list_(kind), lambda values: [None if value is None else inner(value) for value in values]
    if origin is dict:
        (key_kind, key), (value_kind, value) = (_column(event_type, name, argument) for argument in arguments)
        of_key, of_value = key or (lambda item: item), value or (lambda item: item)
        return pa.map_(key_kind, value_kind), lambda items: [(of_key(k), of_value(v)) for k, v in items.items()]
    raise SettingError(f"{event_type.__name__}.{name}: {hint} has no Arrow type here")
