"""The Gregorian calendar without a first or last year, like Java's and unlike Python's; days count from 1970.

It repeats every 400 years, so a day is looked up in the 400 years from 1970 on.
"""

from __future__ import annotations

from datetime import date, timedelta

YEARS = 400
DAYS = 146_097
_FIRST = date(1970, 1, 1)


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day; the year before year 1 is 0."""
    cycles, rest = divmod(days, DAYS)
    moment = _FIRST + timedelta(days=rest)
    return moment.year + cycles * YEARS, moment.month, moment.day


def days_of(year: int, month: int, day: int) -> int:
    """The inverse; a day past the end of the month is taken as its last day."""
    cycles, rest = divmod(year - _FIRST.year, YEARS)
    begin = date(_FIRST.year + rest, month, 1)
    next_month = date(begin.year + month // 12, month % 12 + 1, 1)
    return cycles * DAYS + (begin - _FIRST).days + min(day, (next_month - begin).days) - 1


def year_text(year: int) -> str:
    """A year in ISO 8601 form: four digits, or more with a sign."""
    if year > 9999:
        return f"+{year}"
    return f"{'-' if year < 0 else ''}{abs(year):04d}"
