"""Python values as CQL's bytes, by column type: quick for the common types, the driver's own serialisers for the rest.

Forms that Spark and event types use for a type are taken besides the driver's: a UUID as text, a timestamp as a
`datetime` (without a zone: UTC) or as milliseconds, a `bigint` from a `datetime` (milliseconds), an enumeration as its
value.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from struct import Struct
from typing import Any
from uuid import UUID

PROTOCOL_VERSION = 4
"""Of the serialisation of values: the same in protocol 3, 4 and 5."""

Binder = Callable[[Any], bytes]

KEY_BYTES_LIMIT = 65_535
"""Of a whole partition key, and of each clustering value: Cassandra's lengths of keys are unsigned shorts."""

UNBINDABLE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, struct.error)
"""What a binder raises for a value that is not of its column's type or does not fit into it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_unsigned_int = Struct(">I").pack
_double = Struct(">d").pack
_float = Struct(">f").pack


def _integer(name: str, code: str) -> Binder:
    """The binder of a whole number in two's complement. It raises `ValueError` for one out of range."""
    pack = Struct(">" + code).pack
    limit = 2 ** (8 * Struct(code).size - 1)

    def bind(value: Any) -> bytes:
        try:
            return pack(value)
        except struct.error:
            if isinstance(value, int):
                raise ValueError(f"{name} holds {-limit} to {limit - 1}") from None
            raise TypeError(f"a whole number is needed, not {type(value).__name__}") from None

    return bind


_bigint = _integer("bigint", "q")
_int = _integer("int", "i")
_smallint = _integer("smallint", "h")
_tinyint = _integer("tinyint", "b")


_DURATION_UNITS = {
    "y": (0, 12), "mo": (0, 1), "w": (1, 7), "d": (1, 1), "h": (2, 3_600_000_000_000), "m": (2, 60_000_000_000),
    "s": (2, 1_000_000_000), "ms": (2, 1_000_000), "us": (2, 1_000), "ns": (2, 1),
}  # fmt: skip
"""Unit -> which of months, days and nanoseconds, and how many of them."""
_DURATION = re.compile(r"(\d+(?:mo|ms|us|ns|[ywdhms]))+")
_DURATION_PART = re.compile(r"(\d+)(mo|ms|us|ns|[ywdhms])")


def milliseconds(moment: datetime) -> int:
    """Since 1970-01-01 UTC, rounded down. A moment without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def binder(cql_type: Any) -> Binder:
    """The function that makes a value of the driver's type `cql_type` into its bytes. It does not take None."""
    quick = _QUICK.get(cql_type.typename)
    if quick is not None:
        return quick
    serialize = cql_type.serialize
    native = _native(cql_type)
    if native is None:
        return lambda value: serialize(value, PROTOCOL_VERSION)
    return lambda value: serialize(native(value), PROTOCOL_VERSION)


def check_keys(partition_key: Sequence[bytes], clustering: Sequence[bytes]) -> None:
    """Raises `ValueError` for a primary key, as CQL's bytes, that Cassandra refuses for its size."""
    single = len(partition_key) == 1
    size = len(partition_key[0]) if single else sum(len(part) + 3 for part in partition_key)
    if single and not size:
        raise ValueError("a partition key of one column must not be empty")
    if size > KEY_BYTES_LIMIT:
        raise ValueError(f"a partition key of {size} bytes; at most {KEY_BYTES_LIMIT} are possible")
    for part in clustering:
        if len(part) > KEY_BYTES_LIMIT:
            raise ValueError(f"a clustering value of {len(part)} bytes; at most {KEY_BYTES_LIMIT} are possible")


def _native(cql_type: Any) -> Callable[[Any], Any] | None:
    """From Arrow's form of a value to the driver's, where they differ: a map as pairs, a tuple as a dictionary."""
    name = cql_type.typename
    if name in {"uuid", "timeuuid"}:
        return lambda value: value if isinstance(value, UUID) else UUID(value)
    if name == "varint":
        return int
    if name == "duration":
        return _duration
    if name == "timestamp":  # the driver rounds moments before 1970 up
        return lambda value: milliseconds(value) if isinstance(value, datetime) else value
    if hasattr(cql_type, "vector_size"):
        item = _unless_none(_native(cql_type.subtype))
        return lambda values: [item(value) for value in values]
    parts = [_unless_none(_native(part)) for part in cql_type.subtypes]
    if name in {"frozen", "reversed"}:
        return parts[0]
    if name in {"list", "set"}:
        return lambda values: [parts[0](value) for value in values]
    if name == "map":
        return lambda items: {
            parts[0](key): parts[1](value) for key, value in (items.items() if isinstance(items, dict) else items)
        }
    if name == "tuple" or hasattr(cql_type, "fieldnames"):
        return lambda fields: tuple(
            part(value)
            for part, value in zip(parts, fields.values() if isinstance(fields, dict) else fields, strict=True)
        )
    return None


def _duration(value: Any) -> Any:
    """From CQL's own text, `1y2mo3w4d5h6m7s8ms9us10ns` with a sign before it. Raises `ValueError`."""
    from cassandra.util import Duration

    if not isinstance(value, str):
        return value
    negative = value.startswith("-")
    text = value.removeprefix("-").lower().replace("µs", "us")
    if not _DURATION.fullmatch(text):
        raise ValueError("a duration is written as 1y2mo3w4d5h6m7s8ms9us10ns")
    units = [0, 0, 0]
    for amount, unit in _DURATION_PART.findall(text):
        place, factor = _DURATION_UNITS[unit]
        units[place] += int(amount) * factor
    return Duration(*(-unit if negative else unit for unit in units))


def _unless_none(convert: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if convert is None:
        return lambda value: value
    return lambda value: None if value is None else convert(value)


def _uuid(value: Any) -> bytes:
    return (value if type(value) is UUID else UUID(value)).int.to_bytes(16, "big")


def _text(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, enum.Enum):
        return _text(value.value)
    raise TypeError(f"text is needed, not {type(value).__name__}")


def _ascii(value: Any) -> bytes:
    if not isinstance(value, str) or not value.isascii():
        raise ValueError("ASCII text is needed")
    return value.encode()


def _blob(value: Any) -> bytes:
    if isinstance(value, int | str):
        raise TypeError(f"bytes are needed, not {type(value).__name__}")
    return bytes(value)


def _from_bigint(value: Any) -> bytes:
    return _bigint(milliseconds(value) if isinstance(value, datetime) else value)


def _timestamp(value: Any) -> bytes:
    if isinstance(value, datetime):
        return _bigint(milliseconds(value))
    if isinstance(value, date):
        return _bigint(milliseconds(datetime(value.year, value.month, value.day, tzinfo=UTC)))
    return _bigint(value)


def _date(value: Any) -> bytes:
    if isinstance(value, datetime):
        value = value.date()
    if not isinstance(value, date):
        raise TypeError(f"a date is needed, not {type(value).__name__}")
    return _unsigned_int(value.toordinal() - _EPOCH_DAY + 2**31)


def _boolean(value: Any) -> bytes:
    return b"\x01" if value else b"\x00"


_QUICK: dict[str, Binder] = {
    "uuid": _uuid,
    "timeuuid": _uuid,
    "text": _text,
    "varchar": _text,
    "bigint": _from_bigint,
    "counter": _bigint,
    "int": _int,
    "smallint": _smallint,
    "tinyint": _tinyint,
    "double": _double,
    "float": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
    "ascii": _ascii,
    "blob": _blob,
}
