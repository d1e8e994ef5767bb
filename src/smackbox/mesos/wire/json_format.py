"""Messages as JSON: names in snake_case, `bytes` as base64, 64-bit integers as numbers, unknown fields ignored.

The output is ASCII on one line, as some clients read one event per line or decode it piecewise.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from smackbox.mesos.wire.fields import INTEGER_BOUNDS, Field, MessageError, enum_numbers, message_type

Check = Callable[[Any], Any]

_decode_json = msgspec.json.Decoder().decode
_encode_json = msgspec.json.Encoder().encode


def decode(name: str, data: bytes) -> Any:
    """The message of type `name` in `data`, which the caller annotates with its type. Raises `MessageError`."""
    try:
        value = _decode_json(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MessageError(f"syntax error: {error}") from error
    return check(name, value)


def check(name: str, value: object) -> Any:
    """The known fields of `value`, each checked against its type. Raises `MessageError`."""
    return checker(name)(value)


def encode(value: object) -> bytes:
    """ASCII JSON without newlines."""
    data = _encode_json(value)
    if data.isascii():
        return data
    return json.dumps(value, separators=(",", ":")).encode()


@cache
def checker(name: str) -> Check:
    """The check of one message type."""
    checks: dict[str, Check] | None = None
    required: tuple[str, ...] = ()

    def check_message(value: object) -> dict[str, Any]:
        nonlocal checks, required
        if checks is None:  # built on first use, as message types contain one another
            kind = message_type(name)
            required = kind.required
            checks = {field.name: _field_check(field) for field in kind.fields}
        if type(value) is not dict:
            raise MessageError(f"expecting a JSON object, not {_describe(value)}")
        result = {}
        for key, item in value.items():
            check_field = checks.get(key)
            if check_field is None:
                if key == "slave_id" and "agent_id" in checks and "agent_id" not in value:
                    key, check_field = "agent_id", checks["agent_id"]  # clients of Mesos 0.x still use this name
                else:
                    continue
            try:
                result[key] = check_field(item)
            except MessageError as error:
                raise error.within(key) from None
        for key in required:
            if key not in result:
                raise MessageError("missing required field").within(key)
        return result

    return check_message


def _field_check(field: Field) -> Check:
    check_value = _value_check(field)
    if field.is_map:
        return lambda value: _check_map(check_value, value)
    if field.repeated:
        return lambda value: _check_list(check_value, value)
    return check_value


def _value_check(field: Field) -> Check:
    if field.kind == "message":
        return checker(field.type_name)
    if field.kind == "enum":
        names = enum_numbers(field.type_name)
        return lambda value: value if type(value) is str and value in names else _no_enum(field.type_name, value)
    if field.kind in INTEGER_BOUNDS:
        low, high = INTEGER_BOUNDS[field.kind]
        return lambda value: (
            value if type(value) is int and low <= value <= high else _integer(value, field.kind, low, high)
        )
    return _SIMPLE[field.kind]


def _check_list(one: Check, value: object) -> list[Any]:
    if type(value) is not list:
        return [one(value)]
    index = 0
    result = []
    try:
        for item in value:
            result.append(one(item))
            index += 1
    except MessageError as error:
        raise error.within(f"[{index}]") from None
    return result


def _check_map(one: Check, value: object) -> dict[str, Any]:
    if type(value) is not dict:
        raise MessageError(f"expecting a JSON object, not {_describe(value)}")
    result = {}
    for key, item in value.items():
        try:
            result[key] = one(item)
        except MessageError as error:
            raise error.within(f"[{key!r}]") from None
    return result


def _string(value: object) -> str:
    if type(value) is not str:
        raise MessageError(f"not expecting a JSON {_describe(value)} for a string")
    return value


def _boolean(value: object) -> bool:
    if type(value) is not bool:
        raise MessageError(f"not expecting a JSON {_describe(value)} for a boolean")
    return value


def _double(value: object) -> float:
    if type(value) is not float and type(value) is not int:
        raise MessageError(f"not expecting a JSON {_describe(value)} for a number")
    return value


def _bytes(value: object) -> str:
    if type(value) is not str:
        raise MessageError(f"not expecting a JSON {_describe(value)} for bytes in base64")
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError(f"failed to base64 decode: {error}") from error
    return value


def _integer(value: object, kind: str, low: int, high: int) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise MessageError(f"not expecting a JSON {_describe(value)} for an integer")
    if not low <= value <= high:
        raise MessageError(f"{value} is not within the bounds of {kind}")
    return value


def _no_enum(type_name: str, value: object) -> Any:
    if type(value) is not str:
        raise MessageError(f"not expecting a JSON {_describe(value)} for an enum")
    raise MessageError(f"failed to find enum {type_name} for {value!r}")


def _describe(value: object) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


_SIMPLE: dict[str, Check] = {"string": _string, "bool": _boolean, "double": _double, "bytes": _bytes}
