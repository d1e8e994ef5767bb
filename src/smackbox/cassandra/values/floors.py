"""`floor`: the start of the interval that contains a point in time, for intervals of a given length from a given start.

Cassandra's `TimeFcts.floor` and `Duration.floorTimestamp`: times are in UTC, the default start is 1970.
"""

from __future__ import annotations

from smackbox.cassandra.values.calendar import civil
from smackbox.cassandra.values.json_values import duration_text
from smackbox.cassandra.values.moments import MS_A_DAY, moved
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import TIMESTAMP

MONTH_MS = 28 * MS_A_DAY
# months, days, nanoseconds
Duration = tuple[int, int, int]


def floor_ms(moment_ms: int, duration: Duration, start_ms: int = 0) -> int:
    """The floor of a timestamp. Raises `Invalid` for an empty duration, and for a start that is later than the time."""
    months, days, nanoseconds = duration
    _check_positive(duration)
    if start_ms > moment_ms:
        raise Invalid("The floor function starting time is greater than the provided time")
    if nanoseconds % 1_000_000:
        text = duration_text(duration)
        raise Invalid(f"The floor cannot be computed for the {text} duration as precision is below 1 millisecond")
    span_ms = days * MS_A_DAY + nanoseconds // 1_000_000
    if not months:
        return moment_ms - (moment_ms - start_ms) % span_ms if span_ms else moment_ms
    if not span_ms:
        # by calendar months: a start late in its month may give a time that is still in the future
        return _after(start_ms, duration, _months_between(start_ms, moment_ms) // months)
    # the largest number of intervals that end at or before the time
    low, high = 0, (moment_ms - start_ms) // (MONTH_MS * months) + 1
    while low < high:
        middle = (low + high + 1) // 2
        if _after(start_ms, duration, middle) <= moment_ms:
            low = middle
        else:
            high = middle - 1
    return _after(start_ms, duration, low)


def floor_date(day: int, duration: Duration, start: int = 0) -> int:
    """The floor of a date, in days since 1970."""
    if duration[2]:
        text = duration_text(duration)
        raise Invalid(
            f"The floor on date values cannot be computed for the {text} duration as precision is below 1 day"
        )
    return floor_ms(day * MS_A_DAY, duration, start * MS_A_DAY) // MS_A_DAY


def floor_time(nanoseconds: int, duration: Duration) -> int:
    """The floor of a time, in nanoseconds since midnight."""
    if duration[0] or duration[1] or duration[2] >= MS_A_DAY * 1_000_000:
        raise Invalid("For time values, the floor can only be computed for durations smaller that a day")
    _check_positive(duration)
    return nanoseconds - nanoseconds % duration[2] if duration[2] else nanoseconds


def _check_positive(duration: Duration) -> None:
    if min(duration) < 0:
        raise Invalid("Negative durations are not supported by the floor function")


def _months_between(start_ms: int, moment_ms: int) -> int:
    start, moment = (civil(time_ms // MS_A_DAY) for time_ms in (start_ms, moment_ms))
    return (moment[0] - start[0]) * 12 + moment[1] - start[1]


def _after(start_ms: int, duration: Duration, times: int) -> int:
    months, days, nanoseconds = duration
    return moved(TIMESTAMP, start_ms, (months * times, days * times, nanoseconds * times), 1)
