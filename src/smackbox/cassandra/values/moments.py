"""Timestamps and dates: adding durations, and conversion between them.

Times are in UTC. A date is a count of days, with 2**31 for 1970-01-01; a timestamp is milliseconds since then.
"""

from __future__ import annotations

from smackbox.cassandra.values.calendar import civil, days_of
from smackbox.cassandra.values.literals import DATE_EPOCH
from smackbox.cassandra.values.timeuuids import UUID_EPOCH_TICKS
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import DATE, TIMESTAMP, TIMEUUID, CqlType

MS_NANOSECONDS = 1_000_000
DAY_NANOSECONDS = 86_400 * 10**9
MS_A_DAY = 86_400_000


def add_duration(kind: CqlType, moment: int, duration: tuple[int, int, int], sign: int) -> bytes:
    """A timestamp or date plus a duration, by the calendar in UTC.

    A result beyond the type's limits wraps around.
    """
    moved_to = moved(kind, moment, duration, sign)
    if kind == DATE:
        return DATE.encode(moved_to % (1 << 32))
    half = 1 << 63
    return TIMESTAMP.encode((moved_to + half) % (1 << 64) - half)


def moved(kind: CqlType, moment: int, duration: tuple[int, int, int], sign: int) -> int:
    """A timestamp or date plus a duration, even if the type has no value for it."""
    months, days, nanoseconds = duration
    day_number, rest = (moment - DATE_EPOCH, 0) if kind == DATE else divmod(moment, 86_400_000)
    if months:
        year, month, day = civil(day_number)
        year, month = divmod(year * 12 + month - 1 + sign * months, 12)
        day_number = days_of(year, month + 1, day)
    day_number += sign * days
    if kind == DATE:
        return day_number + sign * (nanoseconds // DAY_NANOSECONDS) + DATE_EPOCH
    return day_number * 86_400_000 + rest + sign * (nanoseconds // 1_000_000)


def ticks_to_ms(value: bytes) -> int:
    """Milliseconds since 1970 of a time UUID. Raises `Invalid` for a UUID of another version."""
    if value[6] >> 4 != 1:
        raise Invalid("Invalid version for TimeUUID type.")
    ticks = ((value[6] & 0x0F) << 56) | (value[7] << 48) | (value[4] << 40) | (value[5] << 32)
    ticks |= int.from_bytes(value[:4], "big")
    return (ticks - UUID_EPOCH_TICKS) // 10_000


def of_ms(kind: CqlType, milliseconds: int) -> bytes:
    """A value of a date or time type, from milliseconds since 1970."""
    if kind is DATE:
        # whole seconds rounded to the past, whole days rounded towards 1970, like Java's Duration
        seconds = milliseconds // 1000
        days = seconds // 86_400 if seconds >= 0 else -(-seconds // 86_400)
        return DATE.encode(days + DATE_EPOCH)
    return kind.encode(milliseconds)


def to_ms(kind: CqlType, value: bytes) -> int:
    """Milliseconds since 1970 of a value of a date or time type."""
    if kind is TIMEUUID:
        return ticks_to_ms(value)
    number = int(kind.decode(value))
    return (number - DATE_EPOCH) * MS_A_DAY if kind is DATE else number
