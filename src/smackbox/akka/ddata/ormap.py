"""`ORMap`: a map whose keys are an `ORSet` and whose values are replicated data; the other maps are made of it.

A delta says what happened to a key: put (with the whole value), updated (with a delta of the value), removed.
Source: `ORMap`, `LWWMap`, `PNCounterMap` and `ORMultiMap` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.counter import PNCounter
from smackbox.akka.ddata.data import Data, Delta, checked
from smackbox.akka.ddata.orset import ORSet, ORSetDelta, RemoveDelta
from smackbox.akka.ddata.register import LWWRegister

VANILLA, PN_COUNTERS, MULTI, MULTI_WITH_DELTAS, LWW = 0, 1, 2, 3, 4
"""What a map's deltas are of; the numbers of the wire."""


@dataclass(frozen=True, slots=True)
class ORMap(Data):
    """`tag` is the kind of map that this one is the inside of."""

    keys: ORSet = field(default_factory=ORSet)
    values: Mapping[Any, Data] = field(default_factory=dict)
    tag: int = field(default=VANILLA, compare=False)
    changed: ORMapDelta | None = field(default=None, compare=False, repr=False)

    @property
    def entries(self) -> Mapping[Any, Data]:
        """The values by key."""
        return self.values

    def get(self, key: Any) -> Any:
        """The value of a key; None where there is none."""
        return self.values.get(key)

    def __contains__(self, key: Any) -> bool:
        return key in self.values

    def __len__(self) -> int:
        return len(self.values)

    # -- changes

    def put(self, node: UniqueAddress, key: Any, value: Data) -> ORMap:
        """Replace a value. Raises `TypeError` for a set that replaces one: its history would be lost; `update` it."""
        if isinstance(value, ORSet) and key in self.values:
            raise TypeError("an ORSet in an ORMap is not replaced by put, it would lose its history: use update")
        return self._put(node, key, value)

    def update(self, node: UniqueAddress, key: Any, initial: Data, change: Callable[[Any], Data]) -> ORMap:
        """Change the value of a key, `initial` where there is none."""
        return self._put(node, key, change(self.values.get(key, initial)))

    def update_with_delta(self, node: UniqueAddress, key: Any, initial: Data, change: Callable[[Any], Data]) -> ORMap:
        """As `update`, and the delta has what changed in the value instead of the value."""
        old = self.values.get(key)
        value = change((initial if old is None else old).reset_delta())
        if old is None or value.delta is None:
            return self._put(node, key, value)
        keys = self.keys.reset_delta().add(node, key)
        assert keys.delta is not None
        return self._next(keys, {**self.values, key: value}, UpdateDelta(self.tag, keys.delta, {key: value.delta}))

    def _put(self, node: UniqueAddress, key: Any, value: Data) -> ORMap:
        keys = self.keys.reset_delta().add(node, key)
        assert keys.delta is not None
        return self._next(keys, {**self.values, key: value}, PutDelta(self.tag, keys.delta, key, value))

    def remove(self, node: UniqueAddress, key: Any) -> ORMap:
        """Without a key."""
        keys = self.keys.reset_delta().remove(node, key)
        assert keys.delta is not None
        values = {known: value for known, value in self.values.items() if known != key}
        return self._next(keys, values, RemoveKeyDelta(self.tag, keys.delta))

    def remove_keeping_value(self, node: UniqueAddress, key: Any) -> ORMap:
        """The value stays as a tombstone, which deltas of it that come late are merged into."""
        keys = self.keys.reset_delta().remove(node, key)
        assert keys.delta is not None
        return self._next(keys, self.values, TombstoneDelta(self.tag, keys.delta, key))

    def _next(self, keys: ORSet, values: Mapping[Any, Data], delta: ORMapDelta) -> ORMap:
        return ORMap(keys, values, self.tag, joined(self.changed, delta))

    # -- merging

    def merge(self, other: ORMap) -> ORMap:
        checked(self, other)
        keys = self.keys.merge(other.keys)
        return self._merged(other, keys, keys.dots)

    def merge_with_tombstones(self, other: ORMap) -> ORMap:
        """As `merge`, and values of removed keys stay."""
        return self._merged(other, self.keys.merge(other.keys), {**self.values, **other.values})

    def _merged(self, other: ORMap, keys: ORSet, names: Iterable[Any]) -> ORMap:
        values: dict[Any, Data] = {}
        for name in names:
            mine, theirs = self.values.get(name), other.values.get(name)
            if mine is not None and theirs is not None:
                values[name] = checked(mine, mine.merge(theirs))
            elif name in keys:
                one = mine if theirs is None else theirs
                if one is not None:
                    values[name] = one
        return ORMap(keys, values, self.tag)

    @property
    def has_deltas(self) -> bool:
        return True

    @property
    def delta(self) -> ORMapDelta | None:
        return self.changed

    def reset_delta(self) -> ORMap:
        return self if self.changed is None else ORMap(self.keys.reset_delta(), self.values, self.tag)

    def merge_delta(self, delta: ORMapDelta) -> ORMap:
        return self.merge(self._applied(delta, keep_tombstones=False))

    def merge_delta_with_tombstones(self, delta: ORMapDelta) -> ORMap:
        """As `merge_delta`, and values of removed keys stay."""
        return self.merge_with_tombstones(self._applied(delta, keep_tombstones=True))

    def _applied(self, delta: ORMapDelta, *, keep_tombstones: bool) -> ORMap:
        keys = self.keys
        values = {key: value for key, value in self.values.items() if key in keys}
        tombstones = {key: value for key, value in self.values.items() if key not in keys}
        for operation in delta.operations:
            keys = keys.merge_delta(operation.underlying)
            if isinstance(operation, PutDelta):
                values[operation.key] = operation.value
            elif isinstance(operation, RemoveKeyDelta):
                values.pop(operation.removed, None)
            elif isinstance(operation, TombstoneDelta):
                if operation.key in values:
                    tombstones[operation.key] = values.pop(operation.key)
            elif isinstance(operation, UpdateDelta):
                for key, change in operation.values.items():
                    if key in keys:
                        values[key] = _changed(values.get(key, tombstones.get(key)), change)
        return ORMap(keys, {**tombstones, **values} if keep_tombstones else values, self.tag)

    # -- removed nodes

    @property
    def modified_by(self) -> frozenset[UniqueAddress]:
        return self.keys.modified_by.union(*(value.modified_by for value in self.values.values()))

    def prune(self, removed: UniqueAddress, into: UniqueAddress) -> ORMap:
        values = {
            key: value.prune(removed, into) if value.needs_pruning(removed) else value
            for key, value in self.values.items()
        }
        return ORMap(self.keys.prune(removed, into), values, self.tag)

    def clean_up(self, removed: UniqueAddress) -> ORMap:
        values = {
            key: value.clean_up(removed) if value.needs_pruning(removed) else value
            for key, value in self.values.items()
        }
        return ORMap(self.keys.clean_up(removed), values, self.tag)


def _changed(value: Data | None, change: Data) -> Data:
    if value is None:
        if not isinstance(change, Delta):
            return change
        value = change.zero
    merged: Data = value.merge_delta(change) if value.has_deltas else value.merge(change)
    return merged


# -- deltas


@dataclass(frozen=True, slots=True)
class ORMapDelta(Delta):
    """What happened to keys of a map, one after the other."""

    ordered_deltas = True
    tag: int

    @property
    def operations(self) -> tuple[KeyDelta, ...]:
        """One by one."""
        raise NotImplementedError

    @property
    def zero(self) -> Data:
        return ZEROS[self.tag]

    @property
    def size(self) -> int:
        return len(self.operations)

    def merge(self, other: ORMapDelta) -> ORMapDelta:
        return joined(self, other)


@dataclass(frozen=True, slots=True)
class KeyDelta(ORMapDelta):
    """`underlying` is what happened to the set of keys."""

    underlying: ORSetDelta

    @property
    def operations(self) -> tuple[KeyDelta, ...]:
        return (self,)


@dataclass(frozen=True, slots=True)
class PutDelta(KeyDelta):
    """A key has this value."""

    key: Any
    value: Data


@dataclass(frozen=True, slots=True)
class UpdateDelta(KeyDelta):
    """Values have changed by these deltas."""

    values: Mapping[Any, Data]


@dataclass(frozen=True, slots=True)
class RemoveKeyDelta(KeyDelta):
    """A key is removed, with its value."""

    @property
    def removed(self) -> Any:
        """Raises `TypeError` where it removes nothing."""
        if not isinstance(self.underlying, RemoveDelta):
            raise TypeError("the removal of a key is one of an element of its set")
        return next(iter(self.underlying.underlying.dots))


@dataclass(frozen=True, slots=True)
class TombstoneDelta(KeyDelta):
    """A key is removed, and its value stays for deltas that come late."""

    key: Any


@dataclass(frozen=True, slots=True)
class MapDeltaGroup(ORMapDelta):
    """Operations in their order."""

    group: tuple[KeyDelta, ...]

    @property
    def operations(self) -> tuple[KeyDelta, ...]:
        return self.group


def joined(first: ORMapDelta | None, second: ORMapDelta) -> ORMapDelta:
    """Operations of one node one after the other; puts of one key that follow each other become one."""
    if first is None:
        return second
    operations = list(first.operations)
    for operation in second.operations:
        last = operations[-1]
        if isinstance(last, PutDelta) and isinstance(operation, PutDelta) and last.key == operation.key:
            operations[-1] = replace(operation, underlying=last.underlying.merge(operation.underlying))
        else:
            operations.append(operation)
    return operations[0] if len(operations) == 1 else MapDeltaGroup(first.tag, tuple(operations))


# -- maps made of it


@dataclass(frozen=True, slots=True)
class _Wrapped(Data):
    """A map that is an `ORMap` inside."""

    underlying: ORMap

    def _with(self, underlying: ORMap) -> Any:
        return replace(self, underlying=underlying)

    def __contains__(self, key: Any) -> bool:
        return key in self.underlying.keys

    def __len__(self) -> int:
        return len(self.underlying.keys)

    @property
    def has_deltas(self) -> bool:
        return True

    @property
    def delta(self) -> ORMapDelta | None:
        return self.underlying.delta

    def merge(self, other: Any) -> Any:
        return self._with(self.underlying.merge(checked(self, other).underlying))

    def reset_delta(self) -> Any:
        return self._with(self.underlying.reset_delta())

    def merge_delta(self, delta: ORMapDelta) -> Any:
        return self._with(self.underlying.merge_delta(delta))

    @property
    def modified_by(self) -> frozenset[UniqueAddress]:
        return self.underlying.modified_by

    def prune(self, removed: UniqueAddress, into: UniqueAddress) -> Any:
        return self._with(self.underlying.prune(removed, into))

    def clean_up(self, removed: UniqueAddress) -> Any:
        return self._with(self.underlying.clean_up(removed))


@dataclass(frozen=True, slots=True)
class LWWMap(_Wrapped):
    """Of two values of a key the later one holds."""

    underlying: ORMap = field(default_factory=lambda: ORMap(tag=LWW))

    @property
    def entries(self) -> dict[Any, Any]:
        """The values by key."""
        return {key: register.value for key, register in self._registers.items()}

    def get(self, key: Any) -> Any:
        """The value of a key; None where there is none."""
        register = self._registers.get(key)
        return None if register is None else register.value

    def put(self, node: UniqueAddress, key: Any, value: Any, now_ms: int) -> LWWMap:
        """Set a key; `now_ms` is since 1970."""
        old = self._registers.get(key)
        register = LWWRegister.of(node, value, now_ms) if old is None else old.with_value(node, value, now_ms)
        return LWWMap(self.underlying.put(node, key, register))

    def remove(self, node: UniqueAddress, key: Any) -> LWWMap:
        """Without a key."""
        return LWWMap(self.underlying.remove(node, key))

    @property
    def _registers(self) -> Mapping[Any, Any]:
        return self.underlying.values


@dataclass(frozen=True, slots=True)
class PNCounterMap(_Wrapped):
    """A counter a key."""

    underlying: ORMap = field(default_factory=lambda: ORMap(tag=PN_COUNTERS))

    @property
    def entries(self) -> dict[Any, int]:
        """The counts by key."""
        counters: Mapping[Any, Any] = self.underlying.values
        return {key: counter.value for key, counter in counters.items()}

    def increment(self, node: UniqueAddress, key: Any, by: int = 1) -> PNCounterMap:
        """Add `by`, which may be negative, to the counter of a key."""
        changed = self.underlying.update(node, key, PNCounter(), lambda counter: counter.increment(node, by))
        return PNCounterMap(changed)

    def decrement(self, node: UniqueAddress, key: Any, by: int = 1) -> PNCounterMap:
        """Take `by` away from the counter of a key."""
        return self.increment(node, key, -by)

    def remove(self, node: UniqueAddress, key: Any) -> PNCounterMap:
        """Without a key."""
        return PNCounterMap(self.underlying.remove(node, key))


@dataclass(frozen=True, slots=True)
class ORMultiMap(_Wrapped):
    """A set a key. With `value_deltas` what is sent is what changed in a set, and removed sets stay as tombstones."""

    underlying: ORMap = field(default_factory=lambda: ORMap(tag=MULTI))
    value_deltas: bool = False

    @classmethod
    def with_value_deltas(cls) -> ORMultiMap:
        """An empty map that sends what changed in a set."""
        return cls(ORMap(tag=MULTI_WITH_DELTAS), True)

    @property
    def entries(self) -> dict[Any, frozenset[Any]]:
        """The elements by key."""
        sets: Mapping[Any, Any] = self.underlying.values
        return {key: values.elements for key, values in sets.items() if key in self.underlying.keys}

    def add(self, node: UniqueAddress, key: Any, element: Any) -> ORMultiMap:
        """One more element of a key."""
        update = self.underlying.update_with_delta if self.value_deltas else self.underlying.update
        changed: ORMap = update(node, key, ORSet(), lambda values: values.add(node, element))
        return replace(self, underlying=changed)

    def discard(self, node: UniqueAddress, key: Any, element: Any) -> ORMultiMap:
        """Without an element; a key without elements is removed."""
        if element not in self.entries.get(key, ()):
            return self
        update = self.underlying.update_with_delta if self.value_deltas else self.underlying.update
        changed: ORMap = update(node, key, ORSet(), lambda values: values.remove(node, element))
        result = replace(self, underlying=changed)
        return result.remove(node, key) if not result.entries.get(key) else result

    def remove(self, node: UniqueAddress, key: Any) -> ORMultiMap:
        """Without a key and its elements."""
        if not self.value_deltas:
            return replace(self, underlying=self.underlying.remove(node, key))
        cleared = self.underlying.update_with_delta(node, key, ORSet(), lambda values: values.clear())
        return replace(self, underlying=cleared.remove_keeping_value(node, key))

    def merge(self, other: ORMultiMap) -> ORMultiMap:
        if not self.value_deltas:
            return replace(self, underlying=self.underlying.merge(checked(self, other).underlying))
        merged = self.underlying.merge_with_tombstones(checked(self, other).underlying)
        return replace(self, underlying=_without_empty_tombstones(merged))

    def merge_delta(self, delta: ORMapDelta) -> ORMultiMap:
        if not self.value_deltas:
            return replace(self, underlying=self.underlying.merge_delta(delta))
        return replace(self, underlying=self.underlying.merge_delta_with_tombstones(delta))


def _without_empty_tombstones(merged: ORMap) -> ORMap:
    """Tombstones that hold nothing; those that do wait for the deltas that clear them."""
    sets: Mapping[Any, Any] = merged.values
    values = {key: value for key, value in sets.items() if key in merged.keys or value.elements}
    return ORMap(merged.keys, values, merged.tag)


ZEROS: dict[int, Data] = {
    VANILLA: ORMap(),
    PN_COUNTERS: PNCounterMap(),
    MULTI: ORMultiMap(),
    MULTI_WITH_DELTAS: ORMultiMap.with_value_deltas(),
    LWW: LWWMap(),
}
