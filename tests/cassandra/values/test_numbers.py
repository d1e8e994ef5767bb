"""Arithmetic and texts of numbers, as Java's: its BigDecimal, its overflow, its `toString`."""

from __future__ import annotations

import ipaddress
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.cassandra.values.casts import cast_function, float_text, inet_text
from smackbox.cassandra.values.decimals import decimal_of, divide, remainder
from smackbox.cassandra.values.numbers import math_function, number_bytes, operation_on
from smackbox.cassandra.values.similarity import similarity, unsearchable
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT, BOOLEAN, DECIMAL, DOUBLE, FLOAT, INT, TEXT, TINYINT, VARINT, CqlType


@pytest.mark.parametrize(
    ("left", "right", "quotient"),
    [
        ("1", "3", "0." + "3" * 32),
        ("10", "4", "2.5"),
        ("-1", "8", "-0.125"),
        ("2", "3", "0." + "6" * 31 + "7"),
        ("1", "3000", "0." + "0" * 3 + "3" * 32),
        ("0", "7", "0"),
    ],
)
def test_a_quotient_has_32_digits_at_least_and_is_rounded_half_up(left: str, right: str, quotient: str) -> None:
    assert str(divide(Decimal(left), Decimal(right))) == quotient


def test_nothing_is_divided_by_zero() -> None:
    for operation in (divide, remainder):
        with pytest.raises(ArithmeticError):
            operation(Decimal(1), Decimal("0.0"))


@pytest.mark.parametrize(
    ("number", "text"), [(3, "3.0"), (1e11, "1.0E+11"), (0, "0.0"), (-0.5, "-0.5"), (1e-5, "0.000010")]
)
def test_a_decimal_of_another_number_has_javas_scale(number: float, text: str) -> None:
    assert str(decimal_of(number)) == text


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_decimal(number: float) -> None:
    with pytest.raises(ArithmeticError):
        decimal_of(number)


@given(st.integers())
def test_an_integer_wraps_around(number: int) -> None:
    wrapped = INT.decode(number_bytes(INT, number))
    assert -(2**31) <= wrapped < 2**31
    assert (wrapped - number) % 2**32 == 0


@given(st.integers(), st.integers().filter(bool))
def test_a_division_of_integers_is_towards_zero(left: int, right: int) -> None:
    quotient, rest = (operation_on(operator, VARINT)(left, right) for operator in "/%")
    assert quotient * right + rest == left
    assert abs(rest) < abs(right)
    assert rest == 0 or (rest < 0) == (left < 0)


def test_a_division_of_floats_by_zero_is_javas() -> None:
    divided = operation_on("/", DOUBLE)
    assert divided(1.0, -0.0) == -math.inf
    assert divided(-1.0, 0.0) == -math.inf
    assert math.isnan(divided(0.0, 0.0))
    assert math.isnan(operation_on("%", DOUBLE)(1.0, 0.0))


@pytest.mark.parametrize(
    ("name", "kind", "value", "result"),
    [
        ("round", DOUBLE, -2.5, -2.0), ("round", DOUBLE, 2.5, 3.0), ("round", DECIMAL, Decimal("-2.5"), Decimal(-3)),
        ("exp", INT, 100, 2**31 - 1), ("log", DOUBLE, 0.0, -math.inf), ("log10", INT, 1000, 3), ("abs", INT, -5, 5),
    ],
)  # fmt: skip
def test_a_function_of_numbers(name: str, kind: CqlType, value: object, result: object) -> None:
    assert math_function(name, kind, value) == result


@pytest.mark.parametrize(
    ("value", "single", "text"),
    [
        (1e7, False, "1.0E7"), (9_999_999.0, False, "9999999.0"), (1e-3, False, "0.001"), (1.5e-5, False, "1.5E-5"),
        (0.1, True, "0.1"), (-0.0, False, "-0.0"), (math.nan, True, "NaN"), (-math.inf, False, "-Infinity"),
    ],
)  # fmt: skip
def test_a_float_is_written_as_java_does(value: float, single: bool, text: str) -> None:
    assert float_text(value, single=single) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_double_is_that_number(value: float) -> None:
    assert float(float_text(value, single=False)) == value


@pytest.mark.parametrize(
    ("source", "target", "value", "result"),
    [
        (INT, TINYINT, 200, -56), (DOUBLE, INT, 1e20, 2**31 - 1), (DOUBLE, INT, math.nan, 0),
        (DOUBLE, BIGINT, -1e30, -(2**63)),
        (DECIMAL, BIGINT, Decimal(2**64 + 5), 5), (DECIMAL, BIGINT, Decimal("1E+100"), 0), (FLOAT, TEXT, 1.5, "1.5"),
        (BOOLEAN, TEXT, True, "true"),
    ],
)  # fmt: skip
def test_a_cast_is_javas(source: CqlType, target: CqlType, value: object, result: object) -> None:
    cast = cast_function(source, target)
    assert cast is not None
    assert target.decode(cast(source.encode(value))) == result


def test_there_is_no_cast_of_a_text_to_a_number() -> None:
    assert cast_function(TEXT, INT) is None
    assert cast_function(BOOLEAN, INT) is None


def test_an_address_of_ipv6_is_written_out() -> None:
    assert inet_text(ipaddress.ip_address("::1")) == "0:0:0:0:0:0:0:1"
    assert inet_text(ipaddress.ip_address("1.2.3.4")) == "1.2.3.4"


def test_similarities_go_from_0_to_1() -> None:
    for name, same, opposite in (("cosine", 1, 0), ("euclidean", 1, 0.2), ("dot_product", 1, 0)):
        measure = similarity(name)
        assert measure is not None
        assert measure([1.0, 0.0], [1.0, 0.0]) == same
        assert measure([1.0, 0.0], [-1.0, 0.0]) == pytest.approx(opposite)
    assert similarity("manhattan") is None


def test_a_vector_of_zeros_has_no_direction() -> None:
    cosine = similarity("cosine")
    assert cosine is not None
    with pytest.raises(Invalid, match="all-zero vectors"):
        cosine([0.0, 0.0], [1.0, 0.0])
    assert unsearchable([0.0, 0.0], "cosine") is not None
    assert unsearchable([0.0, 0.0], "euclidean") is None
    assert unsearchable([1.0, math.inf], "euclidean") == "non-finite value at vector[1]=inf"
