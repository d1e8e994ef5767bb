"""Arithmetic on decimals like Java's BigDecimal: the scale is part of the result."""

from __future__ import annotations

import math
from decimal import Context, Decimal

from smackbox.cassandra.wire.digits import DIGITS_LIMIT, digits_of

# wide enough to be exact for converted numbers: sums, differences, products, remainders
EXACT = Context(prec=2 * DIGITS_LIMIT, Emax=2**31 - 1, Emin=-(2**31))
LEAST_DIGITS = 32
SCALE_LIMIT = 1000


def decimal_of(value: float) -> Decimal:
    """A number of another type, converted through a double and Java's text of it: 3 becomes 3.0, and 1e11 becomes
    1.0E+11.

    Raises `ArithmeticError` for a number that is not a decimal.
    """
    number = float(value)
    if math.isnan(number):
        raise ArithmeticError("A NaN cannot be converted into a decimal")
    if math.isinf(number):
        raise ArithmeticError("An infinite number cannot be converted into a decimal")
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    assert isinstance(exponent, int)
    while len(digits) > 1 and digits[-1] == 0:
        digits = digits[:-1]
        exponent += 1
    # a digit after the point, even before an exponent
    least = -1 if number == 0 or 1e-3 <= abs(number) < 1e7 else exponent - (len(digits) == 1)
    if exponent > least:
        digits += (0,) * (exponent - least)
        exponent = least
    return Decimal((sign if number else 0, digits, exponent))


def divide(left: Decimal, right: Decimal) -> Decimal:
    """Divide with at least 32 significant digits and 32 places, at most 1,000 places, rounding half up, without
    trailing zeros.

    Raises `ArithmeticError` for a divisor of 0.
    """
    if not right:
        raise ArithmeticError("BigInteger divide by zero")
    (left_number, left_scale), (right_number, right_scale) = _parts(left), _parts(right)
    first_digit = (_precision(left_number) - left_scale) - (_precision(right_number) - right_scale)
    scale = min(max(LEAST_DIGITS - first_digit, left_scale, right_scale, LEAST_DIGITS), SCALE_LIMIT)
    shift = scale - left_scale + right_scale
    numerator, divisor = abs(left_number), abs(right_number)
    if abs(shift) > 2 * DIGITS_LIMIT:
        raise ArithmeticError("Too many digits")
    if shift >= 0:
        numerator *= 10**shift
    else:
        divisor *= 10**-shift
    quotient = (2 * numerator + divisor) // (2 * divisor)
    negative = (left_number < 0) != (right_number < 0)
    scaled = Decimal(-quotient if negative else quotient)
    return scaled.scaleb(-scale, EXACT).normalize(EXACT) if quotient else Decimal(0)


def remainder(left: Decimal, right: Decimal) -> Decimal:
    """The remainder. Raises `ArithmeticError` for a divisor of 0."""
    if not right:
        raise ArithmeticError("Division by zero")
    return EXACT.remainder(left, right)


def _parts(value: Decimal) -> tuple[int, int]:
    """The unscaled number and the scale."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return int(value.scaleb(-exponent, EXACT)), -exponent


def _precision(number: int) -> int:
    return len(digits_of(abs(number)))
