"""Durations in Mesos' form: a number and a unit, `15secs`, `1.5mins`, `10ms`."""

from __future__ import annotations

import re

from smackbox.base.errors import RequestError

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "secs": 1_000_000_000,
    "mins": 60_000_000_000,
    "hrs": 3_600_000_000_000,
    "days": 86_400_000_000_000,
    "weeks": 604_800_000_000_000,
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


class DurationError(RequestError):
    """An invalid duration."""


def parse_duration_ns(text: str) -> int:
    """A duration in nanoseconds. Raises `DurationError`."""
    match = _DURATION.fullmatch(text)
    if match is None or match[2] not in _NANOSECONDS:
        raise DurationError(f"{text!r} is not a duration such as 15secs; units are {', '.join(_NANOSECONDS)}")
    return int(float(match[1]) * _NANOSECONDS[match[2]])


def parse_duration_ms(text: str) -> int:
    """A duration in whole milliseconds. Raises `DurationError`."""
    return parse_duration_ns(text) // 1_000_000
