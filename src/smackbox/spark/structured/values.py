"""Rows as bytes for the state: msgpack, with Spark's types that msgpack does not have as extensions.

Keys of equal values have equal bytes: `-0.0` is `0.0`, and there is one NaN, as Spark normalizes keys.
"""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

_DECIMAL, _DATE, _NAIVE, _DURATION, _TIME, _MOMENT = range(1, 7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _encoded(value: Any) -> Any:
    raise TypeError(f"a value of type {type(value).__name__} cannot be kept in the state of a stream")


def _prepared(value: Any) -> Any:
    """msgspec writes dates and decimals as text by itself, which would come back as text."""
    if isinstance(value, Decimal):
        return msgspec.msgpack.Ext(_DECIMAL, str(value).encode())
    if isinstance(value, datetime):
        if value.tzinfo is None:
            micros = (value.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
            return msgspec.msgpack.Ext(_NAIVE, struct.pack(">q", micros))
        return msgspec.msgpack.Ext(_MOMENT, struct.pack(">q", (value - _EPOCH) // _MICROSECOND))
    if isinstance(value, date):
        return msgspec.msgpack.Ext(_DATE, struct.pack(">i", value.toordinal()))
    if isinstance(value, timedelta):
        return msgspec.msgpack.Ext(_DURATION, struct.pack(">q", value // _MICROSECOND))
    if isinstance(value, time):
        return msgspec.msgpack.Ext(_TIME, value.isoformat().encode())
    if isinstance(value, list):
        return [_prepared(item) for item in value]
    if isinstance(value, tuple):
        return [_prepared(item) for item in value]
    if isinstance(value, dict):
        return {_prepared(key): _prepared(item) for key, item in value.items()}
    if isinstance(value, float):
        return math.nan if math.isnan(value) else value + 0.0
    return value


def _decoded(code: int, data: memoryview) -> Any:
    if code == _DECIMAL:
        return Decimal(bytes(data).decode())
    if code == _MOMENT:
        return _EPOCH + struct.unpack(">q", data)[0] * _MICROSECOND
    if code == _NAIVE:
        return (_EPOCH + struct.unpack(">q", data)[0] * _MICROSECOND).replace(tzinfo=None)
    if code == _DATE:
        return date.fromordinal(struct.unpack(">i", data)[0])
    if code == _DURATION:
        return struct.unpack(">q", data)[0] * _MICROSECOND
    if code == _TIME:
        return time.fromisoformat(bytes(data).decode())
    raise ValueError(f"the state has a value of the unknown kind {code}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encoded)
_decoder = msgspec.msgpack.Decoder(ext_hook=_decoded)


def pack(values: Any) -> bytes:
    """Raises `TypeError` for a value of no type of Spark's."""
    return _encoder.encode(_prepared(values))


def unpack(data: bytes) -> Any:
    """What was packed, with lists for tuples."""
    return _decoder.decode(data)


def moment_us(value: datetime | None) -> int | None:
    """Microseconds since 1970; naive times are taken as UTC."""
    if value is None:
        return None
    return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def ordered(number: int) -> bytes:
    """Eight bytes in the order of signed numbers."""
    return (number + 2**63).to_bytes(8, "big")
