"""An event type in Avro: its schema, and events as Avro's bytes. Needs `fastavro`.

    int long, float double, str string, bytes bytes, bool boolean      dict map of strings, list and set array
    UUID string/uuid, datetime long/timestamp-micros, date int/date    X | None a union with null, a struct a record
    Decimal, time, Literal and enums of text: string

A field with a default has it in the schema too, so that a type may gain such fields and still read what was written
before. A datetime without a zone counts as UTC, and is read with it.
"""

from __future__ import annotations

import enum
import io
import types
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

import msgspec

from smackbox.base.errors import SettingError

E = TypeVar("E", bound=msgspec.Struct)
Json = Any
_KEPT = (bytes, datetime, date)
_SCALARS: dict[Any, Json] = {
    bool: "boolean",
    int: "long",
    float: "double",
    str: "string",
    bytes: "bytes",
    Decimal: "string",
    time: "string",
    UUID: {"type": "string", "logicalType": "uuid"},
    datetime: {"type": "long", "logicalType": "timestamp-micros"},
    date: {"type": "int", "logicalType": "date"},
}


def avro_schema(event: type[msgspec.Struct]) -> Json:
    """The schema of an event type. Raises `SettingError` for a field that Avro has no type for."""
    return _record(event, set())


def _record(event: type[msgspec.Struct], written: set[str]) -> Json:
    if event.__name__ in written:
        return event.__name__
    written.add(event.__name__)
    fields = []
    for one in msgspec.structs.fields(event):
        shown: Json = {"name": one.encode_name, "type": _type(event, one.name, one.type, written)}
        if not one.required:
            default = one.default if one.default is not msgspec.NODEFAULT else one.default_factory()
            shown = {**shown, **_default(shown["type"], default)}
        fields.append(shown)
    return {"type": "record", "name": event.__name__, "fields": fields}


def _default(kind: Json, default: Any) -> Json:
    """The default in JSON; a union's first type is that of its default."""
    value = msgspec.to_builtins(default, builtin_types=_KEPT)
    if isinstance(value, datetime):
        value = round(_aware(value).timestamp() * 1_000_000)
    elif isinstance(value, date):
        value = (value - date(1970, 1, 1)).days
    elif isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(kind, list) and value is not None:
        return {"type": [*(one for one in kind if one != "null"), "null"], "default": value}
    return {"default": value}


def _type(event: type, name: str, hint: Any, written: set[str]) -> Json:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type(event, name, arguments[0], written)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin in {Union, types.UnionType}:
        present = [argument for argument in arguments if argument is not type(None)]
        if len(present) == 1:
            return ["null", _type(event, name, present[0], written)]
    if origin is Literal and all(isinstance(argument, str) for argument in arguments):
        return "string"
    if isinstance(hint, type) and issubclass(hint, enum.Enum) and all(isinstance(item.value, str) for item in hint):
        return "string"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _record(hint, written)
    if origin in {list, set}:
        return {"type": "array", "items": _type(event, name, arguments[0], written)}
    if origin is dict and arguments[0] is str:
        return {"type": "map", "values": _type(event, name, arguments[1], written)}
    raise SettingError(f"{event.__name__}.{name}: Avro has no type for {hint}")


class AvroEvents(Generic[E]):
    """Events of one type to Avro's bytes and back."""

    def __init__(self, event: type[E]) -> None:
        from fastavro import parse_schema, schemaless_reader, schemaless_writer

        self._event = event
        self._schema = parse_schema(avro_schema(event))
        self._read: Callable[..., Any] = schemaless_reader
        self._write: Callable[..., None] = schemaless_writer
        self._writer_schema = cache(lambda text: parse_schema(msgspec.json.decode(text)))

    def encode(self, event: E, into: io.BytesIO) -> None:
        """Append an event. Raises `ValueError`, `TypeError` or `OverflowError` for a value that does not fit."""
        self._write(into, self._schema, _zoned(msgspec.to_builtins(event, builtin_types=_KEPT)))

    def decode(self, data: io.BytesIO, writer: str) -> E:
        """The event that was written with the schema `writer`. Raises for bytes that are none."""
        value = self._read(data, self._writer_schema(writer), self._schema)
        if data.read(1):
            raise ValueError("bytes follow the event")
        return msgspec.convert(value, self._event)


def _zoned(value: Any) -> Any:
    if isinstance(value, datetime):
        return _aware(value)
    if isinstance(value, dict):
        return {name: _zoned(one) for name, one in value.items()}
    return [_zoned(one) for one in value] if isinstance(value, list) else value


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
