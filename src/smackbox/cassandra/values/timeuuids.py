"""Version 1 UUIDs of points in time: ticks of 100 ns since the beginning of the Gregorian calendar (RFC 9562, section
5.1).
"""

from __future__ import annotations

UUID_EPOCH_TICKS = 0x01B21DD213814000


def timeuuid(ticks: int, low: bytes) -> bytes:
    """`ticks` counts 100 ns since 1582-10-15; `low` is the clock sequence and node, whose variant bits are set here."""
    return (
        (ticks & 0xFFFFFFFF).to_bytes(4, "big")
        + ((ticks >> 32) & 0xFFFF).to_bytes(2, "big")
        + (((ticks >> 48) & 0x0FFF) | 0x1000).to_bytes(2, "big")
        + bytes([(low[0] & 0x3F) | 0x80])
        + low[1:8]
    )
