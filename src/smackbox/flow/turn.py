"""Shared by the operators of a program in one batch: rows with their times, the watermarks, the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec

from smackbox.base.errors import SettingError
from smackbox.flow.errors import FlowStateError
from smackbox.flow.state import StateView
from smackbox.flow.steps import RowType

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER_MS = 2**62
encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder(uuid_format="bytes").encode
"""State as MessagePack; read again by its type."""


@dataclass(slots=True)
class Rows:
    """Rows and the event time of each in ms since 1970; all 0 where the program has no event time."""

    rows: list[Any] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(slots=True)
class Turn:
    """One batch. Rows are late by `late_ms`, the watermark before it; windows close by `watermark_ms`, that after it.

    `late` collects the rows that were too late, `now_ms` is the processing time that the batch was planned at.
    `is_behind` is set when something that is due is left to the next batch.
    """

    state: StateView
    now_ms: int
    late_ms: int | None = None
    watermark_ms: int | None = None
    late: list[Any] = field(default_factory=list)
    duplicates: int = 0
    is_behind: bool = False

    def first(self, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """The first `limit` entries of the state from `start` up to and without `end`; notes whether there are more."""
        found = list(self.state.items(start, end, limit + 1))
        self.is_behind |= len(found) > limit
        return found[:limit]


class Keys:
    """The key of a row by some of its fields: as bytes for the state, and as values again."""

    def __init__(self, rows: RowType, names: Sequence[str]) -> None:
        hints = get_type_hints(rows)
        self._get = attrgetter(*names)
        self._single = len(names) == 1
        self._decode = msgspec.msgpack.Decoder(tuple[tuple(hints[name] for name in names)]).decode  # type: ignore[misc]

    def values(self, rows: Sequence[Any]) -> list[Any]:
        """The keys of rows: a value where one field is the key, else a tuple."""
        return list(map(self._get, rows))

    def pack(self, value: Any) -> bytes:
        """A key as `values` gives it, as bytes: equal for equal keys."""
        return encode((value,) if self._single else value)

    def unpack(self, data: bytes) -> tuple[Any, ...]:
        """The values of the key's fields."""
        return self._decode(data)  # type: ignore[no-any-return]

    def of(self, rows: Sequence[Any]) -> list[bytes]:
        """The keys of rows as bytes."""
        return [self.pack(value) for value in self.values(rows)]

    def as_tuple(self, value: Any) -> tuple[Any, ...]:
        """A key as `values` gives it, as the values of its fields."""
        return (value,) if self._single else value


def decoder(kind: Any, what: str) -> Callable[[bytes], Any]:
    """Reads saved state of a type. The function raises `FlowStateError` for bytes that are not of it."""
    try:
        decode = msgspec.msgpack.Decoder(kind).decode
    except (TypeError, msgspec.MsgspecError) as error:
        raise SettingError(f"{what}: state of type {kind} cannot be kept: {error}") from error

    def read(data: bytes) -> Any:
        try:
            return decode(data)
        except msgspec.MsgspecError as error:
            raise FlowStateError(
                f"the saved state of {what} cannot be read ({error}): was its type changed? Give new fields a default, "
                "or remove the checkpoint to begin again"
            ) from error

    return read


def times_of(rows: Sequence[Any], name: str) -> list[int]:
    """The event times of rows in ms since 1970: of a datetime (without zone: UTC), or of an int of ms.

    Raises `ValueError` for one outside the years 2 to 9998, which would carry the watermark away from all others.
    """
    found = []
    for row in rows:
        value = getattr(row, name)
        if type(value) is int:
            found.append(value)
        else:
            found.append(ms_of(value))
    if found and not (min(found) >= FIRST_MS and max(found) <= LAST_MS):
        raise ValueError(f"{name} is outside the years 2 to 9998; as a number it must be in ms since 1970")
    return found


def ms_of(value: datetime) -> int:
    """A moment in ms since 1970; without a zone it is UTC."""
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - EPOCH) // _MS


def moment_of(ms: int) -> datetime:
    """A moment in UTC. Raises `OverflowError` outside the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=ms)


_MS = timedelta(milliseconds=1)
FIRST_MS, LAST_MS = ms_of(datetime(2, 1, 1)), ms_of(datetime(9999, 1, 1))  # noqa: DTZ001 - without a zone it is UTC
