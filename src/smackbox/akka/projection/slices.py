"""Splits the events of a tag among several instances of a projection: each id always in the same slice.

tagger = lambda event: [slice_tag("orders", persistence_id, 4)]
for tag in slice_tags("orders", 4): …one projection each
"""

from __future__ import annotations


def java_hash(text: str) -> int:
    """What `String.hashCode` of a JVM gives: 32 bits, signed."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for at in range(0, len(units), 2):
        value = (31 * value + int.from_bytes(units[at : at + 2], "big")) & 0xFFFF_FFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def remainder(value: int, count: int) -> int:
    """`Math.abs(value % count)` of a JVM: the remainder has the sign of `value` there."""
    return abs(value) % count


def slice_tags(tag: str, count: int) -> list[str]:
    """The tags of all slices. Raises `ValueError`."""
    if count < 1:
        raise ValueError(f"a tag has at least one slice, not {count}")
    return [f"{tag}-{number}" for number in range(count)]


def slice_tag(tag: str, persistence_id: str, count: int) -> str:
    """The tag of an id's slice, by Java's hash, so that JVMs and Python agree. Raises `ValueError`."""
    return slice_tags(tag, count)[remainder(java_hash(persistence_id), count)]
