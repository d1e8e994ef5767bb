"""Bound values: the same bytes as the driver's, and the forms that Spark and event types use besides."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from cassandra import cqltypes
from hypothesis import given
from hypothesis import strategies as st

from smackbox.spark.cql_binding import PROTOCOL_VERSION, binder

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("cql_type", "values"),
    [
        (cqltypes.UUIDType, st.uuids()),
        (cqltypes.UTF8Type, st.text()),
        (cqltypes.LongType, st.integers(-(2**63), 2**63 - 1)),
        (cqltypes.Int32Type, st.integers(-(2**31), 2**31 - 1)),
        (cqltypes.ShortType, st.integers(-(2**15), 2**15 - 1)),
        (cqltypes.ByteType, st.integers(-(2**7), 2**7 - 1)),
        (cqltypes.DoubleType, st.floats()),
        (cqltypes.FloatType, st.floats(width=32)),
        (cqltypes.BooleanType, st.booleans()),
        (cqltypes.DateType, MOMENTS),
        (cqltypes.SimpleDateType, st.dates()),
        (cqltypes.BytesType, st.binary()),
        (cqltypes.DecimalType, st.decimals(allow_nan=False, allow_infinity=False)),
        (cqltypes.ListType.apply_parameters([cqltypes.LongType]), st.lists(st.integers(0, 9))),
    ],
)
def test_values_become_the_drivers_bytes(cql_type: Any, values: Any) -> None:
    bind = binder(cql_type)

    @given(values)
    def same(value: Any) -> None:
        if cql_type is cqltypes.DateType:
            value = value.replace(microsecond=value.microsecond // 1000 * 1000)
        assert bind(value) == cql_type.serialize(value, PROTOCOL_VERSION)

    same()


class Color(enum.Enum):
    RED = "red"


UTC_NOON = datetime(2015, 10, 1, 12, tzinfo=UTC)
NOON_MS = 1_443_700_800_000


@pytest.mark.parametrize(
    ("cql_type", "value", "same_as"),
    [
        (cqltypes.UUIDType, "6F9619FF-8B86-D011-B42D-00CF4FC964FF", UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")),
        (cqltypes.UTF8Type, Color.RED, "red"),
        (cqltypes.LongType, UTC_NOON, NOON_MS),
        (cqltypes.DateType, UTC_NOON.replace(tzinfo=None), UTC_NOON),
        (cqltypes.DateType, UTC_NOON.astimezone(timezone(timedelta(hours=2))), UTC_NOON),
        (cqltypes.DateType, NOON_MS, UTC_NOON),
        (cqltypes.DateType, date(2015, 10, 1), datetime(2015, 10, 1, tzinfo=UTC)),
        (cqltypes.SimpleDateType, UTC_NOON, date(2015, 10, 1)),
        (cqltypes.DecimalType, Decimal("1.50"), Decimal("1.50")),
    ],
)
def test_other_forms_of_a_value(cql_type: Any, value: Any, same_as: Any) -> None:
    assert binder(cql_type)(value) == cql_type.serialize(same_as, PROTOCOL_VERSION)


@pytest.mark.parametrize(
    ("cql_type", "value"),
    [
        (cqltypes.UTF8Type, 1),
        (cqltypes.SimpleDateType, "2015-10-01"),
        (cqltypes.UUIDType, "x"),
        (cqltypes.LongType, "1"),
    ],
)
def test_what_is_not_of_the_type_is_an_error(cql_type: Any, value: Any) -> None:
    with pytest.raises((TypeError, ValueError, Exception)) as caught:
        binder(cql_type)(value)
    assert type(caught.value).__name__ in {"TypeError", "ValueError", "error"}
