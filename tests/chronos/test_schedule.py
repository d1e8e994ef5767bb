"""When schedules are due: repeats, periods, time zones and their changes of clocks, cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.chronos.wire.errors import Refusal
from smackbox.chronos.wire.schedule import Schedule, parse

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def times(text: str, count: int, zone: str = "") -> list[str]:
    """The next moments, UTC."""
    schedule: Schedule = parse(text, zone, NOW)
    found = []
    while len(found) < count and (due_ms := schedule.due_ms) is not None:
        found.append(f"{datetime.fromtimestamp(due_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}")
        schedule = schedule.advanced()
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("R/2026-01-01T02:00:00Z/PT10M", ["2026-01-01 02:00:00", "2026-01-01 02:10:00", "2026-01-01 02:20:00"]),
        ("R2/2026-01-01T02:00:00Z/P1D", ["2026-01-01 02:00:00", "2026-01-02 02:00:00"]),
        ("R0/2026-01-01T02:00:00Z/P1D", []),
        ("R1/2026-01-01T02:00:00+02:00/PT1S", ["2026-01-01 00:00:00"]),
        ("R2//PT1H", ["2026-01-01 00:00:00", "2026-01-01 01:00:00"]),
        ("R/2026-01-31T00:00:00.000Z/P1M", ["2026-01-31 00:00:00", "2026-02-28 00:00:00", "2026-03-28 00:00:00"]),
        ("R/2024-02-29T00:00:00Z/P1Y", ["2024-02-29 00:00:00", "2025-02-28 00:00:00", "2026-02-28 00:00:00"]),
        ("R2/2026-01-01T00:00:00Z/P1W", ["2026-01-01 00:00:00", "2026-01-08 00:00:00"]),
        ("R2/2026-01-01T00:00:00Z/P1DT12H", ["2026-01-01 00:00:00", "2026-01-02 12:00:00"]),
        ("R5/2026-01-01T00:00:00Z/PT0S", ["2026-01-01 00:00:00"]),
        ("0 2 * * 1-5", ["2026-01-01 02:00:00", "2026-01-02 02:00:00", "2026-01-05 02:00:00"]),
        ("*/30 * * * *", ["2026-01-01 00:30:00", "2026-01-01 01:00:00", "2026-01-01 01:30:00"]),
    ],
)
def test_when_it_is_due(text: str, found: list[str]) -> None:
    assert times(text, 3) == found


def test_a_day_on_the_wall_and_a_day_that_passes() -> None:
    """In Berlin clocks went forward on 29 March 2026 at 02:00, to 03:00."""
    wall = times("R/2026-03-28T02:30:00/P1D", 3, "Europe/Berlin")
    assert wall == ["2026-03-28 01:30:00", "2026-03-29 01:30:00", "2026-03-30 00:30:00"]
    passing = times("R/2026-03-28T02:30:00/PT24H", 3, "Europe/Berlin")
    assert passing == ["2026-03-28 01:30:00", "2026-03-29 01:30:00", "2026-03-30 01:30:00"]
    cron = times("30 4 28-30 3 *", 3, "Europe/Berlin")
    assert cron == ["2026-03-28 03:30:00", "2026-03-29 02:30:00", "2026-03-30 02:30:00"]


def test_an_hour_that_comes_twice_is_had_once() -> None:
    """In Berlin clocks went back on 25 October 2026 at 03:00, to 02:00."""
    assert times("R/2026-10-24T02:30:00/P1D", 3, "Europe/Berlin") == [
        "2026-10-24 00:30:00",
        "2026-10-25 00:30:00",
        "2026-10-26 01:30:00",
    ]
    hours = times("R/2026-10-25T01:00:00/PT1H", 4, "Europe/Berlin")
    assert hours == ["2026-10-24 23:00:00", "2026-10-25 00:00:00", "2026-10-25 01:00:00", "2026-10-25 02:00:00"]


def test_the_named_zone_takes_precedence_over_the_offset() -> None:
    assert times("R1/2014-10-10T18:32:00Z/PT60M", 1, "PST") == ["2014-10-11 01:32:00"]
    assert times("R1/2026-01-01T12:00:00Z/PT1H", 1, "GMT+2") == ["2026-01-01 10:00:00"]


@pytest.mark.parametrize(
    "text",
    ["", "R", "R/2026-01-01T00:00:00Z", "R/yesterday/P1D", "R/2026-01-01T00:00:00Z/1D", "Rx//P1D", "R//PT0.001S",
     "R//-P1D", "61 * * * *", "* * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse(text, "", NOW)
    with pytest.raises(Refusal):
        parse("R//P1D", "Nowhere/City", NOW)


@settings(deadline=None)
@given(
    st.sampled_from(["PT1M", "PT7M", "P1D", "P1M", "P1DT3H"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.integers(0, 60),
    st.one_of(st.none(), st.integers(0, 50)),
)
def test_skipping_is_as_advancing(period: str, zone: str, start: datetime, days: int, repeat: int | None) -> None:
    text = f"R{'' if repeat is None else repeat}/{start.replace(microsecond=0).isoformat()}/{period}"
    schedule = parse(text, zone, NOW)
    first = schedule.due_ms
    moment = (first or NOW) + round(timedelta(days=days if period != "PT1M" else days / 100).total_seconds() * 1000)
    last, stepped = None, schedule
    while (due := stepped.due_ms) is not None and due < moment:
        last, stepped = due, stepped.advanced()
    skipped = schedule.skipped_to(moment)
    assert skipped.due_ms == stepped.due_ms
    assert schedule.last_before(moment) == last


@settings(deadline=None)
@given(
    st.sampled_from(["PT7M", "P1D", "P1M"]),
    st.sampled_from(["", "UTC", "Europe/Berlin", "America/New_York"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.integers(0, 200),
)
def test_what_is_left_can_be_read_again(period: str, zone: str, start: datetime, steps: int) -> None:
    schedule = parse(f"R/{start.replace(microsecond=0).isoformat()}/{period}", zone, NOW)
    for _ in range(steps):
        schedule = schedule.advanced()
    assert parse(schedule.text(), zone, NOW).due_ms == schedule.due_ms


@pytest.mark.parametrize("period", ["P9999Y", "P8000Y", "P99999M", "P3000000D", "PT100000000H"])
def test_a_schedule_ends_where_the_calendar_does(period: str) -> None:
    """One job whose next run would be after the year 9999 must not stop the clock of all others."""
    schedule = parse(f"R/2026-01-01T00:00:00Z/{period}", "America/New_York", NOW)
    assert schedule.due_ms is not None
    assert schedule.advanced().due_ms is None
    assert schedule.skipped_to(NOW * 2).due_ms is None
    assert schedule.last_before(NOW * 2) == schedule.due_ms


def test_the_last_run_of_the_calendar() -> None:
    """The last day of the year 9999 is not over in New York when it is in UTC: no moment can be given for its end."""
    assert times("R/9999-12-30T23:00:00/P1D", 3, "America/New_York") == ["9999-12-31 04:00:00"]


@pytest.mark.parametrize(
    ("text", "zone", "reason"),
    [
        ("R/0001-01-01T00:00:00+05:00/P1D", "", "years 1 to 9999"),
        ("R/0001-01-01T00:00:00/P1D", "Asia/Tokyo", "years 1 to 9999"),
        ("R/9999-12-31T23:00:00/P1D", "America/New_York", "years 1 to 9999"),
        ("R//P99999999999D", "", "not an ISO 8601 period"),
        ("R//P1D", "+24:00", "no time zone"),
        ("R//P1D", "GMT-99", "no time zone"),
        ("R//P1D", "UTC+5:60", "no time zone"),
    ],
)
def test_moments_and_zones_that_are_out_of_range(text: str, zone: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        parse(text, zone, NOW)


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("+23:59", "2025-12-31 12:01:00"),
        ("-5", "2026-01-01 17:00:00"),
        ("UTC+0530", "2026-01-01 06:30:00"),
        ("GMT-01:30", "2026-01-01 13:30:00"),
        ("IST", "2026-01-01 06:30:00"),
    ],
)
def test_zones_by_their_offset(zone: str, moment: str) -> None:
    assert times("R1/2026-01-01T12:00:00/P1D", 1, zone) == [moment]


def test_a_cron_expression_goes_on_behind_what_is_skipped() -> None:
    schedule = parse("0 2 * * *", "", NOW)
    two = NOW + 2 * 3_600_000
    assert schedule.due_ms == two
    assert schedule.skipped_to(two).due_ms == two
    assert schedule.skipped_to(two + 1).due_ms == two + 24 * 3_600_000
    assert schedule.skipped_to(NOW - 1) == schedule, "never back"
    assert schedule.last_before(two) is None
    assert schedule.last_before(two + 1) == two
    assert schedule.text() == "0 2 * * *"


def test_what_is_left_is_shown_as_chronos_shows_it() -> None:
    assert parse("R5/2026-01-01T00:00:00Z/P1D", "", NOW).advanced().text() == "R4/2026-01-02T00:00:00.000Z/P1D"
    assert parse("R//PT1H", "GMT+2", NOW).text() == "R/2026-01-01T02:00:00.000+02:00/PT1H"
    assert parse("R1//PT1H", "", NOW).advanced().text() == "R0/2026-01-01T01:00:00.000Z/PT1H"


def test_a_period_of_a_second_is_the_shortest() -> None:
    assert times("R2//PT1S", 2) == ["2026-01-01 00:00:00", "2026-01-01 00:00:01"]
    with pytest.raises(Refusal, match="at least a second"):
        parse("R//PT0.5S", "", NOW)


def test_the_last_run_before_a_moment_is_before_it() -> None:
    hour = 3_600_000
    schedule = parse("R3//PT1H", "", NOW)
    found = [schedule.last_before(NOW + step) for step in (0, 1, hour, hour + 1, 9 * hour)]
    assert found == [None, NOW, NOW, NOW + hour, NOW + 2 * hour]


def test_an_offset_says_which_of_two_equal_hours_is_meant() -> None:
    """In Berlin 02:30 came twice on 25 October 2026, first in summer time."""
    for offset, due in (("+02:00", "2026-10-25 00:30:00"), ("+01:00", "2026-10-25 01:30:00")):
        assert times(f"R1/2026-10-25T02:30:00{offset}/PT1H", 1, "Europe/Berlin") == [due]
    assert times("R1/2026-10-25T02:30:00/PT1H", 1, "Europe/Berlin") == ["2026-10-25 00:30:00"]
