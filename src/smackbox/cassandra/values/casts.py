"""CAST: converts values between types, and every type to text."""

from __future__ import annotations

import ipaddress
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from smackbox.cassandra.values.calendar import civil, year_text
from smackbox.cassandra.values.decimals import decimal_of
from smackbox.cassandra.values.literals import DATE_EPOCH
from smackbox.cassandra.values.moments import of_ms, to_ms
from smackbox.cassandra.values.numbers import number_bytes
from smackbox.cassandra.wire.digits import digits_of
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    ASCII,
    BOOLEAN,
    COUNTER,
    DATE,
    DECIMAL,
    DOUBLE,
    FLOAT,
    INET,
    NUMBERS,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    UUID_TYPE,
    VARINT,
    CqlType,
)

_TO_TEXT = NUMBERS | {ASCII, BOOLEAN, DATE, INET, TIME, TIMESTAMP, TIMEUUID, UUID_TYPE, TEXT}


def cast_function(source: CqlType, target: CqlType) -> Callable[[bytes], bytes] | None:
    """The conversion of values of type `source` to type `target`; None when CQL has no such cast."""
    if source == target:
        return lambda value: value
    if source in NUMBERS and target in NUMBERS and target != COUNTER:
        return lambda value: number_bytes(target, _number(source.decode(value), target))
    if target in {TEXT, ASCII} and source in _TO_TEXT and not (source == TEXT and target == ASCII):
        return lambda value: text_of(source, value).encode()
    if (source == TIMEUUID and target in {TIMESTAMP, DATE}) or (source, target) in {
        (TIMESTAMP, DATE),
        (DATE, TIMESTAMP),
    }:
        return lambda value: _moment(source, target, value)
    return None


def _number(value: Any, target: CqlType) -> Any:
    if target == DECIMAL:
        try:
            return decimal_of(value) if isinstance(value, float) else Decimal(value)
        except ArithmeticError as error:
            raise Invalid(str(error)) from error
    if target in {FLOAT, DOUBLE}:
        return float(value)
    if isinstance(value, Decimal):
        return _long_of(value)
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        if math.isinf(value):
            return (2**63 - 1) if value > 0 else -(2**63)
        if target == VARINT:
            return int(value)
        limit = 2**31 if target.fixed_length is not None and target.fixed_length < 8 else 2**63
        return max(min(int(value), limit - 1), -limit)
    return int(value)


def _long_of(value: Decimal) -> int:
    """The lowest 64 bits of the integer part, like Java's `BigDecimal.longValue`."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    integer = 0 if exponent >= 64 else int(value)  # a power of ten that large has no bits set there
    return (integer + 2**63) % 2**64 - 2**63


def _moment(source: CqlType, target: CqlType, value: bytes) -> bytes:
    return of_ms(target, to_ms(source, value))


def text_of(kind: CqlType, value: bytes) -> str:
    """The text form of a value in CAST AS text and JSON."""
    decoded = kind.decode(value)
    if decoded is None:
        return ""
    if kind in {FLOAT, DOUBLE}:
        return float_text(decoded, single=kind == FLOAT)
    if kind == BOOLEAN:
        return "true" if decoded else "false"
    if kind == TIMESTAMP:
        return timestamp_text(decoded)
    if kind == DATE:
        return date_text(decoded)
    if kind == TIME:
        return time_text(decoded)
    if kind == DECIMAL:
        return decimal_text(decoded)
    if kind == INET:
        assert isinstance(decoded, ipaddress.IPv4Address | ipaddress.IPv6Address)
        return inet_text(decoded)
    return digits_of(decoded) if kind in NUMBERS else str(decoded)


def float_text(value: float, *, single: bool) -> str:
    """A number as Java's `Double.toString` and `Float.toString` print it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    digits, exponent = _shortest(abs(value), single=single)
    sign = "-" if value < 0 else ""
    if 1e-3 <= abs(value) < 1e7:
        if exponent >= 0:
            digits = digits.ljust(exponent + 1, "0")
            return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :] or '0'}"
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _shortest(value: float, *, single: bool) -> tuple[str, int]:
    """The fewest digits that identify this number, and the exponent of the first."""
    if not single:
        text = repr(value)
    else:
        text = next(
            text
            for precision in range(1, 10)
            if struct.pack(">f", float(text := f"{value:.{precision}g}")) == struct.pack(">f", value)
        )
    number = Decimal(text).normalize()
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    return "".join(map(str, digits)), exponent + len(digits) - 1


def timestamp_text(milliseconds: int) -> str:
    """Cassandra prints years of an era: the year before year 1 is also printed as year 1."""
    days, rest = divmod(milliseconds, 86_400_000)
    year, month, day = civil(days)
    seconds, fraction = divmod(rest, 1000)
    time = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:03d}"
    return f"{year_text(year if year > 0 else 1 - year)}-{month:02d}-{day:02d}T{time}Z"


def date_text(number: int) -> str:
    year, month, day = civil(number - DATE_EPOCH)
    return f"{year_text(year)}-{month:02d}-{day:02d}"


def time_text(nanoseconds: int) -> str:
    seconds, fraction = divmod(nanoseconds, 10**9)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:09d}"


def decimal_text(value: Decimal) -> str:
    """A decimal as Java's `BigDecimal.toString` prints it, which differs from Python only in the case of the
    exponent.
    """
    return str(value)


def inet_text(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An address as Java prints it: IPv6 without `::`."""
    if address.version == 4:
        return str(address)
    return ":".join(f"{int(part, 16):x}" for part in address.exploded.split(":"))
