"""The calendar, durations, floors and moments, at their edges."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.cassandra.values.calendar import civil, days_of, year_text
from smackbox.cassandra.values.durations import parse_duration
from smackbox.cassandra.values.floors import Duration, floor_date, floor_ms, floor_time
from smackbox.cassandra.values.literals import DATE_EPOCH
from smackbox.cassandra.values.moments import MS_A_DAY, add_duration, of_ms, ticks_to_ms, to_ms
from smackbox.cassandra.values.timeuuids import UUID_EPOCH_TICKS, timeuuid
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import DATE, TIMESTAMP

HOUR = 3_600 * 10**9
MONTH: Duration = (1, 0, 0)


@given(st.integers(-(2**40), 2**40))
def test_a_day_comes_back_from_its_date(day: int) -> None:
    assert days_of(*civil(day)) == day


@given(st.dates())
def test_the_calendar_is_pythons_where_python_has_one(day: date) -> None:
    assert civil((day - date(1970, 1, 1)).days) == (day.year, day.month, day.day)


def test_a_day_after_the_months_last_is_the_last() -> None:
    assert civil(days_of(2023, 2, 31)) == (2023, 2, 28)
    assert civil(days_of(2024, 2, 31)) == (2024, 2, 29)
    assert civil(days_of(1900, 2, 31)) == (1900, 2, 28)


@pytest.mark.parametrize(
    ("year", "text"), [(1, "0001"), (9999, "9999"), (10_000, "+10000"), (-5, "-0005"), (0, "0000")]
)
def test_a_year_has_four_digits_or_a_sign(year: int, text: str) -> None:
    assert year_text(year) == text


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1y2mo3d4h", (14, 3, 4 * HOUR)),
        ("-P1Y2M3DT4H", (-14, -3, -4 * HOUR)),
        ("P2W", (0, 14, 0)),
        ("P0001-02-03T04:00:00", (14, 3, 4 * HOUR)),
        ("1H30M", (0, 0, HOUR * 3 // 2)),
        ("1ms2us3µs", None),
        ("1d1w", None),
        ("1s1s", None),
        ("3000000000d", None),
        ("1x", None),
    ],
)
def test_a_duration_in_each_of_its_forms(text: str, duration: Duration | None) -> None:
    if duration is None:
        with pytest.raises(Invalid):
            parse_duration(text)
    else:
        assert parse_duration(text) == duration


def test_a_floor_is_the_beginning_of_the_span() -> None:
    assert floor_ms(40 * MS_A_DAY, MONTH) == 31 * MS_A_DAY
    assert floor_ms(3_700_000, (0, 0, HOUR)) == 3_600_000
    assert floor_ms(3_700_000, (0, 0, HOUR), 200_000) == 200_000
    assert floor_ms(3_700_000, (0, 0, 0)) == 3_700_000
    assert floor_date(45, MONTH) == 31
    assert floor_time(HOUR + 5, (0, 0, HOUR)) == HOUR


@given(st.integers(0, 10**13), st.integers(1, 30), st.integers(0, 40))
def test_a_floor_is_not_after_the_moment_and_the_next_span_is(moment: int, months: int, days: int) -> None:
    duration = (months, days, 0)
    begin = floor_ms(moment, duration)
    assert begin <= moment
    if days:
        assert floor_ms(begin, duration) == begin


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: floor_ms(0, (0, 0, -1)),
        lambda: floor_ms(0, MONTH, 1),
        lambda: floor_ms(0, (0, 0, 1)),
        lambda: floor_date(0, (0, 0, HOUR)),
        lambda: floor_time(0, (0, 1, 0)),
    ],
)
def test_what_has_no_floor(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(Invalid):
        wrong()


def test_a_moment_over_the_types_end_goes_on_at_the_other() -> None:
    assert add_duration(DATE, 2**32 - 1, (0, 1, 0), 1) == bytes(4)
    assert add_duration(TIMESTAMP, 2**63 - 1, (0, 0, 10**6), 1) == TIMESTAMP.encode(-(2**63))
    assert add_duration(TIMESTAMP, 30 * MS_A_DAY, (1, 0, 0), 1) == TIMESTAMP.encode(58 * MS_A_DAY)


def test_a_timestamp_before_1970_is_a_date_towards_it() -> None:
    assert of_ms(DATE, -1) == DATE.encode(DATE_EPOCH)
    assert of_ms(DATE, -MS_A_DAY) == DATE.encode(DATE_EPOCH - 1)
    assert to_ms(DATE, DATE.encode(DATE_EPOCH - 1)) == -MS_A_DAY


@given(st.integers(0, 10**14), st.binary(min_size=8, max_size=8))
def test_a_timeuuid_has_its_moment(moment_ms: int, low: bytes) -> None:
    value = timeuuid(UUID_EPOCH_TICKS + moment_ms * 10_000, low)
    assert value[6] >> 4 == 1
    assert value[8] >> 6 == 0b10
    assert ticks_to_ms(value) == moment_ms


def test_a_random_uuid_has_no_moment() -> None:
    with pytest.raises(Invalid, match="Invalid version for TimeUUID type"):
        ticks_to_ms(bytes(6) + b"\x40" + bytes(9))
