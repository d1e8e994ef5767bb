"""Which rows of a table a replay is about: all, or those whose time is in a range.

A row's time is that of its primary key: its one column of type `timestamp` or `date`, or whole numbers named `year`,
`month`, `day` and `hour`, from the year on. It is where the row's period begins, in UTC; a row is in the range when it
begins there. Without such columns a row has events of any time in it, and only all rows can be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from smackbox.base.errors import SettingError
from smackbox.spark.cql_binding import PROTOCOL_VERSION, milliseconds

PARTS = ("year", "month", "day", "hour")
_MS_PER_DAY = 86_400_000
_EPOCH_DATE = 1 << 31
_WHOLE = frozenset({"tinyint", "smallint", "int", "bigint"})


class Scope:
    """`from_ms` and `to_ms` in milliseconds since 1970; None for no bound. Rows in `[from_ms, to_ms)` are in it."""

    def __init__(self, key_types: Mapping[str, Any], from_ms: int | None, to_ms: int | None, table: str) -> None:
        """Raises `SettingError` where bounds are given and the key has no time."""
        self.is_all = from_ms is None and to_ms is None
        self._from_ms = from_ms
        self._to_ms = to_ms
        names = list(key_types)
        kinds = {name: kind.typename for name, kind in key_types.items()}
        moments = [name for name in names if kinds[name] in {"timestamp", "date"}]
        parts = [name for name in PARTS if kinds.get(name) in _WHOLE]
        self.columns: tuple[str, ...] = ()
        if len(moments) == 1:
            self.columns = (moments[0],)
        elif parts and tuple(parts) == PARTS[: len(parts)]:
            self.columns = tuple(parts)
        elif not self.is_all:
            raise SettingError(
                f"a row of {table} is not of one time: its primary key ({', '.join(names)}) has no column of type "
                "timestamp or date, and no year, month, day. Replay all of it: leave out --from and --to"
            )
        self._places = [names.index(name) for name in self.columns]
        self._types = [key_types[name] for name in self.columns]
        self._kind = kinds[self.columns[0]] if self.columns else ""

    def has(self, key: Sequence[bytes]) -> bool:
        """Whether a row is in it, by the bytes of its primary key's columns."""
        if self.is_all:
            return True
        time_ms = self.time_ms(key)
        if time_ms is None or (self._from_ms is not None and time_ms < self._from_ms):
            return False
        return self._to_ms is None or time_ms < self._to_ms

    def time_ms(self, key: Sequence[bytes]) -> int | None:
        """When a row's period begins; None for a date that there is not."""
        data = key[self._places[0]]
        if self._kind == "timestamp":
            return int.from_bytes(data, "big", signed=True)
        if self._kind == "date":
            return (int.from_bytes(data, "big") - _EPOCH_DATE) * _MS_PER_DAY
        numbers = [
            int(kind.from_binary(key[place], PROTOCOL_VERSION))
            for kind, place in zip(self._types, self._places, strict=True)
        ]
        year, month, day, hour = (*numbers, *(1, 1, 1, 0)[len(numbers) :])
        try:
            return milliseconds(datetime(year, month, day, hour, tzinfo=UTC))
        except ValueError:
            return None


def key_of(parts: Sequence[bytes]) -> bytes:
    """A primary key as the totals of a checkpoint have it: each column's length in 4 bytes, and its bytes."""
    return b"".join(b"%s%s" % (len(part).to_bytes(4, "big"), part) for part in parts)


def parts_of(key: bytes) -> list[bytes]:
    """What `key_of` was given."""
    parts, at = [], 0
    while at < len(key):
        size = int.from_bytes(key[at : at + 4], "big")
        parts.append(key[at + 4 : at + 4 + size])
        at += 4 + size
    return parts
