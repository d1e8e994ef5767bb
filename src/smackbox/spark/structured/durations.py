"""Spark's interval strings: `10 seconds`, `interval 1 hour 30 minutes`, `500 milliseconds`, `1 day`."""

from __future__ import annotations

import re

from smackbox.spark.front.errors import SparkError

_UNITS_US = {
    "microsecond": 1,
    "us": 1,
    "millisecond": 1_000,
    "ms": 1_000,
    "second": 1_000_000,
    "s": 1_000_000,
    "minute": 60_000_000,
    "m": 60_000_000,
    "hour": 3_600_000_000,
    "h": 3_600_000_000,
    "day": 86_400_000_000,
    "d": 86_400_000_000,
    "week": 604_800_000_000,
    # a month of 31 days, as Spark takes it for a watermark
    "month": 31 * 86_400_000_000,
    "year": 12 * 31 * 86_400_000_000,
}
_PART = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([a-z]+)")


def microseconds(text: str) -> int:
    """Raises `SparkError` (`CANNOT_PARSE_INTERVAL`) for what is no interval."""
    rest = text.strip().lower().removeprefix("interval")
    total, position = 0, 0
    while position < len(rest) and rest[position:].strip():
        part = _PART.match(rest, position)
        unit = None if part is None else _UNITS_US.get(part[2]) or _UNITS_US.get(part[2].removesuffix("s"))
        if part is None or unit is None:
            break
        total += int(float(part[1]) * unit)
        position = part.end()
    if position == 0 or rest[position:].strip():
        raise SparkError(
            f"Unable to parse '{text}'. Please ensure that the value provided is in a valid format for defining an "
            "interval. You can reference the documentation for the correct format. If the issue persists, please "
            "double check that the input value is not null or empty and try again.",
            condition="CANNOT_PARSE_INTERVAL",
            sql_state="22006",
            parameters={"intervalString": f"'{text}'"},
        )
    return total


def milliseconds(text: str) -> int:
    """`microseconds` cut to milliseconds."""
    return microseconds(text) // 1000
