"""The rows that a replay makes, beside the table: in a RocksDB by their primary key, as the bytes that CQL would store.

rows     primary key (`scope.key_of`) -> MessagePack list of each column's bytes, nil for null
default  `columns` -> JSON: the names of these columns
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from smackbox.spark.cql_binding import UNBINDABLE, Binder, binder, check_keys
from smackbox.spark.replay.scope import key_of
from smackbox.spark.streaming.errors import StreamError
from smackbox.store.rocks import RocksStore, open_store

FAMILY = "rows"
_COLUMNS = b"columns"
Values = list[bytes | None]

_decode_values = msgspec.msgpack.Decoder(list[bytes | None]).decode
encode_values = msgspec.msgpack.encode


class RowStore:
    """Rows in `directory`. `columns` are those beside the key, once the first row has been written."""

    def __init__(self, directory: Path) -> None:
        self._store: RocksStore = open_store(directory, families=(FAMILY,))
        saved = self._store.get(_COLUMNS)
        self.columns: list[str] | None = msgspec.json.decode(saved, type=list[str]) if saved is not None else None

    def set_columns(self, columns: Sequence[str]) -> None:
        """Say which columns rows have; some of those known are fine. Raises `StreamError` for others."""
        if self.columns is None:
            self.columns = list(columns)
            batch = self._store.batch()
            batch.put(_COLUMNS, msgspec.json.encode(self.columns))
            self._store.write(batch)
        elif not set(columns) <= set(self.columns):
            raise StreamError(
                f"the function returned the columns {', '.join(self.columns)} before, and {', '.join(columns)} now: "
                "return the same ones always"
            )

    def put(self, rows: Mapping[bytes, Values]) -> None:
        """Write rows; later ones replace."""
        batch = self._store.batch()
        family = self._store.family(FAMILY)
        for key, values in rows.items():
            batch.put(key, encode_values(values), family)
        self._store.write(batch)

    def get_many(self, keys: list[bytes]) -> list[Values | None]:
        """The rows of keys, None for none."""
        found = self._store.view(FAMILY).get(keys) if keys else []
        return [None if data is None else _decode_values(data) for data in found]

    def items(self) -> Iterator[tuple[bytes, Values]]:
        """All rows by key."""
        for key, data in self._store.items(family=FAMILY):
            yield key, _decode_values(data)

    def sync(self) -> None:
        """Wait until all is on the disk."""
        self._store.sync()

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class ShadowTarget:
    """A `Target` of a stream: takes what the stream would write to `table`, whose columns it asks for."""

    def __init__(self, rows: RowStore, table: Any) -> None:
        self._rows = rows
        self._table = table
        self._binders: list[Binder] = []
        self._columns: tuple[str, ...] = ()

    def open(self) -> None:
        """Learn the table's columns. Raises `AwayError`."""
        self._table.open()

    @property
    def key_types(self) -> Mapping[str, Any]:
        """The primary key's columns in order."""
        types: Mapping[str, Any] = self._table.key_types
        return types

    @property
    def value_types(self) -> Mapping[str, Any]:
        """The other columns."""
        types: Mapping[str, Any] = self._table.value_types
        return types

    @property
    def partition_columns(self) -> int:
        """How many of the key's columns are the partition key."""
        return int(self._table.partition_columns)

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], timestamp_us: int, *, absolute: bool
    ) -> dict[int, str]:
        """Keep rows; those that the table could not hold are given back with the reason, by their index."""
        if tuple(columns) != self._columns:
            types = {**self.key_types, **self.value_types}
            self._binders = [binder(types[name]) for name in columns]
            self._columns = tuple(columns)
            self._rows.set_columns([name for name in columns if name not in self.key_types])
        keys = [self._columns.index(name) for name in self.key_types]
        others = [place for place in range(len(columns)) if place not in keys]
        unfit: dict[int, str] = {}
        found: dict[bytes, Values] = {}
        for index, row in enumerate(rows):
            try:
                bound = [None if value is None else bind(value) for bind, value in zip(self._binders, row, strict=True)]
                key = [bound[place] or b"" for place in keys]
                check_keys(key[: self.partition_columns], key[self.partition_columns :])
            except UNBINDABLE as error:
                unfit[index] = str(error)
                continue
            found[key_of(key)] = [bound[place] for place in others]
        self._rows.put(self._widened(found, [columns[place] for place in others]))
        return unfit

    def _widened(self, rows: dict[bytes, Values], names: list[str]) -> dict[bytes, Values]:
        """The rows with all columns: those that were not written now are as they were."""
        known = self._rows.columns
        if known is None or known == names:
            return rows
        places = [known.index(name) for name in names]
        widened: dict[bytes, Values] = {}
        for (key, values), former in zip(rows.items(), self._rows.get_many(list(rows)), strict=True):
            row: Values = [None] * len(known) if former is None else list(former)
            for place, value in zip(places, values, strict=True):
                row[place] = value
            widened[key] = row
        return widened

    def close(self) -> None:
        """The rows are closed by whoever opened them."""
        self._table.close()
