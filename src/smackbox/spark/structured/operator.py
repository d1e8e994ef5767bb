"""What stateful operators have in common: their metrics, and the keys of their entries in the state.

A key is the operator (1 byte), a kind (1 byte) where the operator has several, the time at which the entry may go
(8 bytes, microseconds in order), and the packed values of the group. So what a watermark has passed is a range.
"""

from __future__ import annotations

from dataclasses import dataclass

from smackbox.spark.structured.values import ordered

NEVER = 2**63 - 1


@dataclass(frozen=True)
class Times:
    """The times that hold in a batch, in microseconds; None without a watermark.

    As Spark has it since operators can be chained, `late_us`, below which rows are dropped, is the watermark of the
    batch before; `evict_us`, up to which state goes and timers fire, is that of this batch.
    """

    late_us: int | None
    evict_us: int | None
    now_ms: int
    first: bool = False
    """Whether the query has committed no batch yet."""


@dataclass
class Metrics:
    """Of one batch, by the names of `StateOperatorProgress`; `total` goes on from batch to batch."""

    name: str
    total: int = 0
    updated: int = 0
    removed: int = 0
    dropped_by_watermark: int = 0
    updates_ms: float = 0.0
    removals_ms: float = 0.0
    dropped_duplicates: int | None = None


def expired(prefix: bytes, watermark_us: int) -> tuple[bytes, bytes]:
    """The range of keys below `prefix` whose time is not after the watermark."""
    return prefix, prefix + ordered(min(watermark_us + 1, NEVER))


def everything(prefix: bytes) -> tuple[bytes, bytes]:
    """The range of all keys that begin with `prefix`."""
    return prefix, prefix[:-1] + bytes([prefix[-1] + 1])
