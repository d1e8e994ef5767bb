"""Each row with columns of a table: which rows of the table are asked for, and what is kept of them.

What a table says is not a part of the state: it is as of about the time of processing, and a batch that is repeated
asks again. At most `cache_rows` answers are kept, the least recently used leave first, each for `cache_ms`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Protocol

from smackbox.flow.steps import Lookup
from smackbox.flow.turn import Rows, Turn

Key = tuple[Any, ...]


class Reader(Protocol):
    """Reads rows of a table by their keys."""

    def read(self, keys: Sequence[Key], columns: Sequence[str]) -> list[dict[str, Any] | None]:
        """The columns of each key's row, None for a row that is not there."""
        ...


class LookupRows:
    """One operator; `reader` is asked for keys that are not in the cache, once a batch."""

    def __init__(self, step: Lookup, reader: Reader) -> None:
        self._step = step
        self._reader = reader
        self._cache: OrderedDict[Key, tuple[int, dict[str, Any] | None]] = OrderedDict()
        fields = [field for _, field in step.on]
        get = attrgetter(*fields)
        self._key_of = get if len(fields) > 1 else lambda row: (get(row),)
        self._own = [name for name in step.gives.__struct_fields__ if name in step.rows.__struct_fields__]

    def run(self, rows: Rows, turn: Turn) -> Rows:
        """The rows with the table's columns. Raises what the reader raises."""
        keys = [self._key_of(row) for row in rows.rows]
        found = self._find(keys, turn.now_ms)
        joined = Rows()
        for key, row, time in zip(keys, rows.rows, rows.times, strict=True):
            columns = found[key]
            if columns is None:
                if self._step.how == "inner":
                    continue
                columns = dict.fromkeys(self._step.columns)
            own = {name: getattr(row, name) for name in self._own}
            joined.rows.append(self._step.gives(**own, **columns))
            joined.times.append(time)
        return joined

    def _find(self, keys: Sequence[Key], now_ms: int) -> dict[Key, dict[str, Any] | None]:
        cache = self._cache
        found: dict[Key, dict[str, Any] | None] = {}
        missing: list[Key] = []
        for key in dict.fromkeys(keys):
            until_ms, columns = cache.get(key, (-1, None))
            if until_ms > now_ms:
                cache.move_to_end(key)
                found[key] = columns
            elif None in key:
                found[key] = None
            else:
                missing.append(key)
        if missing:
            answers = self._reader.read(missing, self._step.columns)
            for key, columns in zip(missing, answers, strict=True):
                found[key] = columns
                cache[key] = (now_ms + self._step.cache_ms, columns)
                cache.move_to_end(key)
            while len(cache) > self._step.cache_rows:
                cache.popitem(last=False)
        return found
