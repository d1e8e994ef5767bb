"""The rows of a table against those that a replay has made: added, changed, gone, and how far apart.

The table is read page by page. Two values are the same when their bytes are, or what they stand for: a collection that
is empty is null in CQL, and a set has no order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple

from smackbox.spark.cql_binding import PROTOCOL_VERSION, Binder, binder
from smackbox.spark.rdd.cassandra_rows import plain
from smackbox.spark.replay.scope import Scope, key_of, parts_of
from smackbox.spark.replay.shadow import RowStore, Values

PAGE_ROWS = 5_000
SHOWN_DIFFERENCES = 10
_COLLECTIONS = frozenset({"list", "set", "map"})
_UNTIMED = _COLLECTIONS | {"counter"}


class TableRow(NamedTuple):
    """A row of the table, and when its columns were written last, in µs since 1970; 0 where that is not known."""

    key: bytes
    values: Values
    written_us: int


class Difference(NamedTuple):
    """How far a number of a row is from what it should be."""

    size: float
    key: bytes
    column: str
    old: Any
    new: Any


@dataclass(slots=True)
class Comparison:
    """How many rows are `added`, `changed`, `gone` or the `same`, and the `largest` differences, the largest first.

    `moving` rows were written by the stream meanwhile and are not compared; `others` are not the stream's, or stay.
    """

    added: int = 0
    changed: int = 0
    gone: int = 0
    same: int = 0
    moving: int = 0
    others: int = 0
    largest: list[Difference] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows differ."""
        return self.added + self.changed + self.gone


class Columns:
    """The columns of a table that a replay is about, as bytes and as values."""

    def __init__(self, key_types: Mapping[str, Any], value_types: Mapping[str, Any], columns: Sequence[str]) -> None:
        self.keys = list(key_types)
        self.columns = list(columns)
        self._key_types = list(key_types.values())
        self.types = [value_types[name] for name in columns]
        kinds = [*self._key_types, *self.types]
        self._binders: list[tuple[Binder, Callable[[Any], Any] | None]] = [
            (binder(kind), plain(kind)) for kind in kinds
        ]
        self._collections = [_bare(kind) in _COLLECTIONS for kind in self.types]
        self._timed = next(
            (n for n, kind in zip(columns, self.types, strict=True) if _bare(kind) not in _UNTIMED), None
        )

    def table_rows(self, cql: Any, keyspace: str, table: str) -> Iterator[TableRow]:
        """All rows of the table. Raises what the driver raises."""
        from cassandra.query import SimpleStatement

        names = ", ".join(f'"{name}"' for name in (*self.keys, *self.columns))
        when = f', WRITETIME("{self._timed}")' if self._timed is not None else ""
        query = f'SELECT {names}{when} FROM "{keyspace}"."{table}"'  # noqa: S608 - names from the schema
        for page in cql.pages(SimpleStatement(query, fetch_size=PAGE_ROWS)):
            for row in page:
                written_us = row[-1] if self._timed is not None else 0
                yield TableRow(*self.bound(row), written_us or 0)

    def bound(self, row: Sequence[Any], *, is_driver: bool = True) -> tuple[bytes, Values]:
        """The key and the columns of a row as bytes; `is_driver` says that its values are the driver's.

        Raises `UNBINDABLE` for a value that its column cannot hold.
        """
        bound = [
            None if value is None else bind(into(value) if into is not None and is_driver else value)
            for (bind, into), value in zip(self._binders, row, strict=False)
        ]
        width = len(self.keys)
        return key_of([part or b"" for part in bound[:width]]), bound[width:]

    def bound_values(self, values: Sequence[Any]) -> Values:
        """The columns of a row as bytes."""
        binders = self._binders[len(self.keys) :]
        return [None if value is None else bind(value) for (bind, _), value in zip(binders, values, strict=True)]

    def are_same(self, left: Values, right: Values) -> bool:
        """Whether two rows' columns hold the same."""
        if left == right:
            return True
        return all(
            one == other or self._as_value(place, one) == self._as_value(place, other)
            for place, (one, other) in enumerate(zip(left, right, strict=True))
        )

    def values(self, row: Values) -> list[Any]:
        """A row's columns as values."""
        return [self._as_value(place, data) for place, data in enumerate(row)]

    def key_values(self, key: bytes) -> dict[str, Any]:
        """A primary key as values, by column."""
        return {
            name: kind.from_binary(part, PROTOCOL_VERSION)
            for name, kind, part in zip(self.keys, self._key_types, parts_of(key), strict=True)
        }

    def differences(self, key: bytes, old: Values, new: Values) -> Iterator[Difference]:
        """Those of its numbers."""
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            if before == after:
                continue
            left, right = self._as_value(place, before), self._as_value(place, after)
            if isinstance(left or 0, int | float | Decimal) and isinstance(right or 0, int | float | Decimal):
                size = abs(float(right or 0) - float(left or 0))
                yield Difference(size, key, self.columns[place], left, right)

    def _as_value(self, place: int, data: bytes | None) -> Any:
        if data is None:
            return None
        value = self.types[place].from_binary(data, PROTOCOL_VERSION)
        return None if self._collections[place] and not value else value


def compare(
    rows: Iterator[TableRow],
    made: RowStore,
    columns: Columns,
    scope: Scope,
    *,
    is_ours: Callable[[TableRow], bool],
    moved_us: int | None = None,
    as_it_was: Callable[[bytes], Values | None] = lambda _key: None,
    tell: Callable[[bytes, Values | None, Values | None], None] = lambda _key, _old, _new: None,
    keep: Callable[[dict[bytes, Values]], None] = lambda _rows: None,
    keeps_gone: bool = False,
) -> Comparison:
    """Compare the rows of the table in `scope` with those `made`.

    `moved_us`: rows that the stream has written later are compared `as_it_was` then, by their key, or left out where
    that is not known. `is_ours` says of a row that was not made whether it was the stream's.
    With `keeps_gone` one that was stays. `tell` gets each difference (key, old, new), `keep` the stream's rows that are
    there.
    """
    found = Comparison()
    largest: list[tuple[float, int, Difference]] = []
    seen = _Seen()
    numbers = count()

    def note(difference: Difference) -> None:
        entry = (difference.size, next(numbers), difference)
        if len(largest) < SHOWN_DIFFERENCES:
            heapq.heappush(largest, entry)
        elif difference.size > largest[0][0]:
            heapq.heapreplace(largest, entry)

    nothing: Values = [None] * len(columns.columns)
    for page in _pages(row for row in rows if scope.has(parts_of(row.key))):
        kept: dict[bytes, Values] = {}
        for row, new in zip(page, made.get_many([row.key for row in page]), strict=True):
            seen.add(row.key)
            if new is None and not is_ours(row):
                found.others += 1
                continue
            kept[row.key] = old = row.values
            if moved_us is not None and row.written_us > moved_us:
                former = as_it_was(row.key)
                if former is None:
                    found.moving += 1
                    continue
                old = former
            if new is not None and columns.are_same(old, new):
                found.same += 1
            elif new is None and keeps_gone:
                found.others += 1
            elif new is None and columns.are_same(old, nothing):
                found.same += 1
            else:
                found.changed += new is not None
                found.gone += new is None
                tell(row.key, old, new)
                for difference in columns.differences(row.key, old, new or nothing):
                    note(difference)
        keep(kept)
    for key, new in made.items():
        if key not in seen and scope.has(parts_of(key)):
            found.added += 1
            tell(key, None, new)
            for difference in columns.differences(key, nothing, new):
                note(difference)
    found.largest = [difference for _, _, difference in sorted(largest, key=lambda one: -one[0])]
    return found


class _Seen:
    """The keys that the table has: their hashes, of 16 bytes where keys are longer."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()

    def add(self, key: bytes) -> None:
        self._keys.add(_short(key))

    def __contains__(self, key: bytes) -> bool:
        return _short(key) in self._keys


def _short(key: bytes) -> bytes:
    from hashlib import blake2b

    return key if len(key) <= 16 else blake2b(key, digest_size=16).digest()


def _pages(rows: Iterator[TableRow]) -> Iterator[list[TableRow]]:
    page: list[TableRow] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE_ROWS:
            yield page
            page = []
    if page:
        yield page


def _bare(kind: Any) -> str:
    name: str = kind.typename
    return kind.subtypes[0].typename if name == "frozen" else name
