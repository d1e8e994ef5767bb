"""Aggregates: values over any cutting into batches and sessions, states that are read again, fields that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import SettingError
from smackbox.flow import Collect, Count, Earliest, First, Last, Latest, Max, Mean, Min, Sum
from smackbox.flow.turn import decoder, encode


class Row(msgspec.Struct, frozen=True):
    at: int
    value: int | None = None
    name: str = ""
    money: Decimal = Decimal(0)


ROWS = st.lists(st.builds(Row, at=st.integers(0, 9), value=st.none() | st.integers(-9, 9)), max_size=12)
ALL = (
    Count(),
    Count("value"),
    *(kind("value") for kind in (Sum, Min, Max, Mean, First, Last, Earliest, Latest, Collect)),
)


def expected(rows: Sequence[Row]) -> list[Any]:
    values = [row.value for row in rows if row.value is not None]
    known = [row for row in rows if row.value is not None]
    return [
        len(rows),
        len(values),
        sum(values) if values else None,
        min(values, default=None),
        max(values, default=None),
        fmean(values) if values else None,
        values[0] if values else None,
        values[-1] if values else None,
        min(known, key=lambda row: row.at).value if known else None,
        max(reversed(known), key=lambda row: (row.at, -known.index(row))).value if known else None,
        values,
    ]


@given(ROWS, st.integers(0, 12))
def test_values_are_those_of_all_rows_however_they_are_cut(rows: list[Row], cut: int) -> None:
    for aggregate, value in zip(ALL, expected(rows), strict=True):
        read = decoder(aggregate.state_type(Row), "a test")
        times = [row.at for row in rows]
        early = aggregate.add(aggregate.first(), rows[:cut], times[:cut])
        saved = read(encode(early))
        whole = aggregate.add(saved, rows[cut:], times[cut:])
        merged = aggregate.merge(saved, aggregate.add(aggregate.first(), rows[cut:], times[cut:]))
        if not isinstance(aggregate, Latest):
            assert aggregate.value(whole) == aggregate.value(merged) == value, aggregate
        assert aggregate.value(whole) == aggregate.value(merged), aggregate


def test_of_two_at_one_moment_the_first_to_arrive_is_the_latest() -> None:
    rows = [Row(1, 5), Row(3, 6), Row(3, 7)]
    assert Latest("value").value(Latest("value").add(None, rows, [1, 3, 3])) == 6
    assert Earliest("value").value(Earliest("value").add(None, rows[1:], [3, 3])) == 6


def test_decimals_stay_decimals() -> None:
    rows = [Row(0, money=Decimal("0.10")), Row(0, money=Decimal("0.20"))]
    total = Sum("money")
    state = decoder(total.state_type(Row), "a test")(encode(total.add(None, rows, [0, 0])))
    assert total.value(state) == Decimal("0.30")


def test_a_collection_is_bounded() -> None:
    few = Collect("at", limit=3)
    assert few.add(few.add([], [Row(1), Row(2)], [1, 2]), [Row(3), Row(4)], [3, 4]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        (Sum(), "needs the field"),
        (Sum("valeu"), "did you mean 'value'"),
        (Sum("name"), "Sum needs a number, Row.name is str"),
        (Mean("name"), "Mean needs a number"),
        (Collect("at", limit=10**9), "limit must be 1 to"),
    ],
)
def test_fields_that_cannot_be_aggregated_are_refused(aggregate: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        aggregate.check("total", Row)
    Count().check("n", Row)
    Min("name").check("least", Row)
