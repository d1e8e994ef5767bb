"""Who subscribes to what on which node, gossiped: each node owns a bucket, and others take its newer versions.

A bucket is a map from paths (without address) to references, with a version for each; what is removed keeps an entry
without a reference, so that others learn it. Plain and synchronous.
Source: `DistributedPubSubMediator` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smackbox.akka.actor.path import Address

MAX_DELTA = 3_000


@dataclass(frozen=True, slots=True)
class Held:
    """A reference, or None where it was removed."""

    version: int
    ref: Any


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is registered on the node `owner`."""

    owner: Address
    version: int = 0
    content: Mapping[str, Held] = field(default_factory=dict)


class Registry:
    """Of the node `own`. Versions are times in ms, each above the last one."""

    def __init__(self, own: Address, max_delta: int = MAX_DELTA) -> None:
        self.nodes: set[Address] = set()
        self._own = own
        self._max_delta = max_delta
        self._buckets: dict[Address, Bucket] = {}

    # -- what is registered here

    def put(self, path: str, ref: Any, now_ms: int) -> None:
        """Register, or with None remove."""
        bucket = self.bucket(self._own)
        version = max(now_ms, bucket.version + 1)
        self._buckets[self._own] = Bucket(self._own, version, {**bucket.content, path: Held(version, ref)})

    def bucket(self, owner: Address) -> Bucket:
        """Of a node; an empty one where nothing is known."""
        return self._buckets.get(owner) or Bucket(owner)

    def prune(self, older_ms: int) -> None:
        """Forget what was removed so long before its bucket's last change."""
        for owner, bucket in list(self._buckets.items()):
            kept = {
                path: held
                for path, held in bucket.content.items()
                if held.ref is not None or bucket.version - held.version <= older_ms
            }
            if len(kept) < len(bucket.content):
                self._buckets[owner] = Bucket(owner, bucket.version, kept)

    # -- questions

    def refs(self, path: str, *, without_own: bool = False) -> list[Any]:
        """On all nodes."""
        return [
            held.ref
            for owner, bucket in self._buckets.items()
            if not (without_own and owner == self._own)
            and (held := bucket.content.get(path)) is not None
            and held.ref is not None
        ]

    def own_ref(self, path: str) -> Any:
        """On this node; None where there is none."""
        held = self.bucket(self._own).content.get(path)
        return None if held is None else held.ref

    def groups(self, path: str) -> list[list[Any]]:
        """The references below a path, those of one name together."""
        found: dict[str, list[Any]] = {}
        for bucket in self._buckets.values():
            for key, held in bucket.content.items():
                if held.ref is not None and key.startswith(f"{path}/"):
                    found.setdefault(key, []).append(held.ref)
        return list(found.values())

    def names(self, path: str) -> set[str]:
        """Of what is registered directly below a path."""
        keys = (
            key for bucket in self._buckets.values() for key, held in bucket.content.items() if held.ref is not None
        )
        below = (key.removeprefix(f"{path}/") for key in keys if key.startswith(f"{path}/"))
        return {name for name in below if "/" not in name}

    # -- gossip

    @property
    def versions(self) -> dict[Address, int]:
        """Of all buckets, for others to compare."""
        return {owner: bucket.version for owner, bucket in self._buckets.items()}

    def newer_than(self, versions: Mapping[Address, int]) -> list[Bucket]:
        """What somebody with these versions does not have, the oldest changes first where it is too much for once."""
        found: list[Bucket] = []
        left = self._max_delta
        for owner, bucket in self._buckets.items():
            known = versions.get(owner, 0)
            if bucket.version <= known or left <= 0:
                continue
            changed = sorted(
                ((path, held) for path, held in bucket.content.items() if held.version > known),
                key=lambda item: item[1].version,
            )
            part = changed[:left]
            left -= len(part)
            version = bucket.version if len(part) == len(changed) else part[-1][1].version
            found.append(Bucket(owner, version, dict(part)))
        return found

    def lacks(self, versions: Mapping[Address, int]) -> bool:
        """Whether somebody with these versions has more than is here."""
        return any(version > self.bucket(owner).version for owner, version in versions.items())

    def merge(self, buckets: Iterable[Bucket]) -> None:
        """Take newer ones, of nodes that are members."""
        for bucket in buckets:
            mine = self.bucket(bucket.owner)
            if bucket.owner in self.nodes and bucket.version > mine.version:
                content = {**mine.content, **bucket.content}
                self._buckets[bucket.owner] = Bucket(bucket.owner, bucket.version, content)

    def forget(self, owner: Address) -> None:
        """A node is no member any more."""
        self.nodes.discard(owner)
        self._buckets.pop(owner, None)
