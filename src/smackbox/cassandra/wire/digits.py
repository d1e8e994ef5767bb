"""Conversion of large integers to text and back.

Python's conversion takes quadratic time, so it limits the number of digits. So does this module, at a number that takes
a few milliseconds. Every number that a client supplies is converted here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from smackbox.cassandra.wire.errors import Invalid

DIGITS_LIMIT: Final = 20_000
_PLAIN: Final = 4_000
# a number of that many bits exceeds the digit limit
_BITS_LIMIT: Final = DIGITS_LIMIT * 10 // 3 + 4


def digits_of(number: int) -> str:
    """The decimal text. Raises `Invalid` above the limit."""
    if number.bit_length() > _BITS_LIMIT:
        raise _too_long()
    return f"{Decimal(number):f}"


def number_of(text: str) -> int:
    """The integer with these digits and an optional sign. Raises `Invalid` above the limit, `ValueError` for other
    text.
    """
    if len(text) <= _PLAIN:
        return int(text)
    if len(text) > DIGITS_LIMIT:
        raise _too_long()
    sign = -1 if text.startswith("-") else 1
    number = 0
    digits = text.removeprefix("-")
    for start in range(0, len(digits), _PLAIN):
        part = digits[start : start + _PLAIN]
        number = number * 10 ** len(part) + int(part)
    return sign * number


def whole_of(value: Decimal) -> int:
    """The integer part. Raises `Invalid` when it has too many digits."""
    if value.adjusted() > DIGITS_LIMIT:
        raise _too_long()
    return int(value)


def _too_long() -> Invalid:
    return Invalid(f"a number of more than {DIGITS_LIMIT} digits is not converted")
