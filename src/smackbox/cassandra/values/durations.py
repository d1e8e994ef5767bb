"""The text forms of a duration: `1y2mo3d4h`, ISO 8601 with designators, in weeks, and its alternative form."""

from __future__ import annotations

import re

from smackbox.cassandra.wire.errors import Invalid

_NUMBER_AND_UNIT = re.compile(r"(\d+)(mo|ms|us|µs|ns|y|w|d|h|m|s)", re.IGNORECASE | re.ASCII)
_STANDARD = re.compile(rf"(?:{_NUMBER_AND_UNIT.pattern})+", re.IGNORECASE | re.ASCII)
_ISO = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_ISO_WEEKS = re.compile(r"P(\d+)W", re.ASCII)
_ISO_ALTERNATIVE = re.compile(r"P(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})", re.ASCII)
_SECOND = 10**9
# in the order in which they may follow one another: the part of a duration, and the size of one unit
_UNITS = {
    "years": ("months", 12),
    "months": ("months", 1),
    "weeks": ("days", 7),
    "days": ("days", 1),
    "hours": ("nanoseconds", 3600 * _SECOND),
    "minutes": ("nanoseconds", 60 * _SECOND),
    "seconds": ("nanoseconds", _SECOND),
    "milliseconds": ("nanoseconds", 10**6),
    "microseconds": ("nanoseconds", 10**3),
    "nanoseconds": ("nanoseconds", 1),
}
_ORDER = {name: place for place, name in enumerate(_UNITS)}
_ISO_UNITS = ("years", "months", "days", "hours", "minutes", "seconds")
_SYMBOLS = {
    "y": "years", "mo": "months", "w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds",
    "ms": "milliseconds", "us": "microseconds", "µs": "microseconds", "ns": "nanoseconds",
}  # fmt: skip
_INT = 2**31 - 1
_LIMITS = {"months": _INT, "days": _INT, "nanoseconds": 2**63 - 1}


def parse_duration(text: str) -> tuple[int, int, int]:
    """Months, days and nanoseconds, all of one sign. Raises `Invalid`."""
    body = text.removeprefix("-")
    sign = -1 if body is not text else 1
    totals = dict.fromkeys(_LIMITS, 0)
    last = ""
    for number, unit in _parts(text, body):
        _check_order(unit, last)
        last = unit
        part, size = _UNITS[unit]
        totals[part] += number * size
        if totals[part] > _LIMITS[part]:
            raise Invalid(f"Invalid duration. The total number of {part} must be less or equal to {_INT}")
    return sign * totals["months"], sign * totals["days"], sign * totals["nanoseconds"]


def _parts(text: str, body: str) -> list[tuple[int, str]]:
    if not body:
        return []
    match = _ISO_ALTERNATIVE.fullmatch(body) or (_ISO.fullmatch(body) if len(body) > 1 else None)
    if match is not None:
        return [(int(number), unit) for number, unit in zip(match.groups(), _ISO_UNITS, strict=True) if number]
    if match := _ISO_WEEKS.fullmatch(body):
        return [(int(match.group(1)), "weeks")]
    if _STANDARD.fullmatch(body):
        return [(int(number), _SYMBOLS[symbol.lower()]) for number, symbol in _NUMBER_AND_UNIT.findall(body)]
    raise Invalid(f"Unable to convert '{text}' to a duration")


def _check_order(unit: str, last: str) -> None:
    if unit == last:
        raise Invalid(f"Invalid duration. The {unit} are specified multiple times")
    if last and _ORDER[unit] < _ORDER[last]:
        raise Invalid(f"Invalid duration. The {last} should be after {unit}")
