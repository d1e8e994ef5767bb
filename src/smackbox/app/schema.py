"""How an event type becomes columns: the CQL type of each field of a `msgspec.Struct`."""

from __future__ import annotations

import enum
import types
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from smackbox.base.errors import SettingError

_SCALARS: dict[type, str] = {
    UUID: "uuid",
    bool: "boolean",
    int: "bigint",
    float: "double",
    str: "text",
    bytes: "blob",
    datetime: "timestamp",
    date: "date",
    time: "time",
    Decimal: "decimal",
}


def check_event(event: type[msgspec.Struct]) -> None:
    """Raises `SettingError` unless `event` is a struct whose every field has a column type."""
    if not (isinstance(event, type) and issubclass(event, msgspec.Struct)):
        raise SettingError(f"an event type is a msgspec.Struct, not {event!r}")
    cql_columns(event)


def cql_columns(event: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """`(column, CQL type)` for each field, in their order; a column has the field's name in Python.

    Raises `SettingError` for a type without a column.
    """
    hints = get_type_hints(event)
    return [(name, _cql_type(event, name, hints[name])) for name in event.__struct_fields__]


def _cql_type(event: type[msgspec.Struct], name: str, hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin in {Union, types.UnionType}:
        present = [argument for argument in arguments if argument is not type(None)]
        if len(present) == 1:
            return _cql_type(event, name, present[0])
    if origin is Literal and all(isinstance(argument, str) for argument in arguments):
        return "text"
    if isinstance(hint, type) and issubclass(hint, enum.Enum) and all(isinstance(item.value, str) for item in hint):
        return "text"
    if origin in {list, set, dict}:
        inner = ", ".join(_item_type(event, name, argument) for argument in arguments)
        if origin is list:
            return f"frozen<list<{inner}>>"  # written again with one timestamp, a list that is not has its items twice
        return f"{'map' if origin is dict else origin.__name__}<{inner}>"
    raise SettingError(
        f"{event.__name__}.{name}: {hint} has no column type; use UUID, str, Literal, int, float, bool, bytes, "
        "datetime, date, time, Decimal, or a list, set or dict of these"
    )


def _item_type(event: type[msgspec.Struct], name: str, hint: Any) -> str:
    """The type of an item: CQL takes a collection inside another only frozen."""
    cql_type = _cql_type(event, name, hint)
    return f"frozen<{cql_type}>" if "<" in cql_type and not cql_type.startswith("frozen<") else cql_type
