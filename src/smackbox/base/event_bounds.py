"""Which values of an event type a column and an Arrow batch can hold: what its JSON takes is often wider.

    int       -2**63 .. 2**63 - 1 (bigint, int64)
    Decimal   finite, at most 20 digits before the point and 18 after it (Arrow's decimal(38, 18))
    datetime  in the years 1 to 9999, in UTC too
    time      without an offset (a time column has none, and dropping it would change the time)
    list, set, dict   items that hold by these rules; no null among them (CQL refuses it)

An endpoint and a stream check with the same rules, so that what is accepted can be stored.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from operator import attrgetter
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
DECIMAL_WHOLE_DIGITS = 20
DECIMAL_FRACTION_DIGITS = 18

Check = Callable[[Any, str], None]


class OutOfBoundsError(ValueError):
    """A value that no column holds: the place in the event as a JSON path, and a sentence."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{reason} - at `{path}`")
        self.path = path
        self.reason = reason


def event_check(event_type: type[msgspec.Struct]) -> Callable[[Any], None] | None:
    """A function that raises `OutOfBoundsError` for an event that cannot be stored; None when every event can."""
    hints = get_type_hints(event_type)
    names = zip(event_type.__struct_fields__, event_type.__struct_encode_fields__, strict=True)
    checks = [(name, f"$.{encoded}", check) for name, encoded in names if (check := _check(hints[name])) is not None]
    if not checks:
        return None

    def check_event(event: Any) -> None:
        for name, path, check in checks:
            value = getattr(event, name)
            if value is not None:
                check(value, path)

    return check_event


def events_check(event_type: type[msgspec.Struct]) -> Callable[[Sequence[Any]], bool] | None:
    """A function that says quickly that all of many events can be stored; where it says no, some may not.

    None when every event can.
    """
    hints = get_type_hints(event_type)
    checked = [(name, hints[name]) for name in event_type.__struct_fields__ if _check(hints[name]) is not None]
    if not checked:
        return None
    if any(hint not in _RANGES for _, hint in checked):
        return lambda _events: False
    columns = [(attrgetter(name), _RANGES[hint]) for name, hint in checked]

    def check_events(events: Sequence[Any]) -> bool:
        try:
            for get, (low, high) in columns:
                values = list(map(get, events))
                if values and not (low <= min(values) and max(values) <= high):
                    return False
        except TypeError:  # moments with and without an offset
            return False
        return True

    return check_events


def _check(hint: Any) -> Check | None:
    """The check of a type, of values that are not None; None when every value holds."""
    scalar = _SCALARS.get(hint)
    if scalar is not None:
        return scalar
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        present = [argument for argument in arguments if argument is not type(None)]
        return _check(present[0]) if len(present) == 1 else None
    if origin in {list, set, frozenset}:
        return _items_check(_item_check(arguments[0]))
    if origin is dict:
        return _dict_check(_item_check(arguments[0]), _item_check(arguments[1]))
    return None


def _item_check(hint: Any) -> Check | None:
    """The check of an item in a collection, where None is refused."""
    inner = _check(hint)
    if type(None) not in get_args(hint):
        return inner

    def check(value: Any, path: str) -> None:
        if value is None:
            raise OutOfBoundsError(path, "A collection column holds no null")
        if inner is not None:
            inner(value, path)

    return check


def _items_check(item: Check | None) -> Check | None:
    if item is None:
        return None

    def check(values: Any, path: str) -> None:
        for index, value in enumerate(values):
            item(value, f"{path}[{index}]")

    return check


def _dict_check(of_key: Check | None, of_value: Check | None) -> Check | None:
    if of_key is None and of_value is None:
        return None

    def check(items: Any, path: str) -> None:
        inside = f"{path}[...]"
        for key, value in items.items():
            if of_key is not None:
                of_key(key, inside)
            if of_value is not None:
                of_value(value, inside)

    return check


def _check_int(value: int, path: str) -> None:
    if not INT_MIN <= value <= INT_MAX:
        raise OutOfBoundsError(path, f"Expected `int` between {INT_MIN} and {INT_MAX}")


def _check_decimal(value: Decimal, path: str) -> None:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise OutOfBoundsError(path, f"Expected a finite `decimal`, got {value}")
    whole_digits = max(0, len(digits) + exponent) if value else 0
    if whole_digits > DECIMAL_WHOLE_DIGITS or not -DECIMAL_FRACTION_DIGITS <= exponent <= DECIMAL_WHOLE_DIGITS:
        raise OutOfBoundsError(
            path,
            f"Expected `decimal` with at most {DECIMAL_WHOLE_DIGITS} digits before the point and "
            f"{DECIMAL_FRACTION_DIGITS} after it",
        )


def _check_datetime(value: datetime, path: str) -> None:
    if value.tzinfo is not None and not 1 < value.year < 9999:
        try:
            value.astimezone(UTC)
        except OverflowError:
            raise OutOfBoundsError(path, "Expected `datetime` in the years 1 to 9999 in UTC") from None


def _check_time(value: time, path: str) -> None:
    if value.tzinfo is not None:
        raise OutOfBoundsError(
            path, "Expected `time` without an offset: a time column has none; send a datetime, or the time alone"
        )


_RANGES: dict[Any, tuple[Any, Any]] = {
    int: (INT_MIN, INT_MAX),
    datetime: (datetime(2, 1, 2, tzinfo=UTC), datetime(9998, 12, 30, tzinfo=UTC)),
}
"""Types whose values hold at least between two values, whatever else they are."""

_SCALARS: dict[Any, Check] = {int: _check_int, Decimal: _check_decimal, datetime: _check_datetime, time: _check_time}
