"""Integers of many digits to text and back.

Python converts some thousands of digits in time that grows with their square, so it bounds them; so does this, at a
number that takes some milliseconds. Every conversion of a number that a client chose goes this way.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from smackbox.cassandra.wire.errors import Invalid

DIGITS_LIMIT: Final = 20_000
_PLAIN: Final = 4_000
# a number of that many bits has more digits than the limit
_BITS_LIMIT: Final = DIGITS_LIMIT * 10 // 3 + 4


def digits_of(number: int) -> str:
    """The decimal text. Raises `Invalid` over the limit."""
    if number.bit_length() > _BITS_LIMIT:
        raise _too_long()
    return f"{Decimal(number):f}"


def number_of(text: str) -> int:
    """The integer of digits, with a sign or without. Raises `Invalid` over the limit, `ValueError` for other text."""
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
