"""The state of one `transformWithState`: variables of each key with times to live, and timers.

Entries of an operator, by the byte after its number:

    0  [key, variable]                    -> [expires ms or 0, value]             value state
    1  [key, variable] user key           -> [expires ms or 0, user key, value]   map state
    2  [key, variable]                    -> [[expires ms or 0, value], …]        list state
    3  time (8 bytes) [key]               -> nothing                              timers, by time
    4  [key] time (8 bytes)               -> nothing                              timers, by key
    5  time (8 bytes) kind, entry's key   -> nothing                              what expires when
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smackbox.spark.structured.checkpoint import StateChanges
from smackbox.spark.structured.operator import everything
from smackbox.spark.structured.values import ordered, pack, unpack

VALUE, MAP, LIST, TIMERS, TIMERS_OF_KEY, EXPIRY = range(6)
_BIAS = 2**63


class Variables:
    """`key` is the one whose rows or timer are being handled."""

    def __init__(self, operator: int, state: StateChanges, now_ms: int) -> None:
        self.operator = operator
        self.state = state
        self.now_ms = now_ms
        self.key: tuple[Any, ...] = ()
        self.updated = 0

    def entry(self, kind: int, name: str) -> bytes:
        """The key of a variable of the current key."""
        return bytes([self.operator, kind]) + pack([list(self.key), name])

    def put(self, kind: int, key: bytes, value: Any, expires_ms: int) -> None:
        """Write an entry, which expires at a time unless that is 0."""
        self.state.put(key, pack(value))
        self.updated += 1
        if expires_ms:
            self.state.put(bytes([self.operator, EXPIRY]) + ordered(expires_ms) + bytes([kind]) + key[2:], b"")

    def expiry(self, ttl_ms: int | None) -> int:
        """When something written now expires; 0 for never."""
        return self.now_ms + ttl_ms if ttl_ms else 0

    def alive(self, expires_ms: int) -> bool:
        """A value is gone at the moment at which it expires."""
        return not expires_ms or expires_ms > self.now_ms

    def register(self, at_ms: int) -> None:
        """Set a timer of the current key."""
        self.state.put(bytes([self.operator, TIMERS]) + ordered(at_ms) + pack([list(self.key)]), b"")
        self.state.put(bytes([self.operator, TIMERS_OF_KEY]) + pack([list(self.key)]) + ordered(at_ms), b"")

    def unregister(self, at_ms: int) -> None:
        """Remove a timer of the current key."""
        self.state.delete(bytes([self.operator, TIMERS]) + ordered(at_ms) + pack([list(self.key)]))
        self.state.delete(bytes([self.operator, TIMERS_OF_KEY]) + pack([list(self.key)]) + ordered(at_ms))

    def timers(self) -> list[int]:
        """Of the key, the earliest first."""
        prefix = bytes([self.operator, TIMERS_OF_KEY]) + pack([list(self.key)])
        found = [key[len(prefix) :] for key, _ in self.state.items(*everything(prefix)) if len(key) == len(prefix) + 8]
        return sorted(int.from_bytes(time, "big") - _BIAS for time in found)

    def due(self, until_ms: int) -> list[tuple[tuple[Any, ...], int]]:
        """The timers of all keys up to a time, the earliest first."""
        prefix = bytes([self.operator, TIMERS])
        found = sorted(key for key, _ in self.state.items(prefix, prefix + ordered(until_ms + 1)))
        return [(tuple(unpack(key[10:])[0]), int.from_bytes(key[2:10], "big") - _BIAS) for key in found]

    def expire(self) -> int:
        """Remove what has lived its time; how much that was."""
        prefix = bytes([self.operator, EXPIRY])
        removed = 0
        for key, _ in self.state.items(prefix, prefix + ordered(self.now_ms + 1)):
            self.state.delete(key)
            kind, entry = key[10], bytes([self.operator, key[10]]) + key[11:]
            kept = self.state.get(entry)
            if kept is None:
                continue
            if kind == LIST:
                values = unpack(kept)
                alive = [value for value in values if self.alive(value[0])]
                removed += len(values) - len(alive)
                if alive:
                    self.state.put(entry, pack(alive))
                else:
                    self.state.delete(entry)
            elif not self.alive(unpack(kept)[0]):
                self.state.delete(entry)
                removed += 1
        return removed


class ValueState:
    """As `pyspark.sql.streaming.stateful_processor.ValueState`."""

    def __init__(self, variables: Variables, name: str, ttl_ms: int | None) -> None:
        self._variables = variables
        self._name = name
        self._ttl_ms = ttl_ms

    def exists(self) -> bool:
        """Whether there is something that has not expired."""
        return self.get() is not None

    def get(self) -> tuple[Any, ...] | None:
        """What is there."""
        found = self._variables.state.get(self._variables.entry(VALUE, self._name))
        if found is None:
            return None
        expires_ms, value = unpack(found)
        return tuple(value) if self._variables.alive(expires_ms) else None

    def update(self, newValue: tuple[Any, ...]) -> None:
        """Replace the value."""
        expires_ms = self._variables.expiry(self._ttl_ms)
        key = self._variables.entry(VALUE, self._name)
        self._variables.put(VALUE, key, [expires_ms, plain(newValue)], expires_ms)

    def clear(self) -> None:
        """Remove everything."""
        self._variables.state.delete(self._variables.entry(VALUE, self._name))


class ListState:
    """As `pyspark.sql.streaming.stateful_processor.ListState`."""

    def __init__(self, variables: Variables, name: str, ttl_ms: int | None) -> None:
        self._variables = variables
        self._name = name
        self._ttl_ms = ttl_ms

    def exists(self) -> bool:
        """Whether there is something that has not expired."""
        return bool(self._alive())

    def get(self) -> Iterator[tuple[Any, ...]]:
        """What is there."""
        return iter([tuple(value) for _, value in self._alive()])

    def put(self, newState: list[tuple[Any, ...]]) -> None:
        """Replace all values."""
        self._write([], newState)

    def appendValue(self, newState: tuple[Any, ...]) -> None:
        """Add a value."""
        self._write(self._alive(), [newState])

    def appendList(self, newState: list[tuple[Any, ...]]) -> None:
        """Add values."""
        self._write(self._alive(), newState)

    def clear(self) -> None:
        """Remove everything."""
        self._variables.state.delete(self._variables.entry(LIST, self._name))

    def _alive(self) -> list[Any]:
        found = self._variables.state.get(self._variables.entry(LIST, self._name))
        return [] if found is None else [item for item in unpack(found) if self._variables.alive(item[0])]

    def _write(self, before: list[Any], values: list[tuple[Any, ...]]) -> None:
        expires_ms = self._variables.expiry(self._ttl_ms)
        items = [*before, *([expires_ms, plain(value)] for value in values)]
        self._variables.put(LIST, self._variables.entry(LIST, self._name), items, expires_ms)


class MapState:
    """As `pyspark.sql.streaming.stateful_processor.MapState`."""

    def __init__(self, variables: Variables, name: str, ttl_ms: int | None) -> None:
        self._variables = variables
        self._name = name
        self._ttl_ms = ttl_ms

    def exists(self) -> bool:
        """Whether there is something that has not expired."""
        return bool(self._items())

    def getValue(self, key: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The value of a key; None for none."""
        found = self._variables.state.get(self._entry(key))
        if found is None:
            return None
        expires_ms, _, value = unpack(found)
        return tuple(value) if self._variables.alive(expires_ms) else None

    def containsKey(self, key: tuple[Any, ...]) -> bool:
        """Whether a key has a value."""
        return self.getValue(key) is not None

    def updateValue(self, key: tuple[Any, ...], value: tuple[Any, ...]) -> None:
        """Set the value of a key."""
        expires_ms = self._variables.expiry(self._ttl_ms)
        self._variables.put(MAP, self._entry(key), [expires_ms, plain(key), plain(value)], expires_ms)

    def iterator(self) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Keys with their values."""
        return iter(self._items())

    def keys(self) -> Iterator[tuple[Any, ...]]:
        """All keys."""
        return iter([key for key, _ in self._items()])

    def values(self) -> Iterator[tuple[Any, ...]]:
        """All values."""
        return iter([value for _, value in self._items()])

    def removeKey(self, key: tuple[Any, ...]) -> None:
        """Remove a key."""
        self._variables.state.delete(self._entry(key))

    def clear(self) -> None:
        """Remove everything."""
        for key, _ in self._items():
            self.removeKey(key)

    def _entry(self, key: tuple[Any, ...]) -> bytes:
        return self._variables.entry(MAP, self._name) + pack(plain(key))

    def _items(self) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        found = self._variables.state.items(*everything(self._variables.entry(MAP, self._name)))
        entries = [unpack(value) for _, value in sorted(found)]
        return [(tuple(key), tuple(value)) for expires, key, value in entries if self._variables.alive(expires)]


def plain(value: Any) -> list[Any]:
    """A row as values that the state can keep: numpy's and pandas' own become Python's."""
    return [_plain(item) for item in value]


def _plain(item: Any) -> Any:
    for method in ("to_pydatetime", "to_pytimedelta"):
        if hasattr(item, method):
            return getattr(item, method)()
    if type(item).__module__ == "numpy":
        return item.tolist()
    if isinstance(item, (list, tuple)):
        return [_plain(part) for part in item]
    return item
