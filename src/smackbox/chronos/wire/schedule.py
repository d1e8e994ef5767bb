"""When a job is due: ISO 8601 repeating intervals, in a time zone, and cron expressions. Schedules are immutable
values.

    R5/2026-01-31T02:00:00Z/P1D     five times, daily from then on
    R//PT10M                        without end, every ten minutes from now on
    0 2 * * 1-5                     at two o'clock on working days

Days, weeks, months and years of a period are calendar time: a daily run at 02:00 stays at 02:00 when clocks change.
Hours, minutes and seconds are elapsed time. A wall time that is skipped when clocks go forward means one hour later;
one that occurs twice means the first.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from smackbox.chronos.wire.errors import Refusal

_JAVA_ZONES = {
    "ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo", "AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare", "CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa", "ECT": "Europe/Paris", "EST": "America/Panama", "HST": "Pacific/Honolulu",
    "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "MIT": "Pacific/Apia",
    "MST": "America/Phoenix", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal", "VST": "Asia/Ho_Chi_Minh",
}  # fmt: skip
"""Java's short time zone names, which Chronos accepts."""

_REPEAT = re.compile(r"R(\d*)")
_CRON_FIELDS = 5
_OUT_OF_RANGE = (ValueError, OverflowError)  # raised for a datetime before the year 1 or after the year 9999


@dataclass(frozen=True, slots=True)
class Period:
    """The period of an interval: calendar time and elapsed time."""

    text: str
    years: int
    months: int
    days: int
    passing: timedelta

    @property
    def is_zero(self) -> bool:
        """Whether it is empty."""
        return not (self.years or self.months or self.days or self.passing)


@dataclass(frozen=True, slots=True)
class Interval:
    """`repeat` is the number of runs left, None for no end. `at` is the next one, as wall time in `zone`.

    Its `fold` is 1 in the second of two repeated hours.
    """

    repeat: int | None
    at: datetime
    zone: tzinfo
    period: Period

    @property
    def due_ms(self) -> int | None:
        """The time of the next run, in milliseconds since 1970; None when there are no more."""
        return None if self.repeat == 0 else _moment_ms(self.at, self.zone)

    def advanced(self) -> Interval:
        """After one run. An empty period ends the schedule, and so does the end of the year 9999."""
        repeat = None if self.repeat is None else max(0, self.repeat - 1)
        if self.period.is_zero:
            return replace(self, repeat=0)
        try:
            at = _add_calendar(self.at, self.period)
            if self.period.passing:
                at = _wall(_moment_ms(at, self.zone) + round(self.period.passing.total_seconds() * 1000), self.zone)
            _moment_ms(at, self.zone)
        except _OUT_OF_RANGE:
            return replace(self, repeat=0)
        return replace(self, repeat=repeat, at=at)

    def skipped_to(self, moment_ms: int) -> Interval:
        """The schedule without the runs due before that time; they count as done."""
        schedule = self
        passing_ms = round(self.period.passing.total_seconds() * 1000)
        if passing_ms and not (self.period.years or self.period.months or self.period.days):
            due_ms = _moment_ms(self.at, self.zone)
            runs = max(0, -(-(moment_ms - due_ms) // passing_ms))
            if self.repeat is not None:
                runs = min(runs, self.repeat)
            repeat = None if self.repeat is None else self.repeat - runs
            try:
                return replace(self, repeat=repeat, at=_wall(due_ms + runs * passing_ms, self.zone))
            except _OUT_OF_RANGE:
                return replace(self, repeat=0)
        while (due := schedule.due_ms) is not None and due < moment_ms:
            schedule = schedule.advanced()
        return schedule

    def last_before(self, moment_ms: int) -> int | None:
        """The last remaining run that is due before that time."""
        due_ms = self.due_ms
        if due_ms is None or due_ms >= moment_ms:
            return None
        passing_ms = round(self.period.passing.total_seconds() * 1000)
        if passing_ms and not (self.period.years or self.period.months or self.period.days):
            more = (moment_ms - 1 - due_ms) // passing_ms
            return due_ms + passing_ms * (more if self.repeat is None else min(more, self.repeat - 1))
        schedule = self.advanced()
        while (next_ms := schedule.due_ms) is not None and next_ms < moment_ms:
            due_ms, schedule = next_ms, schedule.advanced()
        return due_ms

    def text(self) -> str:
        """Its text form: the rest of the schedule."""
        repeat = "R" if self.repeat is None else f"R{self.repeat}"
        moment = self.at.replace(tzinfo=self.zone)
        offset = moment.utcoffset()
        shown = moment.isoformat(timespec="milliseconds")
        if offset is not None and not offset:
            shown = shown.removesuffix("+00:00") + "Z"
        return f"{repeat}/{shown}/{self.period.text}"


@dataclass(frozen=True, slots=True)
class Cron:
    """The next run is the first after `after_ms`."""

    expression: str
    zone: tzinfo
    after_ms: int

    @property
    def due_ms(self) -> int | None:
        """The time of the next run, or None."""
        from cronsim import CronSim

        try:
            return round(next(CronSim(self.expression, _wall_aware(self.after_ms, self.zone))).timestamp() * 1000)
        except StopIteration:
            return None

    def advanced(self) -> Cron:
        """The schedule after its next run."""
        due_ms = self.due_ms
        return self if due_ms is None else replace(self, after_ms=due_ms)

    def last_before(self, moment_ms: int) -> int | None:
        """The last run before `moment_ms`."""
        from cronsim import CronSim

        last_ms = round(
            next(CronSim(self.expression, _wall_aware(moment_ms, self.zone), reverse=True)).timestamp() * 1000
        )
        return last_ms if last_ms > self.after_ms else None

    def skipped_to(self, moment_ms: int) -> Cron:
        """The schedule without the runs due before `moment_ms`."""
        return replace(self, after_ms=max(self.after_ms, moment_ms - 1))

    def text(self) -> str:
        """The expression."""
        return self.expression


Schedule = Interval | Cron


def parse(text: str, zone_name: str, now_ms: int) -> Schedule:
    """`zone_name` takes precedence over the zone of the start. Raises `Refusal` (400) with the reason."""
    zone = parse_zone(zone_name) if zone_name else None
    text = text.strip()
    if len(text.split()) == _CRON_FIELDS:
        return _parse_cron(text, zone or UTC, now_ms)
    parts = text.split("/")
    repeat = _REPEAT.fullmatch(parts[0])
    if len(parts) != 3 or repeat is None:
        raise Refusal(400, f"schedule: {text!r} is neither Rn/start/period (ISO 8601) nor a cron expression")
    period = parse_period(parts[2])
    if parts[1]:
        try:
            start = datetime.fromisoformat(parts[1])
        except ValueError as error:
            raise Refusal(400, f"schedule: {parts[1]!r} is not a time such as 2026-01-31T02:00:00Z") from error
        own_zone = start.tzinfo or UTC
    else:
        own_zone = zone or UTC
        start = _wall(now_ms, own_zone)
    zone = zone or (UTC if own_zone.utcoffset(None) == timedelta(0) else own_zone)
    at = start.replace(tzinfo=None)
    if start.tzinfo is not None and at.replace(tzinfo=zone, fold=1).utcoffset() == start.utcoffset():
        at = at.replace(fold=int(at.replace(tzinfo=zone, fold=0).utcoffset() != start.utcoffset()))
    try:
        _moment_ms(at, zone)
    except _OUT_OF_RANGE as error:
        raise Refusal(400, f"schedule: {parts[1]!r} is not in the years 1 to 9999") from error
    return Interval(int(repeat[1]) if repeat[1] else None, at, zone, period)


def parse_period(text: str) -> Period:
    """Parse an ISO 8601 period. Raises `Refusal` (400)."""
    from isodate import Duration, ISO8601Error, parse_duration

    calendar_text = text.partition("T")[0]
    try:
        duration = parse_duration(text)
        calendar = parse_duration(calendar_text) if len(calendar_text) > 1 else timedelta()
    except (ISO8601Error, ValueError, TypeError, OverflowError) as error:
        raise Refusal(400, f"{text!r} is not an ISO 8601 period such as P1D or PT10M") from error
    years, months = (int(duration.years), int(duration.months)) if isinstance(duration, Duration) else (0, 0)
    days_of = calendar.tdelta if isinstance(calendar, Duration) else calendar
    whole_of = duration.tdelta if isinstance(duration, Duration) else duration
    if days_of.total_seconds() < 0 or whole_of.total_seconds() < 0 or years < 0 or months < 0:
        raise Refusal(400, f"{text!r}: a period must not be negative")
    passing = whole_of - timedelta(days=days_of.days)
    if timedelta() < passing < timedelta(seconds=1):
        raise Refusal(400, f"{text!r}: a period must be at least a second")
    return Period(text, years, months, days_of.days, passing)


def parse_zone(name: str) -> tzinfo:
    """Look up a time zone. Raises `Refusal` (400)."""
    try:
        return ZoneInfo(_JAVA_ZONES.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        offset = re.fullmatch(r"(?:GMT|UTC)?([+-])(\d{1,2}):?([0-5]\d)?", name)
        if offset is None or int(offset[2]) > 23:
            raise Refusal(400, f"scheduleTimeZone: there is no time zone {name!r}") from error
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))


def _parse_cron(text: str, zone: tzinfo, now_ms: int) -> Cron:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(text, _wall_aware(now_ms, zone))
    except CronSimError as error:
        raise Refusal(400, f"schedule: {text!r} is not a cron expression: {error}") from error
    return Cron(text, zone, now_ms)


def _moment_ms(wall: datetime, zone: tzinfo) -> int:
    """The point in time of this wall time; an hour later if it is skipped."""
    return round(wall.replace(tzinfo=zone).astimezone(UTC).timestamp() * 1000)


def _wall_aware(moment_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment_ms // 1000, UTC).replace(microsecond=moment_ms % 1000 * 1000).astimezone(zone)


def _wall(moment_ms: int, zone: tzinfo) -> datetime:
    return _wall_aware(moment_ms, zone).replace(tzinfo=None)


def _add_calendar(at: datetime, period: Period) -> datetime:
    """The same time of day some years, months and days later; in a shorter month its last day."""
    if not (period.years or period.months or period.days):
        return at
    if period.years or period.months:
        months = at.year * 12 + at.month - 1 + period.years * 12 + period.months
        year, month = divmod(months, 12)
        month += 1
        at = at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))
    return at + timedelta(days=period.days)
