"""Which shards of a stream are read, and from where: a plain state machine.

A shard that is split or merged ends, and its children go on. A child is read once its parents are read to their ends,
so that records of one partition key keep their order over a reshard. A shard that was not seen before begins at the
stream's starting position; a child of a shard that was read begins at its first record.

"Latest" is the moment of the first start. So a stream that is started again before its first record, or resharded while
it was stopped, loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from smackbox.base.errors import SettingError

TRIM_HORIZON = "TRIM_HORIZON"
LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard, and the shards that it came from by a split (one) or a merge (two)."""

    id: str
    parents: tuple[str, ...] = ()

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> Shard:
        """From an entry of ListShards."""
        parents = (listed.get("ParentShardId"), listed.get("AdjacentParentShardId"))
        return cls(listed["ShardId"], tuple(parent for parent in parents if parent))


def after(sequence: str) -> dict[str, Any]:
    """The position after that record, as arguments of GetShardIterator."""
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": sequence}


class Shards:
    """The shards of one stream. `start` is TRIM_HORIZON, LATEST (as of `now_ms`), or a moment in ms since 1970."""

    def __init__(self, start: str | int = LATEST, now_ms: int = 0) -> None:
        if isinstance(start, str) and start.upper() not in {TRIM_HORIZON, LATEST}:
            raise SettingError(f"a stream starts at {LATEST}, {TRIM_HORIZON} or at ms since 1970, not {start!r}")
        self.since_ms: int | None = start if isinstance(start, int) else None
        if isinstance(start, str) and start.upper() == LATEST:
            self.since_ms = now_ms
        self._known: dict[str, Shard] = {}
        self._read: dict[str, str] = {}
        self._arrived_ms: dict[str, int] = {}
        self._ended: set[str] = set()

    def listed(self, shards: Iterable[Shard]) -> None:
        """Update the shards from the service's list; shards that are no longer in it are removed."""
        self._known = {shard.id: shard for shard in shards}
        self._ended &= self._known.keys()
        self._read = {shard: sequence for shard, sequence in self._read.items() if shard in self._known}
        self._arrived_ms = {shard: ms for shard, ms in self._arrived_ms.items() if shard in self._known}

    def readable(self) -> list[str]:
        """The shards to read now, by id: those that have not ended, and whose parents have (or are gone)."""
        return sorted(
            shard.id
            for shard in self._known.values()
            if shard.id not in self._ended
            and all(parent in self._ended or parent not in self._known for parent in shard.parents)
        )

    def position(self, shard: str) -> dict[str, Any]:
        """The next position of a shard, as arguments of GetShardIterator."""
        sequence = self._read.get(shard)
        if sequence is not None:
            return after(sequence)
        if self.since_ms is None:
            return {"ShardIteratorType": TRIM_HORIZON}
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self.since_ms / 1000}

    def arrived_ms(self, shard: str) -> int | None:
        """The arrival time of the last record read from a shard; None if unknown."""
        return self._arrived_ms.get(shard)

    def read(self, shard: str, sequence: str, arrived_ms: int = 0) -> None:
        """The records of a shard up to that one, which arrived at that time (0: unknown), have been processed."""
        self._read[shard] = sequence
        if arrived_ms:
            self._arrived_ms[shard] = arrived_ms

    def ended(self, shard: str) -> None:
        """Note that a shard was read to its end; its children follow."""
        self._ended.add(shard)

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint, as JSON."""
        return {
            "since_ms": self.since_ms,
            "read": dict(self._read),
            "ended": sorted(self._ended),
            "arrived_ms": dict(self._arrived_ms),
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Shards:
        """The shards from a checkpoint; `listed` are those that still exist."""
        shards = cls(TRIM_HORIZON)
        shards.since_ms = state["since_ms"]
        shards._read = dict(state["read"])
        shards._ended = set(state["ended"])
        shards._arrived_ms = dict(state.get("arrived_ms", {}))
        shards._known = {shard: Shard(shard) for shard in (*shards._read, *shards._ended)}
        return shards
