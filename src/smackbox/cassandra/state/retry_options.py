"""`speculative_retry` and `additional_write_policy`: the allowed values, and the form in which they are shown."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal

from smackbox.cassandra.wire.errors import ConfigFault

_INT = 2**31 - 1
_PERCENTILE = re.compile(r"([0-9.]+)p(?:ercentile)?", re.IGNORECASE)
_FIXED = re.compile(r"([0-9.]+)ms", re.IGNORECASE)
_EITHER = re.compile(r"(MIN|MAX)\(([^)]+)\s*,\s*([^)]+)\)", re.IGNORECASE)


def checked_retry(text: str) -> str:
    """The policy in the form of system_schema: NONE is NEVER, 95percentile is 95p. Raises `ConfigFault`."""
    word = text.upper()
    if word in {"ALWAYS", "NEVER", "NONE"}:
        return "ALWAYS" if word == "ALWAYS" else "NEVER"
    either = _EITHER.fullmatch(text)
    if either is None:
        return _single(text, text)
    try:
        parts = [_single(part.strip(), text) for part in either.group(2, 3)]
    except ConfigFault:
        raise _invalid(text) from None
    kinds = ["FIXED" if part.endswith("ms") else "PERCENTILE" for part in parts]
    if kinds[0] == kinds[1]:
        raise ConfigFault(
            f"Invalid value {text} for option 'speculative_retry': MIN()/MAX() arguments should be of different types, "
            f"but both are of type {kinds[0]}"
        )
    parts.sort(key=lambda part: part.endswith("ms"))
    return f"{either.group(1).upper()}({parts[0]},{parts[1]})"


def _single(part: str, text: str) -> str:
    if match := _PERCENTILE.fullmatch(part):
        percentile = _number(match.group(1), text)
        if not 0 < percentile < 100:
            raise ConfigFault(
                f"Invalid value {part} for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)"
            )
        rounded = percentile.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
        shown = f"{rounded:f}".rstrip("0").rstrip(".")
        return f"{shown}p"
    if match := _FIXED.fullmatch(part):
        return f"{min(int(_number(match.group(1), text)), _INT)}ms"
    raise _invalid(text)


def _number(digits: str, text: str) -> Decimal:
    if digits.count(".") > 1 or digits == ".":
        raise _invalid(text)
    return Decimal(digits)


def _invalid(text: str) -> ConfigFault:
    return ConfigFault(f"Invalid value {text} for option 'speculative_retry'")
