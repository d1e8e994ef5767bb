"""A hash that is the same in every process, whatever PYTHONHASHSEED is there.

Keys that are equal have equal hashes, as with `hash`: 1, 1.0 and True go to one partition. None and tuples hash as
in PySpark; text and bytes, which Python hashes with a seed, by their CRC-32.
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - only ever subtracted from times without a zone


def portable_hash(x: Any) -> int:
    """The hash of a key. Types of one's own hash by `__hash__`, which must then not depend on the seed."""
    kind = type(x)
    if kind is str:
        return zlib.crc32(x.encode("utf-8", "surrogatepass"))
    if kind is int:
        return hash(x)
    if x is None:
        return 0
    if isinstance(x, tuple):
        return _sequence_hash(x)
    return _other_hash(x)


def _sequence_hash(items: tuple[Any, ...]) -> int:
    """CPython 2.7's hash of a tuple, kept within `sys.maxsize`."""
    result = 0x345678
    for item in items:
        result = ((result ^ portable_hash(item)) * 1000003) & sys.maxsize
    return result ^ len(items)


def _other_hash(x: Any) -> int:
    if isinstance(x, str):
        return zlib.crc32(x.encode("utf-8", "surrogatepass"))
    if isinstance(x, (bytes, memoryview)):
        return zlib.crc32(x)
    if isinstance(x, (int, float)):
        return hash(x)
    if isinstance(x, Enum):
        return portable_hash(x.name)
    if isinstance(x, frozenset):
        return sum(map(portable_hash, x)) & sys.maxsize
    if isinstance(x, datetime):
        offset = x.utcoffset()
        since = x.replace(tzinfo=None) - _EPOCH - (offset or timedelta())
        return _sequence_hash((since.days, since.seconds, since.microseconds))
    if isinstance(x, date):
        return x.toordinal()
    if isinstance(x, time):
        return _sequence_hash((x.hour, x.minute, x.second, x.microsecond))
    if isinstance(x, timedelta):
        return _sequence_hash((x.days, x.seconds, x.microseconds))
    if is_dataclass(x) and type(x).__hash__ is not None:
        return _sequence_hash(tuple(getattr(x, field.name) for field in fields(x) if field.compare))
    if names := getattr(type(x), "__struct_fields__", None):
        hash(x)  # a struct that is not frozen refuses
        return _sequence_hash(tuple(getattr(x, name) for name in names))
    return hash(x)
